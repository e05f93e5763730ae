//! Exponential backoff as a pure function (BACKOFF-1).

use std::time::Duration;

/// The delays between redials: doubling from `initial` up to `max`, each within `jitter` of its nominal length.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backoff {
    /// Delay before attempt 0.
    pub initial: Duration,
    /// Longest nominal delay.
    pub max: Duration,
    /// Part of a delay by which it may be shorter or longer, 0 to 1.
    pub jitter: f64,
}

impl Backoff {
    /// The delay before attempt `attempt` (counted from 0) without jitter: `min(initial · 2ⁿ, max)`.
    pub fn nominal(&self, attempt: u32) -> Duration {
        let doubled = 2_u32.checked_pow(attempt).and_then(|factor| self.initial.checked_mul(factor));
        doubled.map_or(self.max, |delay| delay.min(self.max))
    }

    /// The delay before attempt `attempt`, placed in its jitter window by `draw`, a uniform number in `[0, 1)`.
    pub fn delay(&self, attempt: u32, draw: f64) -> Duration {
        self.nominal(attempt).mul_f64(1.0 - self.jitter + 2.0 * self.jitter * draw.clamp(0.0, 1.0))
    }

    /// Shortest and longest delay that [`Backoff::delay`] can give for `attempt`.
    pub fn window(&self, attempt: u32) -> (Duration, Duration) {
        (self.delay(attempt, 0.0), self.delay(attempt, 1.0))
    }

    /// Longest time that `attempts` delays can take together.
    pub fn total(&self, attempts: u32) -> Duration {
        (0..attempts).map(|attempt| self.window(attempt).1).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SEED: Backoff =
        Backoff { initial: Duration::from_secs(1), max: Duration::from_secs(30), jitter: 0.2 };

    /// The seed's settings: 1, 2, 4, 8, 16 and then 30 s for ever, however large the attempt.
    #[test]
    fn delays_double_up_to_the_cap() {
        let seconds: Vec<_> = (0..8).map(|attempt| SEED.nominal(attempt).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 30, 30, 30]);
        assert_eq!(SEED.nominal(u32::MAX), SEED.max);
    }

    proptest! {
        /// Every draw lies in the window, and the window is symmetric about the nominal delay.
        #[test]
        fn jitter_stays_in_its_window(attempt in 0_u32..40, draw in 0.0_f64..1.0, jitter in 0.0_f64..=1.0) {
            let backoff = Backoff { jitter, ..SEED };
            let (shortest, longest) = backoff.window(attempt);
            let delay = backoff.delay(attempt, draw);
            prop_assert!(shortest <= delay && delay <= longest);
            let middle = (shortest + longest) / 2;
            prop_assert!(middle.abs_diff(backoff.nominal(attempt)) < Duration::from_micros(1));
        }
    }
}
