//! A frame as a template: a text in which words in braces stand for the parts of a message. What is sent is written by it, and what
//! arrives is read by it.

mod node;
mod parts;

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use node::{Json, Misread, Node};
pub(super) use parts::{Part, Parts, as_text};

/// A JSON text, or a text without any, in which `{type}`, `{payload}` and the like stand for the parts of a message.
///
/// What precedes the JSON stands as it is (`42["{type}","{payload}"]`). A text that is one word in braces stands for the part itself,
/// whatever JSON it is; within a longer text (`"room:{room}"`) a part is a text. `{payload_as_text}` is the payload as a text that is JSON
/// itself. Members
/// are written in the order of the template. What a frame has beside its template is ignored. A
/// member for `{payload}`, `{timestamp}`, `{id}`, `{ref}`, `{subscription}`, `{room}` or `{token}` may be missing where it is read, and is left out where there is
/// nothing to write.
///
/// ```
/// let template: protocol::Template = r#"{"event":"{type}","data":"{payload}"}"#.parse()?;
/// assert_eq!(template.to_string(), r#"{"event":"{type}","data":"{payload}"}"#);
/// # Ok::<(), protocol::TemplateError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(into = "String", try_from = "String")]
#[schemars(with = "String")]
pub struct Template {
    source: String,
    /// What stands before the JSON.
    prefix: String,
    /// Nothing where the whole text is its prefix.
    body: Option<Node>,
}

/// The JSON of one frame, behind a prefix of so many bytes.
#[derive(Debug, Default)]
pub(super) struct ParsedFrame(Option<(usize, Option<Value>)>);

impl ParsedFrame {
    /// The JSON of what is left of the frame; nothing where it is none.
    fn json(&mut self, rest: &str) -> Option<&Value> {
        if self.0.as_ref().is_none_or(|(length, _)| *length != rest.len()) {
            self.0 = Some((rest.len(), serde_json::from_str(rest).ok()));
        }
        self.0.as_ref()?.1.as_ref()
    }
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

impl Template {
    /// Whether a part stands in it.
    pub(super) fn has(&self, part: Part) -> bool {
        self.body.as_ref().is_some_and(|body| body.has(part))
    }

    /// The frame of a message.
    pub(super) fn write(&self, parts: &Parts) -> String {
        let mut frame = self.prefix.clone();
        if let Some(body) = &self.body {
            frame.push_str(&body.write(parts).unwrap_or_else(|| "null".to_owned()));
        }
        frame
    }

    /// The parts of a frame that is of this form.
    pub(super) fn read(&self, frame: &str) -> Option<Parts> {
        self.read_once(frame, &mut ParsedFrame::default())
    }

    /// As [`Self::read`], for several templates in turn: the JSON of a frame is parsed once.
    pub(super) fn read_once(&self, frame: &str, parsed: &mut ParsedFrame) -> Option<Parts> {
        let rest = frame.trim_start().strip_prefix(&self.prefix)?;
        let mut parts = Parts::default();
        let is_like = match &self.body {
            None => rest.trim_end().is_empty(),
            Some(body) => body.read(parsed.json(rest)?, &mut parts),
        };
        is_like.then_some(parts)
    }
}

impl std::str::FromStr for Template {
    type Err = TemplateError;

    fn from_str(source: &str) -> Result<Self, TemplateError> {
        let source = source.trim();
        if source.is_empty() {
            return Err(TemplateError::Empty);
        }
        let template = || source.to_owned();
        let (prefix, json) = source.split_at(source.find(['{', '[']).unwrap_or(source.len()));
        let parsed = |json| {
            let json: Json = serde_json::from_str(json)
                .map_err(|error| TemplateError::Json { template: template(), reason: error.to_string() })?;
            json.parsed().map_err(|misread| match misread {
                Misread::Unknown(word) => TemplateError::Unknown { word, template: template() },
                Misread::Several(text) => TemplateError::Several { text, template: template() },
            })
        };
        let body = (!json.is_empty()).then(|| parsed(json)).transpose()?;
        Ok(Self { source: source.to_owned(), prefix: prefix.to_owned(), body })
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
                r#"{"event":"payment:created","data":{"amount":7},"ref":"9","on":"user:42"}"#,
            ),
            (
                r#"["{id}","{room}","{type}","{payload}"]"#,
                r#"["9","user:42","payment:created",{"amount":7}]"#,
            ),
            (
                r#"42/ws,["{type}",{"to":"rooms/{room}","with":"{payload}","n":"{id}"}]"#,
                r#"42/ws,["payment:created",{"to":"rooms/user:42","with":{"amount":7},"n":"9"}]"#,
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
        // `{"channel":null}` is how many say that a message is of no channel.
        let named = template(r#"{"event":"{type}","room":"{room}","at":"{timestamp}"}"#);
        assert_eq!(named.read(r#"{"event":"ping","room":null}"#), Some(ping.clone()));
        assert_eq!(named.read(r#"{"event":"ping","at":null}"#), None, "a time is one, or is not there");
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
