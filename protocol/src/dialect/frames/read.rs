//! What a frame of a form of its own says: the first template that fits, and its parts.

use serde_json::Value;

use super::Frames;
use super::form::{CLIENT, Form, SERVER};
use crate::Timestamp;
use crate::dialect::pending::PendingRequests;
use crate::dialect::template::{ParsedFrame, Part, Parts, Template, as_text};
use crate::dialect::{DecodeError, Decoded, Dialect, EVENT, EventStyle};
use crate::message::{ClientMessage, ServerMessage, Target};

impl Frames {
    pub(in crate::dialect) fn read_client(
        &self,
        dialect: &Dialect,
        frame: &str,
        pending: Option<&PendingRequests>,
    ) -> Result<Decoded<ClientMessage>, DecodeError> {
        let (form, parts) = self.read(dialect, &CLIENT, frame, pending)?;
        let target = || match self.target(form, &parts, dialect) {
            Some(name) => name,
            // What it refers to says what it is about.
            None if !self.template(form).has(Part::Payload)
                && self.template(form).has(Part::Subscription) =>
            {
                let reference = parts.text(Part::Subscription);
                let asked = reference.and_then(|reference| pending?.subscription(&reference).cloned());
                asked.ok_or_else(|| DecodeError::NoTarget {
                    kind: kind(dialect, form, &parts),
                    key: "{subscription}".to_owned(),
                    id: parts.text(Part::Id),
                })
            }
            None => dialect.subscribe.target(
                &payload(&parts),
                &kind(dialect, form, &parts),
                &parts.text(Part::Id),
            ),
        };
        let message = match form {
            Form::Ping => ClientMessage::Ping,
            Form::HeartbeatPong => ClientMessage::Pong,
            Form::Subscribe => ClientMessage::Subscribe(target()?),
            Form::Unsubscribe => ClientMessage::Unsubscribe(target()?),
            _ => ClientMessage::Other { kind: kind(dialect, form, &parts), payload: payload(&parts) },
        };
        Ok(Decoded { message, id: parts.text(Part::Ref).or_else(|| parts.text(Part::Id)) })
    }

    pub(in crate::dialect) fn read_server(
        &self,
        dialect: &Dialect,
        frame: &str,
        pending: Option<&PendingRequests>,
    ) -> Result<Decoded<ServerMessage>, DecodeError> {
        let (form, parts) = self.read(dialect, &SERVER, frame, pending)?;
        let asked = parts.text(Part::Ref).and_then(|reference| pending?.get(&reference)?.target());
        let shape = || DecodeError::Payload { kind: kind(dialect, form, &parts) };
        let target = || match self.target(form, &parts, dialect) {
            Some(name) => name,
            None if asked.is_some() && !self.template(form).has(Part::Payload) => {
                Ok(asked.clone().expect("it was looked at"))
            }
            None => dialect.acknowledge.target(
                &payload(&parts),
                &kind(dialect, form, &parts),
                &parts.text(Part::Id),
            ),
        };
        let within = |part: Part, key: &str| {
            let own = self.template(form).has(part);
            if own { parts.get(part).cloned() } else { payload(&parts).get(key).cloned() }
        };
        let text = |part: Part, key: &str| within(part, key)?.as_str().map(str::to_owned);
        let message = match form {
            Form::HeartbeatPing => ServerMessage::Ping,
            Form::Pong => ServerMessage::Pong,
            Form::Error => ServerMessage::Error {
                code: within(Part::Code, "code")
                    .as_ref()
                    .and_then(|code| dialect.errors.read(code))
                    .unwrap_or_default(),
                message: text(Part::Message, "message").unwrap_or_default(),
            },
            Form::Welcome => ServerMessage::Welcome {
                user_id: within(Part::User, "userId").as_ref().and_then(as_text).ok_or_else(shape)?,
                rooms: match within(Part::Rooms, "rooms") {
                    // A welcome of a form of its own need not list rooms.
                    None if self.welcome.is_some() => Vec::new(),
                    rooms => serde_json::from_value(rooms.unwrap_or_default()).map_err(|_| shape())?,
                },
            },
            Form::Subscribed => ServerMessage::Subscribed(target()?),
            Form::Unsubscribed => ServerMessage::Unsubscribed(target()?),
            _ if dialect.events == EventStyle::Enveloped && self.event.is_none() => {
                let payload = payload(&parts);
                let is_event = parts.text(Part::Type).is_some_and(|kind| kind == EVENT);
                match payload.get("eventType").and_then(Value::as_str).filter(|_| is_event) {
                    Some(name) => ServerMessage::Event {
                        name: name.to_owned(),
                        payload: payload.get("data").cloned().unwrap_or_default(),
                    },
                    None if is_event => return Err(shape()),
                    None => ServerMessage::Event { name: kind(dialect, form, &parts), payload },
                }
            }
            _ => ServerMessage::Event { name: kind(dialect, form, &parts), payload: payload(&parts) },
        };
        Ok(Decoded { message, id: parts.text(Part::Ref).or_else(|| parts.text(Part::Id)) })
    }

    /// What is wrong with the form of a gateway's frame, where anything is (MSG-1).
    pub(in crate::dialect) fn problem(
        &self,
        dialect: &Dialect,
        frame: &str,
        pending: Option<&PendingRequests>,
    ) -> Option<String> {
        let silent = self.ignored.iter().find_map(|template| Some((template, template.read(frame)?)));
        let (template, parts) = match self.read(dialect, &SERVER, frame, pending) {
            Ok((form, parts)) => match silent {
                Some((template, own)) if parts.text(Part::Type) == Some(template.to_string()) => {
                    (template, own)
                }
                _ => (self.template(form), parts),
            },
            // What has the form of messages, and a name that no profile has, is a message all the same.
            Err(error @ DecodeError::Undeclared { .. }) => match self.message.read(frame) {
                Some(parts) => (&self.message, parts),
                None => return Some(error.to_string()),
            },
            Err(error) => return Some(error.to_string()),
        };
        let stamp = || Timestamp::parse(&parts.text(Part::Timestamp)?).ok();
        let lacks_stamp = template.has(Part::Timestamp) && stamp().is_none();
        lacks_stamp.then(|| format!("no ISO 8601 timestamp where its template has one: `{template}`"))
    }

    /// What a frame is, and its parts.
    ///
    /// # Errors
    /// When no template reads it, or only that of other messages does although it has the name of one with a form of its own.
    fn read(
        &self,
        dialect: &Dialect,
        forms: &[Form],
        frame: &str,
        pending: Option<&PendingRequests>,
    ) -> Result<(Form, Parts), DecodeError> {
        let unlike = |template: &Template| DecodeError::Unlike { expected: template.to_string() };
        let opened = self.open(dialect, forms, frame, pending);
        let is_plain = opened.as_ref().is_none_or(|(form, _)| *form == Form::Event);
        if pending.is_some()
            && is_plain
            && self.has_references()
            && let Some((form, parts)) = self.open(dialect, forms, frame, None)
            && self.answers_by_reference(form)
        {
            return Err(DecodeError::Unasked { reference: parts.text(Part::Ref).unwrap_or_default() });
        }
        let undeclared = || match forms.contains(&Form::Event) {
            true => DecodeError::Undeclared { expected: self.message.to_string() },
            false => unlike(&self.message),
        };
        let (form, parts) = opened.or_else(|| self.ignored(forms, frame)).ok_or_else(undeclared)?;
        let kind = parts.text(Part::Type).filter(|_| matches!(form, Form::Event | Form::Other));
        let named = forms.iter().find(|form| kind.is_some() && dialect.name(**form) == kind.as_deref());
        if let Some(named) = named {
            let is_request = matches!(named, Form::Subscribe | Form::Unsubscribe);
            // A request whose room is no text is one all the same (ROOM-4).
            return Err(match is_request && self.template(*named).has(Part::Room) {
                true => DecodeError::NoTarget {
                    kind: kind.unwrap_or_default(),
                    key: "{room}".to_owned(),
                    id: parts.text(Part::Id),
                },
                false => unlike(self.template(*named)),
            });
        }
        // A request to leave that refers to nothing names no room; whatever else does is no answer.
        match pending.zip(parts.text(Part::Subscription)) {
            Some((pending, reference))
                if form != Form::Unsubscribe && pending.subscription(&reference).is_none() =>
            {
                Err(DecodeError::Unasked { reference })
            }
            _ => Ok((form, parts)),
        }
    }

    /// A gateway's frame that says nothing, under the name of its template.
    fn ignored(&self, forms: &[Form], frame: &str) -> Option<(Form, Parts)> {
        let template = self.ignored.iter().find(|template| template.read(frame).is_some())?;
        let parts = Parts::default().with(Part::Type, template.to_string());
        forms.contains(&Form::Event).then_some((Form::Event, parts))
    }

    /// The first form whose template and name a frame has, and to whose kind of request it refers.
    pub(super) fn open(
        &self,
        dialect: &Dialect,
        forms: &[Form],
        frame: &str,
        pending: Option<&PendingRequests>,
    ) -> Option<(Form, Parts)> {
        let mut parsed = ParsedFrame::default();
        forms.iter().find_map(|form| {
            let template = self.template(*form);
            let parts = template.read_once(frame, &mut parsed)?;
            let is_named = match (dialect.name(*form), parts.get(Part::Type)) {
                (Some(name), Some(kind)) => kind == name,
                // There is no such message.
                (None, _) => *form != Form::Welcome,
                // The template itself says what it is.
                (Some(_), None) => true,
            };
            let request = || pending?.get(&parts.text(Part::Ref)?);
            let is_answer = match (self.answers_by_reference(*form), pending) {
                (false, _) | (true, None) => true,
                (true, Some(_)) => form.answers(request()),
            };
            (is_named && is_answer).then_some((*form, parts))
        })
    }

    /// What a frame that names its room itself names. Which of the two it is meant to be is not said: it counts as a room.
    fn target(&self, form: Form, parts: &Parts, dialect: &Dialect) -> Option<Result<Target, DecodeError>> {
        self.template(form).has(Part::Room).then(|| {
            // A request names its room by a text (ROOM-4).
            let is_request = matches!(form, Form::Subscribe | Form::Unsubscribe);
            let named = parts.get(Part::Room).filter(|room| !is_request || room.is_string());
            named.and_then(as_text).map(Target::Room).ok_or_else(|| DecodeError::NoTarget {
                kind: kind(dialect, form, parts),
                key: "{room}".to_owned(),
                id: parts.text(Part::Id),
            })
        })
    }
}

fn payload(parts: &Parts) -> Value {
    parts.get(Part::Payload).cloned().unwrap_or_default()
}

fn kind(dialect: &Dialect, form: Form, parts: &Parts) -> String {
    let named = parts.text(Part::Type).or_else(|| dialect.name(form).map(str::to_owned));
    named.unwrap_or_default()
}
