//! Dialects that are known by name: spellings that many implementations share, or that between them use every setting.

use std::fmt;
use std::str::FromStr;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    CloseCode, Dialect, DialectError, EventStyle, Frames, Heartbeat, Refusal, RequestNames, SignIn,
    SubscriptionKeys, Template, TokenPlace, Welcome,
};

impl Dialect {
    /// The names of the built-in dialects.
    pub const BUILTIN: [&'static str; 8] =
        ["seed", "enveloped", "channels", "bearer", "subprotocol", "event-data", "path", "first-message"];

    /// The built-in dialect of this name.
    ///
    /// # Errors
    /// When there is none.
    pub fn builtin(name: &str) -> Result<Self, DialectError> {
        let seed = Self::default();
        Ok(match name {
            "seed" => seed,
            // Events in one wrapper, as many event buses have them.
            "enveloped" => Self { events: EventStyle::Enveloped, ..seed },
            // Channels instead of rooms and event types, and words of one's own.
            "channels" => Self {
                requests: RequestNames {
                    subscribe: "join".to_owned(),
                    unsubscribe: "leave".to_owned(),
                    subscribed: "joined".to_owned(),
                    unsubscribed: "left".to_owned(),
                },
                subscribe: SubscriptionKeys::single("channel"),
                acknowledge: SubscriptionKeys::single("channel"),
                welcome: Welcome::Named("hello".to_owned()),
                ping: "heartbeat".to_owned(),
                pong: "heartbeat_ack".to_owned(),
                error: "problem".to_owned(),
                ..seed
            },
            // The token in a header; a gateway that says little.
            "bearer" => Self {
                token: TokenPlace::Bearer,
                refusal: Refusal::Close(CloseCode::UNAUTHORIZED),
                welcome: Welcome::Sent(false),
                acks: false,
                ..seed
            },
            // What a browser can do: it sets no header, and sees no status.
            "subprotocol" => Self {
                token: TokenPlace::Subprotocol,
                refusal: Refusal::Close(CloseCode::POLICY),
                heartbeat: Heartbeat::Message,
                user_key: "user_id".to_owned(),
                ..seed
            },
            // Frames as NestJS and many others have them, with rooms beside the data, and nothing but what is needed.
            "event-data" => Self {
                token: TokenPlace::SubprotocolAfter("bearer".to_owned()),
                frames: Some(Box::new(Frames {
                    message: form(r#"{"event":"{type}","data":"{payload}","id":"{id}"}"#),
                    subscribe: Some(form(r#"{"event":"{type}","room":"{room}","id":"{id}"}"#)),
                    unsubscribe: Some(form(r#"{"event":"{type}","room":"{room}","id":"{id}"}"#)),
                    error: Some(form(
                        r#"{"event":"exception","data":{"status":"{code}","message":"{message}"},"id":"{id}"}"#,
                    )),
                    ..Frames::default()
                })),
                ..seed
            },
            // The token in the path, as chat servers have it.
            "path" => Self { token: TokenPlace::Path, ..seed },
            // The token in the first message, as GraphQL servers have it: a browser can do that, too.
            "first-message" => Self {
                token: TokenPlace::Message,
                sign_in: Some(Box::new(SignIn {
                    message: form(r#"{"type":"connection_init","payload":{"token":"{token}"}}"#),
                    answer: Some(form(r#"{"type":"connection_ack"}"#)),
                })),
                refusal: Refusal::Close(CloseCode::UNAUTHORIZED),
                ..seed
            },
            _ => return Err(DialectError::Unknown { name: name.to_owned() }),
        })
    }
}

fn form(template: &str) -> Template {
    template.parse().expect("a built-in form is a template")
}

impl FromStr for Dialect {
    type Err = DialectError;

    /// Reads the name of a built-in dialect, or a JSON object with what differs from the default.
    fn from_str(text: &str) -> Result<Self, DialectError> {
        let dialect = if text.trim_start().starts_with('{') {
            serde_json::from_str(text).map_err(|error| DialectError::Json { reason: error.to_string() })?
        } else {
            Self::builtin(text)?
        };
        dialect.check()?;
        Ok(dialect)
    }
}

impl Serialize for Dialect {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for Dialect {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NameOrTable)
    }
}

/// A name, or a table of what differs from the default.
struct NameOrTable;

impl<'de> Visitor<'de> for NameOrTable {
    type Value = Dialect;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a dialect, or a table of what differs from the default")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Dialect, E> {
        Dialect::builtin(name).map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Dialect, A::Error> {
        Dialect::deserialize(MapAccessDeserializer::new(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every built-in dialect is another one, can be spoken, and survives being written.
    #[test]
    fn builtin_dialects_are_sound() {
        for (number, name) in Dialect::BUILTIN.into_iter().enumerate() {
            let dialect: Dialect = name.parse().unwrap();
            let others = &Dialect::BUILTIN[..number];
            assert!(others.iter().all(|other| Dialect::builtin(other).unwrap() != dialect), "{name}");
            assert_eq!(serde_json::to_string(&dialect).unwrap().parse(), Ok(dialect));
        }
    }

    /// A dialect is written as a name or as a table; what is neither says what there is.
    #[test]
    fn names_and_tables_are_read() {
        let read = |text: &str| serde_json::from_str::<Dialect>(text).map_err(|error| error.to_string());
        assert_eq!(read("\"bearer\""), Ok(Dialect::builtin("bearer").unwrap()));
        assert_eq!(read("{\"acks\":false}"), Ok(Dialect { acks: false, ..Dialect::default() }));
        let unknown = read("\"klingon\"").unwrap_err();
        assert!(
            unknown
                .contains("seed, enveloped, channels, bearer, subprotocol, event-data, path, first-message"),
            "{unknown}"
        );
        assert!(read("{\"events\":\"wrapped\"}").unwrap_err().contains("unknown variant `wrapped`"));
        assert!(read("7").unwrap_err().contains("the name of a dialect, or a table"));
        assert!(matches!("{\"pong\":\"ping\"}".parse::<Dialect>(), Err(DialectError::Ambiguous { .. })));
    }
}
