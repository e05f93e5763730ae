//! A message that would sign in, but for one part of it.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What is wrong with it. Its body is what stands at the top of the message and holds the token, at whatever depth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BrokenSignIn {
    /// What should be the token is not there.
    WithoutToken,
    /// It is null.
    NullToken,
    /// It is a number.
    NumberToken,
    /// It is an object.
    ObjectToken,
    /// The body is not there.
    WithoutBody,
    /// It is null.
    NullBody,
    /// It is a text.
    TextBody,
}

impl BrokenSignIn {
    /// The message in which this token stands, broken so. One that is no JSON object or array is left without its token.
    pub fn of(self, message: &str, token: &str) -> String {
        let Ok(mut value) = serde_json::from_str::<Value>(message) else {
            return message.replace(token, "");
        };
        let other = match self {
            Self::WithoutToken | Self::WithoutBody => None,
            Self::NullToken | Self::NullBody => Some(Value::Null),
            Self::NumberToken => Some(json!(7)),
            Self::ObjectToken => Some(json!({ "token": token.len() })),
            Self::TextBody => Some(json!("sign in")),
        };
        let is_body = matches!(self, Self::WithoutBody | Self::NullBody | Self::TextBody);
        let whole = value.clone();
        replace(&mut value, token, is_body, &other);
        if value == whole { message.replace(token, "") } else { value.to_string() }
    }
}

/// Puts `other` in the place of the token, or of what holds it at the top.
fn replace(value: &mut Value, token: &str, is_body: bool, other: &Option<Value>) {
    let is_it = |inner: &Value| {
        inner.as_str().is_some_and(|text| text.contains(token)) || (is_body && holds(inner, token))
    };
    match value {
        Value::Object(members) => {
            if let Some(key) = members.iter().find(|(_, inner)| is_it(inner)).map(|(key, _)| key.clone()) {
                match other {
                    Some(other) => drop(members.insert(key, other.clone())),
                    None => drop(members.remove(&key)),
                }
            } else {
                members.values_mut().for_each(|inner| replace(inner, token, is_body, other));
            }
        }
        Value::Array(items) => {
            if let Some(at) = items.iter().position(is_it) {
                match other {
                    Some(other) => items[at] = other.clone(),
                    None => drop(items.remove(at)),
                }
            } else {
                items.iter_mut().for_each(|inner| replace(inner, token, is_body, other));
            }
        }
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn holds(value: &Value, token: &str) -> bool {
    match value {
        Value::String(text) => text.contains(token),
        Value::Array(items) => items.iter().any(|item| holds(item, token)),
        Value::Object(members) => members.values().any(|member| holds(member, token)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

impl fmt::Display for BrokenSignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WithoutToken => "without a token",
            Self::NullToken => "with null for a token",
            Self::NumberToken => "with a number for a token",
            Self::ObjectToken => "with an object for a token",
            Self::WithoutBody => "without its body",
            Self::NullBody => "with null for a body",
            Self::TextBody => "with a text for a body",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One part is wrong and the rest is as it was, wherever the token stands.
    #[test]
    fn one_part_is_broken() {
        use BrokenSignIn as How;
        let nested = r#"{"action":"enter","body":{"auth":{"jwt":"T"},"v":1}}"#;
        for (how, expected) in [
            (How::WithoutToken, r#"{"action":"enter","body":{"auth":{},"v":1}}"#),
            (How::NullToken, r#"{"action":"enter","body":{"auth":{"jwt":null},"v":1}}"#),
            (How::NumberToken, r#"{"action":"enter","body":{"auth":{"jwt":7},"v":1}}"#),
            (How::ObjectToken, r#"{"action":"enter","body":{"auth":{"jwt":{"token":1}},"v":1}}"#),
            (How::WithoutBody, r#"{"action":"enter"}"#),
            (How::NullBody, r#"{"action":"enter","body":null}"#),
            (How::TextBody, r#"{"action":"enter","body":"sign in"}"#),
        ] {
            assert_eq!(how.of(nested, "T"), expected, "{how}");
        }
        assert_eq!(How::NullToken.of(r#"["auth","T"]"#, "T"), r#"["auth",null]"#);
        assert_eq!(How::WithoutBody.of(r#"["auth",["T"]]"#, "T"), r#"["auth"]"#);
        assert_eq!(How::WithoutBody.of(r#"{"token":"Bearer T"}"#, "T"), "{}");
        assert_eq!(How::NullToken.of(r#""T""#, "T"), r#""""#);
        assert_eq!(How::ObjectToken.of("SIGN-IN: xyz", "xyz"), "SIGN-IN: ");
    }
}
