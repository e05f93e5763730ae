//! What a client is configured with.

use protocol::Timing;
use protocol::adapter::{Configure, Options};
use serde_json::{Value, json};

use crate::config::{ClientConfig, ConfigError, gateway_url};

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

impl TryFrom<Configure> for Settings {
    type Error = ConfigError;

    fn try_from(configure: Configure) -> Result<Self, ConfigError> {
        let Configure { url, token, options, dialect } = configure;
        let asks_for_tokens = options.token_provider.unwrap_or_default();
        let signed_in = token.is_some() || asks_for_tokens;
        let url = url.unwrap_or_else(gateway_url);
        let timing = Timing::from(&options);
        let mut config =
            ClientConfig { dialect, timing, ..ClientConfig::new(&url, token.unwrap_or_default())? };
        config.auto_reconnect = options.auto_reconnect.unwrap_or(config.auto_reconnect);
        config.queue_capacity = options.queue_capacity.unwrap_or(config.queue_capacity);
        config.seed = options.seed.unwrap_or(config.seed);
        config.debug = options.debug.unwrap_or(config.debug);
        let auto_connect = options.auto_connect.unwrap_or(true);
        Ok(Self { config: config.check()?, auto_connect, signed_in, asks_for_tokens })
    }
}

impl Settings {
    /// What the client uses, by the names that it is configured with (CONF-1).
    pub(super) fn in_effect(&self) -> Value {
        let Self { config, auto_connect, .. } = self;
        let options = Options {
            auto_reconnect: Some(config.auto_reconnect),
            auto_connect: Some(*auto_connect),
            queue_capacity: Some(config.queue_capacity),
            debug: Some(config.debug),
            ..Options::from(&config.timing)
        };
        let mut in_effect = json!(options);
        in_effect["url"] = json!(config.url.as_str());
        in_effect
    }
}
