//! The options of a client.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Timing;

/// How the client is configured, by these names. A missing option means the client's default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(rename = "options", deny_unknown_fields)]
pub struct Options {
    /// Delay before the first redial, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u64")]
    pub reconnect_delay: Option<u64>,
    /// Longest delay before a redial, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u64")]
    pub max_reconnect_delay: Option<u64>,
    /// Redials without success before the client gives up.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u32")]
    pub max_reconnect_attempts: Option<u32>,
    /// How far a delay may lie from its value, as a share of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "f64", range(min = 0, max = 1))]
    pub jitter: Option<f64>,
    /// Time between two pings, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u64")]
    pub ping_interval: Option<u64>,
    /// How long a pong may take, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u64")]
    pub pong_timeout: Option<u64>,
    /// How long a dial, handshake included, may take, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u64")]
    pub connect_timeout: Option<u64>,
    /// How long a connection must have lasted to reset the count of attempts, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u64")]
    pub stable_after: Option<u64>,
    /// Whether a lost connection is dialled again (BACKOFF-4).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "bool")]
    pub auto_reconnect: Option<bool>,
    /// Whether a provider connects by itself (PROV-2).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "bool")]
    pub auto_connect: Option<bool>,
    /// Messages that are kept while there is no connection (QUEUE-3).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "usize")]
    pub queue_capacity: Option<usize>,
    /// Whether the client logs to standard error (CONF-1).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "bool")]
    pub debug: Option<bool>,
    /// Whether each dial asks for its token by `token_wanted` (TOKEN-2).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "bool")]
    pub token_provider: Option<bool>,
    /// Where the client's jitter begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u64")]
    pub seed: Option<u64>,
}

impl Options {
    /// These options, and those of `other` that are missing here.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            reconnect_delay: self.reconnect_delay.or(other.reconnect_delay),
            max_reconnect_delay: self.max_reconnect_delay.or(other.max_reconnect_delay),
            max_reconnect_attempts: self.max_reconnect_attempts.or(other.max_reconnect_attempts),
            jitter: self.jitter.or(other.jitter),
            ping_interval: self.ping_interval.or(other.ping_interval),
            pong_timeout: self.pong_timeout.or(other.pong_timeout),
            connect_timeout: self.connect_timeout.or(other.connect_timeout),
            stable_after: self.stable_after.or(other.stable_after),
            auto_reconnect: self.auto_reconnect.or(other.auto_reconnect),
            auto_connect: self.auto_connect.or(other.auto_connect),
            queue_capacity: self.queue_capacity.or(other.queue_capacity),
            debug: self.debug.or(other.debug),
            token_provider: self.token_provider.or(other.token_provider),
            seed: self.seed.or(other.seed),
        }
    }
}

impl From<&Options> for Timing {
    /// Every time and count of the options; the default of what is missing.
    fn from(options: &Options) -> Self {
        let time = |ms: Option<u64>, usual: Duration| ms.map_or(usual, Duration::from_millis);
        let usual = Self::default();
        Self {
            reconnect_delay: time(options.reconnect_delay, usual.reconnect_delay),
            max_reconnect_delay: time(options.max_reconnect_delay, usual.max_reconnect_delay),
            max_reconnect_attempts: options.max_reconnect_attempts.unwrap_or(usual.max_reconnect_attempts),
            jitter: options.jitter.unwrap_or(usual.jitter),
            ping_interval: time(options.ping_interval, usual.ping_interval),
            pong_timeout: time(options.pong_timeout, usual.pong_timeout),
            connect_timeout: time(options.connect_timeout, usual.connect_timeout),
            stable_after: time(options.stable_after, usual.stable_after),
        }
    }
}

impl From<&Timing> for Options {
    /// Every time and count of `timing`; the rest stays the client's default.
    fn from(timing: &Timing) -> Self {
        let ms = |time: Duration| Some(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
        Self {
            reconnect_delay: ms(timing.reconnect_delay),
            max_reconnect_delay: ms(timing.max_reconnect_delay),
            max_reconnect_attempts: Some(timing.max_reconnect_attempts),
            jitter: Some(timing.jitter),
            ping_interval: ms(timing.ping_interval),
            pong_timeout: ms(timing.pong_timeout),
            connect_timeout: ms(timing.connect_timeout),
            stable_after: ms(timing.stable_after),
            ..Self::default()
        }
    }
}
