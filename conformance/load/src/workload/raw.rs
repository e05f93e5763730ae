//! A workload as its file has it.

use std::fmt;
use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;

use super::{AudienceShare, Load, Pace, Ramp, Workload};
use crate::plan::MAX_EVENTS;
use crate::quantity::{Rate, Size, Time};
use crate::threshold::Threshold;

/// Most clients of one process: more have no ports.
const MAX_CLIENTS: usize = 1_000_000;
/// Bytes of an event's data where nothing else is said.
const USUAL_PAYLOAD: usize = 200;
/// How long clients may take to be back where nothing else is said.
const USUAL_PATIENCE: Time = Time(std::time::Duration::from_secs(60));

/// What the command line changes of a workload.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// `--clients`
    pub clients: Option<usize>,
    /// `--payload`
    pub payload: Option<Size>,
    /// `--events`
    pub events: Option<u64>,
    /// `--rate`
    pub rate: Option<Rate>,
    /// `--duration`
    pub duration: Option<Time>,
    /// `--threshold`: instead of the file's, where there are any.
    pub thresholds: Vec<Threshold>,
}

/// Whom an event is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Audience {
    /// Every connection.
    Everybody,
    /// The user whom its data names.
    Owner,
    /// Every administrator.
    Role,
    /// Those who have subscribed to its type.
    Subscribers,
}

impl Audience {
    /// The event type that scenarios use for it; a profile says what that is called and how it comes.
    pub fn event_type(self) -> &'static str {
        match self {
            Self::Everybody => "payment:created",
            Self::Owner => "profile:updated",
            Self::Role => "admin:alert",
            Self::Subscribers => "catalog:changed",
        }
    }
}

impl fmt::Display for Audience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Everybody => "everybody",
            Self::Owner => "owner",
            Self::Role => "role",
            Self::Subscribers => "subscribers",
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawWorkload {
    clients: Spanned<usize>,
    payload: Option<Size>,
    #[serde(default)]
    thresholds: Vec<Threshold>,
    burst: Option<RawBurst>,
    paced: Option<RawPaced>,
    ramp: Option<Spanned<RawRamp>>,
    idle: Option<RawIdle>,
    connect: Option<RawConnect>,
    #[serde(default)]
    audience: Vec<Spanned<RawAudience>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawBurst {
    events: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPaced {
    rate: Rate,
    duration: Time,
    churn: Option<Rate>,
    pings: Option<Rate>,
    subscriptions: Option<Rate>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRamp {
    from: Rate,
    to: Rate,
    factor: f64,
    hold: Time,
    bound: Threshold,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawIdle {
    duration: Time,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawConnect {
    #[serde(default = "usual_patience")]
    patience: Time,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAudience {
    to: Audience,
    #[serde(default = "one")]
    weight: u32,
    members: Option<usize>,
}

/// What is wrong, and where.
type Mistake = (String, Option<Range<usize>>);

impl RawWorkload {
    /// The table that says what happens.
    fn table(&self) -> &'static str {
        match self {
            Self { burst: Some(_), .. } => "[burst]",
            Self { paced: Some(_), .. } => "[paced]",
            Self { ramp: Some(_), .. } => "[ramp]",
            Self { idle: Some(_), .. } => "[idle]",
            _ => "[connect]",
        }
    }

    pub(super) fn apply(&mut self, overrides: &Overrides) -> Result<(), String> {
        let table = self.table();
        let lacks = |option: &str| format!("`{option}` means nothing to this workload, which has {table}");
        if let Some(clients) = overrides.clients {
            self.clients = Spanned::new(self.clients.span(), clients);
        }
        self.payload = overrides.payload.or(self.payload);
        if let Some(events) = overrides.events {
            self.burst.as_mut().ok_or_else(|| lacks("--events"))?.events = events;
        }
        if let Some(rate) = overrides.rate {
            self.paced.as_mut().ok_or_else(|| lacks("--rate"))?.rate = rate;
        }
        if let Some(duration) = overrides.duration {
            let paced = self.paced.as_mut().map(|paced| &mut paced.duration);
            let idle = self.idle.as_mut().map(|idle| &mut idle.duration);
            *paced.or(idle).ok_or_else(|| lacks("--duration"))? = duration;
        }
        if !overrides.thresholds.is_empty() {
            self.thresholds.clone_from(&overrides.thresholds);
        }
        Ok(())
    }

    pub(super) fn check(self, name: &str) -> Result<Workload, Mistake> {
        let clients = *self.clients.get_ref();
        if !(1..=MAX_CLIENTS).contains(&clients) {
            let message = format!("`clients` is {clients}; there can be 1 to {MAX_CLIENTS}");
            return Err((message, Some(self.clients.span())));
        }
        let tables = [
            self.burst.is_some(),
            self.paced.is_some(),
            self.ramp.is_some(),
            self.idle.is_some(),
            self.connect.is_some(),
        ];
        if tables.iter().filter(|is_there| **is_there).count() != 1 {
            let message = "a workload has one of `[burst]`, `[paced]`, `[ramp]`, `[idle]` and `[connect]`";
            return Err((message.to_owned(), None));
        }
        let table = self.table();
        let has_events = !matches!(table, "[idle]" | "[connect]");
        if let Some(first) = self.audience.first().filter(|_| !has_events) {
            return Err((format!("a workload with {table} has no events"), Some(first.span())));
        }
        if self.audience.is_empty() && has_events {
            return Err((format!("{table} has events, and no `[[audience]]` says whom they are for"), None));
        }
        let mut audiences = Vec::<AudienceShare>::new();
        for raw in &self.audience {
            let share = raw.get_ref().check(clients).map_err(|message| (message, Some(raw.span())))?;
            if audiences.iter().any(|other| other.to == share.to) {
                return Err((format!("`{}` stands there twice", share.to), Some(raw.span())));
            }
            audiences.push(share);
        }
        let load = match self {
            Self { burst: Some(burst), .. } => Load::Burst { events: burst.events },
            Self { paced: Some(paced), .. } => Load::Paced(paced.pace()),
            Self { ramp: Some(ramp), .. } => {
                let span = ramp.span();
                Load::Ramp(ramp.into_inner().check().map_err(|message| (message, Some(span)))?)
            }
            Self { idle: Some(idle), .. } => Load::Idle { duration: idle.duration.0 },
            Self { connect, .. } => {
                Load::Connect { patience: connect.map_or(USUAL_PATIENCE, |raw| raw.patience).0 }
            }
        };
        if load.events() > MAX_EVENTS as f64 {
            let message =
                format!("a workload has up to {MAX_EVENTS} events, and this has {:.0}", load.events());
            return Err((message, None));
        }
        let payload = self.payload.map_or(USUAL_PAYLOAD, |size| size.0);
        let name = name.to_owned();
        Ok(Workload { name, clients, payload, load, audiences, thresholds: self.thresholds })
    }
}

impl RawPaced {
    fn pace(&self) -> Pace {
        let rate = |rate: Option<Rate>| rate.map_or(0.0, |rate| rate.0);
        Pace {
            rate: self.rate.0,
            duration: self.duration.0,
            churn: rate(self.churn),
            pings: rate(self.pings),
            subscriptions: rate(self.subscriptions),
        }
    }
}

impl RawRamp {
    fn check(self) -> Result<Ramp, String> {
        if self.factor.is_nan() || self.factor < 1.01 || self.factor > 10.0 {
            return Err(format!("`factor` is {}; it can be 1.01 to 10", self.factor));
        }
        if self.to.0 < self.from.0 {
            return Err("`to` is less than `from`".to_owned());
        }
        if self.hold.0.as_secs() < 2 {
            return Err("`hold` is less than 2s: the first second of a step is no measure".to_owned());
        }
        if !self.bound.measure().is_latency() {
            return Err(format!("`bound` is about {}; it can be about a latency", self.bound.measure()));
        }
        let Self { from, to, factor, hold, bound } = self;
        Ok(Ramp { from: from.0, to: to.0, factor, hold: hold.0, bound })
    }
}

impl RawAudience {
    fn check(&self, clients: usize) -> Result<AudienceShare, String> {
        if self.weight == 0 {
            return Err("`weight` is 0".to_owned());
        }
        let members = match (self.to, self.members) {
            (Audience::Everybody, Some(_)) => {
                return Err("`everybody` is all clients: leave `members` out".to_owned());
            }
            (Audience::Owner, members) => members.unwrap_or(1),
            (_, members) => members.unwrap_or(clients).min(clients),
        };
        if members == 0 {
            return Err("`members` is 0: events that reach no client are no load".to_owned());
        }
        Ok(AudienceShare { to: self.to, weight: self.weight, members })
    }
}

fn one() -> u32 {
    1
}

fn usual_patience() -> Time {
    USUAL_PATIENCE
}
