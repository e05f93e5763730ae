//! How events come to a gateway: under which routing key, and in which body. The default is the seed's.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

/// The shape of what is published.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EventShape {
    /// The routing key; `{key}` is the event's type with dots for colons, such as `payment.created`.
    pub routing_key: String,
    /// What event types are called, where that is not what scenarios call them: `payment:created` may be
    /// `PaymentCreated`. So they are called everywhere, by the broker and by clients.
    pub names: BTreeMap<String, String>,
    /// The body, a JSON text in which `"{type}"` stands for the event's type and `"{data}"` for its data.
    pub body: String,
}

/// Why a shape cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventShapeError {
    /// Events could not be distinguished.
    #[error("`events.routing_key` needs `{{key}}`, such as `payments.{{key}}`")]
    NoKey,
    /// The body is no JSON.
    #[error("`events.body` is no JSON: {0}")]
    Json(String),
    /// A name is given to no event type of scenarios.
    #[error("`events.names` has {0:?}, which no scenario uses; there are {types}", types = TYPES.join(", "))]
    UnknownType(String),
    /// A name that cannot be written into a scenario.
    #[error("`events.names`: {0:?} is no name: letters, digits and `:._-/`")]
    Name(String),
    /// Two types could not be distinguished.
    #[error("`events.names`: two types are called {0:?}")]
    SameName(String),
    /// The body leaves something out.
    #[error("`events.body` needs `\"{0}\"`")]
    Missing(&'static str),
}

/// The event types that scenarios use, as they call them.
const TYPES: [&str; 8] = [
    "admin:alert",
    "catalog:changed",
    "payment:completed",
    "payment:created",
    "payment:failed",
    "payment:updated",
    "profile:updated",
    "stock:changed",
];
const KEY: &str = "{key}";
const TYPE: &str = "{type}";
const DATA: &str = "{data}";

impl Default for EventShape {
    fn default() -> Self {
        Self {
            routing_key: KEY.to_owned(),
            names: BTreeMap::new(),
            body: r#"{"type":"{type}","data":"{data}"}"#.to_owned(),
        }
    }
}

impl EventShape {
    /// Checks that events can be distinguished.
    ///
    /// # Errors
    /// Names what is missing.
    pub fn check(&self) -> Result<(), EventShapeError> {
        if !self.routing_key.contains(KEY) {
            return Err(EventShapeError::NoKey);
        }
        for (kind, name) in &self.names {
            if !TYPES.contains(&kind.as_str()) {
                return Err(EventShapeError::UnknownType(kind.clone()));
            }
            let plain = |character: char| character.is_alphanumeric() || ":._-/".contains(character);
            if name.is_empty() || !name.chars().all(plain) {
                return Err(EventShapeError::Name(name.clone()));
            }
        }
        let mut used = BTreeSet::new();
        let names = TYPES.into_iter().map(|kind| self.names.get(kind).map_or(kind, String::as_str));
        if let Some(twice) = names.into_iter().find(|name| !used.insert(*name)) {
            return Err(EventShapeError::SameName(twice.to_owned()));
        }
        let body: Value =
            serde_json::from_str(&self.body).map_err(|error| EventShapeError::Json(error.to_string()))?;
        match [TYPE, DATA].into_iter().find(|name| !holds(&body, name)) {
            Some(missing) => Err(EventShapeError::Missing(missing)),
            None => Ok(()),
        }
    }

    /// The routing key of an event whose usual one is `key`.
    pub fn routing_key(&self, key: &str) -> String {
        self.routing_key.replace(KEY, key)
    }

    /// The body of an event whose usual one is `body`. What is no event, and is meant to be none, stays as it is.
    pub fn body(&self, body: &str) -> String {
        if *self == Self::default() {
            return body.to_owned();
        }
        let event: Value = serde_json::from_str(body).unwrap_or_default();
        let (Some(kind), Some(data)) = (event["type"].as_str(), event.get("data")) else {
            return body.to_owned();
        };
        let mut shaped = serde_json::from_str(&self.body).unwrap_or_default();
        fill(&mut shaped, kind, data);
        shaped.to_string()
    }
}

fn holds(value: &Value, name: &str) -> bool {
    match value {
        Value::String(text) => text == name,
        Value::Array(items) => items.iter().any(|item| holds(item, name)),
        Value::Object(members) => members.values().any(|member| holds(member, name)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn fill(value: &mut Value, kind: &str, data: &Value) {
    match value {
        Value::String(text) if text == TYPE => kind.clone_into(text),
        Value::String(text) if text == DATA => *value = data.clone(),
        Value::Array(items) => items.iter_mut().for_each(|item| fill(item, kind, data)),
        Value::Object(members) => members.values_mut().for_each(|member| fill(member, kind, data)),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scenarios::{Library, Scenario};
    use serde_json::json;

    fn shape(routing_key: &str, body: &str) -> EventShape {
        EventShape { routing_key: routing_key.to_owned(), body: body.to_owned(), ..EventShape::default() }
    }

    /// An event gets the shape; what is no event, and is meant to be none, does not.
    #[test]
    fn events_are_shaped() {
        let event = r#"{"type":"payment:created","data":{"id":1}}"#;
        let plain = EventShape::default();
        assert_eq!(
            (plain.routing_key("payment.created"), plain.body(event)),
            ("payment.created".into(), event.into())
        );
        let other = shape("payments.{key}", r#"{"v":2,"name":"{type}","content":["{data}"]}"#);
        assert_eq!(other.check(), Ok(()));
        assert_eq!(other.routing_key("payment.created"), "payments.payment.created");
        let shaped: Value = serde_json::from_str(&other.body(event)).unwrap();
        assert_eq!(shaped, json!({ "v": 2, "name": "payment:created", "content": [{ "id": 1 }] }));
        assert_eq!(other.body("not JSON"), "not JSON");
        assert_eq!(other.body(r#"{"type":7}"#), r#"{"type":7}"#);
    }

    /// Each mistake says what is missing.
    #[test]
    fn mistakes_are_named() {
        assert_eq!(shape("events", r#"["{type}","{data}"]"#).check(), Err(EventShapeError::NoKey));
        assert_eq!(shape("{key}", r#"["{data}"]"#).check(), Err(EventShapeError::Missing("{type}")));
        assert_eq!(shape("{key}", r#"["{type}"]"#).check(), Err(EventShapeError::Missing("{data}")));
        assert!(matches!(shape("{key}", "{").check(), Err(EventShapeError::Json(_))));
        let named = |kind: &str, name: &str| EventShape {
            names: BTreeMap::from([(kind.to_owned(), name.to_owned())]),
            ..EventShape::default()
        };
        assert_eq!(named("payment:created", "PaymentCreated").check(), Ok(()));
        let error = |kind, name| named(kind, name).check().unwrap_err().to_string();
        assert!(error("payment:creatd", "PaymentCreated").contains("there are admin:alert, catalog:changed"));
        assert!(error("payment:created", "a\"b").contains("is no name"));
        assert!(error("payment:created", "payment:failed").contains("two types are called"));
    }

    /// What can be renamed is what scenarios use.
    #[test]
    fn types_are_those_of_scenarios() {
        let texts: String = Library::builtin().unwrap().iter().map(Scenario::to_toml).collect();
        for kind in TYPES {
            assert!(texts.contains(&format!("\"{kind}\"")), "{kind}");
        }
    }
}
