//! What the client under test is told, as files write it.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::scenario::step::{ClientAct, Hook};

/// `listen` and `unlisten`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawListener {
    name: String,
    listener: String,
    #[serde(default)]
    fails: bool,
}

/// `set_user`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawUser {
    id: String,
    email: String,
    name: String,
}

/// `mount`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawMount {
    name: String,
    hook: Hook,
}

/// `set_query`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawQuery {
    key: Vec<Value>,
    value: Value,
}

impl RawListener {
    pub(super) fn on(self) -> ClientAct {
        let Self { name, listener, fails } = self;
        ClientAct::Listen { name, listener, fails }
    }

    pub(super) fn off(self) -> ClientAct {
        let Self { name, listener, .. } = self;
        ClientAct::Unlisten { name, listener }
    }
}

impl RawUser {
    pub(super) fn act(self) -> ClientAct {
        let Self { id, email, name } = self;
        ClientAct::SetUser(Some(json!({ "id": id, "email": email, "name": name })))
    }
}

impl RawMount {
    /// A consumer is an actor in the trace, so it must not be taken for another one.
    pub(super) fn act(self) -> Result<ClientAct, String> {
        let Self { name, hook } = self;
        let plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let taken = ["client", "gateway", "broker", "scenario", "case"].contains(&name.as_str());
        if !plain || taken {
            return Err(format!("`{name}`: a consumer's name is lower-case letters and digits, and its own"));
        }
        Ok(ClientAct::Mount { name, hook })
    }
}

impl RawQuery {
    pub(super) fn act(self) -> ClientAct {
        let Self { key, value } = self;
        ClientAct::SetQuery { key, value }
    }
}
