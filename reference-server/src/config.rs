//! The gateway's configuration: a TOML file, the environment, flags; later ones win. Read raw, checked once.

mod check;
mod error;
mod file;
mod keys;
mod place;
mod settings;
mod stats_token;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use protocol::limits::{MAX_MESSAGE_BYTES, MAX_ROOMS_PER_CONNECTION};
use protocol::{Dialect, Timing};

use crate::auth::TokenVerifier;
use crate::broker::RabbitMqConfig;
use crate::net::TrustedProxies;
use reference_gateway::{ConnectionLimits, GatewayConfig, RateLimit, RoutingTable};

pub use error::ConfigError;
pub use place::Place;
pub use settings::Settings;
pub use stats_token::StatsToken;

/// A configuration that can be used.
#[derive(Debug, Clone)]
pub struct Config {
    /// The address to listen on.
    pub listen: SocketAddr,
    /// The address of the status pages, where they have one of their own: `/stats` and `/metrics` are served there alone.
    pub admin_listen: Option<SocketAddr>,
    /// Names by which `/` and `/stats` may be asked for, beside addresses and names of the local network.
    pub allowed_hosts: Vec<String>,
    /// What a request for `/stats` or `/metrics` on the clients' port must have.
    pub stats_token: Option<StatsToken>,
    /// The path that upgrades.
    pub path: String,
    /// The origins that pages may connect from; with none, any (AUTH-10).
    pub allowed_origins: Vec<String>,
    /// Certificate and key, where TLS is spoken.
    pub tls: Option<TlsFiles>,
    /// What tokens are checked by.
    pub verification: TokenVerifier,
    /// The broker; without one the gateway serves, and is never ready.
    pub rabbitmq: Option<RabbitMqConfig>,
    /// Which rooms an event goes to.
    pub routing: RoutingTable,
    /// The configuration of each machine.
    pub gateway: GatewayConfig,
    /// Longest time for a handshake (CONN-8).
    pub connect_timeout: Duration,
    /// Longest time that connections may take to close on shutdown (CONN-6).
    pub shutdown_grace: Duration,
    /// How many connections there may be (CONN-7).
    pub connection_limits: ConnectionLimits,
    /// Proxies that are trusted to say whom they speak for.
    pub trusted_proxies: TrustedProxies,
    /// Connections of one shard that may be in their handshake at once.
    pub max_handshakes: usize,
    /// Largest message from a client (MSG-5).
    pub max_message_bytes: usize,
    /// Largest event from the broker; a larger one is poison (BRIDGE-8).
    pub max_event_bytes: usize,
    /// Frames that a client may send on the wire, fragments included (MSG-6).
    pub frame_rate: RateLimit,
    /// Bytes that may wait for one connection (BRIDGE-12).
    pub outbox_bytes: usize,
    /// Bytes that may wait for all connections together (BRIDGE-12).
    pub outbox_budget_bytes: usize,
    /// Threads that serve connections.
    pub shards: usize,
    /// Whether shards write to many sockets by one system call of io_uring, where the kernel has and allows it.
    pub io_uring: bool,
    /// Whether the live page is served at `/`.
    pub page: bool,
    /// Whether any client may request tokens and publish events. For development only.
    pub dev: bool,
    /// What is logged, and where errors are reported.
    pub watch: WatchConfig,
}

/// Where certificate and key are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate chain in PEM.
    pub cert: PathBuf,
    /// Its private key in PEM.
    pub key: PathBuf,
}

/// How the gateway is watched.
#[derive(Clone, PartialEq, Eq)]
pub struct WatchConfig {
    /// A filter such as `info`.
    pub log: String,
    /// How lines are written.
    pub log_format: LogFormat,
    /// Where errors are reported.
    pub sentry_dsn: Option<String>,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// What flags and variables say.
#[derive(Debug, Default, Clone)]
#[cfg_attr(feature = "cli", derive(clap::Args))]
pub struct Flags {
    /// A TOML file with any of these settings, by the flags' names with `_` for `-`, and the tables `[dialect]`, `[[route]]` and `[[key]]`
    #[cfg_attr(feature = "cli", arg(long, value_name = "FILE", env = "GATEWAY_CONFIG"))]
    pub config: Option<PathBuf>,
    #[cfg_attr(feature = "cli", command(flatten))]
    settings: Settings,
}

/// Deliveries that may be unacknowledged at once.
const PREFETCH: u16 = 1024;
/// Largest event from the broker.
const MAX_EVENT_BYTES: usize = 1024 * 1024;
/// Bytes that may wait for one connection.
const OUTBOX_BYTES: usize = 4 * 1024 * 1024;
/// Bytes that may wait for all connections together.
const OUTBOX_BUDGET_BYTES: usize = 256 * 1024 * 1024;
/// Longest time that connections may take to close on shutdown.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(10);
/// Connections of one shard that may be in their handshake at once.
const MAX_HANDSHAKES: usize = 1024;
/// Messages and control frames that a client may send each second.
const MESSAGE_RATE: RateLimit = RateLimit { per_second: 100 };
/// Frames on the wire for each message that a client may send: one may come in fragments.
const FRAMES_PER_MESSAGE: u32 = 20;

impl Flags {
    /// What file, environment and flags say together, not yet checked.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn settings(self) -> Result<Settings, ConfigError> {
        let file = match &self.config {
            Some(path) => Settings::read(path)?,
            None => Settings::default(),
        };
        Ok(self.settings.over(&file))
    }
}

impl Config {
    /// The defaults with this secret: what a simulation or a test starts from.
    pub fn with_secret(secret: impl Into<Vec<u8>>) -> Self {
        let timing = Timing::default();
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 3000)),
            admin_listen: None,
            allowed_hosts: Vec::new(),
            stats_token: None,
            path: "/ws".to_owned(),
            allowed_origins: Vec::new(),
            tls: None,
            verification: TokenVerifier::with_secret(secret),
            rabbitmq: None,
            routing: RoutingTable::default(),
            gateway: GatewayConfig {
                dialect: Dialect::default(),
                ping_interval: timing.ping_interval,
                pong_timeout: timing.pong_timeout,
                max_rooms: MAX_ROOMS_PER_CONNECTION,
                message_rate: MESSAGE_RATE,
                leeway_s: 0,
            },
            connect_timeout: timing.connect_timeout,
            shutdown_grace: SHUTDOWN_GRACE,
            connection_limits: ConnectionLimits::default(),
            trusted_proxies: TrustedProxies::default(),
            max_handshakes: MAX_HANDSHAKES,
            max_message_bytes: MAX_MESSAGE_BYTES,
            max_event_bytes: MAX_EVENT_BYTES,
            frame_rate: frames_of(MESSAGE_RATE),
            outbox_bytes: OUTBOX_BYTES,
            outbox_budget_bytes: OUTBOX_BUDGET_BYTES,
            shards: std::thread::available_parallelism().map_or(1, usize::from),
            io_uring: true,
            page: true,
            dev: false,
            watch: WatchConfig { log: "info".to_owned(), log_format: LogFormat::Text, sentry_dsn: None },
        }
    }
}

/// The frames of a client that may send so many messages, where nothing else is said; never fewer than by default.
fn frames_of(messages: RateLimit) -> RateLimit {
    let messages = messages.per_second.max(MESSAGE_RATE.per_second);
    RateLimit { per_second: messages.saturating_mul(FRAMES_PER_MESSAGE) }
}

impl std::fmt::Debug for WatchConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A DSN holds a key.
        f.debug_struct("WatchConfig")
            .field("log", &self.log)
            .field("log_format", &self.log_format)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
