//! What an adapter is asked for.

use std::time::Duration;

use protocol::{Dialect, Target};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::config::{ClientConfig, ConfigError, gateway_url};
use crate::report::User;

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
        token: Option<String>,
    },
    Token {
        token: Option<String>,
        error: Option<String>,
    },
    SetUser {
        user: Option<User>,
    },
    Status,
    Config,
    Mount {
        name: String,
        hook: Hook,
    },
    Unmount {
        name: String,
    },
    Read {
        name: String,
    },
    Observe {
        key: Vec<Value>,
    },
    SetQuery {
        key: Vec<Value>,
        value: Value,
    },
    GetQuery {
        key: Vec<Value>,
    },
    Exit,
    #[serde(other)]
    Unknown,
}

/// What is mounted under the provider.
#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub(super) enum Hook {
    Status,
    Subscription { event_type: String },
    RealTimeUpdates { event_type: String, query_keys: Vec<Vec<Value>> },
    RealTimeQueryUpdate { event_type: String, query_key: Vec<Value> },
    PaymentUpdates,
    DashboardUpdates,
    ProfileUpdates,
}

#[derive(Deserialize)]
pub(super) struct Configure {
    url: Option<String>,
    token: Option<String>,
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
    auto_connect: Option<bool>,
    token_provider: Option<bool>,
    debug: Option<bool>,
    queue_capacity: Option<usize>,
    seed: Option<u64>,
}

/// What was configured, checked.
pub(super) struct Settings {
    pub(super) config: ClientConfig,
    /// Whether a provider connects by itself.
    pub(super) auto_connect: bool,
    /// Whether there is something to sign in with.
    pub(super) signed_in: bool,
    /// Whether each dial asks for its token.
    pub(super) asks_for_tokens: bool,
}

impl Configure {
    pub(super) fn settings(self) -> Result<Settings, ConfigError> {
        let Self { url, token, options, dialect } = self;
        let asks_for_tokens = options.token_provider.unwrap_or_default();
        let signed_in = token.is_some() || asks_for_tokens;
        let url = url.unwrap_or_else(gateway_url);
        let mut config = ClientConfig { dialect, ..ClientConfig::new(&url, token.unwrap_or_default())? };
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
        config.debug = options.debug.unwrap_or(config.debug);
        let auto_connect = options.auto_connect.unwrap_or(true);
        Ok(Settings { config: config.check()?, auto_connect, signed_in, asks_for_tokens })
    }
}

impl Settings {
    /// What the client uses, by the names that it is configured with (CONF-1).
    pub(super) fn in_effect(&self) -> Value {
        let Self { config, auto_connect, .. } = self;
        let timing = &config.timing;
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        json!({
            "url": config.url.as_str(),
            "reconnectDelay": ms(timing.reconnect_delay),
            "maxReconnectDelay": ms(timing.max_reconnect_delay),
            "maxReconnectAttempts": timing.max_reconnect_attempts,
            "jitter": timing.jitter,
            "autoReconnect": config.auto_reconnect,
            "autoConnect": auto_connect,
            "pingInterval": ms(timing.ping_interval),
            "pongTimeout": ms(timing.pong_timeout),
            "connectTimeout": ms(timing.connect_timeout),
            "stableAfter": ms(timing.stable_after),
            "queueCapacity": config.queue_capacity,
            "debug": config.debug,
        })
    }
}
