//! Frames, and messages by the names that they have in every dialect.

use std::fmt;

use protocol::{ClientMessage, ServerMessage};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{acknowledges, contains};
use crate::trace::{Frame, FrameKind, Message};

/// A frame, or a message by its name free of dialect.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MessagePattern {
    /// The message's name: `ping` (the gateway's heartbeat, be it a frame or a message), `pong`, `subscribed`, `welcome`,
    /// `error`, or an event's type.
    #[serde(rename = "type")]
    pub(super) name: Option<String>,
    /// Any of these names.
    #[serde(default)]
    pub(super) any: Vec<String>,
    /// Any event, whatever its type.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) event: bool,
    /// A frame of this kind, whatever it says.
    pub(super) frame: Option<FrameKind>,
    /// The frame's text, or its bytes in hexadecimal.
    pub(super) body: Option<String>,
    /// The room or event type that a subscription names.
    pub(super) target: Option<String>,
    /// A room that a welcome names.
    pub(super) room: Option<String>,
    /// The code of an error.
    pub(super) code: Option<String>,
    /// The whole payload of an event.
    pub(super) data: Option<Value>,
    /// A part of the payload of an event.
    pub(super) with: Option<Value>,
    /// A key that the payload of an event must not have. Set where a scenario is bound; files do not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) lacking: Option<String>,
    /// Rooms that an acknowledgement must not be about. Set where a scenario is bound.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) other_targets: Vec<String>,
}

impl MessagePattern {
    /// Whether it asks for what the dialect spells, rather than for an event or a frame.
    pub(super) fn is_of_dialect(&self) -> bool {
        let mut names = self.name.iter().chain(&self.any);
        names.any(|name| acknowledges(name) || ["welcome", "error", "pong"].contains(&name.as_str()))
    }

    /// Whether it asks for what a gateway says only to a client that has sent something.
    pub(super) fn is_answer(&self) -> bool {
        let mut names = self.name.iter().chain(&self.any).peekable();
        names.peek().is_some()
            && names.all(|name| acknowledges(name) || ["error", "pong"].contains(&name.as_str()))
    }

    pub(super) fn matches(&self, frame: &Frame) -> bool {
        let named = |message: &Message| {
            self.name.as_ref().is_none_or(|name| message.is_called(name))
                && (self.any.is_empty() || self.any.iter().any(|name| message.is_called(name)))
        };
        let needs_message = self.name.is_some() || !self.any.is_empty();
        self.frame.is_none_or(|kind| kind == frame.kind)
            && (!self.event || matches!(frame.message, Some(Message::Server(ServerMessage::Event { .. }))))
            && self.body.as_ref().is_none_or(|body| *body == frame.body)
            && (!needs_message || frame.message.as_ref().is_some_and(named))
            && self.target.as_ref().is_none_or(|wanted| target(frame.message.as_ref()) == Some(wanted))
            && self.room.as_ref().is_none_or(|wanted| is_in_room(frame.message.as_ref(), wanted))
            && self.code.as_ref().is_none_or(|wanted| code(frame.message.as_ref()) == Some(wanted))
            && self.data.as_ref().is_none_or(|wanted| payload(frame.message.as_ref()) == Some(wanted))
            && self.with.as_ref().is_none_or(|wanted| {
                payload(frame.message.as_ref()).is_some_and(|found| contains(found, wanted))
            })
            && self.lacking.as_ref().is_none_or(|key| {
                payload(frame.message.as_ref()).is_none_or(|found| found.get(key).is_none())
            })
            && target(frame.message.as_ref())
                .is_none_or(|room| !self.other_targets.iter().any(|other| other == room))
    }
}

fn target(message: Option<&Message>) -> Option<&str> {
    match message? {
        Message::Client(ClientMessage::Subscribe(target) | ClientMessage::Unsubscribe(target))
        | Message::Server(ServerMessage::Subscribed(target) | ServerMessage::Unsubscribed(target)) => {
            Some(target.name())
        }
        _ => None,
    }
}

fn is_in_room(message: Option<&Message>, wanted: &str) -> bool {
    matches!(message, Some(Message::Server(ServerMessage::Welcome { rooms, .. })) if rooms.iter().any(|room| room == wanted))
}

fn code(message: Option<&Message>) -> Option<&str> {
    match message? {
        Message::Server(ServerMessage::Error { code, .. }) => Some(code),
        _ => None,
    }
}

/// The payload of an event or an application's message.
pub(crate) fn payload(message: Option<&Message>) -> Option<&Value> {
    match message? {
        Message::Server(ServerMessage::Event { payload, .. })
        | Message::Client(ClientMessage::Other { payload, .. }) => Some(payload),
        _ => None,
    }
}

impl fmt::Display for MessagePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.name, self.frame) {
            (Some(name), _) => f.write_str(name)?,
            (None, _) if !self.any.is_empty() => f.write_str(&self.any.join(" or "))?,
            (None, Some(kind)) => write!(f, "a {} frame", format!("{kind:?}").to_lowercase())?,
            (None, None) if self.event => f.write_str("an event")?,
            (None, None) => f.write_str("anything")?,
        }
        self.target
            .iter()
            .chain(&self.room)
            .chain(&self.code)
            .chain(&self.body)
            .try_for_each(|detail| write!(f, " {detail}"))?;
        self.data.iter().chain(&self.with).try_for_each(|data| write!(f, " {data}"))
    }
}
