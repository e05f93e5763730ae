//! The machine itself.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use protocol::limits::MAX_ID_BYTES;
use protocol::{
    Claims, ClientMessage, CloseCode, DecodeError, Decoded, Dialect, ErrorCode, RoomName, ServerMessage,
    Target, may_join,
};

use super::expiry::Expiries;
use super::frame::{ping_frame, text_frame};
use super::heartbeat::{Due, Heartbeats};
use super::io::{ConnectionId, Input, Now, Output};
use super::rate::{Meter, RateLimit, Verdict};
use super::rooms::{Joined, Rooms};
use super::stats::{ConnectionStats, Counts};

/// Longest text of an error that a peer receives.
const MAX_REASON_CHARS: usize = 200;

/// The machine's configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct GatewayConfig {
    /// How the wire is spelled.
    pub dialect: Dialect,
    /// How often every connection is pinged (HB-1).
    pub ping_interval: Duration,
    /// How long it may take to answer (HB-2).
    pub pong_timeout: Duration,
    /// Most rooms of one connection, its own included (ROOM-5).
    pub max_rooms: usize,
    /// How much one connection may say (MSG-6).
    pub message_rate: RateLimit,
    /// Seconds that a connection may outlive its token, as clocks differ (AUTH-6).
    pub leeway_s: u64,
}

/// The connections of one shard, without I/O.
#[derive(Debug)]
pub struct Gateway {
    config: GatewayConfig,
    sessions: BTreeMap<ConnectionId, Session>,
    rooms: Rooms,
    counts: Counts,
    heartbeats: Heartbeats,
    expiries: Expiries,
    outputs: VecDeque<Output>,
    is_draining: bool,
}

/// A signed-in connection.
#[derive(Debug)]
struct Session {
    claims: Claims,
    meter: Meter,
}

impl Gateway {
    /// A gateway without connections.
    pub fn new(config: GatewayConfig) -> Self {
        let heartbeats = Heartbeats::new(config.ping_interval, config.pong_timeout);
        Self {
            config,
            sessions: BTreeMap::new(),
            rooms: Rooms::default(),
            counts: Counts::default(),
            heartbeats,
            expiries: Expiries::default(),
            outputs: VecDeque::new(),
            is_draining: false,
        }
    }

    /// The next thing to be done, until there is none.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Input::Timer`] is due at the latest.
    pub fn deadline(&self) -> Option<Duration> {
        self.heartbeats.deadline().into_iter().chain(self.expiries.deadline()).min()
    }

    /// The connections, and their rooms.
    pub fn stats(&self) -> ConnectionStats {
        let rooms = self.rooms.sizes().map(|(room, members)| (room.as_str(), members));
        self.counts.stats(self.sessions.len(), self.rooms.count(), rooms)
    }

    /// How many connections there are, and how many rooms with members.
    pub fn sizes(&self) -> (usize, usize) {
        (self.sessions.len(), self.rooms.count())
    }

    /// Whether there is no connection, no membership and no timer.
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty() && self.rooms.is_empty() && self.deadline().is_none()
    }

    /// Handles an input. Inputs of removed connections change nothing.
    pub fn handle(&mut self, now: Now, input: Input) {
        match input {
            Input::Opened(connection, claims) => self.opened(now, connection, claims),
            Input::Text(connection, text) => {
                if self.is_allowed(now, connection) {
                    self.text(now, connection, &text);
                }
            }
            Input::Binary(connection) => {
                if self.is_allowed(now, connection) {
                    self.refuse(now, connection, ErrorCode::BadMessage, "messages are text frames", None);
                }
            }
            Input::Ping(connection) => {
                self.is_allowed(now, connection);
            }
            Input::Pong(connection) => {
                // A peer may be alive and a flood at once.
                self.heartbeats.pong(connection);
                self.is_allowed(now, connection);
            }
            Input::Closed(connection) => self.closed(connection),
            Input::Deliver(delivery) => {
                for member in self.rooms.members_of_any(&delivery.rooms) {
                    self.outputs.push_back(Output::Send(member, delivery.frames.clone()));
                }
            }
            Input::Slow(connection) => {
                if self.sessions.contains_key(&connection) {
                    self.closed(connection);
                    self.outputs.push_back(Output::Shed(connection));
                }
            }
            Input::Shutdown => {
                self.is_draining = true;
                let all: Vec<_> = self.sessions.keys().copied().collect();
                for connection in all {
                    self.end(connection, CloseCode::GOING_AWAY);
                }
            }
            Input::Timer => self.timer(now),
        }
    }

    fn opened(&mut self, now: Now, connection: ConnectionId, claims: Claims) {
        if self.is_draining {
            return self.outputs.push_back(Output::Close(connection, CloseCode::GOING_AWAY));
        }
        let own = RoomName::on_connect(&claims);
        let user_id = claims.user_id.to_string();
        let expires_at = claims.expires_at.saturating_add(self.config.leeway_s);
        self.counts.opened(&claims);
        self.sessions.insert(connection, Session { claims, meter: Meter::default() });
        self.heartbeats.start(connection, now.monotonic);
        self.expiries.start(connection, expires_at, now);
        let rooms = own.iter().map(ToString::to_string).collect();
        for room in own {
            // A connection's own rooms count, but are never refused.
            self.rooms.join(connection, room, usize::MAX);
        }
        let answer = self.config.dialect.sign_in.as_ref().and_then(|sign_in| sign_in.write_answer(&user_id));
        if let Some(answer) = answer {
            self.outputs.push_back(Output::Send(connection, text_frame(&answer)));
        }
        if self.config.dialect.welcome_type().is_some() {
            self.send(now, connection, &ServerMessage::Welcome { user_id, rooms }, None);
        }
    }

    fn closed(&mut self, connection: ConnectionId) {
        if let Some(Session { claims, .. }) = self.sessions.remove(&connection) {
            self.counts.closed(&claims);
        }
        self.rooms.leave_all(connection);
        self.heartbeats.stop(connection);
        self.expiries.stop(connection);
    }

    /// Ends a connection from this side.
    fn end(&mut self, connection: ConnectionId, code: CloseCode) {
        self.outputs.push_back(Output::Close(connection, code));
        self.closed(connection);
    }

    /// Whether the connection may say something now; a flood is ended (MSG-6).
    fn is_allowed(&mut self, now: Now, connection: ConnectionId) -> bool {
        let Some(session) = self.sessions.get_mut(&connection) else { return false };
        match session.meter.take(now.monotonic, self.config.message_rate) {
            Verdict::Allowed => return true,
            Verdict::Ignored => {}
            Verdict::Refused => {
                let RateLimit { per_second } = self.config.message_rate;
                let message = format!("a connection sends at most {per_second} frames a second");
                self.refuse(now, connection, ErrorCode::RateLimited, &message, None);
            }
            Verdict::Flood => {
                self.outputs.push_back(Output::CutOff(connection, self.config.dialect.flood()));
                self.closed(connection);
            }
        }
        false
    }

    fn text(&mut self, now: Now, connection: ConnectionId, text: &str) {
        if let Some(answer) = self.config.dialect.answer_to_opening(text) {
            return self.outputs.push_back(Output::Send(connection, text_frame(&answer)));
        }
        match self.config.dialect.decode_client(text) {
            Ok(Decoded { id: Some(id), .. }) | Err(DecodeError::NoTarget { id: Some(id), .. })
                if id.len() > MAX_ID_BYTES =>
            {
                let message = format!("an id has at most {MAX_ID_BYTES} bytes");
                self.refuse(now, connection, ErrorCode::BadMessage, &message, None);
            }
            Ok(Decoded { message, id }) => match message {
                ClientMessage::Ping => self.send(now, connection, &ServerMessage::Pong, id.as_deref()),
                ClientMessage::Pong => self.heartbeats.pong(connection),
                ClientMessage::Subscribe(target) => self.subscribe(now, connection, target, id.as_deref()),
                ClientMessage::Unsubscribe(target) => {
                    self.unsubscribe(now, connection, target, id.as_deref());
                }
                ClientMessage::Other { .. } => {
                    let message = "this gateway knows ping, subscribe and unsubscribe";
                    self.refuse(now, connection, ErrorCode::UnknownType, message, id.as_deref());
                }
            },
            Err(error) => {
                let id = match &error {
                    DecodeError::NoTarget { id, .. } => id.clone(),
                    DecodeError::Envelope(_)
                    | DecodeError::Unlike { .. }
                    | DecodeError::Undeclared { .. }
                    | DecodeError::Unasked { .. }
                    | DecodeError::Payload { .. } => None,
                };
                self.refuse(now, connection, error.code(), &error.to_string(), id.as_deref());
            }
        }
    }

    fn subscribe(&mut self, now: Now, connection: ConnectionId, target: Target, id: Option<&str>) {
        let Some(Session { claims, .. }) = self.sessions.get(&connection) else { return };
        let room = match RoomName::parse(target.name()) {
            Ok(room) => room,
            Err(error) => return self.refuse(now, connection, ErrorCode::BadRoom, &error.to_string(), id),
        };
        if !may_join(claims, &room) {
            return self.refuse(now, connection, ErrorCode::Forbidden, "that room is not yours", id);
        }
        match self.rooms.join(connection, room, self.config.max_rooms) {
            Joined::In => self.acknowledge(now, connection, &ServerMessage::Subscribed(target), id),
            Joined::TooMany => {
                let message = format!("a connection is in at most {} rooms", self.config.max_rooms);
                self.refuse(now, connection, ErrorCode::TooManyRooms, &message, id);
            }
        }
    }

    fn unsubscribe(&mut self, now: Now, connection: ConnectionId, target: Target, id: Option<&str>) {
        match RoomName::parse(target.name()) {
            Ok(room) => {
                self.rooms.leave(connection, &room);
                self.acknowledge(now, connection, &ServerMessage::Unsubscribed(target), id);
            }
            Err(error) => self.refuse(now, connection, ErrorCode::BadRoom, &error.to_string(), id),
        }
    }

    fn timer(&mut self, now: Now) {
        let by_message = self.config.dialect.beats_by_message();
        while let Some(due) = self.heartbeats.next_due(now.monotonic) {
            match due {
                Due::Ping(connection) if by_message => self.send(now, connection, &ServerMessage::Ping, None),
                Due::Ping(connection) => self.outputs.push_back(Output::Send(connection, ping_frame())),
                Due::Dead(connection) => {
                    self.closed(connection);
                    self.outputs.push_back(Output::Drop(connection));
                }
            }
        }
        while let Some(connection) = self.expiries.next_due(now) {
            self.end(connection, self.config.dialect.expiry());
        }
    }

    fn acknowledge(&mut self, now: Now, connection: ConnectionId, message: &ServerMessage, id: Option<&str>) {
        if self.config.dialect.acks {
            self.send(now, connection, message, id);
        }
    }

    fn refuse(
        &mut self,
        now: Now,
        connection: ConnectionId,
        code: ErrorCode,
        message: &str,
        id: Option<&str>,
    ) {
        if !self.sessions.contains_key(&connection) {
            return;
        }
        let closes = match code {
            ErrorCode::BadMessage => self.config.dialect.closes.bad_message,
            ErrorCode::UnknownType => self.config.dialect.closes.unknown_type,
            _ => None,
        };
        if let Some(code) = closes {
            return self.end(connection, code);
        }
        if self.config.dialect.error_messages {
            // Some reasons quote the message.
            let (code, message) = (code.to_string(), message.chars().take(MAX_REASON_CHARS).collect());
            self.send(now, connection, &ServerMessage::Error { code, message }, id);
        }
    }

    fn send(&mut self, now: Now, connection: ConnectionId, message: &ServerMessage, id: Option<&str>) {
        let frame: Bytes = text_frame(&self.config.dialect.encode_server(message, now.wall, id));
        self.outputs.push_back(Output::Send(connection, frame));
    }
}
