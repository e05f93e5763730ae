//! Pings to every connection, and the patience for their answers (HB-1 to HB-3).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::io::ConnectionId;

/// The heartbeats of the connections of one shard, by what is due next.
#[derive(Debug)]
pub(super) struct Heartbeats {
    interval: Duration,
    timeout: Duration,
    beats: BTreeMap<ConnectionId, Beat>,
    due: BTreeSet<(Duration, ConnectionId)>,
}

#[derive(Debug)]
struct Beat {
    next_ping: Duration,
    /// Until when the oldest unanswered ping must be answered.
    pong_by: Option<Duration>,
}

/// What is due for a connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    Ping(ConnectionId),
    Dead(ConnectionId),
}

impl Heartbeats {
    pub(super) fn new(interval: Duration, timeout: Duration) -> Self {
        Self { interval, timeout, beats: BTreeMap::new(), due: BTreeSet::new() }
    }

    pub(super) fn start(&mut self, connection: ConnectionId, now: Duration) {
        let beat = Beat { next_ping: now + self.interval, pong_by: None };
        self.due.insert((beat.deadline(), connection));
        self.beats.insert(connection, beat);
    }

    pub(super) fn stop(&mut self, connection: ConnectionId) {
        if let Some(beat) = self.beats.remove(&connection) {
            self.due.remove(&(beat.deadline(), connection));
        }
    }

    /// The peer answered.
    pub(super) fn pong(&mut self, connection: ConnectionId) {
        if let Some(beat) = self.beats.get_mut(&connection) {
            self.due.remove(&(beat.deadline(), connection));
            beat.pong_by = None;
            self.due.insert((beat.deadline(), connection));
        }
    }

    /// The next thing that is due by `now`; a connection found dead is stopped. Each connection's rhythm runs from its start.
    pub(super) fn next_due(&mut self, now: Duration) -> Option<Due> {
        let (at, connection) = *self.due.first()?;
        if at > now {
            return None;
        }
        self.due.pop_first();
        let beat = self.beats.get_mut(&connection)?;
        if beat.pong_by.is_some_and(|by| now >= by) {
            self.beats.remove(&connection);
            return Some(Due::Dead(connection));
        }
        // After a long sleep one ping is enough.
        while beat.next_ping <= now {
            beat.next_ping += self.interval;
        }
        beat.pong_by.get_or_insert(now + self.timeout);
        self.due.insert((beat.deadline(), connection));
        Some(Due::Ping(connection))
    }

    pub(super) fn deadline(&self) -> Option<Duration> {
        self.due.first().map(|(at, _)| *at)
    }
}

impl Beat {
    fn deadline(&self) -> Duration {
        self.pong_by.map_or(self.next_ping, |by| by.min(self.next_ping))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: ConnectionId = ConnectionId(1);
    const B: ConnectionId = ConnectionId(2);

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn heartbeats() -> Heartbeats {
        Heartbeats::new(s(30), s(10))
    }

    /// A peer that answers is pinged again; a silent peer is dead after its timeout, and no other peer is.
    #[test]
    fn silence_is_death() {
        let mut beats = heartbeats();
        beats.start(A, s(0));
        beats.start(B, s(1));
        assert_eq!((beats.next_due(s(29)), beats.deadline()), (None, Some(s(30))));
        assert_eq!(beats.next_due(s(31)), Some(Due::Ping(A)));
        assert_eq!(beats.next_due(s(31)), Some(Due::Ping(B)));
        beats.pong(B);
        assert_eq!((beats.next_due(s(40)), beats.deadline()), (None, Some(s(41))));
        assert_eq!(beats.next_due(s(41)), Some(Due::Dead(A)));
        assert_eq!((beats.next_due(s(41)), beats.deadline()), (None, Some(s(61))));
        beats.stop(B);
        assert_eq!(beats.deadline(), None);
    }

    /// A timeout longer than the interval keeps the first ping's patience running.
    #[test]
    fn a_long_timeout_is_kept() {
        let mut beats = Heartbeats::new(s(10), s(25));
        beats.start(A, s(0));
        for ping in [10, 20, 30] {
            assert_eq!(beats.next_due(s(ping)), Some(Due::Ping(A)));
        }
        assert_eq!(beats.next_due(s(35)), Some(Due::Dead(A)));
    }
}
