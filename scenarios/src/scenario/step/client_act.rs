//! Requests to the client under test.

use std::fmt;

use protocol::Target;
use protocol::adapter::{Hook, Reaction, User};
use serde_json::{Value, json};

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
    /// `react`: a listener that asks the client for something.
    React {
        /// The event.
        name: String,
        /// The listener's own name.
        listener: String,
        /// What it asks for.
        act: Reaction,
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
    /// `fail_token`: the token provider that was asked has none, and says this.
    FailToken(String),
    /// `set_user`; `None` signs out.
    SetUser(Option<User>),
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
            Self::React { name, listener, act } => write!(f, "listener {listener} on {name}, which {act}"),
            Self::Unlisten { name, listener } => write!(f, "listener {listener} off {name}"),
            Self::SetToken(Some(_)) => f.write_str("take a new token"),
            Self::SetToken(None) => f.write_str("sign out"),
            Self::GiveToken(_) => f.write_str("get the token that it asked for"),
            Self::FailToken(error) => write!(f, "get no token, but {error:?}"),
            Self::SetUser(Some(user)) => write!(f, "have {} signed in", json!(user)),
            Self::SetUser(None) => f.write_str("have nobody signed in"),
            Self::Mount { name, hook } => write!(f, "mount {name}, {hook}"),
            Self::Unmount(name) => write!(f, "unmount {name}"),
            Self::Observe(key) => write!(f, "observe {}", Key(key)),
            Self::SetQuery { key, value } => write!(f, "set the query {} to {value}", Key(key)),
            Self::Read(what) => write!(f, "tell {what}"),
        }
    }
}
