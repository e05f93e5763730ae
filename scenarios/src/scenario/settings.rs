//! What a scenario wants the gateway under test to be configured with, beyond the timing.

use std::time::Duration;

use protocol::{DurationError, format_duration, parse_duration};
use serde::{Deserialize, Serialize};

use super::is_default;

/// `[settings]`, which override the harness's defaults. A subject that does not accept a setting cannot be judged
/// by a scenario that has it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The one origin that pages may connect from (AUTH-10).
    pub allowed_origin: Option<String>,
    /// Whether a second secret is good too (AUTH-7).
    #[serde(skip_serializing_if = "is_default")]
    pub previous_secret: bool,
    /// Whether tokens are good too that a public key verifies (AUTH-3).
    #[serde(skip_serializing_if = "is_default")]
    pub public_key: bool,
    /// Most connections in all (CONN-7).
    pub max_connections: Option<u32>,
    /// Most connections of one user (CONN-7).
    pub max_connections_per_user: Option<u32>,
    /// Most connections from one address (CONN-7).
    pub max_connections_per_address: Option<u32>,
    /// Messages that a client may send each second (MSG-6).
    pub message_rate: Option<u32>,
    /// Bytes that may wait for one connection (BRIDGE-12).
    pub outbox_bytes: Option<u32>,
    /// Another `ping_interval` than the run's, so that the heartbeat does not end the connection under test. A gateway that
    /// does not accept the setting keeps its own.
    pub ping_interval: Option<Interval>,
}

/// A time as settings write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Interval(pub Duration);

impl TryFrom<String> for Interval {
    type Error = DurationError;

    fn try_from(text: String) -> Result<Self, DurationError> {
        parse_duration(&text).map(Self)
    }
}

impl From<Interval> for String {
    fn from(interval: Interval) -> Self {
        format_duration(interval.0)
    }
}

/// The usual values of what a scenario does not set: so high that no scenario reaches them by accident.
impl Settings {
    /// Connections in all, and of one user.
    pub const MANY_CONNECTIONS: u32 = 10_000;
    /// Messages a second.
    pub const MESSAGE_RATE: u32 = 1_000;
    /// Bytes that wait.
    pub const OUTBOX_BYTES: u32 = 4 * 1024 * 1024;

    /// Whether the connections that there are may be all that there can be.
    pub fn limits_connections(&self) -> bool {
        self.max_connections.is_some()
            || self.max_connections_per_user.is_some()
            || self.max_connections_per_address.is_some()
    }

    /// The placeholders of a command or environment that the scenario needs; of several for the same, one is enough.
    pub fn placeholders(&self) -> Vec<&'static [&'static str]> {
        let needed: [(&'static [&'static str], bool); 8] = [
            (&["allowed_origin"], self.allowed_origin.is_some()),
            (&["jwt_secret_previous"], self.previous_secret),
            (&["jwt_public_key_file", "jwt_public_key"], self.public_key),
            (&["max_connections"], self.max_connections.is_some()),
            (&["max_connections_per_user"], self.max_connections_per_user.is_some()),
            (&["max_connections_per_address"], self.max_connections_per_address.is_some()),
            (&["message_rate"], self.message_rate.is_some()),
            (&["outbox_bytes"], self.outbox_bytes.is_some()),
        ];
        needed.into_iter().filter(|(_, needed)| *needed).map(|(name, _)| name).collect()
    }
}
