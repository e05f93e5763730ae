//! What a client sends, in which order and how often, and what it asks to join (QUEUE-1 to QUEUE-4, SUB-2, ROOM-6, IN-1, CONN-4).

use protocol::{ClientMessage, ServerMessage};
use serde_json::Value;

use super::client::ClientWatch;
use super::{Findings, of_client};
use crate::trace::{Frame, FrameKind, Message};

/// Events of the client itself, which no gateway sends.
const OWN: [&str; 6] =
    ["connected", "connection:established", "subscribed", "unsubscribed", "error", "max_reconnect_attempts"];

impl ClientWatch {
    /// Everything that was asked for has been accepted or refused.
    pub(super) fn before_step(&mut self, found: &mut Findings) {
        if self.unsent.len() > self.capacity {
            found
                .add("QUEUE-3", format!("{} messages wait, of {} at most", self.unsent.len(), self.capacity));
        }
    }

    /// The queue refused a message: the last of those that were sent at once.
    pub(super) fn is_full(&mut self, found: &mut Findings) {
        self.unsent.pop_back();
        if self.unsent.len() < self.capacity {
            let (held, most) = (self.unsent.len(), self.capacity);
            found.add("QUEUE-3", format!("a message is refused while {held} wait, of {most}"));
        }
    }

    pub(super) fn sends(&mut self, at_us: u64, number: u32, frame: &Frame, found: &mut Findings) {
        match (of_client(frame), frame.kind) {
            (Some(ClientMessage::Ping), _) => self.pings(at_us, number, found),
            (Some(ClientMessage::Other { kind, payload }), _) => {
                self.sends_message(number, kind, payload, found);
            }
            (Some(message @ (ClientMessage::Subscribe(_) | ClientMessage::Unsubscribe(_))), _) => {
                self.requests(number, message, found);
            }
            (_, FrameKind::Pong) => {
                if let Some(connection) = self.connections.get_mut(&number) {
                    connection.last_pong_us = at_us;
                }
            }
            _ => {}
        }
    }

    fn sends_message(&mut self, number: u32, kind: &str, payload: &Value, found: &mut Findings) {
        let is_this = |message: &(String, Value)| message.0 == kind && message.1 == *payload;
        match self.unsent.front() {
            Some(first) if is_this(first) => {
                self.sent.extend(self.unsent.pop_front());
            }
            first => {
                let said = format!("{kind} {payload}");
                if self.unsent.iter().any(is_this) {
                    let first = first.map_or(String::new(), |(kind, payload)| format!("{kind} {payload}"));
                    found.add("QUEUE-1", format!("{said} is sent before {first}"));
                } else if self.sent.iter().any(is_this) {
                    found.add("QUEUE-4", format!("{said} is sent twice"));
                } else {
                    found.add("QUEUE-1", format!("{said} is sent, which no one asked for"));
                }
            }
        }
        if let Some(connection) = self.connections.get_mut(&number) {
            connection.messages += 1;
        }
    }

    fn requests(&mut self, number: u32, request: &ClientMessage, found: &mut Findings) {
        let Some(connection) = self.connections.get_mut(&number) else { return };
        connection.unanswered_requests += 1;
        match request {
            ClientMessage::Subscribe(target) => {
                if connection.messages < connection.owes {
                    found.add("QUEUE-2", format!("`{target}` is asked for before the queue is flushed"));
                }
                if !connection.wanted.contains(target) {
                    found.add("SUB-2", format!("`{target}` is asked for, which is not wanted"));
                }
                if !connection.asked.insert(target.clone()) {
                    found.add("SUB-2", format!("`{target}` is asked for twice"));
                }
            }
            ClientMessage::Unsubscribe(target) => {
                connection.asked.remove(target);
            }
            _ => {}
        }
    }

    pub(super) fn receives(&mut self, at_us: u64, number: u32, frame: &Frame, found: &mut Findings) {
        if frame.kind == FrameKind::Ping {
            return self.beats(at_us, number, found);
        }
        let message = match &frame.message {
            Some(Message::Server(message)) => message,
            Some(Message::Unreadable(why)) => return found.add("MSG-1", format!("{}: {why}", frame.body)),
            _ => return,
        };
        if self.is_past_expiry(at_us, number) {
            found.add("AUTH-6", "a connection whose token has expired receives something");
        }
        let Some(connection) = self.connections.get_mut(&number) else { return };
        let is_welcome = matches!(message, ServerMessage::Welcome { .. });
        if is_welcome == connection.has_welcome {
            found.add("CONN-4", format!("the welcome is the first message: {}", frame.body));
        }
        connection.has_welcome = true;
        match message {
            ServerMessage::Pong => connection.waits_since_us = None,
            ServerMessage::Subscribed(target) | ServerMessage::Unsubscribed(target) => {
                if connection.unanswered_requests == 0 {
                    found.add("ROOM-6", format!("an answer that was not asked for: {}", frame.body));
                }
                connection.unanswered_requests = connection.unanswered_requests.saturating_sub(1);
                match message {
                    ServerMessage::Subscribed(_) => connection.joined.insert(target.name().to_owned()),
                    _ => connection.joined.remove(target.name()),
                };
            }
            // Of a connection that is being replaced, nothing counts any more (STATE-10).
            ServerMessage::Event { name, payload } if self.status == "connected" => {
                self.to_emit.push_back((name.clone(), payload.clone()));
            }
            ServerMessage::Event { .. }
            | ServerMessage::Error { .. }
            | ServerMessage::Ping
            | ServerMessage::Welcome { .. } => {}
        }
    }

    /// Events are emitted as they come.
    pub(super) fn emits(&mut self, name: &str, payload: &Value, found: &mut Findings) {
        if OWN.contains(&name) {
            return self.gives_up(name, payload, found);
        }
        match self.to_emit.pop_front() {
            Some((came, data)) if came == name && data == *payload => {}
            came => {
                let came = came.map_or("nothing".to_owned(), |(name, payload)| format!("{name} {payload}"));
                found.add("IN-1", format!("{name} {payload} is emitted, where {came} came"));
            }
        }
    }
}
