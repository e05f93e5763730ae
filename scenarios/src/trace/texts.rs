//! The texts of an event, to be edited where they must not be shown as they are.

use protocol::{ClientMessage, ServerMessage, Target};
use serde_json::{Map, Value};

use super::{AsSent, Event, Form, Frame, Message, Reading};

impl Event {
    /// Has each text that others may have written edited: what the event is, and its numbers, stay.
    pub fn edit_texts(&mut self, edit: &mut dyn FnMut(&mut String)) {
        match self {
            Self::Step { action: text, .. }
            | Self::InVain { detail: text, .. }
            | Self::Refused { reason: text, .. }
            | Self::BadFrame { why: text, .. }
            | Self::Log { text }
            | Self::Ended { status: text }
            | Self::Fault { what: text }
            | Self::SubjectDied { status: text } => edit(text),
            Self::Dialled { path, query, token_in } => {
                edit(path);
                for (name, value) in query {
                    edit(name);
                    edit(value);
                }
                token_in.iter_mut().for_each(edit);
            }
            Self::Handshake { request: one, answer: other }
            | Self::Status { old: one, new: other }
            | Self::RequestFailed { op: one, error: other } => {
                edit(one);
                edit(other);
            }
            Self::Sent(frame) | Self::Received(frame) => frame.edit_texts(edit),
            Self::Emitted { name, payload, listener } => {
                edit(name);
                edit_value(payload, edit);
                edit(listener);
            }
            Self::Published { routing_key, body, as_sent, .. } => {
                edit(routing_key);
                edit_value(body, edit);
                if let Some(AsSent { exchange, routing_key, body }) = as_sent {
                    [exchange, routing_key, body].into_iter().for_each(edit);
                }
            }
            Self::Topology { exchange, queue } => {
                [exchange, queue].into_iter().filter_map(|stands| stands.as_mut().err()).for_each(edit);
            }
            Self::Answered { path, body, .. } => {
                edit(path);
                edit(body);
            }
            Self::Refetched { key } => key.iter_mut().for_each(|value| edit_value(value, edit)),
            Self::Read { what, value } => {
                match what {
                    Reading::Consumer(name) => edit(name),
                    Reading::Query(key) => key.iter_mut().for_each(|value| edit_value(value, edit)),
                    Reading::Configuration => {}
                }
                edit_value(value, edit);
            }
            Self::Reported { message, user } => {
                edit(message);
                edit_value(user, edit);
            }
            Self::Unrouted { exchange, routing_key, bindings } => {
                [exchange, routing_key].into_iter().chain(bindings).for_each(edit);
            }
            Self::Consumers { limited, unlimited } => {
                limited.iter_mut().map(|(queue, _)| queue).chain(unlimited).for_each(edit);
            }
            Self::Queues { names, unconsumed } => names.iter_mut().chain(unconsumed).for_each(edit),
            Self::StepsEnded
            | Self::Opened
            | Self::Closed { .. }
            | Self::TokenWanted
            | Self::QueueDepth { .. }
            | Self::Resources(_)
            | Self::Settlements(_)
            | Self::BrokerDialled
            | Self::GatewayClosed => {}
        }
    }
}

impl Frame {
    fn edit_texts(&mut self, edit: &mut dyn FnMut(&mut String)) {
        edit(&mut self.body);
        match &mut self.message {
            None => {}
            Some(Message::Client(message)) => match message {
                ClientMessage::Ping | ClientMessage::Pong => {}
                ClientMessage::Subscribe(target) | ClientMessage::Unsubscribe(target) => {
                    edit(name_of(target));
                }
                ClientMessage::Other { kind, payload } => {
                    edit(kind);
                    edit_value(payload, edit);
                }
            },
            Some(Message::Server(message)) => match message {
                ServerMessage::Ping | ServerMessage::Pong => {}
                ServerMessage::Welcome { user_id, rooms } => {
                    edit(user_id);
                    rooms.iter_mut().for_each(&mut *edit);
                }
                ServerMessage::Subscribed(target) | ServerMessage::Unsubscribed(target) => {
                    edit(name_of(target));
                }
                ServerMessage::Error { code, message } => {
                    edit(code);
                    edit(message);
                }
                ServerMessage::Event { name, payload } => {
                    edit(name);
                    edit_value(payload, edit);
                }
            },
            Some(Message::Unreadable(why)) => edit(why),
        }
        if let Some(Form::Wrong(why)) = &mut self.form {
            edit(why);
        }
    }
}

fn name_of(target: &mut Target) -> &mut String {
    match target {
        Target::EventType(name) | Target::Room(name) => name,
    }
}

fn edit_value(value: &mut Value, edit: &mut dyn FnMut(&mut String)) {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
        Value::String(text) => edit(text),
        Value::Array(values) => values.iter_mut().for_each(|value| edit_value(value, edit)),
        Value::Object(members) => {
            let edited = std::mem::take(members).into_iter().map(|(mut name, mut value)| {
                edit(&mut name);
                edit_value(&mut value, edit);
                (name, value)
            });
            *members = edited.collect::<Map<_, _>>();
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::trace::FrameKind;

    /// What others wrote is edited wherever it stands; what kind of thing it is stays.
    #[test]
    fn texts_are_edited_and_nothing_else() {
        let message = ServerMessage::Event { name: "received".into(), payload: json!({ "a": ["received"] }) };
        let frame = Frame {
            kind: FrameKind::Text,
            body: "received".into(),
            message: Some(Message::Server(message)),
            form: Some(Form::Wrong("received".into())),
        };
        let mut event = Event::Received(frame);
        event.edit_texts(&mut |text| *text = text.replace("received", "x"));
        let written = serde_json::to_value(&event).unwrap();
        let message = json!({ "server": { "event": { "name": "x", "payload": { "a": ["x"] } } } });
        assert_eq!(
            written,
            json!({ "received": { "kind": "text", "body": "x", "message": message, "form": { "wrong": "x" } } })
        );
    }
}
