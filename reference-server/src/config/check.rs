//! From settings as they are written to a configuration that can be used.

use std::net::SocketAddr;
use std::time::Duration;

use protocol::{format_duration, parse_duration};

use super::error::ConfigError;
use super::file::HIDDEN;
use super::settings::Settings;
use super::{Config, LogFormat, PREFETCH, StatsToken, TlsFiles, WatchConfig, frames_of};
use crate::broker::{QueueKind, RabbitMqConfig};
use crate::net::TrustedProxies;
use reference_gateway::{
    ConnectionLimits, GatewayConfig, RateLimit, Resource, Route, RouteError, RoutingTable,
};

/// Longest name of an exchange or a queue; AMQP carries 255 bytes, and the gateway appends to some.
const MAX_AMQP_NAME_BYTES: usize = 230;

impl Settings {
    /// The configuration.
    ///
    /// # Errors
    /// Names the first thing that is wrong, and where it stands if that is in the file. The line itself is not shown: it, or one beside
    /// it, may hold a secret.
    pub fn check(&self) -> Result<Config, ConfigError> {
        self.checked().map_err(|error| match error.setting() {
            Some(setting) => self.places.locate(setting, error),
            None => error,
        })
    }

    fn checked(&self) -> Result<Config, ConfigError> {
        self.is_filled_in()?;
        let verification = self.verification()?;
        let defaults = Config::with_secret("");
        let dialect = self.dialect.clone().unwrap_or_default();
        dialect.check()?;
        if dialect.names_subscriptions() {
            return Err(ConfigError::NamesSubscriptions);
        }
        let listen = address("listen", self.listen.as_deref())?.unwrap_or(defaults.listen);
        let path = self.path.clone().unwrap_or(defaults.path);
        if !path.starts_with('/') {
            return Err(value("path", &path, "a path begins with `/`"));
        }
        let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '?' | '#');
        if path == "/" || path.contains(odd) || Resource::status_page(&path).is_some() {
            return Err(value(
                "path",
                &path,
                "no request could ever match that, or the gateway's own page is there",
            ));
        }
        let max_event_bytes =
            at_least_one("max_event_bytes", self.max_event_bytes, defaults.max_event_bytes)?;
        Ok(Config {
            listen,
            admin_listen: address("admin_listen", self.admin_listen.as_deref())?,
            allowed_hosts: self.allowed_hosts()?,
            stats_token: self.stats_token.as_deref().map(StatsToken::new),
            path,
            allowed_origins: self.allowed_origins()?,
            tls: self.tls()?,
            rabbitmq: self.rabbitmq(max_event_bytes)?,
            routing: match &self.routes {
                None => RoutingTable::usual(&dialect.user_key),
                Some(rows) => self.routing(rows)?,
            },
            gateway: GatewayConfig {
                dialect,
                ping_interval: positive(
                    "ping_interval",
                    self.ping_interval.as_deref(),
                    defaults.gateway.ping_interval,
                )?,
                pong_timeout: positive(
                    "pong_timeout",
                    self.pong_timeout.as_deref(),
                    defaults.gateway.pong_timeout,
                )?,
                max_rooms: at_least_one("max_rooms", self.max_rooms, defaults.gateway.max_rooms)?,
                message_rate: match self.message_rate {
                    None => defaults.gateway.message_rate,
                    Some(0) => return Err(value("message_rate", "0", "it must be at least 1")),
                    Some(per_second) => RateLimit { per_second },
                },
                leeway_s: verification.leeway_s,
            },
            verification,
            connect_timeout: positive(
                "connect_timeout",
                self.connect_timeout.as_deref(),
                defaults.connect_timeout,
            )?,
            shutdown_grace: time("shutdown_grace", self.shutdown_grace.as_deref(), defaults.shutdown_grace)?,
            connection_limits: ConnectionLimits {
                total: limit("max_connections", self.max_connections)?,
                per_user: limit("max_connections_per_user", self.max_connections_per_user)?,
                per_address: limit("max_connections_per_address", self.max_connections_per_address)?,
            },
            trusted_proxies: self.trusted_proxies()?,
            max_handshakes: at_least_one("max_handshakes", self.max_handshakes, defaults.max_handshakes)?,
            max_message_bytes: at_least_one(
                "max_message_bytes",
                self.max_message_bytes,
                defaults.max_message_bytes,
            )?,
            max_event_bytes,
            frame_rate: match (self.frame_rate, self.message_rate) {
                (None, None) => defaults.frame_rate,
                (None, Some(per_second)) => frames_of(RateLimit { per_second }),
                (Some(0), _) => return Err(value("frame_rate", "0", "it must be at least 1")),
                (Some(per_second), _) => RateLimit { per_second },
            },
            outbox_bytes: at_least_one("outbox_bytes", self.outbox_bytes, defaults.outbox_bytes)?,
            outbox_budget_bytes: match self.outbox_budget_bytes {
                None => defaults.outbox_budget_bytes,
                Some(0) => return Err(value("outbox_budget_bytes", "0", "it must be at least 1")),
                Some(bytes) => usize::try_from(bytes).unwrap_or(usize::MAX),
            },
            shards: at_least_one("shards", self.shards, defaults.shards)?,
            io_uring: match self.io_uring.as_deref() {
                None | Some("auto") => true,
                Some("off") => false,
                Some(other) => return Err(value("io_uring", other, "write `auto` or `off`")),
            },
            page: !self.no_page.unwrap_or(false),
            dev: self.dev.unwrap_or(defaults.dev),
            watch: WatchConfig {
                log: self.log.clone().unwrap_or(defaults.watch.log),
                log_format: match self.log_format.as_deref() {
                    None | Some("text") => LogFormat::Text,
                    Some("json") => LogFormat::Json,
                    Some(other) => return Err(value("log_format", other, "write `text` or `json`")),
                },
                sentry_dsn: self.sentry_dsn.clone().filter(|dsn| !dsn.is_empty()),
            },
        })
    }

    /// The effective settings: `config`, which these made, as a file would say it, secrets hidden (AUTH-8).
    pub fn effective(&self, config: &Config) -> String {
        let algorithms = config.verification.algorithms.iter().map(ToString::to_string).collect();
        let broker = config.rabbitmq.as_ref();
        let filled = Self {
            listen: Some(config.listen.to_string()),
            path: Some(config.path.clone()),
            algorithms: Some(algorithms),
            leeway: Some(format_duration(Duration::from_secs(config.verification.leeway_s))),
            exchange: broker.map(|broker| broker.exchange.clone()),
            queue: broker.map(|broker| broker.queue_kind.as_str().to_owned()),
            queue_name: broker.map(|broker| broker.queue.clone()),
            binding: broker.map(|broker| broker.binding.clone()),
            prefetch: broker.map(|broker| broker.prefetch),
            ping_interval: Some(format_duration(config.gateway.ping_interval)),
            pong_timeout: Some(format_duration(config.gateway.pong_timeout)),
            connect_timeout: Some(format_duration(config.connect_timeout)),
            shutdown_grace: Some(format_duration(config.shutdown_grace)),
            max_handshakes: Some(small(config.max_handshakes)),
            max_message_bytes: Some(small(config.max_message_bytes)),
            message_rate: Some(config.gateway.message_rate.per_second),
            max_event_bytes: Some(small(config.max_event_bytes)),
            frame_rate: Some(config.frame_rate.per_second),
            max_rooms: Some(small(config.gateway.max_rooms)),
            outbox_bytes: Some(small(config.outbox_bytes)),
            outbox_budget_bytes: Some(config.outbox_budget_bytes as u64),
            shards: Some(small(config.shards)),
            io_uring: Some(if config.io_uring { "auto" } else { "off" }.to_owned()),
            no_page: Some(!config.page),
            dev: Some(config.dev),
            log: Some(config.watch.log.clone()),
            log_format: Some(config.watch.log_format.as_str().to_owned()),
            dialect: Some(config.gateway.dialect.clone()),
            routes: Some(config.routing.rows().to_vec()),
            ..self.clone()
        };
        filled.shown()
    }

    /// `--print-config` prints `***` for secrets. Such a placeholder must be replaced: as a secret it is publicly known.
    fn is_filled_in(&self) -> Result<(), ConfigError> {
        let password =
            self.amqp_url.as_deref().and_then(|url| url::Url::parse(url).ok()?.password().map(str::to_owned));
        let keys = self.keys.iter().flatten().map(|key| ("key", key.secret.as_deref()));
        let secrets = [
            ("jwt_secret", self.jwt_secret.as_deref()),
            ("jwt_secret_previous", self.jwt_secret_previous.as_deref()),
            ("stats_token", self.stats_token.as_deref()),
            ("sentry_dsn", self.sentry_dsn.as_deref()),
            ("amqp_url", password.as_deref()),
        ];
        match secrets.into_iter().chain(keys).find(|(_, secret)| *secret == Some(HIDDEN)) {
            None => Ok(()),
            Some((name, _)) => {
                Err(value(name, "what stands for a secret where settings are shown", "fill the secret in"))
            }
        }
    }

    /// The error of one row is placed at that row.
    fn routing(&self, rows: &[Route]) -> Result<RoutingTable, ConfigError> {
        RoutingTable::new(rows.to_vec()).map_err(|error| {
            let (RouteError::Pattern { event } | RouteError::Room { event, .. }) = &error;
            let row = rows.iter().position(|row| row.event == *event).unwrap_or_default();
            self.places.locate(&format!("route[{row}]"), error.into())
        })
    }

    fn allowed_origins(&self) -> Result<Vec<String>, ConfigError> {
        let origins: Vec<_> =
            self.allowed_origins.iter().flatten().filter(|origin| !origin.is_empty()).collect();
        for origin in &origins {
            let whole =
                url::Url::parse(origin).is_ok_and(|url| url.origin().ascii_serialization() == **origin);
            if !whole {
                let hint = "write scheme and host, such as https://app.example.org, and nothing behind them";
                return Err(value("allowed_origins", origin, hint));
            }
        }
        Ok(origins.into_iter().cloned().collect())
    }

    fn trusted_proxies(&self) -> Result<TrustedProxies, ConfigError> {
        let texts =
            || self.trusted_proxies.iter().flatten().map(String::as_str).filter(|text| !text.is_empty());
        TrustedProxies::parse(texts()).map_err(|_| {
            let wrong = texts().find(|text| TrustedProxies::parse([*text]).is_err()).unwrap_or_default();
            value("trusted_proxies", wrong, "write addresses and ranges, such as 10.0.0.7,10.1.0.0/16,::1")
        })
    }

    fn allowed_hosts(&self) -> Result<Vec<String>, ConfigError> {
        let hosts = || self.allowed_hosts.iter().flatten().filter(|host| !host.is_empty());
        match hosts().find(|host| host.contains(['/', ':', '*'])) {
            None => Ok(hosts().cloned().collect()),
            Some(host) => Err(value("allowed_hosts", host, "write names alone, such as gate.example.org")),
        }
    }

    fn tls(&self) -> Result<Option<TlsFiles>, ConfigError> {
        match (&self.tls_cert, &self.tls_key) {
            (Some(cert), Some(key)) => Ok(Some(TlsFiles { cert: cert.clone(), key: key.clone() })),
            (None, None) => Ok(None),
            (Some(_), None) => Err(value("tls_cert", "given without `tls_key`", "TLS needs both")),
            (None, Some(_)) => Err(value("tls_key", "given without `tls_cert`", "TLS needs both")),
        }
    }

    fn rabbitmq(&self, max_event_bytes: usize) -> Result<Option<RabbitMqConfig>, ConfigError> {
        let Some(url) = &self.amqp_url else { return Ok(None) };
        if !url::Url::parse(url).is_ok_and(|url| url.scheme() == "amqp" && url.has_host()) {
            return Err(value(
                "amqp_url",
                "no AMQP URL",
                "write amqp://USER:PASSWORD@HOST:5672/%2f; TLS to the broker (amqps) is not spoken",
            ));
        }
        Ok(Some(RabbitMqConfig {
            url: url.clone(),
            exchange: amqp_name("exchange", self.exchange.as_deref(), "payments_events")?,
            queue: amqp_name("queue_name", self.queue_name.as_deref(), "ws_events")?,
            queue_kind: match self.queue.as_deref() {
                None => QueueKind::Shared,
                Some(name) => {
                    QueueKind::ALL.into_iter().find(|kind| kind.as_str() == name).ok_or_else(|| {
                        value(
                            "queue",
                            name,
                            "write `shared` or `per-instance`; the queue's name is `queue_name`",
                        )
                    })?
                }
            },
            binding: amqp_name("binding", self.binding.as_deref(), "#")?,
            prefetch: match self.prefetch {
                None => PREFETCH,
                Some(0) => return Err(value("prefetch", "0", "it must be at least 1")),
                Some(prefetch) => prefetch,
            },
            max_event_bytes,
            dead_letter_exchange: match &self.dead_letter_exchange {
                None => None,
                Some(name) => Some(amqp_name("dead_letter_exchange", Some(name), "")?),
            },
        }))
    }
}

impl LogFormat {
    fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}

/// A size as settings write it.
fn small(size: usize) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}

fn address(name: &'static str, text: Option<&str>) -> Result<Option<SocketAddr>, ConfigError> {
    let hint = "write an address and a port, such as 127.0.0.1:3000";
    text.map(|text| text.parse().map_err(|_| value(name, text, hint))).transpose()
}

pub(super) fn value(name: &'static str, value: &str, hint: &'static str) -> ConfigError {
    ConfigError::Value { name, value: value.to_owned(), hint }
}

pub(super) fn time(
    name: &'static str,
    text: Option<&str>,
    default: Duration,
) -> Result<Duration, ConfigError> {
    match text {
        None => Ok(default),
        Some(text) => parse_duration(text).map_err(|source| ConfigError::Duration { name, source }),
    }
}

fn positive(name: &'static str, text: Option<&str>, default: Duration) -> Result<Duration, ConfigError> {
    match time(name, text, default)? {
        Duration::ZERO => Err(value(name, "zero", "it must be longer")),
        time => Ok(time),
    }
}

fn at_least_one(name: &'static str, given: Option<u32>, default: usize) -> Result<usize, ConfigError> {
    limit(name, given).map(|given| given.unwrap_or(default))
}

fn limit(name: &'static str, given: Option<u32>) -> Result<Option<usize>, ConfigError> {
    match given {
        Some(0) => Err(value(name, "0", "it must be at least 1")),
        given => Ok(given.map(|given| given as usize)),
    }
}

/// A name that AMQP can carry, with as many bytes left as the gateway appends to some.
fn amqp_name(name: &'static str, given: Option<&str>, default: &str) -> Result<String, ConfigError> {
    let text = given.unwrap_or(default);
    if text.len() > MAX_AMQP_NAME_BYTES {
        return Err(value(name, "too long", "it has at most 230 bytes"));
    }
    Ok(text.to_owned())
}
