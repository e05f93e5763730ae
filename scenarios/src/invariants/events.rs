//! Who receives what is published, how often, and in which order (BRIDGE-2 to BRIDGE-6, BRIDGE-18, ROOM-1).

use std::collections::BTreeMap;

use protocol::Role;
use serde_json::Value;

use super::client::{ClientWatch, SETTLED_US};
use super::{Findings, Watch};
use crate::scenario::Forgets;

/// What was published, in order.
#[derive(Debug, Default)]
pub(super) struct Published {
    events: Vec<Audience>,
    numbers: BTreeMap<String, usize>,
}

/// For whom an event is (SPEC, "Events in").
#[derive(Debug, Clone, PartialEq, Eq)]
enum Audience {
    Everyone,
    User(String),
    Admins,
    /// Those who have joined the room of this name.
    Room(String),
}

impl Audience {
    fn of(kind: &str, data: &Value) -> Self {
        let owner = || Self::User(data["userId"].as_str().unwrap_or_default().to_owned());
        match kind.split_once(':').map_or(kind, |(area, _)| area) {
            "payment" => Self::Everyone,
            "profile" | "session" => owner(),
            "admin" => Self::Admins,
            _ => Self::Room(kind.to_owned()),
        }
    }

    /// The requirement by which it is owed.
    fn requirement(&self, kind_is_created: bool) -> &'static str {
        match self {
            Self::Everyone if kind_is_created => "BRIDGE-2",
            Self::Everyone => "BRIDGE-3",
            Self::User(_) | Self::Admins => "BRIDGE-18",
            Self::Room(_) => "ROOM-1",
        }
    }
}

fn key(kind: &str, data: &Value) -> String {
    format!("{kind} {data}")
}

impl Watch<'_> {
    /// The broker has confirmed an event: every connection that is open and entitled is owed it.
    pub(super) fn is_published(&mut self, _at_us: u64, body: &Value) {
        let Some(kind) = body["type"].as_str() else { return };
        let audience = Audience::of(kind, &body["data"]);
        let number = self.published.events.len();
        self.published.numbers.insert(key(kind, &body["data"]), number);
        for (name, client) in &mut self.clients {
            let role = client.role;
            for connection in client.connections.values_mut().filter(|one| one.is_open() && one.has_welcome) {
                let is_entitled = match &audience {
                    Audience::Everyone => true,
                    Audience::User(owner) => owner == name,
                    Audience::Admins => role == Role::Admin,
                    Audience::Room(room) => {
                        let asks = |target: &protocol::Target| target.name() == room;
                        connection.joined.contains(room) && connection.asked.iter().any(asks)
                    }
                };
                if is_entitled && !self.loses_events {
                    connection.owed.insert(number);
                }
            }
        }
        self.published.events.push(audience);
    }

    /// A client asks to leave a room: what is published from now on may come or not.
    pub(super) fn leaves(&mut self, name: &str, number: u32, room: &str) {
        let client = self.clients.get_mut(name);
        let Some(connection) = client.and_then(|client| client.connections.get_mut(&number)) else { return };
        connection.joined.remove(room);
        let events = &self.published.events;
        connection.owed.retain(|owed| events[*owed] != Audience::Room(room.to_owned()));
    }

    /// The broker deletes queues, and what is in them.
    pub(super) fn forgets(&mut self, forgets: Forgets) {
        if !matches!(forgets, Forgets::ClosesChannels | Forgets::ClosesOtherChannels) {
            for client in self.clients.values_mut() {
                client.connections.values_mut().for_each(|connection| connection.owed.clear());
            }
        }
    }
}

/// An event comes.
pub(super) fn received(
    published: &mut Published,
    client: &mut ClientWatch,
    name: &str,
    number: u32,
    sought: &[u64],
    (kind, data): (&str, &Value),
    found: &mut Findings,
) {
    let Some(connection) = client.connections.get_mut(&number) else { return };
    let Some(event) = published.numbers.get(&key(kind, data)).copied() else {
        return found.add("BRIDGE-2", format!("{kind} {data} was never published"));
    };
    let stranger = match &published.events[event] {
        Audience::Everyone => false,
        Audience::User(owner) => owner != name,
        Audience::Admins => client.role != Role::Admin,
        Audience::Room(room) => !connection.wanted.iter().any(|target| target.name() == room),
    };
    if stranger {
        found.add("BRIDGE-4", format!("{name} receives {kind} {data}, which is not for it"));
    }
    // What was not acknowledged when the gateway lost its broker is delivered again, and what was on its way then still comes.
    let again = |since_us: u64| sought.iter().filter(|at_us| **at_us + SETTLED_US >= since_us).count();
    let (times, first_us) = connection.received.entry(event).or_insert((0, found.at_us));
    *times += 1;
    if *times > 1 + again(*first_us) {
        found.add("BRIDGE-5", format!("{name} receives {kind} {data} {times} times"));
    }
    if *times == 1 && connection.newest.is_some_and(|newest| event < newest) && again(found.at_us) == 0 {
        found.add("BRIDGE-6", format!("{name} receives {kind} {data} behind what was published later"));
    }
    connection.newest = connection.newest.max(Some(event));
    connection.owed.remove(&event);
}

impl Published {
    /// What a connection is owed and has not received.
    pub(super) fn missing(&self, owed: usize) -> (&'static str, String) {
        let name = self.numbers.iter().find(|(_, number)| **number == owed).map_or("", |(name, _)| name);
        (self.events[owed].requirement(name.starts_with("payment:created")), name.to_owned())
    }
}
