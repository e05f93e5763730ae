//! From values to places on an axis.

/// The farthest percentile that is told apart; the longest stands in its place.
const FARTHEST: f64 = 99.999;

/// An axis from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Scale {
    /// Equal distances are equal differences.
    Linear { from: f64, to: f64 },
    /// Equal distances are equal ratios.
    Log { from: f64, to: f64 },
    /// Percentiles, each nine as wide as the one before.
    Percentile,
}

impl Scale {
    /// From 0 to a little more than the largest value.
    pub(super) fn from_zero(values: impl Iterator<Item = f64>) -> Self {
        let most = values.fold(0.0, f64::max);
        Self::Linear { from: 0.0, to: if most > 0.0 { most * 1.08 } else { 1.0 } }
    }

    /// From the first value to the last.
    pub(super) fn between(from: f64, to: f64) -> Self {
        Self::Linear { from, to: if to > from { to } else { from + 1.0 } }
    }

    /// From a power of ten to another, around all values; what is not positive has no place on it.
    pub(super) fn decades(values: impl Iterator<Item = f64> + Clone) -> Self {
        let positive = values.filter(|value| *value > 0.0);
        let least = positive.clone().fold(f64::INFINITY, f64::min);
        let most = positive.fold(0.0, f64::max);
        if most == 0.0 {
            return Self::Log { from: 0.1, to: 10.0 };
        }
        let (low, high) = (least.log10().floor(), most.log10().ceil());
        Self::Log { from: 10_f64.powf(low), to: 10_f64.powf(high.max(low + 1.0)) }
    }

    /// Where a value lies, 0 to 1; what is beyond an end lies at it.
    pub(super) fn place(self, value: f64) -> f64 {
        let place = match self {
            Self::Linear { from, to } => (value - from) / (to - from),
            Self::Log { from, to } => (value.max(from) / from).ln() / (to / from).ln(),
            Self::Percentile => nines(value) / nines(FARTHEST),
        };
        place.clamp(0.0, 1.0)
    }

    /// Round values, so many at the most or a few more.
    pub(super) fn ticks(self, about: u32) -> Vec<f64> {
        match self {
            Self::Linear { from, to } => {
                let step = round_step((to - from) / f64::from(about));
                let first = (from / step).ceil() as i64;
                let last = (to / step).floor() as i64;
                (first..=last).map(|index| index as f64 * step).collect()
            }
            Self::Log { from, to } => {
                let decades = (to / from).log10().round() as i32;
                (0..=decades).map(|decade| from * 10_f64.powi(decade)).collect()
            }
            Self::Percentile => vec![0.0, 50.0, 90.0, 99.0, 99.9, 99.99, 100.0],
        }
    }
}

/// How many nines a percentile has: 90 has one, 99 has two.
fn nines(percentile: f64) -> f64 {
    -(1.0 - percentile.clamp(0.0, FARTHEST) / 100.0).log10()
}

/// 1, 2 or 5 times a power of ten, at least this.
fn round_step(least: f64) -> f64 {
    let power = 10_f64.powf(least.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * power);
    steps.into_iter().find(|step| *step >= least * 0.999).unwrap_or(10.0 * power)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each nine of a percentile has equal room, and so has each decade.
    #[test]
    fn nines_and_decades_have_equal_room() {
        for (percentile, place) in [(0.0, 0.0), (90.0, 0.2), (99.0, 0.4), (99.9, 0.6), (100.0, 1.0)] {
            assert!((Scale::Percentile.place(percentile) - place).abs() < 1e-6, "{percentile}");
        }
        let scale = Scale::decades([0.3, 40.0].into_iter());
        assert!((scale.place(1.0) - 1.0 / 3.0).abs() < 1e-9 && scale.place(0.0) == 0.0, "{scale:?}");
        assert_eq!(scale.ticks(4).len(), 4);
    }

    /// Ticks are round and lie on the axis; an axis of equal values has some, too.
    #[test]
    fn ticks_are_round() {
        assert_eq!(Scale::Linear { from: 0.0, to: 107.0 }.ticks(5), [0.0, 50.0, 100.0]);
        assert_eq!(Scale::between(3.0, 3.0).ticks(2), [3.0, 3.5, 4.0]);
        assert_eq!(Scale::from_zero(std::iter::empty()).ticks(2), [0.0, 0.5, 1.0]);
    }
}
