//! What the scripted gateway does.

use std::fmt;

use protocol::CloseCode;
use serde_json::Value;

use super::FrameSpec;
use crate::scenario::OnDials;

/// What the scripted gateway does.
#[derive(Debug, Clone, PartialEq)]
pub enum GatewayAct {
    /// Treats later dials otherwise.
    OnDial(OnDials),
    /// Answers `ping` messages from now on, or no longer.
    Pong(bool),
    /// Begins the closing handshake.
    Close {
        /// With this code, or with none.
        code: Option<CloseCode>,
        /// Whether it keeps the connection when the client has answered, until it drops it.
        lingers: bool,
    },
    /// Drops the connection without a close frame.
    Drop,
    /// Drops every connection at once.
    DropAll,
    /// Stops reading, or reads again.
    Stall(bool),
    /// Reads so many more text messages, then drops the connection with whatever follows them unread.
    CutAfter(u32),
    /// Sends an event.
    Event {
        /// Its type.
        name: String,
        /// Its data.
        data: Value,
        /// How often; more than one are numbered by a `seq` in their data.
        count: u32,
    },
    /// Sends an event in fragments.
    Fragmented {
        /// Its type.
        name: String,
        /// Its data.
        data: Value,
        /// How many.
        fragments: usize,
        /// What ping frames behind each but the last carry; nothing: there are none.
        between: Vec<u8>,
    },
    /// Sends frames, right or wrong.
    SendFrames(Vec<FrameSpec>),
    /// Sends a text frame as it is.
    SendText(String),
    /// Writes bytes that need not be a frame.
    SendBytes(Vec<u8>),
    /// Sends a ping control frame with this payload.
    Ping(Vec<u8>),
}

impl fmt::Display for GatewayAct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OnDial(_) => f.write_str("treat dials otherwise"),
            Self::Pong(true) => f.write_str("answer pings"),
            Self::Pong(false) => f.write_str("leave pings unanswered"),
            Self::Close { code, lingers } => {
                match code {
                    Some(code) => write!(f, "close with {code}")?,
                    None => f.write_str("close without a code")?,
                }
                f.write_str(if *lingers { " and keep the connection" } else { "" })
            }
            Self::Fragmented { name, fragments, .. } => write!(f, "send {name} in {fragments} fragments"),
            Self::SendFrames(frames) => {
                let names: Vec<_> = frames.iter().map(|frame| frame.named(false)).collect();
                write!(f, "send {}", names.join(", "))
            }
            Self::Drop => f.write_str("drop the connection"),
            Self::DropAll => f.write_str("drop every connection"),
            Self::Stall(true) => f.write_str("stop reading"),
            Self::Stall(false) => f.write_str("read again"),
            Self::CutAfter(count) => write!(f, "read {count} messages and drop the connection"),
            Self::Event { name, count, .. } if *count > 1 => write!(f, "send {name} ({count})"),
            Self::Event { name, data, .. } => write!(f, "send {name} {data}"),
            Self::SendText(text) => write!(f, "send the text {text:?}"),
            Self::SendBytes(bytes) => write!(f, "write {} bytes", bytes.len()),
            Self::Ping(bytes) => write!(f, "send a ping frame of {} bytes", bytes.len()),
        }
    }
}
