//! Frames of a form of their own, where a gateway does not use the seed's envelope.
//!
//! ```text
//!  names and payloads of the dialect ──► Parts ◄──[ Template ]──► text frame
//! ```

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::template::{Part, Parts, Template};
use super::{DecodeError, Decoded, Dialect, DialectError, EVENT, EventStyle};
use crate::Timestamp;
use crate::envelope::Envelope;
use crate::message::{ClientMessage, ServerMessage, Target};

/// The form of each frame. A message that has no template of its own has that of `message`, with its name as the type and its
/// payload as the dialect has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
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
}

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Ping,
    Pong,
    Subscribe,
    Unsubscribe,
    Subscribed,
    Unsubscribed,
    Welcome,
    Error,
    Event,
    Other,
}

impl Form {
    fn name(self) -> &'static str {
        match self {
            Self::Ping => "ping",
            Self::Pong => "pong",
            Self::Subscribe => "subscribe",
            Self::Unsubscribe => "unsubscribe",
            Self::Subscribed => "subscribed",
            Self::Unsubscribed => "unsubscribed",
            Self::Welcome => "welcome",
            Self::Error => "error",
            Self::Event => "event",
            Self::Other => "message",
        }
    }
}

/// What clients send, the most particular first.
const CLIENT: [Form; 5] = [Form::Ping, Form::Pong, Form::Subscribe, Form::Unsubscribe, Form::Other];
/// What gateways send, the most particular first.
const SERVER: [Form; 7] =
    [Form::Ping, Form::Pong, Form::Error, Form::Welcome, Form::Subscribed, Form::Unsubscribed, Form::Event];

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

    /// Every frame has the parts that its meaning needs, and is read as what it was written as.
    ///
    /// # Errors
    /// Names the first that is not.
    pub(super) fn check(&self, dialect: &Dialect) -> Result<(), DialectError> {
        if self.welcome.is_some() && dialect.welcome_type().is_none() {
            return Err(DialectError::NoWelcome);
        }
        CLIENT.into_iter().chain(SERVER).try_for_each(|form| self.check_parts(form))?;
        for (side, forms) in [("a client", &CLIENT[..]), ("a gateway", &SERVER[..])] {
            for form in forms {
                if dialect.name(*form).is_none() && *form == Form::Welcome {
                    continue;
                }
                let frame = self.template(*form).write(&dialect.sample(*form));
                match self.open(dialect, forms, &frame) {
                    Some((found, _)) if found == *form => {}
                    found => {
                        let (key, form) = (self.key(*form), form.name());
                        let read_as = found.map_or("none", |(found, _)| found.name());
                        return Err(DialectError::Frame { key, form, read_as, side, frame });
                    }
                }
            }
        }
        Ok(())
    }

    fn check_parts(&self, form: Form) -> Result<(), DialectError> {
        let needed: &[&[Part]] = match form {
            Form::Ping | Form::Pong => &[],
            Form::Subscribe | Form::Unsubscribe | Form::Subscribed | Form::Unsubscribed => {
                &[&[Part::Room, Part::Payload]]
            }
            Form::Welcome => &[&[Part::User, Part::Payload]],
            Form::Error => &[&[Part::Code, Part::Payload]],
            Form::Event | Form::Other => &[&[Part::Type], &[Part::Payload]],
        };
        let template = self.template(form);
        let lacking = needed.iter().find(|parts| !parts.iter().any(|part| template.has(*part)));
        lacking.map_or(Ok(()), |parts| {
            Err(DialectError::Lacks { key: self.key(form), parts: Part::either(parts) })
        })
    }

    /// The key of the template that a form has.
    fn key(&self, form: Form) -> &'static str {
        if self.own(form).is_some() { form.name() } else { Form::Other.name() }
    }

    /// What a frame is, and its parts.
    ///
    /// # Errors
    /// When no template reads it, or only that of other messages does although it has the name of one with a form of its own.
    fn read(&self, dialect: &Dialect, forms: &[Form], frame: &str) -> Result<(Form, Parts), DecodeError> {
        let unlike = |template: &Template| DecodeError::Unlike { expected: template.to_string() };
        let (form, parts) = self.open(dialect, forms, frame).ok_or_else(|| unlike(&self.message))?;
        let kind = parts.text(Part::Type).filter(|_| matches!(form, Form::Event | Form::Other));
        let named = forms.iter().find(|form| kind.is_some() && dialect.name(**form) == kind.as_deref());
        named.map_or(Ok((form, parts)), |named| Err(unlike(self.template(*named))))
    }

    /// The first form whose template and name a frame has.
    fn open(&self, dialect: &Dialect, forms: &[Form], frame: &str) -> Option<(Form, Parts)> {
        forms.iter().find_map(|form| {
            let template = self.template(*form);
            let parts = template.read(frame)?;
            let is_named = match (dialect.name(*form), parts.get(Part::Type)) {
                (Some(name), Some(kind)) => kind == name,
                // There is no such message.
                (None, _) => *form != Form::Welcome,
                // The template itself says what it is.
                (Some(_), None) => true,
            };
            is_named.then_some((*form, parts))
        })
    }

    pub(super) fn write_client(
        &self,
        dialect: &Dialect,
        message: &ClientMessage,
        timestamp: Option<Timestamp>,
        id: Option<&str>,
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
            ClientMessage::Other { kind, payload } => {
                (Form::Other, payload.clone(), Parts::default().with(Part::Type, kind.as_str()))
            }
        };
        self.write(dialect, form, payload, parts, timestamp, id)
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
                json!({ "code": code, "message": message }),
                Parts::default().with(Part::Code, code.as_str()).with(Part::Message, message.as_str()),
            ),
            ServerMessage::Event { name, payload } => {
                return self.write_event(dialect, name, payload.clone(), timestamp);
            }
        };
        self.write(dialect, form, payload, parts, Some(timestamp), id)
    }

    pub(super) fn write_event(
        &self,
        dialect: &Dialect,
        name: &str,
        data: Value,
        timestamp: Timestamp,
    ) -> String {
        let (kind, payload) = match (dialect.events, &self.event) {
            (EventStyle::Enveloped, None) => (EVENT, json!({ "eventType": name, "data": data })),
            (EventStyle::Typed | EventStyle::Enveloped, _) => (name, data),
        };
        let parts = Parts::default().with(Part::Type, kind);
        self.write(dialect, Form::Event, payload, parts, Some(timestamp), None)
    }

    fn write(
        &self,
        dialect: &Dialect,
        form: Form,
        payload: Value,
        parts: Parts,
        timestamp: Option<Timestamp>,
        id: Option<&str>,
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
        if let Some(id) = id {
            parts = parts.with(Part::Id, id);
        }
        self.template(form).write(&parts)
    }

    pub(super) fn read_client(
        &self,
        dialect: &Dialect,
        frame: &str,
    ) -> Result<Decoded<ClientMessage>, DecodeError> {
        let (form, parts) = self.read(dialect, &CLIENT, frame)?;
        let target = || match self.target(form, &parts, dialect) {
            Some(name) => name,
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
        Ok(Decoded { message, id: parts.text(Part::Id) })
    }

    pub(super) fn read_server(
        &self,
        dialect: &Dialect,
        frame: &str,
    ) -> Result<Decoded<ServerMessage>, DecodeError> {
        let (form, parts) = self.read(dialect, &SERVER, frame)?;
        let shape = || DecodeError::Payload { kind: kind(dialect, form, &parts) };
        let target = || match self.target(form, &parts, dialect) {
            Some(name) => name,
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
                code: text(Part::Code, "code").unwrap_or_default(),
                message: text(Part::Message, "message").unwrap_or_default(),
            },
            Form::Welcome => ServerMessage::Welcome {
                user_id: parts.text(Part::User).or_else(|| text(Part::User, "userId")).ok_or_else(shape)?,
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
        Ok(Decoded { message, id: parts.text(Part::Id) })
    }

    /// What a frame that names its room itself names. Which of the two it is meant to be is not said: it counts as a room.
    fn target(&self, form: Form, parts: &Parts, dialect: &Dialect) -> Option<Result<Target, DecodeError>> {
        self.template(form).has(Part::Room).then(|| {
            parts.text(Part::Room).map(Target::Room).ok_or_else(|| DecodeError::NoTarget {
                kind: kind(dialect, form, parts),
                key: "{room}".to_owned(),
                id: parts.text(Part::Id),
            })
        })
    }

    /// A client's frame that is written in the seed's envelope, in the form of this dialect. It need not be sound: what names no
    /// room names none afterwards.
    pub(super) fn respell(&self, dialect: &Dialect, envelope: &Envelope) -> String {
        let Envelope { kind, payload, timestamp, id } = envelope;
        let plain = Dialect { frames: None, ..dialect.clone() };
        match plain.decode_client(&envelope.encode()) {
            Ok(Decoded { message, .. }) => self.write_client(dialect, &message, *timestamp, id.as_deref()),
            Err(_) => {
                let form = CLIENT.into_iter().find(|form| dialect.name(*form) == Some(kind));
                let form = form.unwrap_or(Form::Other);
                let parts = Parts::default().with(Part::Type, kind.as_str());
                self.write(dialect, form, payload.clone(), parts, *timestamp, id.as_deref())
            }
        }
    }

    /// What is wrong with the form of a gateway's frame, where anything is (MSG-1).
    pub(super) fn problem(&self, dialect: &Dialect, frame: &str) -> Option<String> {
        let (form, parts) = match self.read(dialect, &SERVER, frame) {
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

    /// The parts of one message of a form.
    fn sample(&self, form: Form) -> Parts {
        let kind = self.name(form).unwrap_or("a:type");
        let parts = Parts::default()
            .with(Part::Type, kind)
            .with(Part::Payload, json!({}))
            .with(Part::Room, "a:room")
            .with(Part::User, "a-user")
            .with(Part::Rooms, Vec::<Value>::new())
            .with(Part::Code, "a_code")
            .with(Part::Message, "a message");
        parts.with(Part::Timestamp, Timestamp::EPOCH.to_string()).with(Part::Id, "1")
    }
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
