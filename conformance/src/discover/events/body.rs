//! Bodies of candidates: one with every key that gateways read, and what is left of it.

use serde_json::{Value, json};

use crate::discover::candidates::{DATA_KEYS, NAME_KEYS, OWNER_KEYS};

/// The body of a candidate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Body {
    /// This text.
    Text(&'static str),
    /// An object with these keys.
    Keys {
        /// Those that hold the name.
        names: Vec<&'static str>,
        /// Those that hold the owner.
        users: Vec<&'static str>,
        /// Those that hold the data.
        data: Vec<&'static str>,
    },
}

/// The data alone.
const RAW: &str = r#""{data}""#;

impl Body {
    /// One that has every key: whichever a gateway reads, it finds.
    pub(super) fn generous() -> Self {
        // What is no name elsewhere is none here.
        let users = OWNER_KEYS.iter().filter(|key| !NAME_KEYS.contains(key) && !DATA_KEYS.contains(key));
        Self::Keys { names: NAME_KEYS.to_vec(), users: users.copied().collect(), data: DATA_KEYS.to_vec() }
    }

    /// The data alone.
    pub(super) fn raw() -> Self {
        Self::Text(RAW)
    }

    /// Whether a name stands in it.
    pub(super) fn is_named(&self) -> bool {
        match self {
            Self::Text(text) => text.contains("{name}"),
            Self::Keys { names, .. } => !names.is_empty(),
        }
    }

    /// As a profile has it: `"{data}"` stands for the data, `"{user}"` for the owner.
    pub(super) fn template(&self, name: &str) -> String {
        match self {
            Self::Text(text) => text.replace("{name}", name),
            Self::Keys { names, users, data } => {
                let member = |key: &&str, value: &str| format!("{}:{}", json!(key), json!(value));
                let names = names.iter().map(|key| member(key, name));
                let users = users.iter().map(|key| member(key, "{user}"));
                let data = data.iter().map(|key| member(key, "{data}"));
                format!("{{{}}}", names.chain(users).chain(data).collect::<Vec<_>>().join(","))
            }
        }
    }

    /// Bodies that lack something of this one, in the order in which that is tried; the most likely to be needed last.
    pub(super) fn lacking(&self) -> Vec<Lack> {
        let Self::Keys { names, users, data } = self else { return Vec::new() };
        let mut lacks = vec![Lack::Users];
        lacks.extend(users.iter().rev().map(|key| Lack::User(key)));
        lacks.extend(names.iter().rev().map(|key| Lack::Name(key)));
        lacks.extend(data.iter().rev().map(|key| Lack::Data(key)));
        lacks
    }

    /// Without something that it has; none where it has it no more, or would say nothing.
    pub(super) fn without(&self, lack: Lack) -> Option<Self> {
        let Self::Keys { names, users, data } = self else { return None };
        let but = |keys: &[&'static str], key: &str| -> Vec<&'static str> {
            keys.iter().copied().filter(|known| *known != key).collect()
        };
        let (mut fewer_names, mut fewer_users, mut fewer_data) = (names.clone(), users.clone(), data.clone());
        match lack {
            Lack::Users => fewer_users.clear(),
            Lack::User(key) => fewer_users = but(users, key),
            Lack::Name(key) => fewer_names = but(names, key),
            Lack::Data(key) => fewer_data = but(data, key),
        }
        let fewer = Self::Keys { names: fewer_names, users: fewer_users, data: fewer_data };
        (fewer != *self && !matches!(&fewer, Self::Keys { data, .. } if data.is_empty())).then_some(fewer)
    }
}

/// What a body may lack.
#[derive(Debug, Clone, Copy)]
pub(super) enum Lack {
    Users,
    User(&'static str),
    Name(&'static str),
    Data(&'static str),
}

/// A template with its data and its owner.
pub(super) fn filled(template: &str, data: &Value, owner: &Value) -> String {
    template.replace("\"{user}\"", &owner.to_string()).replace("\"{data}\"", &data.to_string())
}

/// Whether a frame holds a whole published body: then all of it is the event's data.
pub(super) fn echoes(frame: &str, body: &str) -> bool {
    let Ok(body) = serde_json::from_str::<Value>(body) else { return false };
    crate::discover::form::parsed(frame).is_some_and(|(_, frame)| holds(&frame, &body))
}

fn holds(value: &Value, wanted: &Value) -> bool {
    value == wanted
        || match value {
            Value::Array(items) => items.iter().any(|item| holds(item, wanted)),
            Value::Object(members) => members.values().any(|member| holds(member, wanted)),
            Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A body that has every key is left with those that are needed, and what is echoed whole is told from what is unwrapped.
    #[test]
    fn bodies_are_narrowed() {
        let needed = |body: &Body| {
            let text = body.template("a.b");
            text.contains(r#""pattern":"#) && text.contains(r#""data":"#)
        };
        let mut body = Body::generous();
        for lack in body.lacking() {
            if let Some(fewer) = body.without(lack).filter(needed) {
                body = fewer;
            }
        }
        assert_eq!(body.template("a.b"), r#"{"pattern":"a.b","data":"{data}"}"#);
        let (data, owner) = (json!({ "id": 1 }), json!(7));
        let published = filled(r#"{"type":"x","userId":"{user}","data":"{data}"}"#, &data, &owner);
        assert_eq!(published, r#"{"type":"x","userId":7,"data":{"id":1}}"#);
        let frame = format!(r#"{{"action":"event","body":{published}}}"#);
        assert!(echoes(&frame, &published));
        assert!(!echoes(r#"{"type":"x","payload":{"id":1}}"#, &published));
    }
}
