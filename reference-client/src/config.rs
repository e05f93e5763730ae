//! What a client is configured with (CONF-1): read raw, checked once.

use std::fmt;
use std::sync::Arc;

use protocol::limits::OFFLINE_QUEUE_CAPACITY;
use protocol::{DEFAULT_URL, Dialect, DialectError, Timing, TimingError, URL_VARIABLE};
use url::Url;

use crate::net::{TokenProvider, Trust};

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
    /// Whom to trust on `wss://` (default: whom the system trusts).
    pub trust: Trust,
    /// The HTTP proxy to go through, `http://[USER:PASSWORD@]HOST:PORT` (default none).
    pub proxy: Option<Url>,
    /// Whether the client logs what it does, without secrets (CONF-1, TOKEN-3; default false).
    pub debug: bool,
    /// Where the jitter begins; give each client of a fleet another one (BACKOFF-5).
    pub seed: u64,
}

/// Why a configuration cannot be used. URLs are shown without password and query, since either may hold a secret (TOKEN-3).
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ConfigError {
    /// The URL is invalid.
    #[error("`{url}` is not a URL: {reason}; write `ws://HOST:PORT/PATH`")]
    Url {
        /// What was given.
        url: String,
        /// What is wrong.
        reason: String,
    },
    /// The URL has another scheme.
    #[error("`{url}` does not begin with `ws://` or `wss://`")]
    Scheme {
        /// What was given.
        url: String,
    },
    /// The proxy's URL is not one of an HTTP proxy.
    #[error("`{url}` is no HTTP proxy; write `http://HOST:PORT`")]
    Proxy {
        /// What was given.
        url: String,
    },
    /// A time makes no sense.
    #[error(transparent)]
    Timing(#[from] TimingError),
    /// The dialect cannot be spoken.
    #[error(transparent)]
    Dialect(#[from] DialectError),
    /// The dialect asks for what this client does not do.
    #[error("dialect.opening: this client sends nothing as it opens: subscribe to what is wanted")]
    Opening,
}

impl ClientConfig {
    /// The defaults, for a gateway at `url`, `ws://` or `wss://`. The URL of the settings is [`gateway_url`].
    ///
    /// # Errors
    /// When the URL is not one of a WebSocket.
    pub fn new(url: &str, token: impl Into<String>) -> Result<Self, ConfigError> {
        let error = |reason: &dyn ToString| ConfigError::Url { url: public(url), reason: reason.to_string() };
        let parsed = Url::parse(url).map_err(|reason| error(&reason))?;
        if !matches!(parsed.scheme(), "ws" | "wss") {
            return Err(ConfigError::Scheme { url: public(url) });
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
            trust: Trust::System,
            proxy: None,
            debug: false,
            seed: 0,
        })
    }

    /// Checks whether times, dialect and proxy can be used.
    ///
    /// # Errors
    /// Names the first value that cannot.
    pub fn check(self) -> Result<Self, ConfigError> {
        self.timing.check()?;
        self.dialect.check()?;
        if !self.dialect.opening.is_empty() {
            return Err(ConfigError::Opening);
        }
        if let Some(proxy) =
            self.proxy.as_ref().filter(|url| url.scheme() != "http" || url.host_str().is_none())
        {
            return Err(ConfigError::Proxy { url: public(proxy.as_str()) });
        }
        Ok(self)
    }
}

/// The URL to use where none is given: `NX_WS_URL`, or the default where that is not set or empty (CONF-1).
pub fn gateway_url() -> String {
    let named = std::env::var(URL_VARIABLE).ok();
    named.filter(|url| !url.is_empty()).unwrap_or_else(|| DEFAULT_URL.to_owned())
}

/// A URL as errors and logs may have it: without user, password and query.
fn public(url: &str) -> String {
    let bare = url.split(['?', '#']).next().unwrap_or_default();
    match (bare.split_once("://"), bare.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, place))) => format!("{scheme}://{place}"),
        (None, Some((_, place))) => place.to_owned(),
        (_, None) => bare.to_owned(),
    }
}

impl fmt::Debug for ClientConfig {
    /// Without tokens and passwords (TOKEN-3).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientConfig")
            .field("url", &public(self.url.as_str()))
            .field("token_provider", &self.token_provider.is_some())
            .field("timing", &self.timing)
            .field("dialect", &self.dialect)
            .field("auto_reconnect", &self.auto_reconnect)
            .field("queue_capacity", &self.queue_capacity)
            .field("proxy", &self.proxy.as_ref().map(|proxy| public(proxy.as_str())))
            .field("debug", &self.debug)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The defaults are the settings table's; each kind of invalid URL has its own error.
    #[test]
    fn urls_are_checked() {
        let config = ClientConfig::new("ws://localhost:3000/ws?v=1", "t").unwrap();
        assert!(config.auto_reconnect && config.queue_capacity == 1000);
        assert!(matches!(ClientConfig::new("localhost", "t"), Err(ConfigError::Url { .. })));
        assert!(matches!(ClientConfig::new("http://h/", "t"), Err(ConfigError::Scheme { .. })));
        assert!(ClientConfig::new("wss://localhost/ws", "t").is_ok());
    }

    /// A proxy is one of HTTP.
    #[test]
    fn proxies_are_checked() {
        let with = |proxy: &str| {
            let proxy = Some(Url::parse(proxy).unwrap());
            ClientConfig { proxy, ..ClientConfig::new("ws://h/", "t").unwrap() }.check()
        };
        assert!(with("http://me:word@h:8080").is_ok());
        let error = with("socks5://me:word@h:1080?x=word").unwrap_err().to_string();
        assert!(error.starts_with("`socks5://h:1080` is no HTTP proxy"), "{error}");
    }

    /// TOKEN-3: neither what is printed for debugging nor an error holds a secret.
    #[test]
    fn secrets_stay_out_of_sight() {
        let mut config = ClientConfig::new("ws://me:word@h/?token=word", "word").unwrap();
        config.proxy = Some(Url::parse("http://me:word@h").unwrap());
        assert!(!format!("{config:?}").contains("word"));
        for url in ["http://me:word@h/?token=word", "h/?token=word", "me:word@h", "ws://?word"] {
            let error = ClientConfig::new(url, "word").unwrap_err();
            assert!(!format!("{error} {error:?}").contains("word"), "{error}");
        }
    }
}
