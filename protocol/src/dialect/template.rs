//! A frame as a template: a text in which words in braces stand for the parts of a message. What is sent is written by it, and what
//! arrives is read by it.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A JSON text, or a text without any, in which `{type}`, `{payload}` and the like stand for the parts of a message.
///
/// What precedes the JSON stands as it is (`42["{type}","{payload}"]`). A text that is one word in braces stands for the part itself,
/// whatever JSON it is; within a longer text (`"room:{room}"`) a part is a text. What a frame has beside its template is ignored. A
/// member for `{payload}`, `{timestamp}`, `{id}` or `{room}` may be missing where it is read, and is left out where there is
/// nothing to write.
///
/// ```
/// let template: protocol::Template = r#"{"event":"{type}","data":"{payload}"}"#.parse()?;
/// assert_eq!(template.to_string(), r#"{"event":"{type}","data":"{payload}"}"#);
/// # Ok::<(), protocol::TemplateError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Template {
    source: String,
    /// What stands before the JSON.
    prefix: String,
    /// Nothing where the whole text is its prefix.
    body: Option<Value>,
}

/// Why a text is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// It is empty.
    #[error("a template is empty")]
    Empty,
    /// What begins as JSON is none.
    #[error("the template `{template}` is no JSON: {reason}")]
    Json {
        /// The template.
        template: String,
        /// What is wrong.
        reason: String,
    },
    /// A word in braces stands for nothing.
    #[error("`{{{word}}}` stands for nothing in the template `{template}`; there are {}", Part::listed())]
    Unknown {
        /// The word.
        word: String,
        /// The template.
        template: String,
    },
    /// Two parts in one text cannot be told apart when they are read.
    #[error("the text `{text}` in the template `{template}` has more than one part")]
    Several {
        /// The text.
        text: String,
        /// The template.
        template: String,
    },
}

/// A part of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    Type,
    Payload,
    Room,
    Id,
    Timestamp,
    User,
    Rooms,
    Code,
    Message,
}

/// The parts of one message, each as the JSON that stands for it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Parts(BTreeMap<Part, Value>);

impl Part {
    const ALL: [(Self, &'static str); 9] = [
        (Self::Type, "type"),
        (Self::Payload, "payload"),
        (Self::Room, "room"),
        (Self::Id, "id"),
        (Self::Timestamp, "timestamp"),
        (Self::User, "user"),
        (Self::Rooms, "rooms"),
        (Self::Code, "code"),
        (Self::Message, "message"),
    ];

    fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, name)| *name == word).map(|(part, _)| part)
    }

    fn listed() -> String {
        Self::ALL.map(|(_, name)| format!("`{{{name}}}`")).join(", ")
    }

    /// Any of these parts, for people.
    pub(super) fn either(parts: &[Self]) -> String {
        let names = Self::ALL.iter().filter(|(part, _)| parts.contains(part));
        names.map(|(_, name)| format!("`{{{name}}}`")).collect::<Vec<_>>().join(" or ")
    }

    /// Whether a frame without it is still one of the template.
    fn may_be_missing(self) -> bool {
        matches!(self, Self::Payload | Self::Timestamp | Self::Id | Self::Room)
    }
}

impl Parts {
    /// With one more.
    pub(super) fn with(mut self, part: Part, value: impl Into<Value>) -> Self {
        self.0.insert(part, value.into());
        self
    }

    pub(super) fn get(&self, part: Part) -> Option<&Value> {
        self.0.get(&part)
    }

    /// A part that is a text; a number counts as its digits.
    pub(super) fn text(&self, part: Part) -> Option<String> {
        as_text(self.0.get(&part)?)
    }

    /// Takes what was read; what stands in two places must be the same in both.
    fn read(&mut self, part: Part, value: Value) -> bool {
        match self.0.get(&part) {
            Some(before) => *before == value,
            None => {
                self.0.insert(part, value);
                true
            }
        }
    }
}

impl Template {
    /// Whether a part stands in it.
    pub(super) fn has(&self, part: Part) -> bool {
        fn search(value: &Value, part: Part) -> bool {
            match value {
                Value::String(text) => split(text).is_some_and(|(_, found, _)| found == part),
                Value::Array(items) => items.iter().any(|item| search(item, part)),
                Value::Object(members) => members.values().any(|member| search(member, part)),
                Value::Null | Value::Bool(_) | Value::Number(_) => false,
            }
        }
        self.body.as_ref().is_some_and(|body| search(body, part))
    }

    /// The frame of a message.
    pub(super) fn write(&self, parts: &Parts) -> String {
        let mut frame = self.prefix.clone();
        if let Some(body) = &self.body {
            let filled = fill(body, parts).unwrap_or_default();
            frame.push_str(&filled.to_string());
        }
        frame
    }

    /// The parts of a frame that is of this form.
    pub(super) fn read(&self, frame: &str) -> Option<Parts> {
        let rest = frame.trim_start().strip_prefix(&self.prefix)?;
        let mut parts = Parts::default();
        let is_like = match &self.body {
            None => rest.trim_end().is_empty(),
            Some(body) => matches(body, &serde_json::from_str(rest).ok()?, &mut parts),
        };
        is_like.then_some(parts)
    }
}

/// What is written for a value of a template: nothing where a part has nothing to write.
fn fill(value: &Value, parts: &Parts) -> Option<Value> {
    Some(match value {
        Value::String(text) => match split(text) {
            Some(("", part, "")) => parts.get(part)?.clone(),
            Some((before, part, after)) => Value::String(format!("{before}{}{after}", parts.text(part)?)),
            None => value.clone(),
        },
        // In an array every place counts.
        Value::Array(items) => items.iter().map(|item| fill(item, parts).unwrap_or_default()).collect(),
        Value::Object(members) => {
            members.iter().filter_map(|(key, member)| Some((key.clone(), fill(member, parts)?))).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    })
}

/// Whether a value is as the template has it; the parts in it are read.
fn matches(template: &Value, value: &Value, parts: &mut Parts) -> bool {
    match (template, value) {
        (Value::String(text), value) => match split(text) {
            Some(("", part, "")) => is_fit(part, value) && parts.read(part, value.clone()),
            Some((before, part, after)) => {
                let inner = value.as_str().and_then(|value| value.strip_prefix(before)?.strip_suffix(after));
                inner.is_some_and(|inner| parts.read(part, Value::String(inner.to_owned())))
            }
            None => value.as_str() == Some(text),
        },
        (Value::Array(wanted), Value::Array(items)) => {
            wanted.len() == items.len()
                && wanted.iter().zip(items).all(|(wanted, item)| match split_value(wanted) {
                    Some(part) if part.may_be_missing() && item.is_null() => true,
                    _ => matches(wanted, item, parts),
                })
        }
        (Value::Object(wanted), Value::Object(members)) => {
            wanted.iter().all(|(key, wanted)| match members.get(key) {
                Some(member) => matches(wanted, member, parts),
                None => split_value(wanted).is_some_and(Part::may_be_missing),
            })
        }
        (Value::Null | Value::Bool(_) | Value::Number(_), value) => template == value,
        (Value::Array(_) | Value::Object(_), _) => false,
    }
}

/// Whether a value can be this part.
fn is_fit(part: Part, value: &Value) -> bool {
    match part {
        Part::Payload => true,
        Part::Rooms => value.is_array(),
        Part::Type | Part::Message | Part::Timestamp => value.is_string(),
        Part::Room | Part::Id | Part::User | Part::Code => value.is_string() || value.is_number(),
    }
}

/// The part that a value of a template stands for.
fn split_value(value: &Value) -> Option<Part> {
    match split(value.as_str()?)? {
        ("", part, "") => Some(part),
        _ => None,
    }
}

/// The first part in a text, and what stands around it.
fn split(text: &str) -> Option<(&str, Part, &str)> {
    let (before, word, after) = braced(text)?;
    Some((before, Part::named(word)?, after))
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

fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

impl std::str::FromStr for Template {
    type Err = TemplateError;

    fn from_str(source: &str) -> Result<Self, TemplateError> {
        let source = source.trim();
        if source.is_empty() {
            return Err(TemplateError::Empty);
        }
        let (prefix, json) = source.split_at(source.find(['{', '[']).unwrap_or(source.len()));
        let body = match json {
            "" => None,
            json => Some(serde_json::from_str(json).map_err(|error| TemplateError::Json {
                template: source.to_owned(),
                reason: error.to_string(),
            })?),
        };
        if let Some(body) = &body {
            check(body, source)?;
        }
        Ok(Self { source: source.to_owned(), prefix: prefix.to_owned(), body })
    }
}

/// Every word in braces is a part, and a text has one at most.
fn check(value: &Value, source: &str) -> Result<(), TemplateError> {
    match value {
        Value::String(text) => {
            let Some((_, word, after)) = braced(text) else { return Ok(()) };
            if Part::named(word).is_none() {
                return Err(TemplateError::Unknown { word: word.to_owned(), template: source.to_owned() });
            }
            match braced(after).is_some() {
                true => Err(TemplateError::Several { text: text.clone(), template: source.to_owned() }),
                false => Ok(()),
            }
        }
        Value::Array(items) => items.iter().try_for_each(|item| check(item, source)),
        Value::Object(members) => members.values().try_for_each(|member| check(member, source)),
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}

impl TryFrom<String> for Template {
    type Error = TemplateError;

    fn try_from(text: String) -> Result<Self, TemplateError> {
        text.parse()
    }
}

impl From<Template> for String {
    fn from(template: Template) -> Self {
        template.source
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn template(text: &str) -> Template {
        text.parse().unwrap()
    }

    /// What a template writes it reads, whatever stands before the JSON and wherever the parts stand.
    #[test]
    fn frames_round_trip() {
        let parts = Parts::default()
            .with(Part::Type, "payment:created")
            .with(Part::Payload, json!({ "amount": 7 }))
            .with(Part::Room, "user:42")
            .with(Part::Id, "9");
        for (text, frame) in [
            (
                r#"{"event":"{type}","data":"{payload}","ref":"{id}","on":"{room}"}"#,
                r#"{"data":{"amount":7},"event":"payment:created","on":"user:42","ref":"9"}"#,
            ),
            (
                r#"["{id}","{room}","{type}","{payload}"]"#,
                r#"["9","user:42","payment:created",{"amount":7}]"#,
            ),
            (
                r#"42/ws,["{type}",{"to":"rooms/{room}","with":"{payload}","n":"{id}"}]"#,
                r#"42/ws,["payment:created",{"n":"9","to":"rooms/user:42","with":{"amount":7}}]"#,
            ),
        ] {
            let template = template(text);
            assert_eq!(template.write(&parts), frame);
            assert_eq!(template.read(frame), Some(parts.clone()), "{text}");
        }
        let beat = template("2");
        assert_eq!(
            (beat.write(&parts).as_str(), beat.read(" 2 "), beat.read("2x")),
            ("2", Some(Parts::default()), None)
        );
    }

    /// Optional members are omitted when there is nothing to write, and may be absent when reading; array elements are null instead.
    #[test]
    fn what_may_be_missing_may_be_missing() {
        let ping = Parts::default().with(Part::Type, "ping");
        let object = template(r#"{"event":"{type}","data":"{payload}","id":"{id}"}"#);
        assert_eq!(object.write(&ping), r#"{"event":"ping"}"#);
        assert_eq!(object.read(r#"{"event":"ping","more":1}"#), Some(ping.clone()));
        assert_eq!(object.read(r#"{"data":1}"#), None, "a type there must be");
        let array = template(r#"["{id}","{type}","{payload}"]"#);
        assert_eq!(array.write(&ping), r#"[null,"ping",null]"#);
        assert_eq!(array.read(r#"[null,"ping",null]"#).unwrap().text(Part::Type), Some("ping".to_owned()));
        assert_eq!(array.read(r#"[null,"ping"]"#), None);
    }

    /// A frame of another form is not read, and a part that stands twice is one.
    #[test]
    fn other_forms_are_not_read() {
        let reply = template(r#"{"event":"reply","data":{"ok":true,"to":"{room}","again":"{room}"}}"#);
        let read = |text: &str| reply.read(text).is_some();
        assert!(read(r#"{"event":"reply","data":{"ok":true,"to":"a","again":"a"}}"#));
        for other in [
            r#"{"event":"reply","data":{"ok":true,"to":"a","again":"b"}}"#,
            r#"{"event":"reply","data":{"ok":false,"to":"a","again":"a"}}"#,
            r#"{"event":"reply","data":[]}"#,
            r#"{"event":"other","data":{"ok":true}}"#,
            "reply",
            "",
        ] {
            assert!(!read(other), "{other}");
        }
        let users = template(r#"{"hello":"{user}"}"#);
        assert_eq!(users.read(r#"{"hello":7}"#).unwrap().text(Part::User), Some("7".to_owned()));
        assert!(users.read(r#"{"hello":[7]}"#).is_none());
    }

    /// Braces that hold more than a word are text: a GraphQL query has them.
    #[test]
    fn other_braces_are_text() {
        let query = "subscription ($r: String!) { room(name: $r) { type data } }";
        let text = format!(r#"{{"query":"{query}","variables":{{"r":"{{room}}"}}}}"#);
        let parts = Parts::default().with(Part::Room, "user:42");
        let frame = template(&text).write(&parts);
        assert_eq!(frame, format!(r#"{{"query":"{query}","variables":{{"r":"user:42"}}}}"#));
        assert_eq!(template(&text).read(&frame), Some(parts));
        let inline = template(r#"["{ room(name: '{room}') { data } }"]"#);
        assert_eq!(
            inline.write(&Parts::default().with(Part::Room, "a")),
            r#"["{ room(name: 'a') { data } }"]"#
        );
    }

    /// What is no template says why.
    #[test]
    fn wrong_templates_are_refused() {
        let why = |text: &str| text.parse::<Template>().unwrap_err().to_string();
        assert!(why(" ").contains("empty"));
        assert!(why(r#"{"type":"#).contains("is no JSON"));
        assert!(why(r#"{"type":"{kind}"}"#).contains("`{kind}` stands for nothing"));
        assert!(why(r#"{"type":"{room}:{id}"}"#).contains("more than one part"));
    }

    proptest! {
        /// Arbitrary text never panics a template, nor its reader.
        #[test]
        fn arbitrary_text_never_panics(text in "[\\[\\]{}\":,a-z0-9]{0,40}", frame in any::<String>()) {
            if let Ok(template) = text.parse::<Template>() {
                let _ = template.read(&frame);
                let written = template.write(&Parts::default());
                let _ = template.read(&written);
            }
        }
    }
}
