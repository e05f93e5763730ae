//! What is tried, as tables: where a token may travel, how it may name its user, what a request may look like. What a profile learns
//! to say becomes a row here.

use protocol::{Dialect, Role, TokenPlace};
use scenarios::UserIds;
use serde_json::{Map, Value, json};

/// Paths that gateways of all kinds upgrade on.
pub(super) const PATHS: [&str; 9] =
    ["/ws", "/", "/socket", "/websocket", "/api/ws", "/cable", "/graphql", "/realtime", "/socket/websocket"];

/// What pages may be called, by the key of `[gateway.pages]`; the usual name first.
pub(super) const PAGE_PATHS: [(&str, &[&str]); 4] = [
    ("health", &["/healthz", "/health", "/livez", "/live", "/alive", "/liveness", "/health/live"]),
    ("ready", &["/readyz", "/ready", "/readiness", "/health/ready"]),
    ("stats", &["/stats", "/statistics", "/connections"]),
    ("metrics", &["/metrics", "/prometheus"]),
];
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

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Request(place) => write!(f, "a token as `{place}`"),
            Self::FirstMessage(message) => write!(f, "the first message {}", super::spelling::shown(message)),
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

/// What a first message that signs in may be called.
pub(super) const SIGN_IN_VERBS: [&str; 9] = [
    "auth",
    "authenticate",
    "login",
    "connection_init",
    "signin",
    "identify",
    "hello",
    "authorize",
    "connect",
];
/// The keys under which it may be called so.
const SIGN_IN_KINDS: [&str; 7] = ["type", "event", "action", "op", "cmd", "kind", "method"];
/// Where its token may stand.
const SIGN_IN_TOKENS: [&str; 14] = [
    r#""token":"{token}""#,
    r#""payload":{"token":"{token}"}"#,
    r#""data":{"token":"{token}"}"#,
    r#""body":{"token":"{token}"}"#,
    r#""d":{"token":"{token}"}"#,
    r#""params":{"token":"{token}"}"#,
    r#""access_token":"{token}""#,
    r#""jwt":"{token}""#,
    r#""payload":{"access_token":"{token}"}"#,
    r#""payload":{"jwt":"{token}"}"#,
    r#""data":{"jwt":"{token}"}"#,
    r#""body":{"jwt":"{token}"}"#,
    r#""data":"{token}""#,
    r#""payload":"{token}""#,
];

/// Members that may hold the token, each with the one that it stands in.
const SIGN_IN_MEMBERS: [(Option<&str>, &str); 18] = {
    let mut members = [(None, ""); 18];
    let containers = [None, Some("payload"), Some("data"), Some("body"), Some("d"), Some("params")];
    let keys = ["token", "access_token", "jwt"];
    let mut at = 0;
    while at < members.len() {
        members[at] = (containers[at / keys.len()], keys[at % keys.len()]);
        at += 1;
    }
    members
};

/// A first message that has a verb and the token in each place: whichever a gateway reads, it finds.
pub(super) fn generous_message(verb: &str) -> String {
    message_of(verb, &SIGN_IN_MEMBERS)
}

/// The same as several messages of a sixth of its length, for gateways whose limit is below that.
pub(super) fn shorter_messages(verb: &str) -> Vec<String> {
    SIGN_IN_MEMBERS.chunks(3).map(|members| message_of(verb, members)).collect()
}

/// A first message with a verb and the token in these members.
fn message_of(verb: &str, members: &[(Option<&str>, &str)]) -> String {
    let mut message: Map<String, Value> =
        SIGN_IN_KINDS.iter().map(|key| ((*key).to_owned(), json!(verb))).collect();
    for (within, key) in members {
        let (key, token) = ((*key).to_owned(), json!("{token}"));
        match within {
            None => drop(message.insert(key, token)),
            Some(within) => message.entry(*within).or_insert_with(|| json!({}))[key] = token,
        }
    }
    Value::Object(message).to_string()
}

/// First messages with a verb and the token in one place each, the usual ones first; and the token alone.
pub(super) fn first_messages(verb: &str) -> Vec<String> {
    let kinds = SIGN_IN_KINDS.iter();
    let pairs = kinds.flat_map(|kind| SIGN_IN_TOKENS.iter().map(move |token| (kind, token)));
    let mut messages: Vec<String> =
        pairs.map(|(kind, token)| format!(r#"{{"{kind}":"{verb}",{token}}}"#)).collect();
    messages.sort_by_key(|text| text.len() > 60);
    messages
}

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

    pub(super) fn role(self) -> Role {
        if self == Self::Admin { Role::Admin } else { Role::Customer }
    }

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
pub(super) const SUBSCRIBES: [&str; 36] = [
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
    r#"{"type":"join","channel":"{room}"}"#,
    r#"{"type":"join","room":"{room}"}"#,
    r#"{"op":"join","channel":"{room}"}"#,
    r#"{"cmd":"subscribe","channel":"{room}"}"#,
    r#"{"cmd":"sub","ch":"{room}"}"#,
    r#"{"op":"sub","ch":"{room}"}"#,
];

/// The request to join a topic of Phoenix' channels.
pub(super) const JOIN: &str = r#"["{ref}","{ref}","{room}","phx_join",{}]"#;

/// Rooms that each client may have to ask for itself: everybody's, its user's, its role's.
pub(super) const OPENINGS: [&str; 9] = [
    "broadcast",
    "user:{user}",
    "role:{role}",
    "all",
    "public",
    "users:{user}",
    "roles:{role}",
    "user.{user}",
    "role.{role}",
];

/// Verbs of requests to join, and of those to leave.
pub(super) const VERBS: [(&str, &str); 3] =
    [("subscribe", "unsubscribe"), ("join", "leave"), ("sub", "unsub")];

/// Ping messages.
pub(super) const PINGS: [&str; 7] = [
    r#"{"type":"ping"}"#,
    r#"{"event":"ping"}"#,
    r#"{"action":"ping"}"#,
    r#"{"op":"ping"}"#,
    r#"{"cmd":"ping"}"#,
    r#"{"type":"heartbeat"}"#,
    "ping",
];

/// What a ping message may be called, under the key by which a gateway names its own messages.
pub(super) const PING_WORDS: [&str; 5] = ["ping", "heartbeat", "beat", "keepalive", "hb"];

/// What no gateway understands.
pub(super) const JUNK: [&str; 6] = [
    "{ this is no JSON",
    "[]",
    r#"{"type":"gatecheck:nonsense","payload":{}}"#,
    r#"{"event":"gatecheck:nonsense","data":{}}"#,
    r#"{"action":"gatecheck:nonsense"}"#,
    r#"{"op":"gatecheck:nonsense"}"#,
];

/// Keys by which a body may say its event's name, the usual ones first.
pub(super) const NAME_KEYS: [&str; 9] =
    ["type", "event", "eventType", "event_type", "pattern", "name", "action", "topic", "kind"];
/// Keys of a body under which its data may stand.
pub(super) const DATA_KEYS: [&str; 4] = ["data", "payload", "body", "message"];

/// Bodies of published events where one that has every key is not understood: `{name}` is the event's name, `"{data}"` its data.
pub(super) const BODIES: [&str; 12] = [
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
    r#"{"kind":"{name}","data":"{data}"}"#,
    r#"{"kind":"{name}","payload":"{data}"}"#,
];

/// Environment variables by which gateways are told how often to ping, in milliseconds; what a gateway's files name comes first.
pub(super) const INTERVALS: [&str; 12] = [
    "PING_INTERVAL_MS",
    "HEARTBEAT_INTERVAL",
    "HEARTBEAT_INTERVAL_MS",
    "PING_INTERVAL",
    "WS_PING_INTERVAL_MS",
    "WS_HEARTBEAT_INTERVAL",
    "WS_PING_INTERVAL",
    "WS_HEARTBEAT_INTERVAL_MS",
    "HEARTBEAT_MS",
    "PING_MS",
    "PING_EVERY_MS",
    "KEEPALIVE_MS",
];

/// Environment variables by which they are told how long to wait for a pong, in milliseconds.
pub(super) const TIMEOUTS: [&str; 5] =
    ["HEARTBEAT_TIMEOUT", "PONG_TIMEOUT_MS", "HEARTBEAT_TIMEOUT_MS", "PONG_TIMEOUT", "PONG_MS"];

/// Keys of an event's data by which gateways find its owner.
pub(super) const OWNER_KEYS: [&str; 16] = [
    "userId",
    "user_id",
    "ownerId",
    "owner_id",
    "owner",
    "customerId",
    "customer_id",
    "accountId",
    "account_id",
    "recipientId",
    "recipient",
    "uid",
    "sub",
    "user",
    "for",
    "to",
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Together the shorter messages say what the long one says, and each is short enough for a limit of 4 KiB.
    #[test]
    fn shorter_messages_have_every_place() {
        let token = "x".repeat(900);
        let mut all = Map::new();
        for text in shorter_messages("auth") {
            let sent = text.replace("{token}", &token);
            assert!(sent.len() < 4096, "{}", sent.len());
            let Value::Object(members) = serde_json::from_str(&text).unwrap() else { panic!("{text}") };
            all.extend(members);
        }
        assert_eq!(Value::Object(all).to_string(), generous_message("auth"));
    }
}
