//! What a comparison says about one measure.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::signed_rank::Interval;
use crate::measure::{Better, Measure};

/// What is said of the new build, in one measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is better: the whole interval is on the better side of the base.
    Faster,
    /// It is worse: the whole interval is on the worse side of the base.
    Slower,
    /// The whole interval is within the difference that does not matter.
    Same,
    /// The interval still reaches from no difference to one that matters.
    TooNoisy,
}

impl Verdict {
    /// Of several measures, what is said of the build: slower in one is slower; then, what could not be told.
    pub fn overall(verdicts: impl IntoIterator<Item = Self>) -> Self {
        let order = |verdict: &Self| match verdict {
            Self::Same => 0,
            Self::Faster => 1,
            Self::TooNoisy => 2,
            Self::Slower => 3,
        };
        verdicts.into_iter().max_by_key(order).unwrap_or(Self::TooNoisy)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Faster => "faster",
            Self::Slower => "slower",
            Self::Same => "same",
            Self::TooNoisy => "too noisy to say",
        })
    }
}

/// One measure of a comparison, with the numbers behind its verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// What was compared.
    pub measure: Measure,
    /// What is said of the new build. `slower` is worse, `faster` is better, whatever the measure.
    pub verdict: Verdict,
    /// New over base: 1.1 is 10 % more. Absent where there were too few blocks.
    pub ratio: Option<f64>,
    /// The ratio is not less, but for the promised error.
    pub ratio_low: Option<f64>,
    /// The ratio is not more, but for the promised error.
    pub ratio_high: Option<f64>,
    /// The median block of the base, in the measure's unit.
    pub base: Option<f64>,
    /// The median block of the new build.
    pub new: Option<f64>,
    /// How many observations it rests on, each of four blocks.
    pub observations: usize,
}

impl Finding {
    /// What an interval of the log ratio says.
    pub(super) fn new(
        measure: Measure,
        within: f64,
        interval: Option<Interval>,
        observations: usize,
        blocks: (&[f64], &[f64]),
    ) -> Self {
        Self {
            measure,
            verdict: interval.map_or(Verdict::TooNoisy, |interval| verdict(measure, within, interval)),
            ratio: interval.map(|interval| interval.middle.exp()),
            ratio_low: interval.map(|interval| interval.low.exp()),
            ratio_high: interval.map(|interval| interval.high.exp()),
            base: median(blocks.0),
            new: median(blocks.1),
            observations,
        }
    }

    /// The interval of the log ratio.
    pub(super) fn log_interval(&self) -> Option<Interval> {
        let (low, middle, high) = (self.ratio_low?.ln(), self.ratio?.ln(), self.ratio_high?.ln());
        Some(Interval { low, middle, high })
    }
}

/// A difference too small to matter is none, even where it is certain.
fn verdict(measure: Measure, within: f64, interval: Interval) -> Verdict {
    let margin = within.ln_1p();
    if -margin < interval.low && interval.high < margin {
        return Verdict::Same;
    }
    match (interval.low > 0.0, interval.high < 0.0, measure.better()) {
        (true, _, Better::Lower) | (_, true, Better::Higher) => Verdict::Slower,
        (true, _, Better::Higher) | (_, true, Better::Lower) => Verdict::Faster,
        (false, false, _) => Verdict::TooNoisy,
    }
}

fn median(values: &[f64]) -> Option<f64> {
    let mut values = values.to_vec();
    values.sort_unstable_by(f64::total_cmp);
    let count = values.len();
    (count > 0).then(|| f64::midpoint(values[(count - 1) / 2], values[count / 2]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(measure: Measure, low: f64, high: f64) -> Verdict {
        verdict(measure, 0.03, Interval { low, middle: f64::midpoint(low, high), high })
    }

    /// More is worse or better, by the measure; what is certain and too small to matter is the same.
    #[test]
    fn an_interval_says_one_thing() {
        assert_eq!(said(Measure::CpuPerDelivery, 0.01, 0.05), Verdict::Slower);
        assert_eq!(said(Measure::CpuPerDelivery, -0.05, -0.01), Verdict::Faster);
        assert_eq!(said(Measure::DeliveriesPerSecond, 0.01, 0.05), Verdict::Faster);
        assert_eq!(said(Measure::DeliveriesPerSecond, -0.05, -0.01), Verdict::Slower);
        assert_eq!(said(Measure::P99, -0.02, 0.02), Verdict::Same);
        assert_eq!(said(Measure::P99, 0.005, 0.02), Verdict::Same, "certain, and too small to matter");
        assert_eq!(said(Measure::P99, -0.02, 0.05), Verdict::TooNoisy);
        assert_eq!(said(Measure::BytesPerDelivery, 0.0, 0.0), Verdict::Same, "figures that do not vary");
    }

    /// A build that is slower in one measure is slower.
    #[test]
    fn the_worst_measure_counts() {
        use Verdict::{Faster, Same, Slower, TooNoisy};
        assert_eq!(Verdict::overall([Same, Slower, TooNoisy]), Slower);
        assert_eq!(Verdict::overall([Faster, TooNoisy]), TooNoisy);
        assert_eq!(Verdict::overall([Same, Faster]), Faster);
        assert_eq!(Verdict::overall([Same, Same]), Same);
    }
}
