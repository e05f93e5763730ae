//! When tokens end, and their connections with them (AUTH-6).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use protocol::Timestamp;

use super::io::{ConnectionId, Now};

/// Longest time until an expiry is looked at again, so that a wall clock that was set does not matter for long.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// The expiries of the connections of one shard, by what is due next.
#[derive(Debug, Default)]
pub(super) struct Expiries {
    due: BTreeSet<(Duration, ConnectionId)>,
    of: BTreeMap<ConnectionId, Expiry>,
}

#[derive(Debug, Clone, Copy)]
struct Expiry {
    /// Seconds since the Unix epoch.
    at_unix_s: u64,
    /// When it is looked at.
    due: Duration,
}

impl Expiries {
    pub(super) fn start(&mut self, connection: ConnectionId, at_unix_s: u64, now: Now) {
        let due = now.monotonic + until(at_unix_s, now.wall).min(LOOK_AGAIN);
        self.of.insert(connection, Expiry { at_unix_s, due });
        self.due.insert((due, connection));
    }

    pub(super) fn stop(&mut self, connection: ConnectionId) {
        if let Some(expiry) = self.of.remove(&connection) {
            self.due.remove(&(expiry.due, connection));
        }
    }

    /// The next connection whose token has expired; it is stopped.
    pub(super) fn next_due(&mut self, now: Now) -> Option<ConnectionId> {
        loop {
            let (at, connection) = *self.due.first()?;
            if at > now.monotonic {
                return None;
            }
            let at_unix_s = self.of.get(&connection)?.at_unix_s;
            self.stop(connection);
            if until(at_unix_s, now.wall).is_zero() {
                return Some(connection);
            }
            self.start(connection, at_unix_s, now);
        }
    }

    pub(super) fn deadline(&self) -> Option<Duration> {
        self.due.first().map(|(at, _)| *at)
    }
}

fn until(at_unix_s: u64, wall: Timestamp) -> Duration {
    let now_ms = u64::try_from(wall.unix_ms()).unwrap_or_default();
    Duration::from_millis(at_unix_s.saturating_mul(1000).saturating_sub(now_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: ConnectionId = ConnectionId(1);
    const B: ConnectionId = ConnectionId(2);

    fn at(monotonic_s: u64, wall_s: i64) -> Now {
        Now { monotonic: Duration::from_secs(monotonic_s), wall: Timestamp::from_unix_ms(wall_s * 1000) }
    }

    /// A connection is reported once the second of its expiry has come, not before. A removed connection is not reported.
    #[test]
    fn tokens_expire_on_time() {
        let mut expiries = Expiries::default();
        expiries.start(A, 1010, at(0, 1000));
        expiries.start(B, 1005, at(0, 1000));
        assert_eq!(
            (expiries.next_due(at(4, 1004)), expiries.deadline()),
            (None, Some(Duration::from_secs(5)))
        );
        assert_eq!(expiries.next_due(at(5, 1005)), Some(B));
        expiries.stop(A);
        assert_eq!((expiries.next_due(at(99, 1099)), expiries.deadline()), (None, None));
    }

    /// The wall clock decides: set back, the connection lives on; set forward, it ends with the next look.
    #[test]
    fn a_clock_that_is_set_is_followed() {
        let mut expiries = Expiries::default();
        expiries.start(A, 1010, at(0, 1000));
        assert_eq!(expiries.next_due(at(10, 950)), None);
        assert_eq!(
            expiries.deadline(),
            Some(Duration::from_secs(70)),
            "looked at again in a minute at the latest"
        );
        assert_eq!(expiries.next_due(at(70, 1010)), Some(A));
        let never = u64::MAX;
        expiries.start(B, never, at(70, 1010));
        assert_eq!(expiries.deadline(), Some(Duration::from_secs(130)));
    }
}
