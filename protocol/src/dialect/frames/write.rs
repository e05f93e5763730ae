//! A message in the template that its form has.

use serde_json::{Value, json};

use super::form::Form;
use super::{Frames, Ids};
use crate::Timestamp;
use crate::dialect::template::{Part, Parts};
use crate::dialect::{Decoded, Dialect, EVENT, EventStyle};
use crate::envelope::Envelope;
use crate::message::{ClientMessage, ServerMessage, Target};

impl Frames {
    pub(in crate::dialect) fn write_client(
        &self,
        dialect: &Dialect,
        message: &ClientMessage,
        timestamp: Option<Timestamp>,
        ids: Ids<'_>,
    ) -> String {
        let (form, payload, parts) = match message {
            ClientMessage::Ping => (Form::Ping, Value::Null, Parts::default()),
            ClientMessage::Pong => (Form::HeartbeatPong, Value::Null, Parts::default()),
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

    pub(in crate::dialect) fn write_server(
        &self,
        dialect: &Dialect,
        message: &ServerMessage,
        timestamp: Timestamp,
        id: Option<&str>,
    ) -> String {
        let (form, payload, parts) = match message {
            ServerMessage::Ping => (Form::HeartbeatPing, Value::Null, Parts::default()),
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

    pub(in crate::dialect) fn write_event(
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

    /// A client's frame that is written in the seed's envelope, in the form of this dialect. It need not be sound: what names no
    /// room names none afterwards.
    pub(in crate::dialect) fn respell(
        &self,
        dialect: &Dialect,
        envelope: &Envelope,
        reference: Option<&str>,
    ) -> String {
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
