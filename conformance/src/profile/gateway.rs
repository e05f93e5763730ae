//! `[gateway]`: how a gateway under test is started or reached.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use protocol::Role;
use scenarios::pages::PagePaths;
use scenarios::scenario::Limits;
use scenarios::stats::StatsPlaces;
use scenarios::token::SigningAlgorithm;
use scenarios::{FreeRooms, RoomKind, RoomName, RoomNames};
use schemars::JsonSchema;
use serde::Deserialize;
use url::Url;

use super::pages::RawPages;
use super::stats::RawStats;
use super::{CommandProfile, ProfileError, ValueError, command, words};
use crate::amqp::Queues;
use crate::in_process::GatewayStarter;

/// A gateway under test.
#[derive(Debug, Clone)]
pub struct GatewayProfile {
    /// How it is reached.
    pub access: GatewayAccess,
    /// The path that upgrades.
    pub path: String,
    /// The exchange that it consumes from.
    pub exchange: String,
    /// What it consumes.
    pub queues: Queues,
    /// What one connection may do.
    pub limits: Limits,
    /// What the rooms of a user and of a role are called.
    pub rooms: RoomNames,
    /// What its pages are called.
    pub pages: PagePaths,
    /// Where the page of its figures has them.
    pub stats: StatsPlaces,
}

/// How a gateway is reached.
#[derive(Debug, Clone)]
pub enum GatewayAccess {
    /// It is started by the harness.
    Spawn {
        /// How.
        command: CommandProfile,
        /// Whether a gateway that has served a case may serve another.
        shared: bool,
        /// How it shows that it is ready.
        ready: Ready,
    },
    /// It runs in this process.
    InProcess {
        /// What starts it.
        starter: GatewayStarter,
        /// How it shows that it is ready.
        ready: Ready,
    },
    /// It runs already.
    Attach {
        /// Host and port.
        authority: String,
        /// The secret that it verifies tokens with.
        jwt_secret: String,
    },
}

/// How a gateway shows that it is ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ready {
    /// The path that answers 200; without one, that the port takes connections.
    pub path: Option<String>,
    /// How long it may take.
    pub timeout: Duration,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table, such as `[gateway]` with a `command`")]
pub(super) struct RawGateway {
    /// Starts it; `{port}`, `{jwt_secret}`, `{amqp_url}` and others may stand in it.
    #[serde(default, deserialize_with = "words::optional")]
    command: Option<Vec<String>>,
    /// Or the URL of one that runs already.
    attach: Option<String>,
    /// Whether one process serves one case after another.
    #[serde(default)]
    process: RawProcess,
    /// Environment variables, with the same placeholders.
    #[serde(default)]
    env: BTreeMap<String, String>,
    /// What upgrades.
    path: Option<String>,
    /// How it shows that it is ready.
    #[serde(default)]
    ready: RawReady,
    /// With `attach`: the secret that it verifies tokens with.
    jwt_secret: Option<String>,
    /// What its queues are bound to.
    #[serde(default = "default_exchange")]
    exchange: String,
    /// The queue that it consumes; `*` for any that is bound to the exchange.
    queue: Option<String>,
    /// Or several.
    queues: Option<Vec<String>>,
    /// What one connection may do.
    #[serde(default)]
    limits: RawLimits,
    /// What the room of a user and that of a role are called (ROOM-3).
    #[serde(default)]
    rooms: RawRooms,
    /// What its pages are called (CONN-9, BRIDGE-10), where that is not `/healthz`, `/readyz`, `/stats` and `/metrics`.
    #[serde(default)]
    pages: RawPages,
    /// Where the page `/stats` has its figures (CONN-9).
    #[serde(default)]
    stats: RawStats,
}

#[derive(Deserialize, Default, JsonSchema)]
#[serde(deny_unknown_fields, default, expecting = "a table of limits")]
struct RawLimits {
    /// Largest message (MSG-5).
    message_bytes: Option<RawLimit>,
    /// Most rooms, its own included (ROOM-5).
    rooms: Option<RawLimit>,
    /// How long more may wait for a client than its outbox holds, such as `2s`, before the client is closed (BRIDGE-12). Usually it is at once.
    slow_reader: Option<String>,
}

#[derive(Deserialize, Clone, Copy, JsonSchema)]
#[serde(untagged, expecting = "a number, or `false` where there is no limit")]
enum RawLimit {
    Is(bool),
    At(usize),
}

#[derive(Deserialize, Default, JsonSchema)]
#[serde(deny_unknown_fields, default, expecting = "a table of rooms")]
struct RawRooms {
    /// A user's own, such as `user:{user}`.
    user: Option<RawRoom>,
    /// A role's own, such as `role:{role}`; `{ROLE}` is the role's name as it stands in tokens. Where a role is not named in its room,
    /// or some have none: `{ ADMIN = "desk" }`.
    role: Option<RawRoleRoom>,
    /// Those that anybody may join, such as `board.{name}`; `false` where there are none beside those of events for subscribers.
    free: Option<RawFreeRooms>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(untagged, expecting = "a name such as `board.{name}`, or `false` where there are none")]
enum RawFreeRooms {
    Is(bool),
    Called(String),
}

#[derive(Deserialize, JsonSchema)]
#[serde(untagged, expecting = "a name such as `user:{user}`, or `false` where there is no such room")]
enum RawRoom {
    Is(bool),
    Called(String),
}

#[derive(Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "a name such as `role:{role}`, a table such as `{ ADMIN = \"desk\" }`, or `false` where there is no such room"
)]
enum RawRoleRoom {
    Is(bool),
    Called(String),
    Each(#[schemars(with = "BTreeMap<String, String>")] BTreeMap<Role, String>),
}

#[derive(Deserialize, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum RawProcess {
    #[default]
    Fresh,
    Shared,
}

#[derive(Deserialize, Default, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table, such as `{ path = \"/readyz\" }`")]
struct RawReady {
    /// The path that answers 200.
    path: Option<String>,
    /// How long it may take.
    timeout: Option<String>,
}

const DEFAULT_PATH: &str = "/ws";
const DEFAULT_QUEUE: &str = "ws_events";
/// Stands for every queue that is bound.
const ANY_QUEUE: &str = "*";
const DEFAULT_READY: Duration = Duration::from_secs(10);

impl Ready {
    /// That the port takes connections, soon enough for most.
    pub fn usual() -> Self {
        Self { path: None, timeout: DEFAULT_READY }
    }
}

impl GatewayProfile {
    /// A gateway of which nothing is known but what the seed says.
    pub fn bare() -> Self {
        Self {
            access: GatewayAccess::Attach { authority: String::new(), jwt_secret: String::new() },
            path: DEFAULT_PATH.to_owned(),
            exchange: default_exchange(),
            queues: Queues::Named(vec![DEFAULT_QUEUE.to_owned()]),
            limits: Limits::default(),
            rooms: RoomNames::default(),
            pages: PagePaths::default(),
            stats: StatsPlaces::default(),
        }
    }

    /// Whether it runs already.
    pub fn is_attached(&self) -> bool {
        matches!(self.access, GatewayAccess::Attach { .. })
    }

    /// Whether a gateway that has served a case may serve another.
    pub fn is_shared(&self) -> bool {
        matches!(self.access, GatewayAccess::Spawn { shared: true, .. })
    }
}

impl RawGateway {
    pub(super) fn check(
        self,
        signed: SigningAlgorithm,
        value: ValueError<'_>,
    ) -> Result<GatewayProfile, ProfileError> {
        let (access, default_path) = match (self.command, self.attach) {
            (Some(words), None) => {
                let command = command("gateway.command", words, self.env, value)?;
                let timeout = match &self.ready.timeout {
                    None => DEFAULT_READY,
                    Some(text) => protocol::parse_duration(text)
                        .map_err(|error| value(format!("`gateway.ready.timeout`: {error}"), None))?,
                };
                let ready = Ready { path: self.ready.path, timeout };
                let shared = self.process == RawProcess::Shared;
                (GatewayAccess::Spawn { command, shared, ready }, DEFAULT_PATH.to_owned())
            }
            (None, Some(url)) => {
                // Where a key pair signs, there is no secret.
                let jwt_secret = self.jwt_secret.or_else(|| signed.is_public().then(String::new));
                let Some(jwt_secret) = jwt_secret else {
                    let help = "add `jwt_secret`, the secret that the running gateway verifies tokens with";
                    return Err(value("`gateway.attach` needs `gateway.jwt_secret`".to_owned(), Some(help)));
                };
                let (authority, path) = attach(&url).map_err(|message| {
                    value(format!("`gateway.attach`: {message}"), Some("write `ws://HOST:PORT/PATH`"))
                })?;
                (GatewayAccess::Attach { authority, jwt_secret }, path)
            }
            _ => {
                let help = "`command = [\"node\", \"dist/main.js\"]` starts one, `attach = \"ws://127.0.0.1:3000/ws\"` takes one that runs";
                return Err(value("`[gateway]` has either `command` or `attach`".to_owned(), Some(help)));
            }
        };
        let path = self.path.unwrap_or(default_path);
        if !path.starts_with('/') {
            return Err(value(format!("`gateway.path` is `{path}`; a path begins with `/`"), None));
        }
        let queues = queues(self.queue, self.queues, value)?;
        let limits = self.limits.check(value)?;
        let rooms = self.rooms.check(value)?;
        let pages = self.pages.check(value)?;
        let stats = self.stats.check(value)?;
        Ok(GatewayProfile { access, path, exchange: self.exchange, queues, limits, rooms, pages, stats })
    }
}

/// Limits of messages that can be tried: a ping is a message, and a message is held in memory.
const MESSAGE_BYTES: RangeInclusive<usize> = 1024..=16 * 1024 * 1024;
/// How long a case may let a reader stall.
const LONGEST_LAG: Duration = Duration::from_secs(30);
/// Limits of rooms that can be tried.
const ROOMS: RangeInclusive<usize> = 20..=1000;

impl RawLimits {
    fn check(&self, value: ValueError<'_>) -> Result<Limits, ProfileError> {
        let limit = |name: &str, raw: Option<RawLimit>, usual, tried: RangeInclusive<usize>| match raw {
            None | Some(RawLimit::Is(true)) => Ok(usual),
            Some(RawLimit::Is(false)) => Ok(None),
            Some(RawLimit::At(limit)) if tried.contains(&limit) => Ok(Some(limit)),
            Some(RawLimit::At(limit)) => {
                let (from, to) = (tried.start(), tried.end());
                let help = format!(
                    "write `claims.without = [\"{}\"]`, or `false` where there is no limit",
                    if name == "rooms" { "ROOM-5" } else { "MSG-5" }
                );
                let message =
                    format!("`gateway.limits.{name}` is {limit}; limits from {from} to {to} can be tried");
                Err(value(message, Some(&help)))
            }
        };
        let usual = Limits::default();
        Ok(Limits {
            message_bytes: limit("message_bytes", self.message_bytes, usual.message_bytes, MESSAGE_BYTES)?,
            rooms: limit("rooms", self.rooms, usual.rooms, ROOMS)?,
            slow_reader: match self.slow_reader.as_deref().map(protocol::parse_duration) {
                None => usual.slow_reader,
                Some(Ok(time)) if time <= LONGEST_LAG => time,
                Some(Ok(_)) => {
                    let longest = protocol::format_duration(LONGEST_LAG);
                    return Err(value(
                        format!("`gateway.limits.slow_reader`: at most {longest} can be tried"),
                        None,
                    ));
                }
                Some(Err(error)) => {
                    return Err(value(format!("`gateway.limits.slow_reader`: {error}"), None));
                }
            },
        })
    }
}

impl RawRooms {
    fn check(self, value: ValueError<'_>) -> Result<RoomNames, ProfileError> {
        let named = |kind: RoomKind, name: Result<RoomName, String>| {
            name.map_err(|message| value(format!("`{}`: {message}", kind.key()), None))
        };
        let usual = RoomNames::default();
        let user = match self.user {
            None | Some(RawRoom::Is(true)) => usual.user,
            Some(RawRoom::Is(false)) => RoomName::Absent,
            Some(RawRoom::Called(template)) => {
                named(RoomKind::User, RoomName::parse(RoomKind::User, &template))?
            }
        };
        let role = match self.role {
            None | Some(RawRoleRoom::Is(true)) => usual.role,
            Some(RawRoleRoom::Is(false)) => RoomName::Absent,
            Some(RawRoleRoom::Called(template)) => {
                named(RoomKind::Role, RoomName::parse(RoomKind::Role, &template))?
            }
            Some(RawRoleRoom::Each(names)) => named(RoomKind::Role, RoomName::of_roles(names))?,
        };
        let free = match self.free {
            None | Some(RawFreeRooms::Is(true)) => usual.free,
            Some(RawFreeRooms::Is(false)) => FreeRooms::Absent,
            Some(RawFreeRooms::Called(template)) => FreeRooms::parse(&template)
                .map_err(|message| value(format!("`gateway.rooms.free`: {message}"), None))?,
        };
        Ok(RoomNames { user, role, free, ..usual })
    }
}

fn queues(
    one: Option<String>,
    several: Option<Vec<String>>,
    value: ValueError<'_>,
) -> Result<Queues, ProfileError> {
    const HELP: &str = "`queue = \"*\"` stands for whatever is bound to the exchange";
    let names = match (one, several) {
        (Some(_), Some(_)) => {
            let message = "`gateway.queue` and `gateway.queues` exclude each other";
            return Err(value(message.to_owned(), Some("name all of them in `queues`")));
        }
        (Some(name), None) if name == ANY_QUEUE => return Ok(Queues::Any),
        (Some(name), None) => vec![name],
        (None, Some(names)) => names,
        (None, None) => vec![DEFAULT_QUEUE.to_owned()],
    };
    if names.is_empty() {
        return Err(value("`gateway.queues` is empty".to_owned(), Some(HELP)));
    }
    if names.iter().any(|name| name == ANY_QUEUE) {
        let message = "`gateway.queues`: `*` stands for all of them, and alone";
        return Err(value(message.to_owned(), Some(HELP)));
    }
    Ok(Queues::Named(names))
}

/// Authority and path of a gateway's URL.
pub fn attach(url: &str) -> Result<(String, String), String> {
    let parsed = Url::parse(url).map_err(|error| format!("`{url}` is no URL: {error}"))?;
    if parsed.scheme() != "ws" {
        return Err(format!("`{url}` is not a `ws://` URL"));
    }
    let host = parsed.host_str().ok_or_else(|| format!("`{url}` names no host"))?;
    let port = parsed.port_or_known_default().unwrap_or(80);
    Ok((format!("{host}:{port}"), parsed.path().to_owned()))
}

pub(super) fn default_exchange() -> String {
    "payments_events".to_owned()
}
