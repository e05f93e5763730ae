//! Frames of a form of their own, where a gateway does not use the seed's envelope.
//!
//! ```text
//!  names and payloads of the dialect ──► Parts ◄──[ Template ]──► text frame
//! ```

mod check;
mod form;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::pending::PendingRequests;
use super::template::{ParsedFrame, Part, Parts, Template, as_text};
use super::{DecodeError, Decoded, Dialect, EVENT, EventStyle};
use crate::Timestamp;
use crate::envelope::Envelope;
use crate::message::{ClientMessage, ServerMessage, Target};
use form::{CLIENT, Form, SERVER};

/// The form of each frame. A message that has no template of its own has that of `message`, with its name as the type and its
/// payload as the dialect has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    default,
    expecting = "a table of templates, such as `message`, `event` and `error`"
)]
pub struct Frames {
    /// Whatever has none of its own.
    pub message: Template,
    /// An event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<Template>,
    /// The first message of a connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub welcome: Option<Template>,
    /// A refused request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Template>,
    /// A request to join.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscribe: Option<Template>,
    /// A request to leave.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unsubscribe: Option<Template>,
    /// What grants the one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscribed: Option<Template>,
    /// What grants the other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unsubscribed: Option<Template>,
    /// A ping message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ping: Option<Template>,
    /// Its answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pong: Option<Template>,
    /// What else a gateway may send that is part of its protocol and says nothing here. It counts as an event of no one's.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ignored: Vec<Template>,
}

/// What a message is known by.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Ids<'a> {
    /// Its own name, or that of the request that it answers.
    pub(super) id: Option<&'a str>,
    /// The same, where the connection counts.
    pub(super) reference: Option<&'a str>,
    /// The reference of the subscription that it belongs to.
    pub(super) subscription: Option<&'a str>,
}

impl Default for Frames {
    fn default() -> Self {
        let envelope = r#"{"type":"{type}","payload":"{payload}","timestamp":"{timestamp}","id":"{id}"}"#;
        Self {
            message: envelope.parse().expect("the seed's envelope is a template"),
            event: None,
            welcome: None,
            error: None,
            subscribe: None,
            unsubscribe: None,
            subscribed: None,
            unsubscribed: None,
            ping: None,
            pong: None,
            ignored: Vec::new(),
        }
    }
}

impl Frames {
    /// The template that a form has of its own.
    fn own(&self, form: Form) -> Option<&Template> {
        match form {
            Form::Ping => self.ping.as_ref(),
            Form::Pong => self.pong.as_ref(),
            Form::Subscribe => self.subscribe.as_ref(),
            Form::Unsubscribe => self.unsubscribe.as_ref(),
            Form::Subscribed => self.subscribed.as_ref(),
            Form::Unsubscribed => self.unsubscribed.as_ref(),
            Form::Welcome => self.welcome.as_ref(),
            Form::Error => self.error.as_ref(),
            Form::Event => self.event.as_ref(),
            Form::Other => None,
        }
    }

    fn template(&self, form: Form) -> &Template {
        self.own(form).unwrap_or(&self.message)
    }

    /// The key of the template that a form has.
    fn key(&self, form: Form) -> &'static str {
        if self.own(form).is_some() { form.name() } else { Form::Other.name() }
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

    /// Whether any message is known by an earlier request that it refers to.
    pub(super) fn has_references(&self) -> bool {
        let refers = |form| self.template(form).has(Part::Subscription);
        SERVER.into_iter().any(|form| self.answers_by_reference(form) || refers(form))
            || CLIENT.into_iter().any(refers)
    }

    /// Whether an event says to which subscription it belongs.
    pub(super) fn names_subscriptions(&self) -> bool {
        self.template(Form::Event).has(Part::Subscription)
    }

    /// Whether frames of this form are known by the request that they refer to.
    fn answers_by_reference(&self, form: Form) -> bool {
        matches!(form, Form::Pong | Form::Subscribed | Form::Unsubscribed)
            && self.template(form).has(Part::Ref)
    }

    /// The first form whose template and name a frame has, and to whose kind of request it refers.
    fn open(
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

    pub(super) fn write_client(
        &self,
        dialect: &Dialect,
        message: &ClientMessage,
        timestamp: Option<Timestamp>,
        ids: Ids<'_>,
    ) -> String {
        let (form, payload, parts) = match message {
            ClientMessage::Ping => (Form::Ping, Value::Null, Parts::default()),
            ClientMessage::Pong => (Form::Pong, Value::Null, Parts::default()),
            ClientMessage::Subscribe(target) => {
                (Form::Subscribe, dialect.subscribe.payload(target), of_room(target))
            }
            ClientMessage::Unsubscribe(target) => {
                (Form::Unsubscribe, dialect.subscribe.payload(target), of_room(target))
            }
            // A request that names no room is one all the same, with whatever it has in place of the name.
            ClientMessage::Other { kind, payload } => {
                let requests = [Form::Subscribe, Form::Unsubscribe];
                let form = requests.into_iter().find(|form| dialect.name(*form) == Some(kind));
                let form = form.unwrap_or(Form::Other);
                let parts = Parts::default().with(Part::Type, kind.as_str());
                let parts = match misnamed(dialect, form, payload) {
                    Some(room) => parts.with(Part::Room, room.clone()),
                    None => parts,
                };
                (form, payload.clone(), parts)
            }
        };
        self.write(dialect, form, payload, parts, timestamp, ids)
    }

    pub(super) fn write_server(
        &self,
        dialect: &Dialect,
        message: &ServerMessage,
        timestamp: Timestamp,
        id: Option<&str>,
    ) -> String {
        let (form, payload, parts) = match message {
            ServerMessage::Ping => (Form::Ping, Value::Null, Parts::default()),
            ServerMessage::Pong => (Form::Pong, Value::Null, Parts::default()),
            ServerMessage::Welcome { user_id, rooms } => (
                Form::Welcome,
                json!({ "userId": user_id, "rooms": rooms }),
                Parts::default().with(Part::User, user_id.as_str()).with(Part::Rooms, rooms.clone()),
            ),
            ServerMessage::Subscribed(target) => {
                (Form::Subscribed, dialect.acknowledge.payload(target), of_room(target))
            }
            ServerMessage::Unsubscribed(target) => {
                (Form::Unsubscribed, dialect.acknowledge.payload(target), of_room(target))
            }
            ServerMessage::Error { code, message } => (
                Form::Error,
                dialect.error_payload(code, message),
                match dialect.errors.spelled(code) {
                    Some(code) => Parts::default().with(Part::Code, code),
                    None => Parts::default(),
                }
                .with(Part::Message, message.as_str()),
            ),
            ServerMessage::Event { name, payload } => {
                return self.write_event(dialect, name, payload.clone(), timestamp, None);
            }
        };
        self.write(
            dialect,
            form,
            payload,
            parts,
            Some(timestamp),
            Ids { id, reference: id, subscription: None },
        )
    }

    pub(super) fn write_event(
        &self,
        dialect: &Dialect,
        name: &str,
        data: Value,
        timestamp: Timestamp,
        subscription: Option<(&str, &str)>,
    ) -> String {
        let (kind, payload) = match (dialect.events, &self.event) {
            (EventStyle::Enveloped, None) => (EVENT, json!({ "eventType": name, "data": data })),
            (EventStyle::Typed | EventStyle::Enveloped, _) => (name, data),
        };
        let mut parts = Parts::default().with(Part::Type, kind);
        if let Some((_, room)) = subscription {
            parts = parts.with(Part::Room, room);
        }
        let ids = Ids { subscription: subscription.map(|(reference, _)| reference), ..Ids::default() };
        self.write(dialect, Form::Event, payload, parts, Some(timestamp), ids)
    }

    fn write(
        &self,
        dialect: &Dialect,
        form: Form,
        payload: Value,
        parts: Parts,
        timestamp: Option<Timestamp>,
        ids: Ids<'_>,
    ) -> String {
        let mut parts = parts;
        if let Some(timestamp) = timestamp {
            parts = parts.with(Part::Timestamp, timestamp.to_string());
        }
        if let Some(name) = dialect.name(form) {
            parts = parts.with(Part::Type, name);
        }
        if !payload.is_null() {
            parts = parts.with(Part::Payload, payload);
        }
        let Ids { id, reference, subscription } = ids;
        for (part, id) in [(Part::Id, id), (Part::Ref, reference), (Part::Subscription, subscription)] {
            if let Some(id) = id {
                parts = parts.with(part, id);
            }
        }
        self.template(form).write(&parts)
    }

    pub(super) fn read_client(
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
            Form::Pong => ClientMessage::Pong,
            Form::Subscribe => ClientMessage::Subscribe(target()?),
            Form::Unsubscribe => ClientMessage::Unsubscribe(target()?),
            _ => ClientMessage::Other { kind: kind(dialect, form, &parts), payload: payload(&parts) },
        };
        Ok(Decoded { message, id: parts.text(Part::Ref).or_else(|| parts.text(Part::Id)) })
    }

    pub(super) fn read_server(
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
            Form::Ping => ServerMessage::Ping,
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

    /// A client's frame that is written in the seed's envelope, in the form of this dialect. It need not be sound: what names no
    /// room names none afterwards.
    pub(super) fn respell(&self, dialect: &Dialect, envelope: &Envelope, reference: Option<&str>) -> String {
        let Envelope { kind, payload, timestamp, id } = envelope;
        let ids = Ids { id: id.as_deref(), reference, subscription: None };
        let plain = Dialect { frames: None, ..dialect.clone() };
        match plain.decode_client(&envelope.encode()) {
            Ok(Decoded { message, .. }) => self.write_client(dialect, &message, *timestamp, ids),
            Err(_) => {
                let message = ClientMessage::Other { kind: kind.clone(), payload: payload.clone() };
                self.write_client(dialect, &message, *timestamp, ids)
            }
        }
    }

    /// What is wrong with the form of a gateway's frame, where anything is (MSG-1).
    pub(super) fn problem(
        &self,
        dialect: &Dialect,
        frame: &str,
        pending: Option<&PendingRequests>,
    ) -> Option<String> {
        let (form, parts) = match self.read(dialect, &SERVER, frame, pending) {
            Ok(read) => read,
            Err(error) => return Some(error.to_string()),
        };
        let stamp = || Timestamp::parse(&parts.text(Part::Timestamp)?).ok();
        let lacks_stamp = self.template(form).has(Part::Timestamp) && stamp().is_none();
        lacks_stamp.then(|| "no ISO 8601 timestamp where its template has one".to_owned())
    }
}

impl Dialect {
    /// What messages of a form are called; an event and what applications send have names of their own.
    fn name(&self, form: Form) -> Option<&str> {
        Some(match form {
            Form::Ping => &self.ping,
            Form::Pong => &self.pong,
            Form::Subscribe => &self.requests.subscribe,
            Form::Unsubscribe => &self.requests.unsubscribe,
            Form::Subscribed => &self.requests.subscribed,
            Form::Unsubscribed => &self.requests.unsubscribed,
            Form::Welcome => return self.welcome_type(),
            Form::Error => &self.error,
            Form::Event | Form::Other => return None,
        })
    }
}

/// What a request that is written in the seed's envelope has in place of the name of a room.
fn misnamed<'a>(dialect: &Dialect, form: Form, payload: &'a Value) -> Option<&'a Value> {
    let is_request = matches!(form, Form::Subscribe | Form::Unsubscribe);
    let keys = [&dialect.subscribe.room, &dialect.subscribe.event_type];
    keys.into_iter().filter(|_| is_request).find_map(|key| payload.get(key.as_str()))
}

fn of_room(target: &Target) -> Parts {
    Parts::default().with(Part::Room, target.name())
}

fn payload(parts: &Parts) -> Value {
    parts.get(Part::Payload).cloned().unwrap_or_default()
}

fn kind(dialect: &Dialect, form: Form, parts: &Parts) -> String {
    let named = parts.text(Part::Type).or_else(|| dialect.name(form).map(str::to_owned));
    named.unwrap_or_default()
}
