//! Bounds on measures, as in k6: `p99 < 50ms`, `lost == 0`, `memory_per_connection < 40KiB`.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

use crate::measure::{Measure, Measures};
use crate::run::ThresholdOutcome;

/// A bound on one measure.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub struct Threshold {
    /// As it was written.
    text: String,
    measure: Measure,
    comparison: Comparison,
    /// In the measure's unit.
    bound: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Less,
    AtMost,
    Greater,
    AtLeast,
    Equal,
    Unequal,
}

/// Two characters before one, so that `<=` is not read as `<`.
const COMPARISONS: [(&str, Comparison); 6] = [
    ("<=", Comparison::AtMost),
    (">=", Comparison::AtLeast),
    ("==", Comparison::Equal),
    ("!=", Comparison::Unequal),
    ("<", Comparison::Less),
    (">", Comparison::Greater),
];

/// A text is no bound.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ThresholdError {
    /// It compares nothing.
    #[error(
        "`{0}` is no threshold: write a measure, `<`, `<=`, `>`, `>=`, `==` or `!=`, and a bound, such as `p99 < 50ms`"
    )]
    Shape(String),
    /// There is no such measure.
    #[error("`{threshold}`: there is no measure `{name}`; there are {}", names())]
    Measure {
        /// The bound.
        threshold: String,
        /// The name in it.
        name: String,
    },
    /// The bound is no number.
    #[error("`{threshold}`: `{number}` is no number")]
    Number {
        /// The bound.
        threshold: String,
        /// What stands there.
        number: String,
    },
    /// The measure has another unit.
    #[error("`{threshold}`: {measure} has no unit `{unit}`; write {}", units(*measure))]
    Unit {
        /// The bound.
        threshold: String,
        /// Its measure.
        measure: Measure,
        /// The unit in it.
        unit: String,
    },
}

impl Threshold {
    /// What it bounds.
    pub fn measure(&self) -> Measure {
        self.measure
    }

    /// Whether a value keeps it.
    pub fn holds(&self, value: f64) -> bool {
        match self.comparison {
            Comparison::Less => value < self.bound,
            Comparison::AtMost => value <= self.bound,
            Comparison::Greater => value > self.bound,
            Comparison::AtLeast => value >= self.bound,
            Comparison::Equal => value == self.bound,
            Comparison::Unequal => value != self.bound,
        }
    }

    /// What came of it. What was not measured does not hold.
    pub fn outcome(&self, measures: &Measures) -> ThresholdOutcome {
        let actual = measures.get(&self.measure).copied();
        let holds = actual.is_some_and(|actual| self.holds(actual));
        ThresholdOutcome { threshold: self.text.clone(), measure: self.measure, actual, holds }
    }
}

/// The units of a measure, and how many of its own unit each is.
fn factors(measure: Measure) -> &'static [(&'static str, f64)] {
    match measure {
        Measure::P50 | Measure::P90 | Measure::P99 | Measure::P999 | Measure::Max | Measure::ReturnTime => {
            &[("ms", 1.0), ("s", 1000.0), ("us", 0.001), ("µs", 0.001)]
        }
        Measure::CpuPerDelivery => &[("us", 1.0), ("µs", 1.0), ("ns", 0.001), ("ms", 1000.0)],
        Measure::MemoryPeak | Measure::MemoryPerConnection => {
            &[("KiB", 1.0), ("MiB", 1024.0), ("GiB", 1024.0 * 1024.0), ("B", 1.0 / 1024.0)]
        }
        Measure::BytesPerDelivery => &[("B", 1.0), ("KiB", 1024.0), ("", 1.0)],
        Measure::DeliveriesPerSecond | Measure::EventsPerSecond | Measure::SignInsPerSecond => {
            &[("/s", 1.0), ("", 1.0)]
        }
        Measure::Lost | Measure::Duplicated => &[("", 1.0)],
        Measure::Cpu => &[("", 1.0), ("%", 0.01)],
    }
}

fn units(measure: Measure) -> String {
    let named = factors(measure).iter().map(|(unit, _)| match *unit {
        "" => "none".to_owned(),
        unit => format!("`{unit}`"),
    });
    named.collect::<Vec<_>>().join(", ")
}

fn names() -> String {
    Measure::ALL.map(Measure::name).join(", ")
}

impl FromStr for Threshold {
    type Err = ThresholdError;

    fn from_str(text: &str) -> Result<Self, ThresholdError> {
        let shape = || ThresholdError::Shape(text.to_owned());
        let at = text.find(['<', '>', '=', '!']).ok_or_else(shape)?;
        let (name, rest) = (text[..at].trim(), &text[at..]);
        let known = COMPARISONS.iter().find_map(|(sign, known)| Some((*known, rest.strip_prefix(sign)?)));
        let (comparison, value) = known.ok_or_else(shape)?;
        let named = Measure::ALL.into_iter().find(|measure| measure.name() == name);
        let measure = named
            .ok_or_else(|| ThresholdError::Measure { threshold: text.to_owned(), name: name.to_owned() })?;
        let value = value.trim();
        let digits = value.find(|letter: char| !(letter.is_ascii_digit() || letter == '.'));
        let (number, unit) = value.split_at(digits.unwrap_or(value.len()));
        let bound: f64 = number
            .parse()
            .map_err(|_| ThresholdError::Number { threshold: text.to_owned(), number: value.to_owned() })?;
        // Nothing has a unit of its own: zero is zero in each.
        let unit = unit.trim();
        let factor = factors(measure).iter().find_map(|(known, factor)| (*known == unit).then_some(*factor));
        let factor = factor.or_else(|| (unit.is_empty() && bound == 0.0).then_some(1.0));
        let factor = factor.ok_or_else(|| ThresholdError::Unit {
            threshold: text.to_owned(),
            measure,
            unit: unit.to_owned(),
        })?;
        Ok(Self { text: text.to_owned(), measure, comparison, bound: bound * factor })
    }
}

impl TryFrom<String> for Threshold {
    type Error = ThresholdError;

    fn try_from(text: String) -> Result<Self, ThresholdError> {
        text.parse()
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(threshold: &str, value: f64) -> bool {
        threshold.parse::<Threshold>().unwrap().holds(value)
    }

    /// Each comparison, in each kind of unit, holds on one side of its bound only.
    #[test]
    fn bounds_hold_on_one_side() {
        for (threshold, kept, broken) in [
            ("p99 < 50ms", 49.9, 50.0),
            ("p99<=0.05s", 50.0, 50.1),
            ("lost == 0", 0.0, 1.0),
            ("lost != 0", 1.0, 0.0),
            ("deliveries_per_second >= 1000/s", 1000.0, 999.0),
            ("events_per_second > 1000", 1001.0, 1000.0),
            ("memory_per_connection < 40KiB", 39.0, 40.0),
            ("memory_peak < 1MiB", 1023.0, 1024.0),
            ("cpu < 50%", 0.49, 0.5),
            ("cpu_per_delivery < 900ns", 0.89, 0.9),
        ] {
            assert!(holds(threshold, kept) && !holds(threshold, broken), "{threshold}");
        }
    }

    /// Each mistake is named.
    #[test]
    fn mistakes_are_named() {
        for (text, says) in [
            ("p99", "is no threshold"),
            ("p99 = 4ms", "is no threshold"),
            ("p98 < 4ms", "there is no measure `p98`; there are deliveries_per_second"),
            ("p99 < fast", "`fast` is no number"),
            ("p99 < 50", "p99 has no unit ``; write `ms`"),
            ("p99 < 50KiB", "p99 has no unit `KiB`"),
            ("lost == 0s", "lost has no unit `s`; write none"),
        ] {
            let error = text.parse::<Threshold>().unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
    }

    /// What was not measured is no pass.
    #[test]
    fn an_absent_measure_breaks_its_bound() {
        let bound: Threshold = "memory_peak < 1GiB".parse().unwrap();
        assert!(!bound.outcome(&Measures::new()).holds);
        assert!(bound.outcome(&Measures::from([(Measure::MemoryPeak, 5.0)])).holds);
    }
}
