//! The machine's inputs and outputs.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use protocol::{Claims, CloseCode, Timestamp};

use super::delivery::Delivery;

/// One connection. Ids are never reused, so late events of a closed connection cannot be confused with a later one's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// What happened.
#[derive(Debug, Clone)]
pub enum Input {
    /// A signed-in connection is open.
    Opened(ConnectionId, Claims),
    /// A text message came.
    Text(ConnectionId, String),
    /// A binary message came.
    Binary(ConnectionId),
    /// A ping frame came; it has been answered.
    Ping(ConnectionId),
    /// A pong frame came.
    Pong(ConnectionId),
    /// The connection is over.
    Closed(ConnectionId),
    /// More waits for the connection than may: it reads too slowly (BRIDGE-12).
    Slow(ConnectionId),
    /// Events are to be delivered.
    Deliver(Arc<Delivery>),
    /// The gateway shuts down: every connection receives close code 1001, those that open from now on included (CONN-6).
    Shutdown,
    /// Time has passed.
    Timer,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Append finished frames to the connection's outbox; receivers of one event share its bytes.
    Send(ConnectionId, Bytes),
    /// Begin the closing handshake.
    Close(ConnectionId, CloseCode),
    /// Say that it sends too much, and end it without waiting for its answer (MSG-6).
    CutOff(ConnectionId, CloseCode),
    /// Give up what waits for the connection, and close it as a slow reader (BRIDGE-12).
    Shed(ConnectionId),
    /// Drop the connection without a close frame: the peer is presumed dead (HB-2).
    Drop(ConnectionId),
}

/// When something happened: the time since the driver's origin, and the wall clock for timestamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Since the driver's origin.
    pub monotonic: Duration,
    /// For the wire.
    pub wall: Timestamp,
}
