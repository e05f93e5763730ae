//! The parts of a message.

use std::collections::BTreeMap;

use serde_json::Value;

/// A part of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::dialect) enum Part {
    Type,
    Payload,
    Room,
    Id,
    Ref,
    Timestamp,
    User,
    Rooms,
    Code,
    Message,
    Token,
    Role,
    /// The reference of the subscription that a message belongs to.
    Subscription,
}

/// The parts of one message, each as the JSON that stands for it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::dialect) struct Parts(BTreeMap<Part, Value>);

impl Part {
    const ALL: [(Self, &'static str); 13] = [
        (Self::Type, "type"),
        (Self::Payload, "payload"),
        (Self::Room, "room"),
        (Self::Id, "id"),
        (Self::Ref, "ref"),
        (Self::Timestamp, "timestamp"),
        (Self::User, "user"),
        (Self::Rooms, "rooms"),
        (Self::Code, "code"),
        (Self::Message, "message"),
        (Self::Token, "token"),
        (Self::Role, "role"),
        (Self::Subscription, "subscription"),
    ];

    pub(super) fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, name)| *name == word).map(|(part, _)| part)
    }

    pub(super) fn listed() -> String {
        Self::ALL.map(|(_, name)| format!("`{{{name}}}`")).join(", ") + ", `{payload_as_text}`"
    }

    /// Any of these parts, for people.
    pub(in crate::dialect) fn either(parts: &[Self]) -> String {
        let names = Self::ALL.iter().filter(|(part, _)| parts.contains(part));
        names.map(|(_, name)| format!("`{{{name}}}`")).collect::<Vec<_>>().join(" or ")
    }

    /// Whether a frame without it is still one of the template.
    pub(super) fn may_be_missing(self) -> bool {
        matches!(
            self,
            Self::Payload
                | Self::Timestamp
                | Self::Id
                | Self::Ref
                | Self::Room
                | Self::Token
                | Self::Subscription
        )
    }

    /// Whether a value can be this part.
    pub(super) fn fits(self, value: &Value) -> bool {
        match self {
            Self::Payload => true,
            Self::Rooms => value.is_array(),
            Self::Type | Self::Message | Self::Timestamp | Self::Token | Self::Role => value.is_string(),
            Self::Room | Self::Id | Self::Ref | Self::User | Self::Code | Self::Subscription => {
                value.is_string() || value.is_number()
            }
        }
    }
}

impl Parts {
    /// With one more.
    pub(in crate::dialect) fn with(mut self, part: Part, value: impl Into<Value>) -> Self {
        self.0.insert(part, value.into());
        self
    }

    pub(in crate::dialect) fn get(&self, part: Part) -> Option<&Value> {
        self.0.get(&part)
    }

    /// A part that is a text; a number counts as its digits.
    pub(in crate::dialect) fn text(&self, part: Part) -> Option<String> {
        as_text(self.0.get(&part)?)
    }

    /// Takes what was read; what stands in two places must be the same in both.
    pub(super) fn read(&mut self, part: Part, value: Value) -> bool {
        match self.0.get(&part) {
            Some(before) => *before == value,
            None => {
                self.0.insert(part, value);
                true
            }
        }
    }
}

/// A text; a number counts as its digits.
pub(in crate::dialect) fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
