//! What an adapter is asked for.

use std::time::Duration;

use protocol::{Dialect, Target};
use serde::Deserialize;
use serde_json::Value;

use crate::config::{ClientConfig, ConfigError};

/// One line.
#[derive(Deserialize)]
pub(super) struct Request {
    pub(super) id: u64,
    #[serde(flatten)]
    pub(super) op: Op,
}

/// What it asks for.
#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub(super) enum Op {
    Configure(Box<Configure>),
    Connect,
    Disconnect,
    Send {
        message: Message,
    },
    Subscribe {
        target: Target,
    },
    Unsubscribe {
        target: Target,
    },
    On {
        name: String,
        listener: String,
        #[serde(default)]
        fails: bool,
    },
    Off {
        name: String,
        listener: String,
    },
    SetToken {
        token: String,
    },
    Status,
    Exit,
    #[serde(other)]
    Unknown,
}

#[derive(Deserialize)]
pub(super) struct Configure {
    url: String,
    #[serde(default)]
    token: String,
    #[serde(default)]
    options: Options,
    #[serde(default)]
    dialect: Dialect,
}

#[derive(Deserialize)]
pub(super) struct Message {
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) payload: Value,
}

/// Times in milliseconds, by the seed's own names. What is not known is ignored: it is for other clients.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Options {
    reconnect_delay: Option<u64>,
    max_reconnect_delay: Option<u64>,
    max_reconnect_attempts: Option<u32>,
    jitter: Option<f64>,
    ping_interval: Option<u64>,
    pong_timeout: Option<u64>,
    connect_timeout: Option<u64>,
    stable_after: Option<u64>,
    auto_reconnect: Option<bool>,
    queue_capacity: Option<usize>,
    seed: Option<u64>,
}

impl Configure {
    pub(super) fn config(self) -> Result<ClientConfig, ConfigError> {
        let Self { url, token, options, dialect } = self;
        let mut config = ClientConfig { dialect, ..ClientConfig::new(&url, token)? };
        let timing = &mut config.timing;
        for (time, ms) in [
            (&mut timing.reconnect_delay, options.reconnect_delay),
            (&mut timing.max_reconnect_delay, options.max_reconnect_delay),
            (&mut timing.ping_interval, options.ping_interval),
            (&mut timing.pong_timeout, options.pong_timeout),
            (&mut timing.connect_timeout, options.connect_timeout),
            (&mut timing.stable_after, options.stable_after),
        ] {
            *time = ms.map_or(*time, Duration::from_millis);
        }
        timing.max_reconnect_attempts =
            options.max_reconnect_attempts.unwrap_or(timing.max_reconnect_attempts);
        timing.jitter = options.jitter.unwrap_or(timing.jitter);
        config.auto_reconnect = options.auto_reconnect.unwrap_or(config.auto_reconnect);
        config.queue_capacity = options.queue_capacity.unwrap_or(config.queue_capacity);
        config.seed = options.seed.unwrap_or(config.seed);
        config.check()
    }
}
