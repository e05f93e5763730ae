//! The machine's inputs and outputs.

use std::time::Duration;

use protocol::{CloseCode, Target, Timestamp};
use serde_json::Value;

use super::{Status, Token};

/// One dial and the connection that it opens. Ids increase with every dial, so late events of a dead socket cannot be
/// confused with those of the live one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConnectionId(pub u64);

/// What the application asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Seeks a connection; nothing where one is sought or open already (STATE-5).
    Connect,
    /// Ends the connection and every attempt at one (STATE-6).
    Disconnect,
    /// Sends a message, now or on connecting (QUEUE-1).
    Send {
        /// Its type.
        kind: String,
        /// Its payload; null for none.
        payload: Value,
    },
    /// Asks for a room's messages, now and on every connecting (SUB-1, SUB-2).
    Subscribe(Target),
    /// Ends a subscription.
    Unsubscribe(Target),
    /// Uses this token from now on (TOKEN-1).
    SetToken(Token),
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// The application asks for something.
    Command(Command),
    /// The token provider answered [`Output::AskToken`]: a token, or why there is none.
    Token(ConnectionId, Result<Token, String>),
    /// A dial and its handshake succeeded.
    Opened(ConnectionId),
    /// A dial or its handshake failed.
    DialFailed(ConnectionId, DialFailure),
    /// A text message came.
    Text(ConnectionId, String),
    /// The oldest [`Output::Send`] of this kind has been handed to the network.
    Written(ConnectionId, SendKind),
    /// The connection is over, with the code of the first close frame where there was one.
    Closed(ConnectionId, Option<CloseCode>),
    /// Time has passed.
    Timer,
}

/// Why a dial failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DialFailure {
    /// The gateway refused the token (HTTP 401).
    #[error("the gateway refused the token")]
    Unauthorized,
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

/// What a text is that is to be sent. While the gateway does not read, each kind has a bound of its own, so that what waits for
/// the socket is bounded too (IN-2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendKind {
    /// The first message, which signs in. It holds the token.
    SignIn,
    /// A message of the application. As many wait as the queue holds; further ones are refused (QUEUE-3).
    Message,
    /// A request for a subscription or for its end. As many wait as [`SessionConfig::request_window`] says; what has changed
    /// meanwhile is asked for when they are written.
    ///
    /// [`SessionConfig::request_window`]: super::SessionConfig::request_window
    Request,
    /// A ping of the client's heartbeat. One waits: the gateway has yet to see it, so a second would say nothing new.
    Ping,
    /// The answer to a ping message. One waits: it answers every ping that comes before it is written.
    Pong,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Ask the token provider; [`Input::Token`] is to follow (TOKEN-2). [`Output::Dial`] for the same connection can come
    /// before the answer: the question is moot then.
    AskToken {
        /// The name of the dial that begins so.
        connection: ConnectionId,
    },
    /// Dial with this token.
    Dial {
        /// The dial's name.
        connection: ConnectionId,
        /// The newest token.
        token: Token,
    },
    /// Send a text message.
    Send {
        /// On this connection.
        connection: ConnectionId,
        /// The frame's text.
        text: String,
        /// What it is; [`Input::Written`] is to follow with the same.
        kind: SendKind,
    },
    /// Begin the closing handshake, or give up a dial that is under way.
    Close {
        /// Of this connection.
        connection: ConnectionId,
        /// With this code.
        code: CloseCode,
    },
    /// Drop the connection without a close frame: the peer is presumed dead.
    Drop(ConnectionId),
    /// Report the redial that the following `reconnecting` waits for.
    Redial {
        /// The how manieth redial it will be since the last stable connection, from 1.
        attempt: u32,
        /// How long until then (BACKOFF-1).
        delay: Duration,
    },
    /// Report why the dial failed; `error` follows (STATE-3).
    DialFailed(DialFailure),
    /// Announce a change of status.
    Status {
        /// The one before.
        old: Status,
        /// The one now.
        new: Status,
    },
    /// Call the listeners of an event.
    Emit {
        /// The event.
        name: String,
        /// Its payload.
        payload: Value,
    },
    /// Write a line to the log; it never holds a token.
    Log(String),
}

/// When something happened: the time since the driver's origin, and the wall clock for timestamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Since the driver's origin.
    pub monotonic: Duration,
    /// For the wire.
    pub wall: Timestamp,
}
