//! Times and counts that rules and scenarios name symbolically; each default stands here and nowhere else.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Backoff;

/// Where a client connects when nothing else is said (CONF-1).
pub const DEFAULT_URL: &str = "ws://localhost:3000/ws";
/// Where a client behind TLS connects when nothing else is said (CONF-1).
pub const DEFAULT_URL_TLS: &str = "wss://localhost/ws";
/// The environment variable that names the client's URL (CONF-1).
pub const URL_VARIABLE: &str = "NX_WS_URL";

/// The times that a gateway and a client are configured with.
///
/// In files each duration is text with a unit (`300ms`); a missing key keeps its default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, expecting = "a table of times, such as `ping_interval`")]
#[schemars(!deny_unknown_fields, !default)]
pub struct Timing {
    /// Delay before the first redial (default 1 s).
    #[serde(with = "crate::duration::text")]
    #[schemars(with = "String")]
    pub reconnect_delay: Duration,
    /// Longest delay between redials, jitter aside (default 30 s).
    #[serde(with = "crate::duration::text")]
    #[schemars(with = "String")]
    pub max_reconnect_delay: Duration,
    /// Redials before the client gives up (default 10).
    pub max_reconnect_attempts: u32,
    /// Part of each delay by which it may be longer or shorter, 0 to 1 (default 0.2).
    pub jitter: f64,
    /// How often each side pings (default 30 s).
    #[serde(with = "crate::duration::text")]
    #[schemars(with = "String")]
    pub ping_interval: Duration,
    /// How long each side waits for the answer (default 10 s).
    #[serde(with = "crate::duration::text")]
    #[schemars(with = "String")]
    pub pong_timeout: Duration,
    /// Longest time for a dial and its handshake (default 10 s).
    #[serde(with = "crate::duration::text")]
    #[schemars(with = "String")]
    pub connect_timeout: Duration,
    /// How long a connection must live to reset the count of redials (default 5 s; BACKOFF-6).
    #[serde(with = "crate::duration::text")]
    #[schemars(with = "String")]
    pub stable_after: Duration,
}

/// Why a set of times makes no sense.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TimingError {
    /// A time that must pass is zero.
    #[error("`{name}` is zero; it must be longer")]
    Zero {
        /// The key.
        name: &'static str,
    },
    /// The jitter is not a part of one.
    #[error("`jitter` is {jitter}; it must lie between 0 and 1")]
    Jitter {
        /// What was given.
        jitter: f64,
    },
    /// The cap lies under the first delay.
    #[error("`max_reconnect_delay` is shorter than `reconnect_delay`")]
    Cap,
}

impl Timing {
    /// The delays between redials.
    pub fn backoff(&self) -> Backoff {
        Backoff { initial: self.reconnect_delay, max: self.max_reconnect_delay, jitter: self.jitter }
    }

    /// Checks whether these times can be used.
    ///
    /// # Errors
    /// Names the first value that cannot.
    pub fn check(&self) -> Result<(), TimingError> {
        for (name, duration) in [
            ("ping_interval", self.ping_interval),
            ("pong_timeout", self.pong_timeout),
            ("connect_timeout", self.connect_timeout),
        ] {
            if duration.is_zero() {
                return Err(TimingError::Zero { name });
            }
        }
        if !(0.0..=1.0).contains(&self.jitter) {
            return Err(TimingError::Jitter { jitter: self.jitter });
        }
        if self.max_reconnect_delay < self.reconnect_delay {
            return Err(TimingError::Cap);
        }
        Ok(())
    }
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            reconnect_delay: Duration::from_secs(1),
            max_reconnect_delay: Duration::from_secs(30),
            max_reconnect_attempts: 10,
            jitter: 0.2,
            ping_interval: Duration::from_secs(30),
            pong_timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(10),
            stable_after: Duration::from_secs(5),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The seed's table of settings, value by value (CONF-1).
    #[test]
    fn defaults_are_those_of_the_settings_table() {
        let timing = Timing::default();
        assert_eq!(timing.reconnect_delay.as_millis(), 1000);
        assert_eq!(timing.max_reconnect_delay.as_millis(), 30_000);
        assert_eq!(timing.max_reconnect_attempts, 10);
        assert_eq!(timing.ping_interval.as_millis(), 30_000);
        assert_eq!(timing.pong_timeout.as_millis(), 10_000);
        assert_eq!(timing.check(), Ok(()));
    }

    /// A file says only what differs; a misspelt key is an error, not a silent default.
    #[test]
    fn files_override_single_values() {
        let timing: Timing = toml::from_str("ping_interval = \"300ms\"").unwrap();
        assert_eq!(timing, Timing { ping_interval: Duration::from_millis(300), ..Timing::default() });
        assert!(toml::from_str::<Timing>("ping_intervall = \"300ms\"").is_err());
    }

    /// Values that would spin or never end are refused by name.
    #[test]
    fn impossible_times_are_named() {
        let zero = Timing { pong_timeout: Duration::ZERO, ..Timing::default() };
        assert_eq!(zero.check(), Err(TimingError::Zero { name: "pong_timeout" }));
        let wild = Timing { jitter: 1.5, ..Timing::default() };
        assert_eq!(wild.check(), Err(TimingError::Jitter { jitter: 1.5 }));
        let cap = Timing { max_reconnect_delay: Duration::from_millis(1), ..Timing::default() };
        assert_eq!(cap.check(), Err(TimingError::Cap));
    }
}
