//! Requests to the client under test.

use std::fmt;

use protocol::Target;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::trace::{Key, Reading};

/// A request to the client under test.
#[derive(Debug, Clone, PartialEq)]
pub enum ClientAct {
    /// `connect`
    Connect,
    /// `disconnect`
    Disconnect,
    /// `send`
    Send {
        /// The message's type.
        kind: String,
        /// Its payload.
        payload: Value,
        /// How often; more than one are numbered by a `seq` in their payload.
        count: u32,
    },
    /// `subscribe`
    Subscribe(Target),
    /// `unsubscribe`
    Unsubscribe(Target),
    /// `on`
    Listen {
        /// The event.
        name: String,
        /// The listener's own name.
        listener: String,
        /// Whether it fails when called.
        fails: bool,
    },
    /// `off`
    Unlisten {
        /// The event.
        name: String,
        /// The listener's own name.
        listener: String,
    },
    /// `set_token`; nothing signs out.
    SetToken(Option<String>),
    /// `token`: the answer of a token provider that was asked.
    GiveToken(String),
    /// `set_user`; `None` signs out.
    SetUser(Option<Value>),
    /// `mount`
    Mount {
        /// The consumer's own name.
        name: String,
        /// What it does with the connection.
        hook: Hook,
    },
    /// `unmount`
    Unmount(String),
    /// `observe`: an observer of a query mounts.
    Observe(Vec<Value>),
    /// `set_query`
    SetQuery {
        /// The query's key.
        key: Vec<Value>,
        /// What the cache holds from now on.
        value: Value,
    },
    /// `get_query`, `read` or `config`; the answer is an observation.
    Read(Reading),
}

/// What a consumer under a provider does with the connection (HOOK-1 to HOOK-6).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Hook {
    /// Shows the connection's status.
    Status,
    /// Hands an event to a callback.
    Subscription {
        /// The event.
        event_type: String,
    },
    /// Invalidates queries when an event comes, then calls a handler.
    RealTimeUpdates {
        /// The event.
        event_type: String,
        /// The keys of the queries.
        query_keys: Vec<Vec<Value>>,
    },
    /// Changes a cached value when an event comes.
    RealTimeQueryUpdate {
        /// The event.
        event_type: String,
        /// The query's key.
        query_key: Vec<Value>,
    },
    /// What a page of payments uses.
    PaymentUpdates,
    /// What a dashboard uses.
    DashboardUpdates,
    /// What a profile page uses.
    ProfileUpdates,
}

impl ClientAct {
    /// How many requests it is made of.
    pub fn requests(&self) -> u32 {
        match self {
            Self::Send { count, .. } => *count,
            _ => 1,
        }
    }
}

impl fmt::Display for ClientAct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect => f.write_str("connect"),
            Self::Disconnect => f.write_str("disconnect"),
            Self::Send { kind, count, .. } if *count > 1 => write!(f, "send {kind} ({count})"),
            Self::Send { kind, payload, .. } if payload.is_null() => write!(f, "send {kind}"),
            Self::Send { kind, payload, .. } => write!(f, "send {kind} {payload}"),
            Self::Subscribe(target) => write!(f, "subscribe to {target}"),
            Self::Unsubscribe(target) => write!(f, "unsubscribe from {target}"),
            Self::Listen { name, listener, .. } => write!(f, "listener {listener} on {name}"),
            Self::Unlisten { name, listener } => write!(f, "listener {listener} off {name}"),
            Self::SetToken(Some(_)) => f.write_str("take a new token"),
            Self::SetToken(None) => f.write_str("sign out"),
            Self::GiveToken(_) => f.write_str("get the token that it asked for"),
            Self::SetUser(Some(user)) => write!(f, "have {user} signed in"),
            Self::SetUser(None) => f.write_str("have nobody signed in"),
            Self::Mount { name, hook } => write!(f, "mount {name}, {hook}"),
            Self::Unmount(name) => write!(f, "unmount {name}"),
            Self::Observe(key) => write!(f, "observe {}", Key(key)),
            Self::SetQuery { key, value } => write!(f, "set the query {} to {value}", Key(key)),
            Self::Read(what) => write!(f, "tell {what}"),
        }
    }
}

impl fmt::Display for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status => f.write_str("which shows the status"),
            Self::Subscription { event_type } => write!(f, "which subscribes to {event_type}"),
            Self::RealTimeUpdates { event_type, .. } => {
                write!(f, "which invalidates queries on {event_type}")
            }
            Self::RealTimeQueryUpdate { event_type, query_key } => {
                write!(f, "which changes the query {} on {event_type}", Key(query_key))
            }
            Self::PaymentUpdates => f.write_str("which follows payments"),
            Self::DashboardUpdates => f.write_str("which shows the last activities"),
            Self::ProfileUpdates => f.write_str("which follows the profile"),
        }
    }
}
