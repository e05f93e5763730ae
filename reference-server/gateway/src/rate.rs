//! How much one connection may say (MSG-6).

use std::time::Duration;

/// Refused frames that a connection may accumulate, in seconds' worth of its rate, before it counts as a flood.
const PATIENCE_S: u32 = 2;

/// What is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// Frames a second, control frames among them. A second's worth may come at once.
    pub per_second: u32,
}

/// A token bucket. It is kept in the time it stands for, so there is nothing to refill.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bucket {
    /// When the bucket is full again.
    full_at: Duration,
}

/// A bucket, and how often it was empty.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Meter {
    bucket: Bucket,
    /// Frames refused since the bucket was last full.
    refused: u32,
    /// When a refusal was last sent to the peer.
    notified_at: Option<Duration>,
}

/// What becomes of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The frame is accepted.
    Allowed,
    /// The frame is refused; the peer is notified.
    Refused,
    /// The frame is refused; the peer was already notified within this second.
    Ignored,
    /// The peer persists.
    Flood,
}

impl Bucket {
    pub(super) fn is_full(&self, now: Duration) -> bool {
        now >= self.full_at
    }

    /// Takes so many tokens, or none where there are fewer.
    pub(super) fn take(&mut self, now: Duration, limit: RateLimit, count: u32) -> bool {
        let cost = (Duration::from_secs(1) / limit.per_second.max(1)).saturating_mul(count);
        let full_at = self.full_at.max(now).saturating_add(cost);
        let has = full_at <= now + Duration::from_secs(1);
        if has {
            self.full_at = full_at;
        }
        has
    }
}

impl Meter {
    pub(super) fn take(&mut self, now: Duration, limit: RateLimit) -> Verdict {
        if self.bucket.is_full(now) {
            self.refused = 0;
        }
        if self.bucket.take(now, limit, 1) {
            return Verdict::Allowed;
        }
        self.refused += 1;
        if self.refused > limit.per_second.saturating_mul(PATIENCE_S) {
            return Verdict::Flood;
        }
        if self.notified_at.is_some_and(|at| now < at + Duration::from_secs(1)) {
            return Verdict::Ignored;
        }
        self.notified_at = Some(now);
        Verdict::Refused
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: RateLimit = RateLimit { per_second: 10 };

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// A second's worth may come at once, and then as much as the rate gives back.
    #[test]
    fn a_burst_and_then_the_rate() {
        let mut meter = Meter::default();
        for _ in 0..10 {
            assert_eq!(meter.take(ms(0), LIMIT), Verdict::Allowed);
        }
        assert_eq!(meter.take(ms(0), LIMIT), Verdict::Refused);
        assert_eq!(meter.take(ms(50), LIMIT), Verdict::Ignored, "one notice per second");
        assert_eq!(meter.take(ms(100), LIMIT), Verdict::Allowed);
        assert_eq!(meter.take(ms(101), LIMIT), Verdict::Ignored);
        for tick in 2..40 {
            assert_eq!(
                meter.take(ms(100 * tick), LIMIT),
                Verdict::Allowed,
                "{tick}: just the rate, for ever"
            );
        }
    }

    /// Refused frames that continue are a flood; a pause until the bucket is full resets the count.
    #[test]
    fn persistence_is_a_flood() {
        let mut meter = Meter::default();
        let mut verdicts = (0..31).map(|_| meter.take(ms(0), LIMIT)).collect::<Vec<_>>();
        assert_eq!(verdicts.pop(), Some(Verdict::Flood));
        assert!(!verdicts.contains(&Verdict::Flood));
        assert_eq!(meter.take(ms(1000), LIMIT), Verdict::Allowed);
        let again = (0..29).map(|_| meter.take(ms(1000), LIMIT));
        assert!(!again.collect::<Vec<_>>().contains(&Verdict::Flood));
    }
}
