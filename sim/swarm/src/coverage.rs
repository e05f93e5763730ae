//! What plays reach: transitions, faults in each status of a client, and what should happen sometimes.

use std::collections::{BTreeMap, BTreeSet};

use protocol::CloseCode;
use scenarios::trace::Side;
use scenarios::{Actor, Event, Observation, Plan};

/// What some play should reach, each in words. What no seed reaches is not tested.
pub const GOALS: [&str; 14] = [
    "a queue was full",
    "redials were exhausted",
    "a token was refused",
    "a token expired on an open connection",
    "a slow reader was shed",
    "a gateway said goodbye",
    "a connection ended in the flush",
    "a dial hung",
    "a dial found no one",
    "an event found no queue",
    "a client took its gateway for dead",
    "a provider was asked in vain",
    "a closing connection was replaced",
    "a gateway sought its broker again",
];

/// How long after its opening a connection is taken to be in its flush, in microseconds.
const FLUSH_US: u64 = 200_000;

/// Counts of what was reached, over one play or many.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Changes of status, `old → new`.
    pub transitions: BTreeMap<String, u64>,
    /// Faults that began, by kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// Operations, by kind.
    pub operations: BTreeMap<&'static str, u64>,
    /// Faults that began around a client, by its status then and their kind.
    pub pairs: BTreeMap<(String, &'static str), u64>,
    /// How often each of [`GOALS`] was reached.
    pub goals: BTreeMap<&'static str, u64>,
    play: Play,
}

/// What is known of the play that goes on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Play {
    /// What each entry of the plan is: its kind, whether it is a fault, and the clients that it affects.
    entries: Vec<(&'static str, bool, Vec<Actor>)>,
    begun: Vec<bool>,
    statuses: BTreeMap<Actor, String>,
    opened_us: BTreeMap<(Actor, u32), u64>,
    sought: BTreeMap<Actor, u32>,
    /// Clients that have asked for a token and not dialled.
    asked: BTreeSet<Actor>,
}

impl Coverage {
    /// Nothing yet, of a play of this plan.
    pub(crate) fn new(plan: &Plan) -> Self {
        let affected = |entry: &scenarios::plan::Entry| match (&entry.act, entry.act.client()) {
            (_, Some(client)) => vec![Actor(client.to_owned())],
            (scenarios::plan::Act::Gateway(number, _), None) => {
                let of = plan.clients.iter().filter(|(_, spec)| spec.gateway == *number);
                of.map(|(name, _)| Actor(name.clone())).collect()
            }
            _ => Vec::new(),
        };
        let entries = plan.entries.iter().map(|entry| match entry.act.fault() {
            Some(kind) => (kind, true, affected(entry)),
            None => (entry.act.operation().unwrap_or("other"), false, Vec::new()),
        });
        let play = Play {
            entries: entries.collect(),
            begun: vec![false; plan.entries.len()],
            statuses: plan
                .clients
                .keys()
                .map(|name| (Actor(name.clone()), "disconnected".to_owned()))
                .collect(),
            ..Play::default()
        };
        Self { play, ..Self::default() }
    }

    /// Adds what another play has reached.
    pub fn add(&mut self, other: &Self) {
        fn sum<K: Ord + Clone>(all: &mut BTreeMap<K, u64>, one: &BTreeMap<K, u64>) {
            for (key, count) in one {
                *all.entry(key.clone()).or_default() += count;
            }
        }
        sum(&mut self.transitions, &other.transitions);
        sum(&mut self.faults, &other.faults);
        sum(&mut self.operations, &other.operations);
        sum(&mut self.pairs, &other.pairs);
        sum(&mut self.goals, &other.goals);
    }

    /// The goals that were not reached.
    pub fn missing(&self) -> impl Iterator<Item = &'static str> {
        GOALS.into_iter().filter(|goal| !self.goals.contains_key(goal))
    }

    fn goal(&mut self, goal: &'static str) {
        debug_assert!(GOALS.contains(&goal), "{goal} is not listed");
        *self.goals.entry(goal).or_default() += 1;
    }

    pub(crate) fn observe(&mut self, seen: &Observation) {
        match &seen.event {
            Event::Step { number, .. } => self.step(*number),
            Event::Status { old, new } => {
                *self.transitions.entry(format!("{old} → {new}")).or_default() += 1;
                if new == "error" && self.play.asked.remove(&seen.actor) {
                    self.goal("a provider was asked in vain");
                }
                self.play.statuses.insert(seen.actor.clone(), new.clone());
            }
            Event::Opened => {
                let connection = (seen.actor.clone(), seen.connection.unwrap_or_default());
                self.play.opened_us.insert(connection, seen.at_us);
            }
            Event::RequestFailed { .. } => self.goal("a queue was full"),
            Event::Emitted { name, .. } if name == "max_reconnect_attempts" => {
                self.goal("redials were exhausted");
            }
            Event::Refused { status: Some(401), .. } => self.goal("a token was refused"),
            Event::Refused { status: None, by: Some(Side::Client), .. } => self.goal("a dial hung"),
            Event::Refused { status: None, .. } => self.goal("a dial found no one"),
            Event::Unrouted { .. } => self.goal("an event found no queue"),
            Event::Closed { code, by } => self.closed(seen, *code, *by),
            Event::TokenWanted => drop(self.play.asked.insert(seen.actor.clone())),
            Event::Dialled { .. } => drop(self.play.asked.remove(&seen.actor)),
            Event::BrokerDialled => {
                let sought = self.play.sought.entry(seen.actor.clone()).or_default();
                *sought += 1;
                if *sought > 1 {
                    self.goal("a gateway sought its broker again");
                }
            }
            _ => {}
        }
    }

    fn closed(&mut self, seen: &Observation, code: Option<CloseCode>, by: Side) {
        let connection = (seen.actor.clone(), seen.connection.unwrap_or_default());
        let opened_us = self.play.opened_us.remove(&connection);
        if opened_us.is_some_and(|opened_us| seen.at_us - opened_us < FLUSH_US) {
            self.goal("a connection ended in the flush");
        }
        match (code, by) {
            (Some(CloseCode::UNAUTHORIZED), Side::Gateway) => {
                self.goal("a token expired on an open connection");
            }
            (Some(CloseCode::TRY_AGAIN_LATER), Side::Gateway) => self.goal("a slow reader was shed"),
            (Some(CloseCode::GOING_AWAY), Side::Gateway) => self.goal("a gateway said goodbye"),
            (Some(CloseCode::NORMAL), Side::Client) => self.goal("a closing connection was replaced"),
            (None, Side::Client) => self.goal("a client took its gateway for dead"),
            _ => {}
        }
    }

    fn step(&mut self, number: usize) {
        let Some(at) = number.checked_sub(1).filter(|at| *at < self.play.entries.len()) else { return };
        if std::mem::replace(&mut self.play.begun[at], true) {
            return;
        }
        let (kind, is_fault, affected) = &self.play.entries[at];
        if !is_fault {
            *self.operations.entry(kind).or_default() += 1;
            return;
        }
        *self.faults.entry(kind).or_default() += 1;
        for actor in affected {
            let status = self.play.statuses.get(actor).cloned().unwrap_or_default();
            *self.pairs.entry((status, kind)).or_default() += 1;
        }
    }
}
