//! Pings while connected, and the patience for their answers (PING-1, PING-3).

use std::time::Duration;

use protocol::Timing;

/// The heartbeat of one connection.
#[derive(Debug)]
pub(super) struct Heartbeat {
    interval: Duration,
    timeout: Duration,
    next_ping: Duration,
    /// Until when the oldest unanswered ping must be answered.
    pong_by: Option<Duration>,
}

/// What is due.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    Nothing,
    Ping,
    Dead,
}

impl Heartbeat {
    pub(super) fn start(now: Duration, timing: &Timing) -> Self {
        let (interval, timeout) = (timing.ping_interval, timing.pong_timeout);
        Self { interval, timeout, next_ping: now + interval, pong_by: None }
    }

    /// What is due by `now`. The rhythm runs from the connection's start, so that it does not drift.
    pub(super) fn due(&mut self, now: Duration) -> Due {
        if self.pong_by.is_some_and(|by| now >= by) {
            return Due::Dead;
        }
        if now < self.next_ping {
            return Due::Nothing;
        }
        // After a long sleep one ping is enough.
        while self.next_ping <= now {
            self.next_ping += self.interval;
        }
        self.pong_by.get_or_insert(now + self.timeout);
        Due::Ping
    }

    /// The gateway answered.
    pub(super) fn pong(&mut self) {
        self.pong_by = None;
    }

    pub(super) fn deadline(&self) -> Duration {
        self.pong_by.map_or(self.next_ping, |by| by.min(self.next_ping))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Pings keep their rhythm; an answer in time keeps the connection, none ends it.
    #[test]
    fn silence_is_death() {
        let mut heartbeat = Heartbeat::start(s(5), &Timing::default());
        assert_eq!((heartbeat.due(s(34)), heartbeat.deadline()), (Due::Nothing, s(35)));
        assert_eq!((heartbeat.due(s(35)), heartbeat.deadline()), (Due::Ping, s(45)));
        heartbeat.pong();
        assert_eq!((heartbeat.due(s(45)), heartbeat.deadline()), (Due::Nothing, s(65)));
        assert_eq!(heartbeat.due(s(66)), Due::Ping);
        assert_eq!(heartbeat.due(s(75)), Due::Nothing);
        assert_eq!(heartbeat.due(s(76)), Due::Dead);
    }

    /// After a long sleep there is one ping, not one for each interval that was missed.
    #[test]
    fn a_long_sleep_makes_one_ping() {
        let mut heartbeat = Heartbeat::start(s(0), &Timing::default());
        assert_eq!((heartbeat.due(s(100)), heartbeat.due(s(100))), (Due::Ping, Due::Nothing));
    }
}
