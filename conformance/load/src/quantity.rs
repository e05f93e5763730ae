//! Numbers with units, as workload files and the command line write them: `100/s`, `200B`, `30s`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;

/// How often something happens in each second: `100/s`.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub struct Rate(pub f64);

/// A number of bytes: `200B`, `2KiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Size(pub usize);

/// A time: `30s`, `1m 30s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Time(pub Duration);

/// Highest rate that can be asked for.
const MAX_RATE: f64 = 1_000_000.0;
/// Largest size that can be asked for: that of messages that are read.
const MAX_SIZE: usize = 8 * 1024 * 1024;
/// Longest time that can be asked for.
const MAX_TIME: Duration = Duration::from_secs(24 * 3600);

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.trim().strip_suffix("/s").and_then(|number| number.trim().parse::<f64>().ok());
        let rate = number.filter(|rate| *rate > 0.0 && *rate <= MAX_RATE);
        rate.map(Self).ok_or_else(|| {
            format!("`{text}` is no rate: write a number above 0 and up to {MAX_RATE}, such as `100/s`")
        })
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let units = [("KiB", 1024), ("MiB", 1024 * 1024), ("B", 1)];
        let read = units.iter().find_map(|(unit, bytes)| {
            let number: usize = text.trim().strip_suffix(unit)?.trim().parse().ok()?;
            number.checked_mul(*bytes)
        });
        read.filter(|size| *size <= MAX_SIZE).map(Self).ok_or_else(|| {
            format!("`{text}` is no size up to 8 MiB: write a number and a unit, such as `200B` or `2KiB`")
        })
    }
}

impl FromStr for Time {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let time = protocol::parse_duration(text).map_err(|error| error.to_string())?;
        match time.is_zero() || time > MAX_TIME {
            true => Err(format!("`{text}`: write a time above 0 and up to a day")),
            false => Ok(Self(time)),
        }
    }
}

macro_rules! from_text {
    ($($quantity:ty),*) => {$(
        impl TryFrom<String> for $quantity {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                text.parse()
            }
        }
    )*};
}

from_text!(Rate, Size, Time);

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", self.0)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}B", self.0)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&protocol::format_duration(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What people write is read, and what is no quantity is refused.
    #[test]
    fn quantities_are_read() {
        assert_eq!("100/s".parse(), Ok(Rate(100.0)));
        assert_eq!("0.5 /s".parse(), Ok(Rate(0.5)));
        assert_eq!("2KiB".parse(), Ok(Size(2048)));
        assert_eq!("30s".parse(), Ok(Time(Duration::from_secs(30))));
        for wrong in ["100", "0/s", "-1/s", "2000000/s", "NaN/s", "x/s"] {
            assert!(wrong.parse::<Rate>().is_err(), "{wrong}");
        }
        for wrong in ["200", "1GiB", "9MiB", "99999999999999999999KiB", "-1B"] {
            assert!(wrong.parse::<Size>().is_err(), "{wrong}");
        }
        for wrong in ["30", "0s", "25h"] {
            assert!(wrong.parse::<Time>().is_err(), "{wrong}");
        }
    }
}
