//! The wire's time text: ISO 8601, UTC, milliseconds (`2025-12-23T10:00:00.000Z`).

use std::fmt;

use serde::{Deserialize, Serialize};

/// A moment as the wire writes it, kept as milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Timestamp {
    unix_ms: i64,
}

/// Why a text is not an ISO 8601 moment in UTC.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an ISO 8601 time such as 2025-12-23T10:00:00.000Z")]
pub struct TimestampError {
    text: String,
}

impl Timestamp {
    /// The beginning of 1970.
    pub const EPOCH: Self = Self { unix_ms: 0 };

    /// The moment `unix_ms` milliseconds after the Unix epoch. Values beyond the year 9999 are clamped to its end.
    pub fn from_unix_ms(unix_ms: i64) -> Self {
        let moment = jiff::Timestamp::from_millisecond(unix_ms).unwrap_or(jiff::Timestamp::MAX);
        Self { unix_ms: moment.as_millisecond() }
    }

    /// Milliseconds since the Unix epoch.
    pub fn unix_ms(self) -> i64 {
        self.unix_ms
    }

    /// Reads any ISO 8601 moment that names its offset; finer digits than milliseconds are cut.
    ///
    /// # Errors
    /// When the text is no such moment.
    pub fn parse(text: &str) -> Result<Self, TimestampError> {
        let moment: jiff::Timestamp = text.parse().map_err(|_| TimestampError { text: text.to_owned() })?;
        Ok(Self { unix_ms: moment.as_millisecond() })
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = jiff::Timestamp::from_millisecond(self.unix_ms).unwrap_or(jiff::Timestamp::MAX);
        write!(f, "{moment:.3}")
    }
}

impl From<Timestamp> for String {
    fn from(timestamp: Timestamp) -> Self {
        timestamp.to_string()
    }
}

impl TryFrom<String> for Timestamp {
    type Error = TimestampError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text has milliseconds even where they are zero, so that every implementation's parser sees one shape.
    #[test]
    fn milliseconds_are_always_written() {
        assert_eq!(Timestamp::from_unix_ms(0).to_string(), "1970-01-01T00:00:00.000Z");
        assert_eq!(Timestamp::from_unix_ms(1_766_484_000_123).to_string(), "2025-12-23T10:00:00.123Z");
    }

    /// Offsets and finer digits are read; a date alone, or a time without an offset, is not a moment.
    #[test]
    fn only_moments_are_read() {
        assert_eq!(
            Timestamp::parse("2025-12-23T11:00:00.123456+01:00").unwrap().unix_ms(),
            1_766_484_000_123
        );
        for text in ["", "now", "2025-12-23", "2025-12-23T10:00:00"] {
            assert!(Timestamp::parse(text).is_err(), "{text}");
        }
    }
}
