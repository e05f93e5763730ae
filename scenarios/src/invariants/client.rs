//! What is known of one client, and who looks at what happens to it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use protocol::{Role, Target, Timing};
use serde_json::Value;

use super::connection::ConnectionWatch;
use super::{Findings, us};
use crate::plan::{Act, Participant, Plan};
use crate::scenario::ClientAct;
use crate::trace::{Event, Observation};

/// A client.
#[derive(Debug)]
pub(super) struct ClientWatch {
    pub(super) role: Role,
    /// Counted from 0.
    pub(super) gateway: usize,
    pub(super) capacity: usize,
    pub(super) has_provider: bool,
    pub(super) timing: Timing,

    /// Faults that go on around it.
    faults: usize,
    /// Since when nothing has disturbed it.
    quiet_since_us: u64,
    pub(super) is_asleep: bool,
    /// When it slept last, until it woke.
    pub(super) slept_us: Option<u64>,

    /// Whether the application wants a connection.
    pub(super) wants: bool,
    /// Why it seeks none although the application wants one.
    pub(super) stopped: Option<&'static str>,
    pub(super) status: String,
    /// Since when it waits for a redial.
    pub(super) waits_since_us: Option<u64>,
    /// Redials since the last connection that was stable; nothing where that cannot be told.
    pub(super) attempts: Option<u32>,
    /// Whether a token was refused, and no other one was given since.
    pub(super) was_refused: bool,
    /// When a token expired last.
    pub(super) expired_us: Option<u64>,
    /// The tokens that it was given: seconds for which each is good, and when it was made.
    pub(super) tokens: Vec<(u64, i64)>,
    pub(super) newest_token: usize,
    pub(super) token_wanted_us: Option<u64>,

    /// What was asked for and not sent.
    pub(super) unsent: VecDeque<(String, Value)>,
    /// How many of these the queue has refused; which ones, what is sent next will tell.
    pub(super) refusals: usize,
    pub(super) sent: Vec<(String, Value)>,
    pub(super) wanted: BTreeSet<Target>,
    /// Events that came and were not emitted.
    pub(super) to_emit: VecDeque<(String, Value)>,

    pub(super) connections: BTreeMap<u32, ConnectionWatch>,
}

/// How long after a fault what it has held up may still arrive.
pub(super) const SETTLED_US: u64 = 30_000_000;
/// Seconds that a token is good for where its recipe does not say.
pub(super) const HOUR_S: i64 = 3600;

impl ClientWatch {
    pub(super) fn new(spec: &Participant, plan: &Plan) -> Self {
        let good_for_s = spec.token.expires_in.unwrap_or(HOUR_S);
        Self {
            role: spec.role,
            gateway: spec.gateway - 1,
            capacity: spec.queue,
            has_provider: spec.provider,
            timing: plan.timing.clone(),
            faults: 0,
            quiet_since_us: 0,
            is_asleep: false,
            slept_us: None,
            wants: false,
            stopped: None,
            status: "disconnected".to_owned(),
            waits_since_us: None,
            attempts: Some(0),
            was_refused: false,
            expired_us: None,
            tokens: vec![(0, good_for_s)],
            newest_token: 0,
            token_wanted_us: None,
            unsent: VecDeque::new(),
            refusals: 0,
            sent: Vec::new(),
            wanted: BTreeSet::new(),
            to_emit: VecDeque::new(),
            connections: BTreeMap::new(),
        }
    }

    /// Whether nothing has disturbed it since then, nor so shortly before that its traces may still be on the way.
    pub(super) fn is_quiet_since(&self, at_us: u64) -> bool {
        let is_settled = self.quiet_since_us == 0 || self.quiet_since_us + SETTLED_US <= at_us;
        self.faults == 0 && is_settled
    }

    pub(super) fn is_disturbed(&mut self, at_us: u64, lasts: bool, is_over: bool, sleeps: bool) {
        if lasts && is_over {
            self.faults -= 1;
        } else if lasts {
            self.faults += 1;
        }
        if sleeps {
            self.is_asleep = !is_over;
            self.slept_us = Some(at_us);
        }
        self.quiet_since_us = at_us;
    }

    /// The one connection that is open, if one is.
    pub(super) fn open(&self) -> Option<(u32, &ConnectionWatch)> {
        let mut open = self.connections.iter().filter(|(_, connection)| connection.is_open());
        open.next().map(|(number, connection)| (*number, connection))
    }

    /// The application asks for something.
    pub(super) fn is_asked(&mut self, at_us: u64, act: &Act) {
        match act {
            Act::Client(_, ClientAct::Connect) => self.connects(),
            Act::Client(_, ClientAct::Disconnect) => {
                self.wants = false;
                self.stopped = None;
                self.attempts = None;
                self.connections.values_mut().for_each(|connection| connection.is_replaced = true);
            }
            Act::Client(_, ClientAct::Send { kind, payload, count }) => {
                for number in 1..=*count {
                    let mut payload = payload.clone();
                    if *count > 1 {
                        payload["seq"] = number.into();
                    }
                    self.unsent.push_back((kind.clone(), payload));
                }
            }
            Act::Client(_, ClientAct::Subscribe(target)) => {
                self.wanted.insert(target.clone());
                for connection in self.connections.values_mut() {
                    connection.wanted.insert(target.clone());
                }
            }
            Act::Client(_, ClientAct::Unsubscribe(target)) => {
                self.wanted.remove(target);
            }
            Act::SetToken(_, spec) => self.is_given_a_token(at_us, spec.expires_in.unwrap_or(HOUR_S)),
            _ => {}
        }
    }

    pub(super) fn observe(&mut self, seen: &Observation, found: &mut Findings) {
        let at_us = seen.at_us;
        let number = seen.connection.unwrap_or_default();
        match &seen.event {
            Event::Status { old, new } => self.is_announced(at_us, old, new, found),
            Event::TokenWanted => self.seeks(at_us, found),
            Event::Dialled { query, .. } => self.dials(at_us, number, query, found),
            Event::Opened => self.opens(at_us, number, found),
            Event::Refused { status, .. } => self.is_refused(at_us, number, *status, found),
            Event::Sent(frame) => self.sends(at_us, number, frame, found),
            Event::Received(frame) => self.receives(at_us, number, frame, found),
            Event::Closed { code, by } => self.is_closed(at_us, number, *code, *by, found),
            Event::GatewayClosed => self.is_over_there(at_us, number, found),
            Event::Emitted { name, payload, .. } => self.emits(name, payload, found),
            Event::RequestFailed { op, .. } if op == "send" => self.is_full(found),
            _ => {}
        }
    }

    /// How long the application's commands may be put off: while the process sleeps.
    pub(super) fn slept_since(&self, at_us: u64) -> bool {
        self.is_asleep || self.slept_us.is_some_and(|slept| slept >= at_us)
    }

    pub(super) fn connect_timeout_us(&self) -> u64 {
        us(self.timing.connect_timeout)
    }

    /// Forgets connections of which both ends are over.
    pub(super) fn forget(&mut self, number: u32) {
        if self.connections.get(&number).is_some_and(|one| one.is_over && one.is_over_there) {
            self.connections.remove(&number);
        }
    }
}
