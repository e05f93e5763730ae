//! What must hold in a whole system, whatever its plan: read from the trace as it grows, each with the requirement that it follows from.
//!
//! Like universal rules they look for what is forbidden; unlike them they know the plan, and so what was asked for and what was disturbed
//! when. *Liveness* is judged at the end of a play, which comes so long after the last fault ([`Plan::recovery`]) that everything has had
//! its time. They read observations and nothing else.
//!
//! | module | what it is about |
//! |---|---|
//! | `status` | statuses, dials, delays, tokens |
//! | `queue` | what a client sends, and what it subscribes to |
//! | `heartbeat` | pings of both ends, and peers that fall silent |
//! | `events` | who receives what is published, how often, in which order |
//! | `end` | what is so once everything has had its time |

mod client;
mod connection;
mod end;
mod events;
mod heartbeat;
mod queue;
mod status;

use std::collections::BTreeMap;
use std::time::Duration;

use self::client::ClientWatch;
use self::events::Published;
use crate::plan::{Act, Plan, ProcessFault};
use crate::trace::{Actor, Event, Frame, Message, Observation};

/// The requirements that are judged in a play of a plan.
pub const OF_SYSTEMS: [&str; 35] = [
    "AUTH-6",
    "BACKOFF-1",
    "BACKOFF-2",
    "BRIDGE-2",
    "BRIDGE-3",
    "BRIDGE-4",
    "BRIDGE-5",
    "BRIDGE-6",
    "BRIDGE-7",
    "BRIDGE-9",
    "BRIDGE-18",
    "CONN-4",
    "CONN-5",
    "DIAL-2",
    "HB-1",
    "HB-2",
    "HB-3",
    "IN-1",
    "MSG-1",
    "PING-1",
    "PING-3",
    "QUEUE-1",
    "QUEUE-2",
    "QUEUE-3",
    "QUEUE-4",
    "ROOM-1",
    "ROOM-6",
    "STATE-1",
    "STATE-2",
    "STATE-3",
    "STATE-4",
    "STATE-5",
    "STATE-6",
    "STATE-8",
    "SUB-2",
];

/// How much later or earlier than ordered things may be seen: frames wait behind others for a moment.
const SLACK_US: u64 = 250_000;
/// Violations that are kept.
const MAX_KEPT: usize = 100;

/// Something that must not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The requirement.
    pub requirement: &'static str,
    /// When it was seen, since the beginning.
    pub at: Duration,
    /// What was seen.
    pub detail: String,
}

/// Looks at a play as it goes on.
#[derive(Debug)]
pub struct Watch<'a> {
    plan: &'a Plan,
    clients: BTreeMap<&'a str, ClientWatch>,
    /// Whether the broker or a gateway is disturbed in this plan: queues of single gateways lose events then.
    loses_events: bool,
    published: Published,
    /// When each gateway, counted from 0, has sought its broker again: what was delivered before may be delivered again.
    sought: Vec<Vec<u64>>,
    has_sought: Vec<bool>,
    begun: Vec<bool>,
    /// When the last observation was.
    now_us: u64,
    violations: Vec<Violation>,
}

impl<'a> Watch<'a> {
    /// Before anything has happened.
    pub fn new(plan: &'a Plan) -> Self {
        let clients = plan.clients.iter().map(|(name, spec)| (name.as_str(), ClientWatch::new(spec, plan)));
        let disturbs = |act: &Act| matches!(act, Act::Broker(_) | Act::Gateway(..));
        Self {
            plan,
            clients: clients.collect(),
            loses_events: plan.gateways > 1 && plan.entries.iter().any(|entry| disturbs(&entry.act)),
            published: Published::default(),
            sought: vec![Vec::new(); plan.gateways],
            has_sought: vec![false; plan.gateways],
            begun: vec![false; plan.entries.len()],
            now_us: 0,
            violations: Vec::new(),
        }
    }

    /// Whether something was found.
    pub fn has_found(&self) -> bool {
        !self.violations.is_empty()
    }

    /// What was found, in the order in which it was seen.
    pub fn into_violations(self) -> Vec<Violation> {
        self.violations
    }

    /// Looks at the next observation.
    pub fn observe(&mut self, seen: &Observation) {
        self.now_us = seen.at_us;
        match &seen.event {
            Event::Step { number, .. } if seen.actor == Actor::scenario() => self.step(seen.at_us, *number),
            Event::Published { body, .. } => self.is_published(seen.at_us, body),
            Event::BrokerDialled => {
                let gateways = 1..=self.plan.gateways;
                for gateway in gateways.filter(|number| Plan::gateway_actor(*number) == seen.actor) {
                    if std::mem::replace(&mut self.has_sought[gateway - 1], true) {
                        self.sought[gateway - 1].push(seen.at_us);
                    }
                }
            }
            Event::Answered { path, body, .. } => self.is_answered(seen, path, body),
            _ => self.of_client(seen),
        }
    }

    fn of_client(&mut self, seen: &Observation) {
        let mut found = Findings::new(seen.at_us);
        if let Some(client) = self.clients.get_mut(seen.actor.0.as_str()) {
            client.observe(seen, &mut found);
            if let (Event::Received(frame), Some(number)) = (&seen.event, seen.connection)
                && let Some(Message::Server(protocol::ServerMessage::Event { name, payload })) =
                    &frame.message
            {
                let sought = self.sought[client.gateway].as_slice();
                events::received(
                    &mut self.published,
                    client,
                    &seen.actor.0,
                    number,
                    sought,
                    (name, payload),
                    &mut found,
                );
            }
        }
        self.keep(found);
        if let (Event::Sent(frame), Some(number)) = (&seen.event, seen.connection)
            && let Some(protocol::ClientMessage::Unsubscribe(target)) = of_client(frame)
        {
            self.leaves(&seen.actor.0, number, target.name());
        }
    }

    /// An entry of the plan begins, or is over: it is announced twice where it lasts.
    fn step(&mut self, at_us: u64, number: usize) {
        let Some(at) = number.checked_sub(1).filter(|at| *at < self.begun.len()) else { return };
        let is_over = std::mem::replace(&mut self.begun[at], true);
        let entry = &self.plan.entries[at];
        let mut found = Findings::new(at_us);
        for client in self.clients.values_mut() {
            client.before_step(&mut found);
        }
        let lasts = entry.lasts.is_some();
        for (name, client) in &mut self.clients {
            let is_of = entry.act.client() == Some(*name);
            let is_affected = match &entry.act {
                Act::Gateway(number, _) => client.gateway + 1 == *number,
                act => is_of && act.is_fault(),
            };
            if is_affected {
                client.is_disturbed(
                    at_us,
                    lasts,
                    is_over,
                    matches!(entry.act, Act::Process(_, ProcessFault::Sleeps)),
                );
            }
            if is_of && !is_over {
                client.is_asked(at_us, &entry.act);
            }
        }
        if let Act::Broker(crate::scenario::BrokerAct::Forgets(forgets)) = &entry.act {
            self.forgets(*forgets);
        }
        self.keep(found);
    }

    fn keep(&mut self, found: Findings) {
        let room = MAX_KEPT.saturating_sub(self.violations.len());
        self.violations.extend(found.violations.into_iter().take(room));
    }
}

/// What one observation breaks.
#[derive(Debug)]
struct Findings {
    at_us: u64,
    violations: Vec<Violation>,
}

impl Findings {
    fn new(at_us: u64) -> Self {
        Self { at_us, violations: Vec::new() }
    }

    fn add(&mut self, requirement: &'static str, detail: impl Into<String>) {
        debug_assert!(OF_SYSTEMS.contains(&requirement), "{requirement} is not listed");
        let at = Duration::from_micros(self.at_us);
        self.violations.push(Violation { requirement, at, detail: detail.into() });
    }
}

/// A client's message, where a frame is one.
fn of_client(frame: &Frame) -> Option<&protocol::ClientMessage> {
    match &frame.message {
        Some(Message::Client(message)) => Some(message),
        _ => None,
    }
}

/// A time in microseconds.
fn us(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
