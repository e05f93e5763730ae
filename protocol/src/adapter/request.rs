//! What an adapter is asked for.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Hook, Key, Options};
use crate::{Dialect, Target};

/// What the harness asks for, on the adapter's standard input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "request", deny_unknown_fields)]
pub struct Request {
    /// Counts the requests of one process.
    #[schemars(range(min = 1))]
    pub id: u64,
    /// What it asks for.
    #[serde(flatten)]
    pub operation: Operation,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Operation {
    /// Makes the client; comes first, once.
    Configure(Box<Configure>),
    /// The client connects. Answered once it has begun to.
    Connect,
    /// The client closes its connection and stays away (STATE-6).
    Disconnect,
    /// The client sends a message, or queues it (QUEUE-1). Answered with an error where it refuses (QUEUE-3).
    Send {
        /// The message.
        message: Message,
    },
    /// The client subscribes.
    Subscribe {
        /// To this.
        target: Target,
    },
    /// The client ends a subscription.
    Unsubscribe {
        /// To this.
        target: Target,
    },
    /// Registers a listener; each call of it is reported by `emit`.
    On {
        /// The event's name: a message's type, or one of the client's own, such as `connected`.
        name: String,
        /// The listener's own name: one event may have several.
        listener: String,
        /// Whether it throws when called, after the call is reported (SUB-3); missing: it does not.
        #[serde(default)]
        #[schemars(!default, skip_serializing_if = "std::ops::Not::not")]
        fails: bool,
    },
    /// Registers a listener that asks the client for something at its first call, from within it (IN-3). Each call is reported by
    /// `emit`, the first one before what it does.
    React {
        /// The event's name: a message's type, or one of the client's own, such as `connected`.
        name: String,
        /// The listener's own name: one event may have several.
        listener: String,
        /// What it asks for.
        #[serde(rename = "do")]
        act: Reaction,
    },
    /// Removes that listener, and no other.
    Off {
        /// The event's name: a message's type, or one of the client's own, such as `connected`.
        name: String,
        /// The listener's own name: one event may have several.
        listener: String,
    },
    /// The client gets another token (TOKEN-1), or is signed out.
    SetToken {
        /// The token; `null` signs out.
        token: Option<String>,
    },
    /// Answers the oldest `token_wanted`.
    Token {
        /// The token.
        token: String,
    },
    /// The token provider fails: answers the oldest `token_wanted` (TOKEN-4).
    FailToken {
        /// What it says.
        error: String,
    },
    /// Tells error reports who is signed in (OBS-1).
    SetUser {
        /// The user; `null` where nobody is signed in.
        user: Option<User>,
    },
    /// Asks what the client would use; answered with `config`: `url`, and every option.
    Config,
    /// Asks for the status; answered with `status`, the same word as in reports of it. It is the last request of a case, and
    /// shows that the client lives.
    Status,
    /// Mounts a consumer under the provider, which comes with the first and goes with the last (PROV-1).
    Mount {
        /// The consumer's own name.
        name: String,
        /// What it does.
        hook: Hook,
    },
    /// Unmounts a consumer.
    Unmount {
        /// The consumer's own name.
        name: String,
    },
    /// Asks what a consumer shows; answered with `value`: a status' name, or a dashboard's list of
    /// `{ "type": …, "data": … }`.
    Read {
        /// The consumer's own name.
        name: String,
    },
    /// Somebody looks at the query of this key; each fetch is reported by `refetch`.
    Observe {
        /// The key of the query.
        key: Key,
    },
    /// Writes to the query cache.
    SetQuery {
        /// The key of the query.
        key: Key,
        /// Any JSON.
        value: Value,
    },
    /// Reads the query cache; answered with `value`, `null` where there is none.
    GetQuery {
        /// The key of the query.
        key: Key,
    },
    /// The client says goodbye, and the adapter ends. The end of the input means the same.
    Exit,
    /// What this adapter does not know.
    #[serde(other, skip_serializing)]
    Unknown,
}

/// What makes a client.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(inline, !default)]
pub struct Configure {
    /// Where the gateway is; missing: `NX_WS_URL` of the environment, else the client's default (CONF-1).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", extend("format" = "uri"))]
    pub url: Option<String>,
    /// What the client signs in with; missing: nobody is signed in.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub token: Option<String>,
    /// How the client is configured.
    pub options: Options,
    /// How the gateway spells the wire, as in `[dialect]` of gatecheck.toml, every key given.
    #[schemars(with = "serde_json::Map<String, Value>")]
    pub dialect: Dialect,
}

/// A message that a client sends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, inline)]
pub struct Message {
    /// The message's type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Any JSON.
    #[serde(default = "empty")]
    #[schemars(!default)]
    pub payload: Value,
}

/// What is sent where a scenario says nothing of it.
fn empty() -> Value {
    Value::Object(serde_json::Map::new())
}

/// Who is signed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "user", deny_unknown_fields)]
pub struct User {
    /// The user's id.
    pub id: String,
    /// Their e-mail address.
    pub email: String,
    /// Their name.
    pub name: String,
}

/// What a listener asks its client for; each is as the request of the same name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "op", rename_all = "snake_case")]
#[schemars(rename = "reaction", deny_unknown_fields)]
pub enum Reaction {
    /// To connect.
    Connect,
    /// To disconnect.
    Disconnect,
    /// To send a message.
    Send {
        /// The message.
        message: Message,
    },
    /// To subscribe.
    Subscribe {
        /// To this.
        target: Target,
    },
    /// To end a subscription.
    Unsubscribe {
        /// To this.
        target: Target,
    },
    /// To take another token.
    SetToken {
        /// The token.
        token: String,
    },
}

impl fmt::Display for Reaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect => f.write_str("connects"),
            Self::Disconnect => f.write_str("disconnects"),
            Self::Send { message } => write!(f, "sends {} {}", message.kind, message.payload),
            Self::Subscribe { target } => write!(f, "subscribes to {target}"),
            Self::Unsubscribe { target } => write!(f, "unsubscribes from {target}"),
            Self::SetToken { .. } => f.write_str("sets a new token"),
        }
    }
}

impl Operation {
    /// The operation's name, as `op` has it.
    pub fn name(&self) -> String {
        let written = serde_json::to_value(self).unwrap_or_default();
        written["op"].as_str().unwrap_or("unknown").to_owned()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A later version may ask for more: an adapter ignores fields, and knows that it does not know an operation.
    #[test]
    fn what_is_unknown_is_ignored() {
        let read = |line: Value| serde_json::from_value::<Request>(line).map(|request| request.operation);
        let hook = json!({ "kind": "subscription", "eventType": "a:b", "once": true });
        let mount = Operation::Mount {
            name: "n".to_owned(),
            hook: Hook::Subscription { event_type: "a:b".to_owned() },
        };
        assert_eq!(
            read(json!({ "id": 1, "op": "mount", "name": "n", "hook": hook, "at": 2 })).unwrap(),
            mount
        );
        assert_eq!(read(json!({ "id": 1, "op": "dance", "with": 2 })).unwrap(), Operation::Unknown);
        let configure =
            Operation::Configure(Box::new(Configure { url: Some("u".to_owned()), ..Configure::default() }));
        let line = json!({ "id": 1, "op": "configure", "url": "u", "options": { "colour": 1 } });
        assert_eq!(read(line).unwrap(), configure);
        assert!(read(json!({ "op": "connect" })).is_err());
        assert!(read(json!({ "id": 1, "op": "send" })).is_err());
    }

    /// Both sides of a request write it in one way, and its name is the one on the wire.
    #[test]
    fn a_request_is_written_as_it_is_read() {
        let operation = Operation::SetUser { user: None };
        assert_eq!(operation.name(), "set_user");
        let request = Request { id: 3, operation };
        let line = json!({ "id": 3, "op": "set_user", "user": null });
        assert_eq!(serde_json::to_value(&request).unwrap(), line);
        assert_eq!(serde_json::from_value::<Request>(line).unwrap(), request);
    }
}
