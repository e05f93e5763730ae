//! What can be set, as it is written: by flags, by the environment, or in a TOML file.

use std::path::PathBuf;

#[cfg(feature = "cli")]
use clap::builder::{BoolishValueParser, OsStringValueParser, TypedValueParser};
use protocol::Dialect;
use serde::{Deserialize, Serialize};

use super::keys::KeySetting;
use super::place::Places;
use reference_gateway::Route;

/// Settings that have been read and not yet checked. In a file the names are the flags', with `_` for `-`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::Args))]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Where connections are taken; port 0 takes a free one [default: 127.0.0.1:3000]
    #[cfg_attr(feature = "cli", arg(long, value_name = "ADDR", env = "GATEWAY_LISTEN"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) listen: Option<String>,
    /// Where `/stats` and `/metrics` are served instead, and `/healthz` and `/readyz` as well: an address that clients cannot reach; without it, all are on the clients' port
    #[cfg_attr(feature = "cli", arg(long, value_name = "ADDR", env = "GATEWAY_ADMIN_LISTEN"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) admin_listen: Option<String>,
    /// Names by which `/` and `/stats` may be asked for, beside addresses and names of the local network: other names can be made to mean this machine by anybody's pages
    #[cfg_attr(
        feature = "cli",
        arg(long, value_name = "NAMES", env = "GATEWAY_ALLOWED_HOSTS", value_delimiter = ',')
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) allowed_hosts: Option<Vec<String>>,
    /// The bearer token that `/stats` and `/metrics` ask for on the clients' port; without it, none
    #[cfg_attr(
        feature = "cli",
        arg(long, value_name = "TOKEN", env = "GATEWAY_STATS_TOKEN", hide_env_values = true)
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stats_token: Option<String>,
    /// The path that upgrades [default: /ws]
    #[cfg_attr(feature = "cli", arg(long, value_name = "PATH", env = "GATEWAY_PATH"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) path: Option<String>,
    /// The origins that pages may connect from, such as `https://app.example.org`; without it, any
    #[cfg_attr(
        feature = "cli",
        arg(long, value_name = "ORIGINS", env = "GATEWAY_ALLOWED_ORIGINS", value_delimiter = ',')
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) allowed_origins: Option<Vec<String>>,
    /// A certificate chain in PEM; with it the gateway speaks TLS only, and SIGHUP has the files read again
    #[cfg_attr(feature = "cli", arg(long, value_parser = path(), value_name = "FILE", env = "GATEWAY_TLS_CERT"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tls_cert: Option<PathBuf>,
    /// The certificate's private key in PEM
    #[cfg_attr(feature = "cli", arg(long, value_parser = path(), value_name = "FILE", env = "GATEWAY_TLS_KEY"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tls_key: Option<PathBuf>,

    /// The secret that tokens are signed with; prefer the variable or the file, others can see the command line
    #[cfg_attr(
        feature = "cli",
        arg(
            long,
            value_name = "SECRET",
            env = "JWT_SECRET",
            hide_env_values = true,
            help_heading = "Tokens"
        )
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) jwt_secret: Option<String>,
    /// A file that holds the secret
    #[cfg_attr(feature = "cli", arg(long, value_parser = path(), value_name = "FILE", env = "JWT_SECRET_FILE", help_heading = "Tokens"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) jwt_secret_file: Option<PathBuf>,
    /// The secret before this one, still good while tokens signed with it are about
    #[cfg_attr(
        feature = "cli",
        arg(
            long,
            value_name = "SECRET",
            env = "JWT_SECRET_PREVIOUS",
            hide_env_values = true,
            help_heading = "Tokens"
        )
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) jwt_secret_previous: Option<String>,
    /// Files with public keys in PEM: RSA, P-256 or Ed25519
    #[cfg_attr(feature = "cli", arg(
        long,
        value_parser = path(),
        value_name = "FILES",
        env = "JWT_PUBLIC_KEYS",
        value_delimiter = ',',
        help_heading = "Tokens"
    ))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) jwt_public_keys: Option<Vec<PathBuf>>,
    /// The algorithms that are accepted: HS256, HS384, HS512, RS256, ES256, EdDSA [default: HS256 where there is a secret, and the one of each public key]
    #[cfg_attr(
        feature = "cli",
        arg(
            long,
            value_name = "NAMES",
            env = "GATEWAY_ALGORITHMS",
            value_delimiter = ',',
            help_heading = "Tokens"
        )
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) algorithms: Option<Vec<String>>,
    /// Allowed between this clock and the token issuer's [default: 0s]
    #[cfg_attr(
        feature = "cli",
        arg(long, value_name = "TIME", env = "GATEWAY_LEEWAY", help_heading = "Tokens")
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) leeway: Option<String>,
    /// The audiences of which a token must name one; without it, `aud` is not looked at
    #[cfg_attr(
        feature = "cli",
        arg(
            long,
            value_name = "NAMES",
            env = "GATEWAY_AUDIENCE",
            value_delimiter = ',',
            help_heading = "Tokens"
        )
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) audience: Option<Vec<String>>,
    /// The issuers of which a token must name one; without it, `iss` is not looked at
    #[cfg_attr(
        feature = "cli",
        arg(
            long,
            value_name = "NAMES",
            env = "GATEWAY_ISSUER",
            value_delimiter = ',',
            help_heading = "Tokens"
        )
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) issuer: Option<Vec<String>>,

    /// The RabbitMQ that events come from, amqp://…; without it the gateway is never ready
    #[cfg_attr(
        feature = "cli",
        arg(long, value_name = "URL", env = "RABBITMQ_URL", hide_env_values = true, help_heading = "Broker")
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) amqp_url: Option<String>,
    /// The topic exchange [default: payments_events]
    #[cfg_attr(
        feature = "cli",
        arg(long, value_name = "NAME", env = "GATEWAY_EXCHANGE", help_heading = "Broker")
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) exchange: Option<String>,
    /// `shared`: one durable queue, right for one gateway; `per-instance`: each gateway has its own while it is connected, right for several [default: shared]
    #[cfg_attr(
        feature = "cli",
        arg(long, value_name = "KIND", env = "GATEWAY_QUEUE", help_heading = "Broker")
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) queue: Option<String>,
    /// The shared queue, or what the names of the others begin with [default: ws_events]
    #[cfg_attr(
        feature = "cli",
        arg(long, value_name = "NAME", env = "GATEWAY_QUEUE_NAME", help_heading = "Broker")
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) queue_name: Option<String>,
    /// What of the exchange goes to the queue [default: #]
    #[cfg_attr(
        feature = "cli",
        arg(long, value_name = "PATTERN", env = "GATEWAY_BINDING", help_heading = "Broker")
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) binding: Option<String>,
    /// Deliveries that may be unacknowledged at once [default: 1024]
    #[cfg_attr(
        feature = "cli",
        arg(long, value_name = "N", env = "GATEWAY_PREFETCH", help_heading = "Broker")
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) prefetch: Option<u16>,
    /// Largest event, in bytes; a larger one is no event [default: 1048576]
    #[cfg_attr(
        feature = "cli",
        arg(long, value_name = "BYTES", env = "GATEWAY_MAX_EVENT_BYTES", help_heading = "Broker")
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_event_bytes: Option<u32>,
    /// Where messages go that are no events; it is declared, with a queue of its name and `.dead`
    #[cfg_attr(
        feature = "cli",
        arg(long, value_name = "NAME", env = "GATEWAY_DEAD_LETTER_EXCHANGE", help_heading = "Broker")
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) dead_letter_exchange: Option<String>,

    /// How often every connection is pinged [default: 30s]
    #[cfg_attr(
        feature = "cli",
        arg(long, value_name = "TIME", env = "GATEWAY_PING_INTERVAL", help_heading = "Timing")
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ping_interval: Option<String>,
    /// How long it may take to answer [default: 10s]
    #[cfg_attr(
        feature = "cli",
        arg(long, value_name = "TIME", env = "GATEWAY_PONG_TIMEOUT", help_heading = "Timing")
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pong_timeout: Option<String>,
    /// How long a handshake may take [default: 10s]
    #[cfg_attr(
        feature = "cli",
        arg(long, value_name = "TIME", env = "GATEWAY_CONNECT_TIMEOUT", help_heading = "Timing")
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) connect_timeout: Option<String>,
    /// How long everybody may take to go on shutdown [default: 10s]
    #[cfg_attr(
        feature = "cli",
        arg(long, value_name = "TIME", env = "GATEWAY_SHUTDOWN_GRACE", help_heading = "Timing")
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) shutdown_grace: Option<String>,

    /// Most connections in all [default: no limit]
    #[cfg_attr(
        feature = "cli",
        arg(long, value_name = "N", env = "GATEWAY_MAX_CONNECTIONS", help_heading = "Limits")
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_connections: Option<u32>,
    /// Most connections of one user [default: no limit]
    #[cfg_attr(
        feature = "cli",
        arg(long, value_name = "N", env = "GATEWAY_MAX_CONNECTIONS_PER_USER", help_heading = "Limits")
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_connections_per_user: Option<u32>,
    /// Proxies whose word counts on whom they speak for (PROXY protocol v2, `Forwarded`, `X-Forwarded-For`): addresses and ranges, such as `10.0.0.7,10.1.0.0/16`; without it, none
    #[cfg_attr(
        feature = "cli",
        arg(
            long,
            value_name = "ADDRESSES",
            env = "GATEWAY_TRUSTED_PROXIES",
            value_delimiter = ',',
            help_heading = "Limits"
        )
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) trusted_proxies: Option<Vec<String>>,
    /// Most connections from one address, or one /64 of IPv6; behind a load balancer that is not in `trusted_proxies`, that is everybody [default: no limit]
    #[cfg_attr(
        feature = "cli",
        arg(long, value_name = "N", env = "GATEWAY_MAX_CONNECTIONS_PER_ADDRESS", help_heading = "Limits")
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_connections_per_address: Option<u32>,
    /// Connections that may be in their handshake at once, for each shard; others wait, and get 503 after `connect_timeout` [default: 1024]
    #[cfg_attr(
        feature = "cli",
        arg(long, value_name = "N", env = "GATEWAY_MAX_HANDSHAKES", help_heading = "Limits")
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_handshakes: Option<u32>,
    /// Largest message from a client, in bytes [default: 65536]
    #[cfg_attr(
        feature = "cli",
        arg(long, value_name = "BYTES", env = "GATEWAY_MAX_MESSAGE_BYTES", help_heading = "Limits")
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_message_bytes: Option<u32>,
    /// Messages and control frames that a client may send each second [default: 100]
    #[cfg_attr(
        feature = "cli",
        arg(long, value_name = "N", env = "GATEWAY_MESSAGE_RATE", help_heading = "Limits")
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) message_rate: Option<u32>,
    /// Frames that a client may send each second, fragments of messages included; beyond that it is closed with 1008; with a higher `message_rate` 20 times that [default: 2000]
    #[cfg_attr(
        feature = "cli",
        arg(long, value_name = "N", env = "GATEWAY_FRAME_RATE", help_heading = "Limits")
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) frame_rate: Option<u32>,
    /// Most rooms of one connection [default: 100]
    #[cfg_attr(
        feature = "cli",
        arg(long, value_name = "N", env = "GATEWAY_MAX_ROOMS", help_heading = "Limits")
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_rooms: Option<u32>,
    /// Bytes that may wait for one connection before it is closed with 1013 [default: 4194304]
    #[cfg_attr(
        feature = "cli",
        arg(long, value_name = "BYTES", env = "GATEWAY_OUTBOX_BYTES", help_heading = "Limits")
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) outbox_bytes: Option<u32>,
    /// Bytes that may wait for all connections together; beyond that the fullest is closed first, with 1013. Frames that connections share count once [default: 268435456]
    #[cfg_attr(
        feature = "cli",
        arg(long, value_name = "BYTES", env = "GATEWAY_OUTBOX_BUDGET_BYTES", help_heading = "Limits")
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) outbox_budget_bytes: Option<u64>,
    /// Threads that serve connections [default: one for each core]
    #[cfg_attr(
        feature = "cli",
        arg(long, value_name = "N", env = "GATEWAY_SHARDS", help_heading = "Limits")
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) shards: Option<u32>,
    /// `auto` or `off`: whether many sockets are written to by one system call of io_uring, where the kernel has it (Linux 6.1) and allows it. Connections with TLS have a call for each write [default: auto]
    #[cfg_attr(
        feature = "cli",
        arg(long, value_name = "WHEN", env = "GATEWAY_IO_URING", help_heading = "Limits")
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) io_uring: Option<String>,

    /// What is logged on standard error: error, warn, info, debug, or TARGET=LEVEL,... [default: info]
    #[cfg_attr(
        feature = "cli",
        arg(long, value_name = "FILTER", env = "GATEWAY_LOG", help_heading = "Watching")
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) log: Option<String>,
    /// `text` or `json` [default: text]
    #[cfg_attr(
        feature = "cli",
        arg(long, value_name = "FORMAT", env = "GATEWAY_LOG_FORMAT", help_heading = "Watching")
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) log_format: Option<String>,
    /// Where errors are reported, where the gateway is built with the feature `sentry`
    #[cfg_attr(
        feature = "cli",
        arg(long, value_name = "DSN", env = "SENTRY_DSN", hide_env_values = true, help_heading = "Watching")
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sentry_dsn: Option<String>,

    /// Serve no live page at `/` [default: false]
    #[cfg_attr(feature = "cli", arg(
        long,
        value_name = "BOOL",
        env = "GATEWAY_NO_PAGE",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        value_parser = BoolishValueParser::new(),
        help_heading = "Development"
    ))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) no_page: Option<bool>,
    /// For a developer's own machine: the live page signs anybody in and publishes events; a missing secret is made up [default: false]
    #[cfg_attr(feature = "cli", arg(
        long,
        value_name = "BOOL",
        env = "GATEWAY_DEV",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        value_parser = BoolishValueParser::new(),
        help_heading = "Development"
    ))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) dev: Option<bool>,

    /// How the wire is spelled: seed, enveloped, channels, bearer, subprotocol, event-data, path or first-message, or a JSON object with what differs from the default
    #[cfg_attr(feature = "cli", arg(long, value_name = "DIALECT", env = "GATEWAY_DIALECT"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) dialect: Option<Dialect>,
    /// Which rooms an event goes to.
    #[cfg_attr(feature = "cli", arg(skip))]
    #[serde(rename = "route", skip_serializing_if = "Option::is_none")]
    pub(super) routes: Option<Vec<Route>>,
    /// More keys to verify tokens with.
    #[cfg_attr(feature = "cli", arg(skip))]
    #[serde(rename = "key", skip_serializing_if = "Option::is_none")]
    pub(super) keys: Option<Vec<KeySetting>>,
    /// Where these stand in their file.
    #[cfg_attr(feature = "cli", arg(skip))]
    #[serde(skip)]
    pub(super) places: Places,
}

/// Reads a path, be it empty: whatever is set to nothing is not set.
#[cfg(feature = "cli")]
fn path() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().map(PathBuf::from)
}
