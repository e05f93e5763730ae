//! Statistics of the connections, for monitoring (CONN-9). They are kept as connections come and go; a report costs one look at each name,
//! and holds so many names at most.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use protocol::{Claims, UserId};
use serde::Serialize;

/// Users, and rooms, that a report names: those with most connections.
pub const MAX_LISTED: usize = 1000;

/// Longest name that is listed, in bytes: a token may say any user id. Longer ones are counted.
const MAX_NAME_BYTES: usize = 256;

/// Connections, by user, by role and by room.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ConnectionStats {
    /// The connections.
    pub connections: Connections,
    /// How many members each room has; of many rooms the largest.
    pub rooms: BTreeMap<String, usize>,
    /// How many names there are.
    pub names: Names,
}

/// How many connections there are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Connections {
    /// In all.
    pub total: usize,
    /// Of each user; of many users those with most.
    pub by_user: BTreeMap<String, usize>,
    /// Of each role.
    pub by_role: BTreeMap<String, usize>,
}

/// How many names there are, listed or not. Where a shard has more than it lists, a name counts once for each shard.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Names {
    /// Users with connections.
    pub users: usize,
    /// Rooms with members.
    pub rooms: usize,
}

/// The counts of one shard.
#[derive(Debug, Default)]
pub(super) struct Counts {
    users: BTreeMap<UserId, usize>,
    roles: BTreeMap<&'static str, usize>,
}

impl Counts {
    pub(super) fn opened(&mut self, claims: &Claims) {
        *self.users.entry(claims.user_id.clone()).or_default() += 1;
        *self.roles.entry(claims.role.as_str()).or_default() += 1;
    }

    pub(super) fn closed(&mut self, claims: &Claims) {
        crate::admission::give_back(&mut self.users, &claims.user_id);
        crate::admission::give_back(&mut self.roles, &claims.role.as_str());
    }

    pub(super) fn stats<'a>(
        &self,
        total: usize,
        room_count: usize,
        rooms: impl Iterator<Item = (&'a str, usize)>,
    ) -> ConnectionStats {
        let users = self.users.iter().map(|(user, count)| (user.as_str(), *count));
        ConnectionStats {
            connections: Connections {
                total,
                by_user: largest(users),
                by_role: self.roles.iter().map(|(role, count)| ((*role).to_owned(), *count)).collect(),
            },
            rooms: largest(rooms),
            names: Names { users: self.users.len(), rooms: room_count },
        }
    }
}

impl ConnectionStats {
    /// Adds another shard's.
    pub fn add(&mut self, other: Self) {
        self.connections.total += other.connections.total;
        add(&mut self.connections.by_role, other.connections.by_role);
        let (mine, others) = (self.names, other.names);
        self.names.users =
            add_listed(&mut self.connections.by_user, mine.users, other.connections.by_user, others.users);
        self.names.rooms = add_listed(&mut self.rooms, mine.rooms, other.rooms, others.rooms);
    }
}

/// Adds names of which there may be more, and returns how many there are now.
fn add_listed(
    to: &mut BTreeMap<String, usize>,
    count: usize,
    from: BTreeMap<String, usize>,
    from_count: usize,
) -> usize {
    let are_all = to.len() == count && from.len() == from_count;
    add(to, from);
    let names = if are_all { to.len() } else { count + from_count };
    if to.len() > MAX_LISTED {
        *to = largest(to.iter().map(|(name, count)| (name.as_str(), *count)));
    }
    names
}

fn add(to: &mut BTreeMap<String, usize>, from: BTreeMap<String, usize>) {
    for (name, count) in from {
        *to.entry(name).or_default() += count;
    }
}

/// The largest, and of equal ones the first.
fn largest<'a>(names: impl Iterator<Item = (&'a str, usize)>) -> BTreeMap<String, usize> {
    let mut kept = BinaryHeap::new();
    for (name, count) in names.filter(|(name, _)| name.len() <= MAX_NAME_BYTES) {
        let item = Reverse((count, Reverse(name)));
        if kept.len() < MAX_LISTED {
            kept.push(item);
        } else if let Some(mut least) = kept.peek_mut().filter(|least| item < **least) {
            *least = item;
        }
    }
    kept.into_iter().map(|Reverse((count, Reverse(name)))| (name.to_owned(), count)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::Role;

    fn claims(user: &str) -> Claims {
        let (email, role) = ("e".to_owned(), Role::Customer);
        Claims { user_id: UserId::new(user), email, role, expires_at: 1, not_before: None }
    }

    /// Of many names the largest are listed, and all are counted; what is closed leaves nothing.
    #[test]
    fn a_report_is_bounded() {
        let mut counts = Counts::default();
        let users: Vec<_> = (0..2 * MAX_LISTED).map(|number| claims(&format!("{number:05}"))).collect();
        users.iter().chain(&users[MAX_LISTED..]).for_each(|claims| counts.opened(claims));
        let rooms: Vec<_> = users.iter().map(|claims| claims.user_id.as_str()).collect();
        let mut stats = counts.stats(3 * MAX_LISTED, rooms.len(), rooms.iter().map(|room| (*room, 1)));
        assert_eq!(stats.names, Names { users: 2 * MAX_LISTED, rooms: 2 * MAX_LISTED });
        assert_eq!(stats.connections.by_user.len(), MAX_LISTED);
        assert!(stats.connections.by_user.values().all(|count| *count == 2));
        assert!(stats.rooms.len() == MAX_LISTED && stats.rooms.contains_key("00000"));
        let mut other = Counts::default();
        other.opened(&claims("other"));
        stats.add(other.stats(1, 1, [("00000", 1), ("x", 1)].into_iter()));
        assert_eq!((stats.rooms.len(), stats.rooms["00000"]), (MAX_LISTED, 2));
        assert_eq!(stats.names.users, 2 * MAX_LISTED + 1);
        users.iter().chain(&users[MAX_LISTED..]).for_each(|claims| counts.closed(claims));
        assert!(counts.users.is_empty() && counts.roles.is_empty());
    }

    /// Names that are too long to read are counted, not listed.
    #[test]
    fn a_long_name_is_counted() {
        let mut counts = Counts::default();
        let long = "u".repeat(MAX_NAME_BYTES + 1);
        counts.opened(&claims(&long));
        counts.opened(&claims(&long[1..]));
        let stats = counts.stats(2, 1, [(&*long, 2)].into_iter());
        assert_eq!(stats.connections.by_user.into_keys().collect::<Vec<_>>(), [&long[1..]]);
        assert_eq!((stats.rooms.len(), stats.names), (0, Names { users: 2, rooms: 1 }));
    }

    /// Where all are listed, a name that several shards have is one.
    #[test]
    fn names_of_several_shards_are_counted_once() {
        let mut counts = Counts::default();
        counts.opened(&claims("a"));
        let mut sum = ConnectionStats::default();
        for _ in 0..2 {
            sum.add(counts.stats(1, 1, [("r", 1)].into_iter()));
        }
        assert_eq!(sum.names, Names { users: 1, rooms: 1 });
        assert_eq!((sum.rooms["r"], sum.connections.by_user["a"]), (2, 2));
    }
}
