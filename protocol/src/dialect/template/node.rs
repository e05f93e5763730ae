//! The JSON of a template, its members in the order in which they were written: frames are written in it.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::parts::{Part, Parts};

/// What stands for the payload as a text that is JSON itself.
const ENCODED_PAYLOAD: &str = "payload_as_text";

/// A value of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    /// A part is the whole value.
    Part(Part),
    /// A part within a text.
    Text {
        before: String,
        part: Part,
        after: String,
    },
    /// The payload as a text that is JSON itself.
    EncodedPayload,
    /// No part.
    Scalar(Value),
    Array(Vec<Node>),
    Object(Vec<(String, Node)>),
}

impl Node {
    /// Whether a part stands in it.
    pub(super) fn has(&self, part: Part) -> bool {
        match self {
            Self::Part(found) | Self::Text { part: found, .. } => *found == part,
            Self::EncodedPayload => part == Part::Payload,
            Self::Scalar(_) => false,
            Self::Array(items) => items.iter().any(|item| item.has(part)),
            Self::Object(members) => members.iter().any(|(_, member)| member.has(part)),
        }
    }

    /// Its JSON: nothing where a part has nothing to write.
    pub(super) fn write(&self, parts: &Parts) -> Option<String> {
        Some(match self {
            Self::Part(part) => parts.get(*part)?.to_string(),
            Self::EncodedPayload => Value::String(parts.get(Part::Payload)?.to_string()).to_string(),
            Self::Text { before, part, after } => {
                Value::String(format!("{before}{}{after}", parts.text(*part)?)).to_string()
            }
            Self::Scalar(value) => value.to_string(),
            // In an array every place counts.
            Self::Array(items) => {
                let items = items.iter().map(|item| item.write(parts).unwrap_or_else(|| "null".to_owned()));
                format!("[{}]", items.collect::<Vec<_>>().join(","))
            }
            Self::Object(members) => {
                let members = members.iter().filter_map(|(key, member)| {
                    Some(format!("{}:{}", Value::from(key.as_str()), member.write(parts)?))
                });
                format!("{{{}}}", members.collect::<Vec<_>>().join(","))
            }
        })
    }

    /// Whether a value is as the template has it; the parts in it are read.
    pub(super) fn read(&self, value: &Value, parts: &mut Parts) -> bool {
        match (self, value) {
            (Self::Part(part), value) => part.fits(value) && parts.read(*part, value.clone()),
            (Self::Text { before, part, after }, value) => {
                let inner = value
                    .as_str()
                    .and_then(|value| value.strip_prefix(before.as_str())?.strip_suffix(after.as_str()));
                inner.is_some_and(|inner| parts.read(*part, Value::String(inner.to_owned())))
            }
            (Self::EncodedPayload, value) => {
                let inner = value.as_str().and_then(|text| serde_json::from_str(text).ok());
                inner.is_some_and(|inner| parts.read(Part::Payload, inner))
            }
            (Self::Scalar(wanted), value) => wanted == value,
            (Self::Array(wanted), Value::Array(items)) => {
                wanted.len() == items.len()
                    && wanted.iter().zip(items).all(|(wanted, item)| {
                        wanted.may_be_missing() && item.is_null() || wanted.read(item, parts)
                    })
            }
            (Self::Object(wanted), Value::Object(members)) => {
                wanted.iter().all(|(key, wanted)| match members.get(key) {
                    Some(Value::Null) if wanted.may_be_null() => true,
                    Some(member) => wanted.read(member, parts),
                    None => wanted.may_be_missing(),
                })
            }
            (Self::Array(_) | Self::Object(_), _) => false,
        }
    }

    /// Whether `null` says that it is missing: a name that a message does not have.
    fn may_be_null(&self) -> bool {
        matches!(self, Self::Part(Part::Room | Part::Id | Part::Ref | Part::Subscription))
    }

    fn may_be_missing(&self) -> bool {
        matches!(self, Self::EncodedPayload) || matches!(self, Self::Part(part) if part.may_be_missing())
    }
}

/// Parts in a text that are none, or too many.
pub(super) enum Misread {
    Unknown(String),
    Several(String),
}

/// JSON in the order of its text, before its parts are looked for.
pub(super) enum Json {
    Scalar(Value),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    /// With its parts.
    pub(super) fn parsed(self) -> Result<Node, Misread> {
        Ok(match self {
            Self::Scalar(Value::String(text)) => of_text(text)?,
            Self::Scalar(value) => Node::Scalar(value),
            Self::Array(items) => Node::Array(items.into_iter().map(Self::parsed).collect::<Result<_, _>>()?),
            Self::Object(members) => {
                let parsed = members.into_iter().map(|(key, member)| Ok((key, member.parsed()?)));
                Node::Object(parsed.collect::<Result<_, _>>()?)
            }
        })
    }
}

/// A text has one part at most: two could not be told apart when they are read.
fn of_text(text: String) -> Result<Node, Misread> {
    let Some((before, word, after)) = braced(&text) else { return Ok(Node::Scalar(Value::String(text))) };
    if (before, word, after) == ("", ENCODED_PAYLOAD, "") {
        return Ok(Node::EncodedPayload);
    }
    let Some(part) = Part::named(word) else { return Err(Misread::Unknown(word.to_owned())) };
    if braced(after).is_some() {
        return Err(Misread::Several(text));
    }
    Ok(match (before, after) {
        ("", "") => Node::Part(part),
        (before, after) => Node::Text { before: before.to_owned(), part, after: after.to_owned() },
    })
}

/// The first word in braces, and what stands around it. Other braces are text, such as those of a GraphQL query.
fn braced(text: &str) -> Option<(&str, &str, &str)> {
    text.match_indices('{').find_map(|(at, _)| {
        let (word, after) = text[at + 1..].split_once('}')?;
        let is_word =
            !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        is_word.then_some((&text[..at], word, after))
    })
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(InOrder)
    }
}

struct InOrder;

impl<'de> Visitor<'de> for InOrder {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Scalar(value.into()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Scalar(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Scalar(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Json, E> {
        Ok(Json::Scalar(value.into()))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Scalar(value.into()))
    }

    fn visit_unit<E: Error>(self) -> Result<Json, E> {
        Ok(Json::Scalar(Value::Null))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        std::iter::from_fn(|| items.next_element().transpose()).collect::<Result<_, _>>().map(Json::Array)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Json, A::Error> {
        std::iter::from_fn(|| members.next_entry().transpose()).collect::<Result<_, _>>().map(Json::Object)
    }
}
