//! What requests are called, and the keys that name what they are for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{DecodeError, text_of};
use crate::message::Target;

/// The types of requests, and of what acknowledges them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    default,
    expecting = "a table with `subscribe`, `unsubscribe`, `subscribed` or `unsubscribed`"
)]
pub struct RequestNames {
    /// Asks to join.
    pub subscribe: String,
    /// Asks to leave.
    pub unsubscribe: String,
    /// Grants a `subscribe`.
    pub subscribed: String,
    /// Grants an `unsubscribe`.
    pub unsubscribed: String,
}

/// The keys that name what a subscription is for. Where both are the same key, what it names is read as a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, expecting = "a table with `event_type` or `room`")]
pub struct SubscriptionKeys {
    /// The key of an event type.
    pub event_type: String,
    /// The key of a room.
    pub room: String,
}

impl SubscriptionKeys {
    /// One key for both.
    pub fn single(key: &str) -> Self {
        Self { event_type: key.to_owned(), room: key.to_owned() }
    }

    pub(super) fn payload(&self, target: &Target) -> Value {
        let key = match target {
            Target::EventType(_) => &self.event_type,
            Target::Room(_) => &self.room,
        };
        Value::Object(Map::from_iter([(key.clone(), Value::String(target.name().to_owned()))]))
    }

    pub(super) fn target(
        &self,
        payload: &Value,
        kind: &str,
        id: &Option<String>,
    ) -> Result<Target, DecodeError> {
        if let Some(room) = text_of(payload, &self.room) {
            return Ok(Target::Room(room));
        }
        text_of(payload, &self.event_type).map(Target::EventType).ok_or_else(|| DecodeError::NoTarget {
            kind: kind.to_owned(),
            key: self.event_type.clone(),
            id: id.clone(),
        })
    }
}

impl Default for RequestNames {
    fn default() -> Self {
        let name = str::to_owned;
        Self {
            subscribe: name("subscribe"),
            unsubscribe: name("unsubscribe"),
            subscribed: name("subscribed"),
            unsubscribed: name("unsubscribed"),
        }
    }
}

impl Default for SubscriptionKeys {
    fn default() -> Self {
        Self { event_type: "eventType".to_owned(), room: "room".to_owned() }
    }
}
