//! Durations as people write them in configuration files: `300ms`, `10s`, `1m 30s`.

use std::time::Duration;

use jiff::SignedDuration;
use jiff::fmt::friendly::{Designator, Spacing, SpanPrinter};

/// Why a text is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a duration: write a number with a unit, such as `300ms`, `10s` or `1m 30s`")]
pub struct DurationError {
    text: String,
}

/// Reads a duration such as `300ms`, `10s` or `1m 30s`.
///
/// # Errors
/// When the text is not a duration, or is negative.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let error = || DurationError { text: text.to_owned() };
    let signed: SignedDuration = text.parse().map_err(|_| error())?;
    Duration::try_from(signed).map_err(|_| error())
}

/// Writes a duration the way [`parse_duration`] reads it.
pub fn format_duration(duration: Duration) -> String {
    let signed = SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX);
    SpanPrinter::new()
        .designator(Designator::Compact)
        .spacing(Spacing::BetweenUnits)
        .duration_to_string(&signed)
}

pub(crate) mod text {
    //! `#[serde(with = "crate::duration::text")]`

    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(crate) fn serialize<S: Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&super::format_duration(*duration))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        let text = String::deserialize(from)?;
        super::parse_duration(&text).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What people write is read, and what is written reads back.
    #[test]
    fn durations_round_trip() {
        for (text, ms) in [("300ms", 300), ("10s", 10_000), ("1m 30s", 90_000), ("0s", 0)] {
            let duration = parse_duration(text).unwrap();
            assert_eq!(duration, Duration::from_millis(ms));
            assert_eq!(format_duration(duration), text);
        }
    }

    /// A number without a unit and a negative time are refused.
    #[test]
    fn nonsense_is_refused() {
        for text in ["", "300", "-3s", "soon"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }
}
