//! Plans: who takes part in a whole system, what they do when, and what goes wrong when and for how long.
//!
//! A plan is a scenario file with `subject = "system"`. It has no steps that wait: each entry has its time, and every rule and
//! invariant that applies is held against what happened (`expect = "rules"`). So a plan can be drawn from a seed, made smaller entry
//! by entry, and played by anything that keeps time.

mod entry;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use protocol::{Role, Timing};
use serde::{Deserialize, Serialize};

pub use entry::{Act, Entry, GatewayFault, NetworkFault, ProcessFault, ProviderFault};

use crate::scenario::{ScenarioError, ScenarioId, file, is_default};
use crate::token::TokenSpec;
use crate::trace::Actor;

/// Most gateways of one plan.
pub const MAX_GATEWAYS: usize = 3;
/// Most clients of one plan.
pub const MAX_CLIENTS: usize = 50;
/// Latest time of an entry, and longest time that one lasts.
pub const MAX_TIME: Duration = Duration::from_secs(24 * 3600);

/// A plan that has been read and checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Where it stands, or which seed it was drawn from.
    pub id: ScenarioId,
    /// What it is, in a sentence.
    pub title: String,
    /// Why it is as it is, where that is not plain.
    pub about: String,
    /// What jitter begins with.
    pub seed: u64,
    /// How many gateways there are, from 1. One has the durable queue; each of several has a queue of its own (BRIDGE-11).
    pub gateways: usize,
    /// How long a frame takes from one end of a connection to the other while nothing is wrong.
    pub latency: Duration,
    /// What gateways and clients are configured with.
    pub timing: Timing,
    /// The clients, by their names, which are also the names of their users.
    pub clients: BTreeMap<String, Participant>,
    /// What happens, in the order of its times.
    pub entries: Vec<Entry>,
}

/// A client.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Participant {
    /// The role of its user.
    pub role: Role,
    /// The gateway that it dials, counted from 1.
    #[serde(skip_serializing_if = "is_first")]
    pub gateway: usize,
    /// Messages that its queue holds (QUEUE-3).
    pub queue: usize,
    /// Whether it asks a token provider at each dial (TOKEN-2).
    #[serde(skip_serializing_if = "is_default")]
    pub provider: bool,
    /// Its first token, or those of its provider.
    #[serde(skip_serializing_if = "is_default")]
    pub token: TokenSpec,
}

/// One thing that is due: an entry begins, or what it did is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    /// When, since the beginning.
    pub at: Duration,
    /// The entry, counted from 0.
    pub entry: usize,
    /// Whether the entry's time is over.
    pub is_over: bool,
}

impl Default for Participant {
    fn default() -> Self {
        Self { role: Role::Customer, gateway: 1, queue: 1000, provider: false, token: TokenSpec::default() }
    }
}

fn is_first(gateway: &usize) -> bool {
    *gateway == 1
}

impl Plan {
    /// Reads a plan's text.
    ///
    /// # Errors
    /// When it is not TOML, or not a plan; the error points at the line.
    pub fn parse(id: ScenarioId, text: &str) -> Result<Self, ScenarioError> {
        file::read_plan(id, text)
    }

    /// The plan as a file has it: what is read from it is this plan.
    pub fn to_toml(&self) -> String {
        file::write_plan(self)
    }

    /// Whether a scenario file is a plan.
    pub fn is_one(text: &str) -> bool {
        #[derive(Deserialize)]
        struct Head {
            subject: String,
        }
        text.contains("\"system\"")
            && toml::from_str::<Head>(text).is_ok_and(|head| head.subject == file::SYSTEM)
    }

    /// Everything that is due, in order: what ends at a time comes before what begins then, so that faults that follow each other
    /// do not overlap.
    pub fn moments(&self) -> Vec<Moment> {
        let begin = |(entry, one): (usize, &Entry)| Moment { at: one.at, entry, is_over: false };
        let end = |(entry, one): (usize, &Entry)| {
            one.lasts.map(|lasts| Moment { at: one.at + lasts, entry, is_over: true })
        };
        let mut moments: Vec<_> = self.entries.iter().enumerate().map(begin).collect();
        moments.extend(self.entries.iter().enumerate().filter_map(end));
        moments.sort_by_key(|moment| (moment.at, !moment.is_over, moment.entry));
        moments
    }

    /// When the last entry begins, or the last fault is over.
    pub fn last_moment(&self) -> Duration {
        self.entries.iter().map(|entry| entry.at + entry.lasts.unwrap_or_default()).max().unwrap_or_default()
    }

    /// How long the system may take from then on until it is whole again: the longest delay before a redial and its dial, twice, since
    /// the first may have begun in the fault; what a dead peer is given; and the broker's redials.
    pub fn recovery(&self) -> Duration {
        let timing = &self.timing;
        let redial = timing.max_reconnect_delay.mul_f64(1.0 + timing.jitter) + timing.connect_timeout;
        redial * 2 + timing.ping_interval + timing.pong_timeout + Self::BROKER_RECOVERY
    }

    /// Longest time for a gateway to consume again once its broker is whole: it redials within 12 s, and an attempt takes 10 s.
    const BROKER_RECOVERY: Duration = Duration::from_secs(24);

    /// The name of a gateway, counted from 1, in traces.
    pub fn gateway_actor(gateway: usize) -> Actor {
        match gateway {
            1 => Actor::gateway(),
            more => Actor(format!("gateway-{more}")),
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} gateways, {} clients", self.id, self.gateways, self.clients.len())?;
        self.entries.iter().try_for_each(|entry| write!(f, "\n  {entry}"))
    }
}

#[cfg(test)]
mod tests;
