//! What the open connection is given to write, and what it has written (QUEUE-1 to QUEUE-4, SUB-2, IN-2).

use protocol::ClientMessage;
use serde_json::Value;

use super::super::io::{ConnectionId, Now, Output, SendKind};
use super::super::outbox::{Message, QueueFull};
use super::{Session, State};

impl Session {
    pub(super) fn send(&mut self, now: Now, kind: String, payload: Value) -> Result<(), QueueFull> {
        self.outbox.push(Message { kind, payload })?;
        if let Some(connection) = self.open_connection() {
            self.flush(now, connection);
        }
        Ok(())
    }

    /// A frame has been written to the network: there may be room for the next one.
    pub(super) fn written(&mut self, now: Now, connection: ConnectionId, kind: SendKind) {
        // A connection that is closing still writes what it was given before (QUEUE-4).
        if kind == SendKind::Message {
            self.outbox.written(connection);
        }
        match &mut self.state {
            State::Open { connection: open, backlog, .. } if *open == connection => {
                backlog.written(kind);
                self.request(now);
            }
            _ => {}
        }
    }

    /// Offers every message that waits. A connection that does not write them holds them no less than the queue does: until they
    /// are written they count against its capacity (QUEUE-3).
    pub(super) fn flush(&mut self, now: Now, connection: ConnectionId) {
        while let Some(Message { kind, payload }) = self.outbox.offer(connection).cloned() {
            self.give(now, connection, &ClientMessage::Other { kind, payload }, SendKind::Message);
        }
    }

    /// Asks the open connection for what is wanted, as far as it takes requests.
    pub(super) fn request(&mut self, now: Now) {
        while let Some((connection, request)) = self.next_request() {
            self.give(now, connection, &request, SendKind::Request);
        }
    }

    pub(super) fn next_request(&mut self) -> Option<(ConnectionId, ClientMessage)> {
        let State::Open { connection, backlog, .. } = &mut self.state else { return None };
        if !backlog.takes_request(self.config.request_window) {
            return None;
        }
        let request = self.subscriptions.next_request()?;
        backlog.add_request();
        Some((*connection, request))
    }

    pub(super) fn give(
        &mut self,
        now: Now,
        connection: ConnectionId,
        message: &ClientMessage,
        kind: SendKind,
    ) {
        let text = self.pending.write(&self.config.dialect, message, now.wall);
        self.outputs.push_back(Output::Send { connection, text, kind });
    }
}
