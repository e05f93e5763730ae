//! What clients and gateways say to each other, apart from how a dialect spells it.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a subscription names: an event type, or a room. Each event type has a room of its own name, so both name a
/// room; they differ only in the key on the wire, which the acknowledgement echoes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "target")]
pub enum Target {
    /// `{"eventType": "payment:updated"}`
    EventType(String),
    /// `{"room": "user:42"}`
    Room(String),
}

impl Target {
    /// The name as asked for, not yet checked.
    pub fn name(&self) -> &str {
        match self {
            Self::EventType(name) | Self::Room(name) => name,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A message from a client to a gateway.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientMessage {
    /// Asks for a `pong` (PING-1, MSG-2).
    Ping,
    /// Answers a gateway whose heartbeat is a message.
    Pong,
    /// Asks to be in a room (ROOM-1).
    Subscribe(Target),
    /// Asks to be out of it (ROOM-2).
    Unsubscribe(Target),
    /// Anything else that an application sends.
    Other {
        /// The message's `type`.
        kind: String,
        /// Its `payload`, null where it has none.
        payload: Value,
    },
}

/// A message from a gateway to a client.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServerMessage {
    /// The heartbeat of a gateway that sends it as a message.
    Ping,
    /// Answers a `ping`.
    Pong,
    /// The first message of a connection (CONN-4).
    Welcome {
        /// The signed-in user.
        user_id: String,
        /// The rooms that the connection is in.
        rooms: Vec<String>,
    },
    /// The request to join was granted; echoes what was asked (ROOM-6).
    Subscribed(Target),
    /// The request to leave was granted; echoes what was asked (ROOM-6).
    Unsubscribed(Target),
    /// A request was refused.
    Error {
        /// One of [`ErrorCode`], or a code of another implementation.
        code: String,
        /// For people.
        message: String,
    },
    /// An event, surfaced to the application under its name (IN-1).
    Event {
        /// The event's own type, such as `payment:updated`.
        name: String,
        /// Its data.
        payload: Value,
    },
}

/// Why a gateway refuses a request; the `code` of its `error` message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorCode {
    /// The frame is not a message (MSG-4).
    BadMessage,
    /// The room's name is missing or ill-formed (ROOM-4).
    BadRoom,
    /// Another's private room (ROOM-3).
    Forbidden,
    /// Too many messages a second (MSG-6).
    RateLimited,
    /// The connection is in as many rooms as it may be (ROOM-5).
    TooManyRooms,
    /// The token was refused (STATE-8; emitted by clients).
    Unauthorized,
    /// The message's type means nothing here (MSG-4).
    UnknownType,
}

impl ErrorCode {
    /// Every code.
    pub const ALL: [Self; 7] = [
        Self::BadMessage,
        Self::BadRoom,
        Self::Forbidden,
        Self::RateLimited,
        Self::TooManyRooms,
        Self::Unauthorized,
        Self::UnknownType,
    ];

    /// The code as the wire has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BadMessage => "bad_message",
            Self::BadRoom => "bad_room",
            Self::Forbidden => "forbidden",
            Self::RateLimited => "rate_limited",
            Self::TooManyRooms => "too_many_rooms",
            Self::Unauthorized => "unauthorized",
            Self::UnknownType => "unknown_type",
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
