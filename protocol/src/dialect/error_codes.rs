//! What the errors of an implementation are called: the codes that stand in its error messages.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::message::ErrorCode;

/// The codes of error messages, by the names that the protocol has for them; or that there are none.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
#[schemars(with = "Written")]
pub enum ErrorCodes {
    /// Errors say no code.
    None,
    /// What differs from the protocol's own names.
    Named(BTreeMap<ErrorCode, String>),
}

impl ErrorCodes {
    /// What a code is called, which is given by the protocol's name; nothing where errors say none. A code that is not the protocol's
    /// is called as it is.
    pub fn spelled<'a>(&'a self, code: &'a str) -> Option<&'a str> {
        match self {
            Self::None => None,
            Self::Named(names) => {
                let known = ErrorCode::ALL.into_iter().find(|known| known.as_str() == code);
                Some(known.and_then(|known| names.get(&known)).map_or(code, String::as_str))
            }
        }
    }

    /// What stands in the place of a code. A number is none where no code is declared to be called so.
    pub(super) fn read(&self, code: &Value) -> Option<String> {
        let is_declared =
            |name: &String| matches!(self, Self::Named(names) if names.values().any(|known| known == name));
        match code {
            Value::String(code) => Some(code.clone()),
            Value::Number(number) => Some(number.to_string()).filter(is_declared),
            _ => None,
        }
    }

    /// The first code that has an empty name.
    pub(super) fn is_empty_for(&self) -> Option<ErrorCode> {
        let Self::Named(names) = self else { return None };
        names.iter().find(|(_, name)| name.is_empty()).map(|(code, _)| *code)
    }
}

impl Default for ErrorCodes {
    fn default() -> Self {
        Self::Named(BTreeMap::new())
    }
}

impl Serialize for ErrorCodes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::None => serializer.serialize_bool(false),
            Self::Named(names) => {
                serializer.collect_map(names.iter().map(|(code, name)| (code.as_str(), name)))
            }
        }
    }
}

/// What a file may say.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "it is read without it")]
enum Written {
    /// `false`: errors say none.
    AreThere(bool),
    /// By the protocol's names.
    Named(BTreeMap<String, String>),
}

impl<'de> Deserialize<'de> for ErrorCodes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NamesOrNone)
    }
}

struct NamesOrNone;

impl<'de> Visitor<'de> for NamesOrNone {
    type Value = ErrorCodes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table of error codes, such as `{ bad_room = \"bad_channel\" }`, or `false` where errors say none")
    }

    fn visit_bool<E: Error>(self, are_there: bool) -> Result<ErrorCodes, E> {
        Ok(if are_there { ErrorCodes::default() } else { ErrorCodes::None })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ErrorCodes, A::Error> {
        let mut names = BTreeMap::new();
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            let code = ErrorCode::ALL.into_iter().find(|code| code.as_str() == key).ok_or_else(|| {
                let known = ErrorCode::ALL.map(ErrorCode::as_str).join(", ");
                A::Error::custom(format!("there is no error code `{key}`; there are {known}"))
            })?;
            names.insert(code, map.next_value()?);
        }
        Ok(ErrorCodes::Named(names))
    }
}

#[cfg(test)]
mod tests {
    use crate::{Dialect, ServerMessage, Timestamp};

    /// A gateway's codes are written as it has them; codes that it does not name stay as they are.
    #[test]
    fn codes_are_written_as_declared() {
        let dialect: Dialect = r#"{"errors":{"bad_room":"bad_channel"}}"#.parse().unwrap();
        let written = |dialect: &Dialect, code: &str| {
            let error = ServerMessage::Error { code: code.to_owned(), message: "no".to_owned() };
            let text = dialect.encode_server(&error, Timestamp::EPOCH, None);
            match dialect.decode_server(&text).unwrap().message {
                ServerMessage::Error { code, .. } => code,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(written(&dialect, "bad_room"), "bad_channel");
        assert_eq!(written(&dialect, "forbidden"), "forbidden");
        let none: Dialect = r#"{"errors":false}"#.parse().unwrap();
        assert_eq!(written(&none, "bad_room"), "");
        let again: Dialect = serde_json::to_string(&dialect).unwrap().parse().unwrap();
        assert_eq!(again, dialect);
    }

    /// A code that there is not is named, with those that there are.
    #[test]
    fn unknown_codes_are_refused() {
        let read = |text: &str| text.parse::<Dialect>().map(|_| ()).unwrap_err().to_string();
        let unknown = read(r#"{"errors":{"bad_chanel":"x"}}"#);
        assert!(unknown.contains("no error code `bad_chanel`") && unknown.contains("bad_room"), "{unknown}");
        assert!(read(r#"{"errors":7}"#).contains("a table of error codes"));
        assert!(read(r#"{"errors":{"forbidden":""}}"#).contains("dialect.errors.forbidden is empty"));
    }

    /// A number is a code where it is declared, by its digits, and nowhere else (MSG-4).
    #[test]
    fn a_number_is_a_code_where_it_is_declared() {
        let code = |dialect: &str, code: &str| {
            let dialect: Dialect = dialect.parse().unwrap();
            let frame = format!(r#"{{"type":"error","payload":{{"code":{code},"message":"no"}}}}"#);
            match dialect.decode_server(&frame).unwrap().message {
                ServerMessage::Error { code, .. } => code,
                other => panic!("{other:?}"),
            }
        };
        let declared = r#"{"errors":{"bad_room":"4004"}}"#;
        assert_eq!((code(declared, "4004"), code(declared, "7")), ("4004".to_owned(), String::new()));
        assert_eq!(code("seed", "7"), "");
    }
}
