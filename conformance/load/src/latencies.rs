//! Latencies of deliveries. What is recorded can be written down, added to others', and read at any percentile.

use hdrhistogram::Histogram;

use crate::measure::{Measure, Measures};
use crate::run::{Bucket, Percentile};

/// Longest latency that is told from longer ones: an hour, in microseconds.
const LONGEST_US: u64 = 3_600_000_000;
const DIGITS: u8 = 3;
/// What is listed of a distribution, in per cent: enough for a plot against the logarithm of what exceeds it.
const LISTED: [f64; 14] =
    [0.0, 10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 97.5, 99.0, 99.5, 99.9, 99.95, 99.99, 100.0];

/// Latencies, to three significant digits.
#[derive(Debug, Clone)]
pub struct Latencies(Histogram<u64>);

impl Default for Latencies {
    fn default() -> Self {
        let histogram = Histogram::new_with_bounds(1, LONGEST_US, DIGITS);
        Self(histogram.expect("the bounds are sound"))
    }
}

impl Latencies {
    /// Records a latency, in microseconds. It allocates nothing.
    pub fn record_us(&mut self, latency_us: u64) {
        self.0.saturating_record(latency_us);
    }

    /// Adds what others recorded.
    pub fn add(&mut self, buckets: &[Bucket]) {
        for Bucket(us, count) in buckets {
            // The histogram has one size, and values beyond it are saturated.
            let _ = self.0.record_n((*us).min(LONGEST_US), *count);
        }
    }

    /// All that was recorded.
    pub fn buckets(&self) -> Vec<Bucket> {
        self.0
            .iter_recorded()
            .map(|value| Bucket(value.value_iterated_to(), value.count_at_value()))
            .collect()
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.0.reset();
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// What so many per cent do not exceed, in milliseconds; none where nothing was recorded.
    pub fn percentile_ms(&self, percentile: f64) -> Option<f64> {
        (!self.0.is_empty()).then(|| self.0.value_at_percentile(percentile) as f64 / 1000.0)
    }

    /// The measures that are latencies.
    pub fn measures(&self) -> Measures {
        let listed = [
            (Measure::P50, 50.0),
            (Measure::P90, 90.0),
            (Measure::P99, 99.0),
            (Measure::P999, 99.9),
            (Measure::Max, 100.0),
        ];
        let read = |(measure, percentile)| Some((measure, self.percentile_ms(percentile)?));
        listed.into_iter().filter_map(read).collect()
    }

    /// The distribution.
    pub fn percentiles(&self) -> Vec<Percentile> {
        let read = |percentile| Some(Percentile { percentile, ms: self.percentile_ms(percentile)? });
        LISTED.into_iter().filter_map(read).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is written down and added up is what was recorded.
    #[test]
    fn latencies_survive_storage() {
        let (mut one, mut two, mut both) = (Latencies::default(), Latencies::default(), Latencies::default());
        for us in 1..=10_000_u64 {
            if us % 3 == 0 { &mut one } else { &mut two }.record_us(us * 17);
            both.record_us(us * 17);
        }
        let mut sum = Latencies::default();
        sum.add(&one.buckets());
        sum.add(&two.buckets());
        assert_eq!((sum.count(), sum.buckets()), (10_000, both.buckets()));
        assert_eq!(sum.percentiles(), both.percentiles());
        let p50 = sum.measures()[&Measure::P50];
        assert!((p50 - 85.0).abs() < 0.5, "{p50}");
    }

    /// Nothing has no percentiles; what is too long is not lost.
    #[test]
    fn extremes_are_kept() {
        let mut latencies = Latencies::default();
        assert_eq!((latencies.percentile_ms(50.0), latencies.measures().len()), (None, 0));
        latencies.record_us(0);
        latencies.record_us(u64::MAX);
        assert_eq!(latencies.count(), 2);
        assert!(latencies.percentile_ms(100.0).unwrap() >= 3_590_000.0);
    }
}
