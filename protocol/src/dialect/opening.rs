//! What a client sends as soon as it is connected, or signed in, before anything else is said.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::template::{Part, Parts, Template};
use super::{Dialect, DialectError, PendingRequests};
use crate::Timestamp;
use crate::message::{ClientMessage, ServerMessage, Target};

/// One frame of it: a subscription, or any other frame; and what the gateway answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Opening {
    /// The room that is subscribed to, in which `{user}` and `{role}` stand for the client's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscribe: Option<String>,
    /// Any other frame, with places for `{user}`, `{role}` and `{ref}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub send: Option<Template>,
    /// What the gateway answers to `send`, with a place for `{ref}`; without it, no answer is awaited. That to a subscription is its
    /// acknowledgement, where there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Template>,
}

/// Whose connection opens.
#[derive(Debug, Clone, Copy)]
pub struct Opener<'a> {
    /// The user's id.
    pub user_id: &'a str,
    /// What the user's role is called in rooms.
    pub role: &'a str,
}

impl Opening {
    /// The frame, which is remembered where it is a subscription.
    pub fn write(
        &self,
        dialect: &Dialect,
        opener: Opener<'_>,
        pending: &mut PendingRequests,
        timestamp: Timestamp,
    ) -> String {
        let Opener { user_id, role } = opener;
        if let Some(room) = &self.subscribe {
            let room = room.replace("{user}", user_id).replace("{role}", role);
            return pending.write(dialect, &ClientMessage::Subscribe(Target::Room(room)), timestamp);
        }
        let reference = pending.draw();
        let parts =
            Parts::default().with(Part::User, user_id).with(Part::Role, role).with(Part::Ref, reference);
        let text = self.send.as_ref().map(|send| send.write(&parts)).unwrap_or_default();
        // A subscription that is written out is one no less.
        if let Ok(decoded) = dialect.decode_client(&text)
            && let Some(reference) = decoded.id
        {
            pending.sent(&reference, &decoded.message);
        }
        text
    }

    /// Whether the gateway answers at all.
    pub fn is_answered(&self, dialect: &Dialect) -> bool {
        self.answer.is_some() || self.subscribe.is_some() && dialect.acks
    }

    /// Whether a gateway's text is the answer.
    pub fn is_answer(&self, dialect: &Dialect, text: &str, pending: &PendingRequests) -> bool {
        match &self.answer {
            Some(answer) => answer.read(text).is_some(),
            None => {
                let read = dialect.decode_answer(text, Some(pending)).map(|decoded| decoded.message);
                matches!(read, Ok(ServerMessage::Subscribed(_)))
            }
        }
    }

    fn check(&self) -> Result<(), DialectError> {
        let wrong = |reason| Err(DialectError::Opening { reason });
        match (&self.subscribe, &self.send) {
            (None, None) => wrong("an entry needs `subscribe`, the name of a room, or `send`, a frame"),
            (Some(_), Some(_)) => {
                wrong("`subscribe` and `send` exclude each other: write an entry for each frame")
            }
            (Some(_), None) if self.answer.is_some() => wrong(
                "`answer` is about `send`; the answer to `subscribe` is `dialect.frames.subscribed`, or none by `acks = false`",
            ),
            (Some(_), None) | (None, Some(_)) => Ok(()),
        }
    }
}

impl Dialect {
    /// What a gateway answers to a frame with which clients open, where it answers that.
    pub fn answer_to_opening(&self, text: &str) -> Option<String> {
        self.opening.iter().find_map(|opening| {
            let parts = opening.send.as_ref()?.read(text)?;
            Some(opening.answer.as_ref()?.write(&parts))
        })
    }

    /// Whether clients ask for this as they open, whoever they are.
    pub fn opens_with(&self, target: &Target) -> bool {
        let mut rooms = self.opening.iter().filter_map(|opening| opening.subscribe.as_deref());
        rooms.any(|room| match room.find('{') {
            Some(at) => target.name().starts_with(&room[..at]),
            None => target.name() == room,
        })
    }

    pub(super) fn check_opening(&self) -> Result<(), DialectError> {
        self.opening.iter().try_for_each(Opening::check)
    }
}
