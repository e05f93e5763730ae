//! What a client is configured with (CONF-1): read raw, checked once.

use std::fmt;
use std::sync::Arc;

use protocol::limits::OFFLINE_QUEUE_CAPACITY;
use protocol::{Dialect, DialectError, Timing, TimingError};
use url::Url;

use crate::net::TokenProvider;

/// A configuration that can be used.
#[derive(Clone)]
pub struct ClientConfig {
    /// Where the gateway is; its query, if any, is kept.
    pub url: Url,
    /// The token that signs in.
    pub token: String,
    /// Whom every dial asks for its token, instead of using `token` (TOKEN-2; default none).
    pub token_provider: Option<Arc<dyn TokenProvider>>,
    /// Delays, intervals and timeouts.
    pub timing: Timing,
    /// How the gateway spells the wire.
    pub dialect: Dialect,
    /// Whether a lost connection is sought again (default true).
    pub auto_reconnect: bool,
    /// Messages kept while they cannot be sent (default 1000).
    pub queue_capacity: usize,
    /// Where the jitter begins; give each client of a fleet another one (BACKOFF-5).
    pub seed: u64,
}

/// Why a configuration cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ConfigError {
    /// The URL is none.
    #[error("`{url}` is not a URL: {reason}; write `ws://HOST:PORT/PATH`")]
    Url {
        /// What was given.
        url: String,
        /// What is wrong.
        reason: String,
    },
    /// The URL has another scheme.
    #[error("`{url}` does not begin with `ws://`{}", if url.starts_with("wss:") { "; TLS is not part of this build" } else { "" })]
    Scheme {
        /// What was given.
        url: String,
    },
    /// A time makes no sense.
    #[error(transparent)]
    Timing(#[from] TimingError),
    /// The dialect cannot be spoken.
    #[error(transparent)]
    Dialect(#[from] DialectError),
}

impl ClientConfig {
    /// The defaults, for a gateway at `url`.
    ///
    /// # Errors
    /// When the URL is not one of a WebSocket.
    pub fn new(url: &str, token: impl Into<String>) -> Result<Self, ConfigError> {
        let error =
            |reason: &dyn ToString| ConfigError::Url { url: url.to_owned(), reason: reason.to_string() };
        let parsed = Url::parse(url).map_err(|reason| error(&reason))?;
        if parsed.scheme() != "ws" {
            return Err(ConfigError::Scheme { url: url.to_owned() });
        }
        if parsed.host_str().is_none() {
            return Err(error(&"it names no host"));
        }
        Ok(Self {
            url: parsed,
            token: token.into(),
            token_provider: None,
            timing: Timing::default(),
            dialect: Dialect::default(),
            auto_reconnect: true,
            queue_capacity: OFFLINE_QUEUE_CAPACITY,
            seed: 0,
        })
    }

    /// Tells whether times and dialect can be used.
    ///
    /// # Errors
    /// Names the first value that cannot.
    pub fn check(self) -> Result<Self, ConfigError> {
        self.timing.check()?;
        self.dialect.check()?;
        Ok(self)
    }
}

impl fmt::Debug for ClientConfig {
    /// Without the token (TOKEN-3).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { url, token: _, token_provider, timing, dialect, auto_reconnect, queue_capacity, seed } =
            self;
        f.debug_struct("ClientConfig")
            .field("url", &url.as_str())
            .field("token_provider", &token_provider.is_some())
            .field("timing", timing)
            .field("dialect", dialect)
            .field("auto_reconnect", auto_reconnect)
            .field("queue_capacity", queue_capacity)
            .field("seed", seed)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The defaults are the settings table's; a URL that cannot be dialled is told apart by what is wrong with it.
    #[test]
    fn urls_are_checked() {
        let config = ClientConfig::new("ws://localhost:3000/ws?v=1", "t").unwrap();
        assert!(config.auto_reconnect && config.queue_capacity == 1000);
        assert!(matches!(ClientConfig::new("localhost", "t"), Err(ConfigError::Url { .. })));
        assert!(matches!(ClientConfig::new("http://h/", "t"), Err(ConfigError::Scheme { .. })));
    }
}
