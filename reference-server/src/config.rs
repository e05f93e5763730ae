//! The gateway's configuration: a TOML file, the environment, flags; later ones win. Read raw, checked once.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use protocol::limits::{MAX_MESSAGE_BYTES, MAX_ROOMS_PER_CONNECTION};
use protocol::{Dialect, DialectError, DurationError, Timing, parse_duration};
use serde::Deserialize;

use crate::auth::{AlgorithmError, HmacAlgorithm};
use crate::broker::RabbitMqConfig;
use crate::gateway::{GatewayConfig, Route, RouteError, RoutingTable};

/// A configuration that can be used.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where connections are taken.
    pub listen: SocketAddr,
    /// The path that upgrades.
    pub path: String,
    /// The secret of tokens signed by HMAC.
    pub jwt_secret: Secret,
    /// The algorithms that are accepted.
    pub algorithms: BTreeSet<HmacAlgorithm>,
    /// Seconds allowed between this clock and the token issuer's.
    pub leeway_s: u64,
    /// The broker; without one the gateway serves, and is never ready.
    pub rabbitmq: Option<RabbitMqConfig>,
    /// Which rooms an event goes to.
    pub routing: RoutingTable,
    /// What each machine is told.
    pub gateway: GatewayConfig,
    /// Longest time for a handshake (CONN-8).
    pub connect_timeout: Duration,
    /// Largest message from a client (MSG-5).
    pub max_message_bytes: usize,
    /// Bytes that may wait for one connection (BRIDGE-12).
    pub outbox_bytes: usize,
    /// How long everybody may take to go (CONN-6).
    pub shutdown_grace: Duration,
    /// Threads that serve connections.
    pub shards: usize,
}

/// A secret; it is never shown (AUTH-8).
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

/// What flags and variables say.
#[derive(Debug, Default, Clone, Args)]
pub struct Flags {
    /// A TOML file with any of these settings, by the flags' names with `_` for `-`, and the tables `[dialect]` and `[[route]]`
    #[arg(long, value_name = "FILE", env = "GATEWAY_CONFIG")]
    pub config: Option<PathBuf>,
    /// Where connections are taken; port 0 takes a free one [default: 127.0.0.1:3000]
    #[arg(long, value_name = "ADDR", env = "GATEWAY_LISTEN")]
    listen: Option<String>,
    /// The path that upgrades [default: /ws]
    #[arg(long, value_name = "PATH", env = "GATEWAY_PATH")]
    path: Option<String>,
    /// The secret that tokens are signed with; prefer the variable or the file, others can see the command line
    #[arg(long, value_name = "SECRET", env = "JWT_SECRET", hide_env_values = true)]
    jwt_secret: Option<String>,
    /// A file that holds the secret
    #[arg(long, value_name = "FILE", env = "JWT_SECRET_FILE")]
    jwt_secret_file: Option<PathBuf>,
    /// The algorithms that are accepted: HS256, HS384, HS512 [default: HS256]
    #[arg(long, value_name = "NAMES", env = "GATEWAY_ALGORITHMS", value_delimiter = ',')]
    algorithms: Option<Vec<String>>,
    /// Allowed between this clock and the token issuer's [default: 0s]
    #[arg(long, value_name = "TIME", env = "GATEWAY_LEEWAY")]
    leeway: Option<String>,
    /// The RabbitMQ that events come from, amqp://…; without it the gateway is never ready
    #[arg(long, value_name = "URL", env = "RABBITMQ_URL", hide_env_values = true)]
    amqp_url: Option<String>,
    /// The topic exchange [default: payments_events]
    #[arg(long, value_name = "NAME", env = "GATEWAY_EXCHANGE")]
    exchange: Option<String>,
    /// The queue [default: ws_events]
    #[arg(long, value_name = "NAME", env = "GATEWAY_QUEUE")]
    queue: Option<String>,
    /// What of the exchange goes to the queue [default: #]
    #[arg(long, value_name = "PATTERN", env = "GATEWAY_BINDING")]
    binding: Option<String>,
    /// Deliveries that may be unacknowledged at once [default: 1024]
    #[arg(long, value_name = "N", env = "GATEWAY_PREFETCH")]
    prefetch: Option<u16>,
    /// How often every connection is pinged [default: 30s]
    #[arg(long, value_name = "TIME", env = "GATEWAY_PING_INTERVAL")]
    ping_interval: Option<String>,
    /// How long it may take to answer [default: 10s]
    #[arg(long, value_name = "TIME", env = "GATEWAY_PONG_TIMEOUT")]
    pong_timeout: Option<String>,
    /// How long a handshake may take [default: 10s]
    #[arg(long, value_name = "TIME", env = "GATEWAY_CONNECT_TIMEOUT")]
    connect_timeout: Option<String>,
    /// Largest message from a client, in bytes [default: 65536]
    #[arg(long, value_name = "BYTES", env = "GATEWAY_MAX_MESSAGE_BYTES")]
    max_message_bytes: Option<usize>,
    /// Most rooms of one connection [default: 100]
    #[arg(long, value_name = "N", env = "GATEWAY_MAX_ROOMS")]
    max_rooms: Option<usize>,
    /// Bytes that may wait for one connection before it is closed with 1013 [default: 4194304]
    #[arg(long, value_name = "BYTES", env = "GATEWAY_OUTBOX_BYTES")]
    outbox_bytes: Option<usize>,
    /// How long everybody may take to go on shutdown [default: 10s]
    #[arg(long, value_name = "TIME", env = "GATEWAY_SHUTDOWN_GRACE")]
    shutdown_grace: Option<String>,
    /// Threads that serve connections [default: one for each core]
    #[arg(long, value_name = "N", env = "GATEWAY_SHARDS")]
    shards: Option<usize>,
}

/// What a file says; the names are the flags'.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    listen: Option<String>,
    path: Option<String>,
    jwt_secret: Option<String>,
    jwt_secret_file: Option<PathBuf>,
    algorithms: Option<Vec<String>>,
    leeway: Option<String>,
    amqp_url: Option<String>,
    exchange: Option<String>,
    queue: Option<String>,
    binding: Option<String>,
    prefetch: Option<u16>,
    ping_interval: Option<String>,
    pong_timeout: Option<String>,
    connect_timeout: Option<String>,
    max_message_bytes: Option<usize>,
    max_rooms: Option<usize>,
    outbox_bytes: Option<usize>,
    shutdown_grace: Option<String>,
    shards: Option<usize>,
    dialect: Dialect,
    route: Option<Vec<Route>>,
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not a configuration; the message names the line.
    #[error("{}: {message}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        message: String,
    },
    /// There is no secret to verify tokens with.
    #[error("no secret to verify tokens with: set JWT_SECRET, or give --jwt-secret-file FILE")]
    NoSecret,
    /// A time cannot be read.
    #[error("`{name}`: {source}")]
    Duration {
        /// The setting.
        name: &'static str,
        /// What is wrong.
        source: DurationError,
    },
    /// A value makes no sense.
    #[error("`{name}` is {value}; {hint}")]
    Value {
        /// The setting.
        name: &'static str,
        /// What was given.
        value: String,
        /// What it should be.
        hint: &'static str,
    },
    /// An algorithm is unknown.
    #[error("`algorithms`: {0}")]
    Algorithm(#[from] AlgorithmError),
    /// The dialect cannot be spoken.
    #[error(transparent)]
    Dialect(#[from] DialectError),
    /// A row of the routing table cannot be used.
    #[error(transparent)]
    Route(#[from] RouteError),
}

/// Deliveries that may be unacknowledged at once.
const PREFETCH: u16 = 1024;
/// Bytes that may wait for one connection.
const OUTBOX_BYTES: usize = 4 * 1024 * 1024;
/// How long everybody may take to go.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(10);

impl Config {
    /// The configuration that file and flags make together.
    ///
    /// # Errors
    /// Names the first thing that is wrong.
    pub fn load(flags: Flags) -> Result<Self, ConfigError> {
        let file = match &flags.config {
            Some(path) => File::read(path)?,
            None => File::default(),
        };
        Self::check(flags, file)
    }

    /// The defaults with this secret: what a simulation or a test starts from.
    pub fn with_secret(secret: impl Into<Vec<u8>>) -> Self {
        let timing = Timing::default();
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 3000)),
            path: "/ws".to_owned(),
            jwt_secret: Secret(secret.into()),
            algorithms: BTreeSet::from([HmacAlgorithm::Hs256]),
            leeway_s: 0,
            rabbitmq: None,
            routing: RoutingTable::default(),
            gateway: GatewayConfig {
                dialect: Dialect::default(),
                ping_interval: timing.ping_interval,
                pong_timeout: timing.pong_timeout,
                max_rooms: MAX_ROOMS_PER_CONNECTION,
            },
            connect_timeout: timing.connect_timeout,
            max_message_bytes: MAX_MESSAGE_BYTES,
            outbox_bytes: OUTBOX_BYTES,
            shutdown_grace: SHUTDOWN_GRACE,
            shards: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }

    fn check(flags: Flags, file: File) -> Result<Self, ConfigError> {
        let secret = match (flags.jwt_secret, flags.jwt_secret_file, file.jwt_secret, file.jwt_secret_file) {
            (Some(secret), ..) => secret,
            (None, Some(path), ..) => read(&path)?.trim().to_owned(),
            (None, None, Some(secret), _) => secret,
            (None, None, None, Some(path)) => read(&path)?.trim().to_owned(),
            (None, None, None, None) => return Err(ConfigError::NoSecret),
        };
        if secret.is_empty() {
            return Err(ConfigError::NoSecret);
        }
        let defaults = Self::with_secret(secret);
        let time = |name, text: Option<String>, default| match text {
            None => Ok(default),
            Some(text) => parse_duration(&text).map_err(|source| ConfigError::Duration { name, source }),
        };
        let positive = |name, time: Duration| match time.is_zero() {
            true => Err(ConfigError::Value { name, value: "zero".to_owned(), hint: "it must be longer" }),
            false => Ok(time),
        };
        let at_least_one = |name, number: usize| match number {
            0 => Err(ConfigError::Value { name, value: "0".to_owned(), hint: "it must be at least 1" }),
            number => Ok(number),
        };
        let listen = match flags.listen.or(file.listen) {
            None => defaults.listen,
            Some(text) => text.parse().map_err(|_| ConfigError::Value {
                name: "listen",
                value: text,
                hint: "write an address and a port, such as 127.0.0.1:3000",
            })?,
        };
        let path = flags.path.or(file.path).unwrap_or(defaults.path);
        if !path.starts_with('/') {
            let hint = "a path begins with `/`";
            return Err(ConfigError::Value { name: "path", value: path, hint });
        }
        let algorithms = match flags.algorithms.or(file.algorithms) {
            None => defaults.algorithms,
            Some(names) => names.iter().map(|name| name.parse()).collect::<Result<BTreeSet<_>, _>>()?,
        };
        if algorithms.is_empty() {
            let hint = "name at least one of HS256, HS384 and HS512";
            return Err(ConfigError::Value { name: "algorithms", value: "empty".to_owned(), hint });
        }
        file.dialect.check()?;
        let broker = |url| RabbitMqConfig {
            url,
            exchange: flags.exchange.or(file.exchange).unwrap_or_else(|| "payments_events".to_owned()),
            queue: flags.queue.or(file.queue).unwrap_or_else(|| "ws_events".to_owned()),
            binding: flags.binding.or(file.binding).unwrap_or_else(|| "#".to_owned()),
            prefetch: flags.prefetch.or(file.prefetch).unwrap_or(PREFETCH),
        };
        let rabbitmq = match flags.amqp_url.or(file.amqp_url) {
            None => None,
            Some(url) if url::Url::parse(&url).is_ok_and(|url| url.scheme() == "amqp" && url.has_host()) => {
                Some(broker(url))
            }
            Some(_) => {
                let hint = "write amqp://USER:PASSWORD@HOST:5672/%2f";
                return Err(ConfigError::Value { name: "amqp_url", value: "no AMQP URL".to_owned(), hint });
            }
        };
        let ping_interval = time(
            "ping_interval",
            flags.ping_interval.or(file.ping_interval),
            defaults.gateway.ping_interval,
        )?;
        let pong_timeout =
            time("pong_timeout", flags.pong_timeout.or(file.pong_timeout), defaults.gateway.pong_timeout)?;
        let connect_timeout = time(
            "connect_timeout",
            flags.connect_timeout.or(file.connect_timeout),
            defaults.connect_timeout,
        )?;
        let max_message_bytes =
            flags.max_message_bytes.or(file.max_message_bytes).unwrap_or(defaults.max_message_bytes);
        let max_rooms = flags.max_rooms.or(file.max_rooms).unwrap_or(defaults.gateway.max_rooms);
        let outbox_bytes = flags.outbox_bytes.or(file.outbox_bytes).unwrap_or(defaults.outbox_bytes);
        Ok(Self {
            listen,
            path,
            jwt_secret: defaults.jwt_secret,
            algorithms,
            leeway_s: time("leeway", flags.leeway.or(file.leeway), Duration::ZERO)?.as_secs(),
            rabbitmq,
            routing: match file.route {
                None => defaults.routing,
                Some(rows) => RoutingTable::new(rows)?,
            },
            gateway: GatewayConfig {
                dialect: file.dialect,
                ping_interval: positive("ping_interval", ping_interval)?,
                pong_timeout: positive("pong_timeout", pong_timeout)?,
                max_rooms: at_least_one("max_rooms", max_rooms)?,
            },
            connect_timeout: positive("connect_timeout", connect_timeout)?,
            max_message_bytes: at_least_one("max_message_bytes", max_message_bytes)?,
            outbox_bytes: at_least_one("outbox_bytes", outbox_bytes)?,
            shutdown_grace: time(
                "shutdown_grace",
                flags.shutdown_grace.or(file.shutdown_grace),
                SHUTDOWN_GRACE,
            )?,
            shards: at_least_one("shards", flags.shards.or(file.shards).unwrap_or(defaults.shards))?,
        })
    }
}

impl File {
    fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = read(path)?;
        // The reader's own message shows the line.
        toml::from_str(&text)
            .map_err(|error| ConfigError::Syntax { path: path.to_owned(), message: error.to_string() })
    }
}

impl std::ops::Deref for Secret {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

fn read(path: &Path) -> Result<String, ConfigError> {
    fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(flags: Flags, file: &str) -> Result<Config, ConfigError> {
        let file = toml::from_str(file).map_err(|error: toml::de::Error| ConfigError::Syntax {
            path: "t.toml".into(),
            message: error.to_string(),
        })?;
        Config::check(Flags { jwt_secret: Some("s".to_owned()), ..flags }, file)
    }

    /// Flags win over the file, the file over the defaults.
    #[test]
    fn later_ones_win() {
        let flags = Flags { queue: Some("flag".to_owned()), ..Flags::default() };
        let file =
            "queue = \"file\"\nexchange = \"file\"\namqp_url = \"amqp://h\"\nping_interval = \"300ms\"";
        let config = config(flags, file).unwrap();
        let broker = config.rabbitmq.unwrap();
        assert_eq!(
            (broker.queue.as_str(), broker.exchange.as_str(), broker.binding.as_str()),
            ("flag", "file", "#")
        );
        assert_eq!(config.gateway.ping_interval.as_millis(), 300);
        assert_eq!(config.gateway.pong_timeout, Timing::default().pong_timeout);
    }

    /// Each mistake is one error that says what and where.
    #[test]
    fn mistakes_are_named() {
        for (file, says) in [
            ("pong_timeot = \"1s\"", "unknown field `pong_timeot`"),
            ("ping_interval = \"fast\"", "`ping_interval`: `fast` is not a duration"),
            ("ping_interval = \"0s\"", "`ping_interval` is zero"),
            ("listen = \"here\"", "`listen` is here"),
            ("path = \"ws\"", "begins with `/`"),
            ("algorithms = [\"none\"]", "`none` is no algorithm"),
            ("algorithms = []", "at least one"),
            ("amqp_url = \"http://h\"", "no AMQP URL"),
            ("shards = 0", "at least 1"),
            ("[dialect]\npong = \"ping\"", "two different messages"),
            ("[[route]]\nevent = \"a*b\"\nrooms = []", "a `*` stands at the end only"),
        ] {
            let error = config(Flags::default(), file).unwrap_err().to_string();
            assert!(error.contains(says), "{file}: {error}");
        }
        let error = Config::check(Flags::default(), File::default()).unwrap_err();
        assert!(matches!(error, ConfigError::NoSecret));
    }

    /// A configuration can be logged without its secret (AUTH-8).
    #[test]
    fn the_secret_is_not_shown() {
        let shown = format!("{:?}", Config::with_secret("hush"));
        assert!(shown.contains("***") && !shown.contains("hush"));
    }
}
