//! Room memberships, indexed by room and by connection; leaving removes both entries (CONN-5).

use std::collections::{BTreeMap, BTreeSet};

use protocol::RoomName;

use super::io::ConnectionId;

/// Memberships of the connections of one shard.
#[derive(Debug, Default)]
pub(super) struct Rooms {
    members: BTreeMap<RoomName, BTreeSet<ConnectionId>>,
    of: BTreeMap<ConnectionId, BTreeSet<RoomName>>,
}

/// How a request to join went.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Joined {
    /// The connection is in the room, now or already (ROOM-5: twice is once).
    In,
    /// It is in as many rooms as it may be.
    TooMany,
}

impl Rooms {
    pub(super) fn join(&mut self, connection: ConnectionId, room: RoomName, limit: usize) -> Joined {
        let own = self.of.entry(connection).or_default();
        if own.contains(&room) {
            return Joined::In;
        }
        if own.len() >= limit {
            return Joined::TooMany;
        }
        own.insert(room.clone());
        self.members.entry(room).or_default().insert(connection);
        Joined::In
    }

    pub(super) fn leave(&mut self, connection: ConnectionId, room: &RoomName) {
        if let Some(own) = self.of.get_mut(&connection) {
            own.remove(room);
        }
        self.forget(connection, room);
    }

    pub(super) fn leave_all(&mut self, connection: ConnectionId) {
        for room in self.of.remove(&connection).unwrap_or_default() {
            self.forget(connection, &room);
        }
    }

    /// The members of any of the rooms, each once (BRIDGE-5).
    pub(super) fn members_of_any(&self, rooms: &[RoomName]) -> Vec<ConnectionId> {
        match rooms {
            [room] => self.members.get(room).into_iter().flatten().copied().collect(),
            rooms => {
                let all: BTreeSet<_> =
                    rooms.iter().filter_map(|room| self.members.get(room)).flatten().collect();
                all.into_iter().copied().collect()
            }
        }
    }

    /// How many members each room has.
    pub(super) fn sizes(&self) -> impl Iterator<Item = (&RoomName, usize)> {
        self.members.iter().map(|(room, members)| (room, members.len()))
    }

    /// How many rooms have members.
    pub(super) fn count(&self) -> usize {
        self.members.len()
    }

    /// Whether there are no members in any room.
    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty() && self.of.is_empty()
    }

    fn forget(&mut self, connection: ConnectionId, room: &RoomName) {
        if let Some(members) = self.members.get_mut(room) {
            members.remove(&connection);
            if members.is_empty() {
                self.members.remove(room);
            }
        }
    }
}
