//! How often and after which delay a lost connection is sought again (BACKOFF-1 to BACKOFF-4, BACKOFF-6).

use std::time::Duration;

use protocol::{Backoff, Timing};

/// The count of redials and the generator of their jitter.
#[derive(Debug)]
pub(super) struct Reconnect {
    backoff: Backoff,
    max_attempts: u32,
    stable_after: Duration,
    enabled: bool,
    draws: fastrand::Rng,
    /// Redials since the last connection that was stable.
    attempts: u32,
}

/// What follows a failure.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// Redial after this delay.
    After {
        /// Which redial it is, from 1.
        attempt: u32,
        /// How long until then.
        delay: Duration,
    },
    /// No redial: there were this many.
    Exhausted(u32),
    /// No redial: they are switched off.
    Off,
}

impl Reconnect {
    pub(super) fn new(timing: &Timing, enabled: bool, seed: u64) -> Self {
        Self {
            backoff: timing.backoff(),
            max_attempts: timing.max_reconnect_attempts,
            stable_after: timing.stable_after,
            enabled,
            draws: fastrand::Rng::with_seed(seed),
            attempts: 0,
        }
    }

    /// Decides, and counts the redial that will follow.
    pub(super) fn decide(&mut self) -> Decision {
        if !self.enabled {
            return Decision::Off;
        }
        if self.attempts >= self.max_attempts {
            return Decision::Exhausted(self.attempts);
        }
        let delay = self.backoff.delay(self.attempts, self.draws.f64());
        self.attempts += 1;
        Decision::After { attempt: self.attempts, delay }
    }

    /// A connection is over that lived so long. One that was stable resets the count (BACKOFF-3), a shorter one does not, so
    /// that a gateway which accepts and closes is not hammered (BACKOFF-6).
    pub(super) fn lived(&mut self, time: Duration) {
        if time >= self.stable_after {
            self.reset();
        }
    }

    /// The application asks anew.
    pub(super) fn reset(&mut self) {
        self.attempts = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reconnect(enabled: bool) -> Reconnect {
        let timing = Timing { jitter: 0.0, max_reconnect_attempts: 7, ..Timing::default() };
        Reconnect::new(&timing, enabled, 1)
    }

    fn seconds(reconnect: &mut Reconnect) -> Vec<u64> {
        std::iter::from_fn(|| match reconnect.decide() {
            Decision::After { delay, .. } => Some(delay.as_secs()),
            Decision::Exhausted(_) | Decision::Off => None,
        })
        .collect()
    }

    /// Delays double up to the cap, and end when the attempts do.
    #[test]
    fn delays_double_and_end() {
        let mut reconnect = reconnect(true);
        assert_eq!(seconds(&mut reconnect), [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(reconnect.decide(), Decision::Exhausted(7));
    }

    /// A stable connection resets the delays; a short one does not.
    #[test]
    fn only_a_stable_life_resets() {
        let mut reconnect = reconnect(true);
        reconnect.decide();
        reconnect.lived(Duration::from_millis(4999));
        assert_eq!(reconnect.decide(), Decision::After { attempt: 2, delay: Duration::from_secs(2) });
        reconnect.lived(Duration::from_millis(5000));
        assert_eq!(reconnect.decide(), Decision::After { attempt: 1, delay: Duration::from_secs(1) });
    }

    /// Switched off means none (BACKOFF-4).
    #[test]
    fn switched_off_means_none() {
        assert_eq!(reconnect(false).decide(), Decision::Off);
    }
}
