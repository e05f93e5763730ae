//! When a process tree waited for a processor, and for how long.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How finely it is remembered when.
pub(super) const SPAN: Duration = Duration::from_millis(10);
/// Spans with any wait that are remembered, the newest: more than a case has of which one half is spent waiting.
const KEPT_SPANS: usize = 1 << 17;

/// How long the threads of a process tree were kept waiting, span by span. Linux reports the sum since a thread's start, and only
/// once the thread has got its processor; each wait is booked on the time before that was read. Several threads may wait at once:
/// no more is booked on a span than its length.
#[derive(Debug, Clone)]
pub struct Waits {
    /// When the first span began.
    start: Instant,
    /// The spans that have any, counted from the start.
    spans: BTreeMap<u64, Duration>,
    /// The longest time between two readings: a wait may be booked so much too late.
    grain: Duration,
}

/// What one reading has found since the one before.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Reading {
    /// How long ago the one before was.
    pub(super) elapsed: Duration,
    /// What all threads have waited.
    pub(super) sum: Duration,
    /// What the one has waited that waited longest.
    pub(super) longest: Duration,
}

impl Waits {
    /// Nothing yet.
    pub(super) fn new(start: Instant) -> Self {
        Self { start, spans: BTreeMap::new(), grain: Duration::ZERO }
    }

    /// Books what a reading found.
    pub(super) fn book(&mut self, at: Instant, reading: Reading) {
        self.grain = self.grain.max(reading.elapsed);
        let now = self.span(at);
        // None of these waits began before this.
        let first = self.span(at.checked_sub(reading.elapsed + reading.longest).unwrap_or(self.start));
        let mut left = reading.sum;
        for span in (first..=now).rev() {
            if left.is_zero() {
                break;
            }
            let booked = self.spans.entry(span).or_default();
            let more = left.min(SPAN - *booked);
            *booked += more;
            left -= more;
        }
        while self.spans.len() > KEPT_SPANS {
            self.spans.pop_first();
        }
    }

    /// How long was waited between two instants.
    pub fn between(&self, from: Instant, to: Instant) -> Duration {
        let spans = self.span(from)..=self.span(to + self.grain);
        let length = (to + self.grain).saturating_duration_since(from);
        self.spans.range(spans).map(|(_, waited)| *waited).sum::<Duration>().min(length)
    }

    /// How long was waited since an instant.
    #[cfg(test)]
    pub(super) fn since(&self, from: Instant) -> Duration {
        self.spans.range(self.span(from)..).map(|(_, waited)| *waited).sum()
    }

    /// How long was waited in the worst stretch of this length between two instants.
    pub fn worst(&self, from: Instant, to: Instant, stretch: Duration) -> Duration {
        let spans = count(stretch);
        let starts = self.spans.range(self.span(from)..=self.span(to)).map(|(start, _)| *start);
        let sum =
            |start| self.spans.range(start..=start + spans).map(|(_, waited)| *waited).sum::<Duration>();
        starts.map(sum).max().unwrap_or_default().min(stretch)
    }

    /// What was since an instant.
    pub(super) fn later(&self, from: Instant) -> Self {
        let mut waits = self.clone();
        waits.spans = waits.spans.split_off(&self.span(from));
        waits
    }

    fn span(&self, at: Instant) -> u64 {
        count(at.saturating_duration_since(self.start))
    }
}

/// How many whole spans a time has.
fn count(time: Duration) -> u64 {
    u64::try_from(time.as_millis() / SPAN.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[expect(clippy::disallowed_methods, reason = "there is no other instant to begin at")]
    fn start() -> Instant {
        Instant::now()
    }

    fn reading(elapsed: u64, sum: u64, longest: u64) -> Reading {
        Reading { elapsed: ms(elapsed), sum: ms(sum), longest: ms(longest) }
    }

    /// A wait is booked on the time before it was read: that of a thread which had no processor for several readings on all of
    /// them.
    #[test]
    fn a_wait_lies_before_its_reading() {
        let start = start();
        let mut waits = Waits::new(start);
        waits.book(start + ms(500), reading(20, 100, 100));
        let between = |from, to| waits.between(start + ms(from), start + ms(to));
        assert_eq!(between(0, 1000), ms(100));
        assert_eq!(between(0, 350), ms(0));
        assert!(between(440, 460) >= ms(20), "{:?}", between(440, 460));
        assert_eq!(between(600, 1000), ms(0));
        assert_eq!((waits.since(start + ms(450)), waits.since(start + ms(600))), (ms(60), ms(0)));
        assert_eq!(waits.later(start + ms(450)).since(start), ms(60));
    }

    /// Ten threads that wait at once keep the tree no longer than the time that passes, and not before they can have begun to
    /// wait; one after the other they do.
    #[test]
    fn threads_that_wait_together_count_once() {
        let start = start();
        let mut waits = Waits::new(start);
        waits.book(start + ms(519), reading(20, 200, 20));
        assert_eq!(waits.since(start), ms(50), "the spans from 470 to 520 ms");
        let mut turns = Waits::new(start);
        turns.book(start + ms(519), reading(30, 24, 8));
        assert_eq!(turns.since(start), ms(24));
    }

    /// The worst stretch is found wherever it is.
    #[test]
    fn the_worst_stretch_is_found() {
        let start = start();
        let mut waits = Waits::new(start);
        for at in [100, 1000, 1100, 1200, 3000] {
            waits.book(start + ms(at), reading(20, 30, 30));
        }
        let worst = |from, to| waits.worst(start + ms(from), start + ms(to), ms(300));
        assert_eq!(
            (worst(0, 9000), worst(2000, 9000), worst(0, 500), worst(4000, 9000)),
            (ms(90), ms(30), ms(30), ms(0))
        );
    }

    /// What is remembered is bounded: the oldest is forgotten.
    #[test]
    fn the_oldest_is_forgotten() {
        let start = start();
        let mut waits = Waits::new(start);
        let spans = u64::try_from(KEPT_SPANS).unwrap() + 10;
        for span in 0..spans {
            waits.book(start + SPAN * u32::try_from(span).unwrap(), reading(0, 1, 0));
        }
        assert_eq!(waits.spans.len(), KEPT_SPANS);
        assert!(waits.spans.contains_key(&(spans - 1)) && !waits.spans.contains_key(&0));
    }
}
