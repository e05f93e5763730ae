//! Statistics of the connections, for monitoring (CONN-9).

use std::collections::BTreeMap;

use protocol::{Claims, RoomName};
use serde::Serialize;

/// Connections, by user, by role and by room.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ConnectionStats {
    /// The connections.
    pub connections: Connections,
    /// How many members each room has.
    pub rooms: BTreeMap<String, usize>,
}

/// How many connections there are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Connections {
    /// In all.
    pub total: usize,
    /// Of each user.
    pub by_user: BTreeMap<String, usize>,
    /// Of each role.
    pub by_role: BTreeMap<String, usize>,
}

impl ConnectionStats {
    pub(super) fn of<'a>(
        claims: impl Iterator<Item = &'a Claims>,
        rooms: impl Iterator<Item = (&'a RoomName, usize)>,
    ) -> Self {
        let mut connections = Connections::default();
        for Claims { user_id, role, .. } in claims {
            connections.total += 1;
            *connections.by_user.entry(user_id.to_string()).or_default() += 1;
            *connections.by_role.entry(role.to_string()).or_default() += 1;
        }
        Self { connections, rooms: rooms.map(|(room, members)| (room.to_string(), members)).collect() }
    }

    /// Adds another shard's.
    pub fn add(&mut self, other: Self) {
        self.connections.total += other.connections.total;
        add(&mut self.connections.by_user, other.connections.by_user);
        add(&mut self.connections.by_role, other.connections.by_role);
        add(&mut self.rooms, other.rooms);
    }
}

fn add(to: &mut BTreeMap<String, usize>, from: BTreeMap<String, usize>) {
    for (name, count) in from {
        *to.entry(name).or_default() += count;
    }
}
