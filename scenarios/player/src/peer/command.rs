//! What a peer is told to do.

use std::num::NonZeroUsize;

use protocol::CloseCode;
use scenarios::frame::RawFrame;
use scenarios::scenario::FrameSpec;
use serde_json::Value;

use crate::fragments::Fragmentation;

/// A command to a peer.
#[derive(Debug)]
pub(crate) enum PeerCommand {
    /// Sends a frame.
    Send(RawFrame),
    /// Sends an event, by the subscription that it belongs to where the dialect says that.
    Event {
        name: String,
        data: Value,
        /// How it is cut, where it comes in fragments.
        cut: Option<Fragmentation>,
    },
    /// Writes bytes as they are.
    Bytes(Vec<u8>),
    /// Writes frames as they are.
    Frames {
        /// The frames.
        frames: Vec<FrameSpec>,
        /// The message that they are together, where they are one.
        message: Option<RawFrame>,
        /// Bytes of each write.
        chop: Option<NonZeroUsize>,
    },
    /// Begins the closing handshake.
    Close(Closing),
    /// Ends this direction of the connection.
    HalfClose,
    /// Drops the connection.
    Drop,
    /// Stops reading, or reads again.
    Stall(bool),
    /// Reads so many more text messages, then drops the connection.
    CutAfter(u32),
    /// Answers none of the gateway's pings any more.
    Mute,
    /// Answers ping messages from now on, or no longer.
    AnswerPingMessages(bool),
}

/// A closing handshake that this end begins.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Closing {
    /// What it says.
    pub(crate) code: CloseCode,
    /// Whether the connection stays when the handshake is over, until it is dropped.
    pub(crate) lingers: bool,
}
