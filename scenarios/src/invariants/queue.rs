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
    /// Messages that were accepted and not sent.
    pub(super) fn waiting(&self) -> usize {
        self.unsent.len() - self.refusals
    }

    /// Everything that was asked for has been accepted or refused.
    pub(super) fn before_step(&mut self, found: &mut Findings) {
        if self.waiting() > self.capacity {
            found.add("QUEUE-3", format!("{} messages wait, of {} at most", self.waiting(), self.capacity));
        }
    }

    /// The queue refused a message.
    pub(super) fn is_full(&mut self, found: &mut Findings) {
        self.refusals = (self.refusals + 1).min(self.unsent.len());
        if self.waiting() < self.capacity {
            let (held, most) = (self.waiting(), self.capacity);
            found.add("QUEUE-3", format!("a message is refused while {held} wait, of {most}"));
        }
        self.forget_refused();
    }

    /// Where only refused messages are left, none is.
    fn forget_refused(&mut self) {
        if self.waiting() == 0 {
            self.unsent.clear();
            self.refusals = 0;
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
        let said = format!("{kind} {payload}");
        match self.unsent.iter().position(is_this) {
            // What was to be sent before it was refused.
            Some(before) if before <= self.refusals => {
                self.refusals -= before;
                self.sent.extend(self.unsent.drain(..=before).next_back());
                self.forget_refused();
            }
            Some(_) => {
                let (first, payload) = &self.unsent[0];
                found.add("QUEUE-1", format!("{said} is sent before {first} {payload}"));
            }
            None if self.sent.iter().any(is_this) => found.add("QUEUE-4", format!("{said} is sent twice")),
            None => found.add("QUEUE-1", format!("{said} is sent, which no one asked for")),
        }
        if let Some(connection) = self.connections.get_mut(&number) {
            connection.messages += 1;
            connection.busy_us = Some(found.at_us);
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
        if !matches!(message, ServerMessage::Pong | ServerMessage::Welcome { .. }) {
            connection.heard_us = Some(at_us);
        }
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
