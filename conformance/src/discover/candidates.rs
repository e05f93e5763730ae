//! What is tried, as tables: where a token may travel, how it may name its user, what a request may look like. What a profile learns
//! to say becomes a row here.

use protocol::{Dialect, TokenPlace};
use scenarios::UserIds;
use serde_json::{Value, json};

/// Paths that gateways of all kinds upgrade on.
pub(super) const PATHS: [&str; 8] =
    ["/ws", "/", "/socket", "/websocket", "/api/ws", "/cable", "/graphql", "/realtime"];

/// Paths that answer 200 once a gateway is ready.
pub(super) const READY_PATHS: [&str; 6] = ["/readyz", "/ready", "/healthz", "/health", "/livez", "/status"];

/// Where a token may travel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In the request for the upgrade.
    Request(TokenPlace),
    /// In the first message, which is this text with `{token}` in it.
    FirstMessage(String),
}

impl Place {
    /// The place that a dialect declares.
    pub(super) fn declared(dialect: &Dialect) -> Self {
        match &dialect.sign_in {
            Some(sign_in) => Self::FirstMessage(sign_in.message.to_string()),
            None => Self::Request(dialect.token.clone()),
        }
    }
}

/// Every place that is tried, the usual ones first.
pub(super) fn places() -> Vec<Place> {
    let named = |name: &str| name.to_owned();
    let request = [
        TokenPlace::Query,
        TokenPlace::Bearer,
        TokenPlace::SubprotocolAfter(named("bearer")),
        TokenPlace::Subprotocol,
        TokenPlace::QueryAs(named("access_token")),
        TokenPlace::QueryAs(named("jwt")),
        TokenPlace::QueryAs(named("auth")),
        TokenPlace::Cookie(named("token")),
        TokenPlace::Cookie(named("access_token")),
        TokenPlace::SubprotocolAfter(named("access_token")),
        TokenPlace::SubprotocolAfter(named("jwt")),
        TokenPlace::Path,
    ];
    request.into_iter().map(Place::Request).collect()
}

/// First messages that sign in.
pub(super) const FIRST_MESSAGES: [&str; 10] = [
    r#"{"type":"auth","token":"{token}"}"#,
    r#"{"type":"auth","payload":{"token":"{token}"}}"#,
    r#"{"type":"authenticate","token":"{token}"}"#,
    r#"{"type":"authenticate","payload":{"token":"{token}"}}"#,
    r#"{"type":"connection_init","payload":{"token":"{token}"}}"#,
    r#"{"event":"auth","data":{"token":"{token}"}}"#,
    r#"{"action":"auth","token":"{token}"}"#,
    r#"{"action":"auth","body":{"token":"{token}"}}"#,
    r#"{"action":"authenticate","body":{"token":"{token}"}}"#,
    r#"{"op":"auth","token":"{token}"}"#,
];

/// How a token names its user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClaimForm {
    /// The claim.
    pub claim: &'static str,
    /// What stands in it.
    pub kind: UserIds,
}

/// Each form that is tried, the seed's first.
pub(super) const CLAIM_FORMS: [ClaimForm; 10] = [
    ClaimForm { claim: "userId", kind: UserIds::Words },
    ClaimForm { claim: "sub", kind: UserIds::Words },
    ClaimForm { claim: "userId", kind: UserIds::Integers },
    ClaimForm { claim: "sub", kind: UserIds::Integers },
    ClaimForm { claim: "userId", kind: UserIds::Uuids },
    ClaimForm { claim: "sub", kind: UserIds::Uuids },
    ClaimForm { claim: "id", kind: UserIds::Words },
    ClaimForm { claim: "user_id", kind: UserIds::Words },
    ClaimForm { claim: "uid", kind: UserIds::Words },
    ClaimForm { claim: "uid", kind: UserIds::Integers },
];

/// Who signs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Person {
    /// The one whom events name.
    Owner,
    /// Another.
    Other,
    /// An administrator.
    Admin,
    /// One who subscribes.
    Subscriber,
}

impl Person {
    pub(super) const ALL: [Self; 4] = [Self::Owner, Self::Other, Self::Admin, Self::Subscriber];

    /// Their id.
    pub(super) fn id(self, kind: UserIds) -> Value {
        let number = Self::ALL.iter().position(|person| *person == self).unwrap_or_default() + 41;
        match kind {
            UserIds::Words => json!(["gc-ada", "gc-ben", "gc-eve", "gc-sue"][number - 41]),
            UserIds::Integers => json!(710_000 + number),
            UserIds::Uuids => json!(format!("8f14e45f-ceea-467f-a8b1-0000000000{number}")),
        }
    }
}

/// Requests to join `{room}`; an unsubscription replaces the verb.
pub(super) const SUBSCRIBES: [&str; 30] = [
    r#"{"type":"subscribe","payload":{"eventType":"{room}"}}"#,
    r#"{"type":"subscribe","payload":{"room":"{room}"}}"#,
    r#"{"type":"subscribe","payload":{"channel":"{room}"}}"#,
    r#"{"type":"subscribe","payload":{"event":"{room}"}}"#,
    r#"{"type":"subscribe","payload":{"topic":"{room}"}}"#,
    r#"{"event":"subscribe","data":{"eventType":"{room}"}}"#,
    r#"{"event":"subscribe","data":{"room":"{room}"}}"#,
    r#"{"event":"subscribe","data":{"channel":"{room}"}}"#,
    r#"{"event":"subscribe","data":{"event":"{room}"}}"#,
    r#"{"event":"subscribe","data":{"topic":"{room}"}}"#,
    r#"{"event":"subscribe","data":"{room}"}"#,
    r#"{"event":"subscribe","room":"{room}"}"#,
    r#"{"type":"subscribe","channel":"{room}"}"#,
    r#"{"type":"subscribe","room":"{room}"}"#,
    r#"{"type":"subscribe","topic":"{room}"}"#,
    r#"{"type":"subscribe","event":"{room}"}"#,
    r#"{"action":"subscribe","channel":"{room}"}"#,
    r#"{"action":"subscribe","room":"{room}"}"#,
    r#"{"action":"subscribe","topic":"{room}"}"#,
    r#"{"action":"subscribe","event":"{room}"}"#,
    r#"{"action":"subscribe","body":{"channel":"{room}"}}"#,
    r#"{"action":"subscribe","data":{"channel":"{room}"}}"#,
    r#"{"op":"subscribe","channel":"{room}"}"#,
    r#"{"op":"subscribe","d":{"channel":"{room}"}}"#,
    r#"{"op":"subscribe","topic":"{room}"}"#,
    r#"{"type":"join","payload":{"channel":"{room}"}}"#,
    r#"{"type":"join","payload":{"room":"{room}"}}"#,
    r#"{"event":"join","data":{"room":"{room}"}}"#,
    r#"{"action":"join","channel":"{room}"}"#,
    r#"{"action":"join","room":"{room}"}"#,
];

/// Verbs of requests to join, and of those to leave.
pub(super) const VERBS: [(&str, &str); 2] = [("subscribe", "unsubscribe"), ("join", "leave")];

/// Ping messages.
pub(super) const PINGS: [&str; 6] = [
    r#"{"type":"ping"}"#,
    r#"{"event":"ping"}"#,
    r#"{"action":"ping"}"#,
    r#"{"op":"ping"}"#,
    r#"{"type":"heartbeat"}"#,
    "ping",
];

/// What no gateway understands.
pub(super) const JUNK: [&str; 6] = [
    "{ this is no JSON",
    "[]",
    r#"{"type":"gatecheck:nonsense","payload":{}}"#,
    r#"{"event":"gatecheck:nonsense","data":{}}"#,
    r#"{"action":"gatecheck:nonsense"}"#,
    r#"{"op":"gatecheck:nonsense"}"#,
];

/// Bodies of published events: `{name}` is the event's name, `"{data}"` its data.
pub(super) const BODIES: [&str; 10] = [
    r#"{"type":"{name}","data":"{data}"}"#,
    r#"{"type":"{name}","payload":"{data}"}"#,
    r#"{"eventType":"{name}","data":"{data}"}"#,
    r#"{"event":"{name}","data":"{data}"}"#,
    r#"{"pattern":"{name}","data":"{data}"}"#,
    r#""{data}""#,
    r#"{"event":"{name}","payload":"{data}"}"#,
    r#"{"eventType":"{name}","payload":"{data}"}"#,
    r#"{"name":"{name}","data":"{data}"}"#,
    r#"{"name":"{name}","payload":"{data}"}"#,
];

/// Environment variables by which gateways are told how often to ping, in milliseconds.
pub(super) const INTERVALS: [&str; 9] = [
    "PING_INTERVAL_MS",
    "HEARTBEAT_INTERVAL",
    "HEARTBEAT_INTERVAL_MS",
    "PING_INTERVAL",
    "WS_PING_INTERVAL_MS",
    "WS_HEARTBEAT_INTERVAL",
    "WS_PING_INTERVAL",
    "WS_HEARTBEAT_INTERVAL_MS",
    "HEARTBEAT_MS",
];

/// Environment variables by which they are told how long to wait for a pong, in milliseconds.
pub(super) const TIMEOUTS: [&str; 4] =
    ["HEARTBEAT_TIMEOUT", "PONG_TIMEOUT_MS", "HEARTBEAT_TIMEOUT_MS", "PONG_TIMEOUT"];

/// Keys of an event's data by which gateways find its owner.
pub(super) const OWNER_KEYS: [&str; 6] = ["userId", "user_id", "ownerId", "owner", "customerId", "user"];
