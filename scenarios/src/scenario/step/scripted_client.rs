//! What a scripted client does.

use std::fmt;
use std::num::NonZeroUsize;

use protocol::{CloseCode, Target};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{BrokenSignIn, NetworkAct};
use crate::frame::RawFrame;

/// Most frames of one step that are named one by one.
const MAX_NAMED_FRAMES: usize = 4;

/// What a scripted client does.
#[derive(Debug, Clone, PartialEq)]
pub enum ScriptedClientAct {
    /// Dials.
    Connect,
    /// Begins the closing handshake.
    Close(CloseCode),
    /// Drops the connection without a close frame.
    Drop,
    /// Ends its direction of the connection, and reads on.
    HalfClose,
    /// Connects so many times in a row, asks for a room at once, and is gone before that can be answered. Of several rounds each is followed
    /// by a look at what the gateway's processes hold; the last is the one after which that has been steady for two, if there is one.
    Churn {
        /// Connections of a round.
        count: u32,
        /// Most rounds.
        rounds: u32,
    },
    /// Sends a text of so many blanks, compressed, whether or not that was agreed to (RFC 7692).
    SendCompressed(usize),
    /// Stops reading.
    Stall,
    /// Reads again.
    Resume,
    /// Stops answering control pings.
    Mute,
    /// Sends a `ping` message.
    Ping,
    /// Sends a message.
    Send {
        /// Its type.
        kind: String,
        /// Its payload.
        payload: Value,
        /// How often, without a pause.
        count: u32,
    },
    /// Sends a text frame as it is.
    SendText(String),
    /// Sends a binary frame.
    SendBinary(Vec<u8>),
    /// Writes bytes that need not be a frame.
    SendBytes(Vec<u8>),
    /// Writes frames that need not be right, together or in pieces of so many bytes.
    SendFrames {
        /// The frames.
        frames: Vec<FrameSpec>,
        /// Bytes of each write.
        chop: Option<NonZeroUsize>,
    },
    /// Sends a `ping` message in an unusual shape; its answer shows that it was put together.
    SendPing(OddPing),
    /// Asks to join, and lets the gateway answer.
    Subscribe(Target),
    /// Asks to leave, and lets the gateway answer.
    Unsubscribe(Target),
    /// Sends the message that signs in, with its own token or that of another client.
    SignIn(Option<String>),
    /// Sends a message that would sign in, but for one part of it.
    BreakSignIn(BrokenSignIn),
    /// The network between it and the gateway acts.
    Network(NetworkAct),
}

/// A frame as the scenario wants it, right or wrong (RFC 6455 section 5.2). A close that is sent so begins no closing
/// handshake: however the gateway takes it, the connection counts as ended by the gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrameSpec {
    /// The frame.
    pub frame: RawFrame,
    /// Whether it is masked, as a client's frames must be.
    pub masked: bool,
}

/// A `ping` message in an unusual shape.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OddPing {
    /// How long the message is made, by spaces at its end.
    pub bytes: Option<usize>,
    /// How many frames carry it.
    pub fragments: Option<NonZeroUsize>,
    /// What ping frames carry that come between the fragments.
    pub between: Option<String>,
    /// Bytes of each write; the step says it.
    #[serde(skip)]
    pub chop: Option<NonZeroUsize>,
}

impl fmt::Display for ScriptedClientAct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect => f.write_str("connect"),
            Self::Close(code) => write!(f, "close with {code}"),
            Self::Drop => f.write_str("drop the connection"),
            Self::HalfClose => f.write_str("end its direction of the connection"),
            Self::Churn { count, rounds: 1 } => write!(f, "come {count} times, ask for a room and be gone"),
            Self::Churn { count, rounds } => {
                write!(f, "come {count} times, ask for a room and be gone, in {rounds} rounds at most")
            }
            Self::SendCompressed(bytes) => write!(f, "send a text of {bytes} bytes, compressed"),
            Self::Stall => f.write_str("stop reading"),
            Self::Resume => f.write_str("read again"),
            Self::Mute => f.write_str("stop answering pings"),
            Self::Ping => f.write_str("ping"),
            Self::Send { kind, count: 1, .. } => write!(f, "send {kind}"),
            Self::Send { kind, count, .. } => write!(f, "send {kind} ({count})"),
            Self::SendText(text) => write!(f, "send the text {text:?}"),
            Self::SendBinary(bytes) => write!(f, "send a binary frame of {} bytes", bytes.len()),
            Self::SendBytes(bytes) => write!(f, "write {} bytes", bytes.len()),
            Self::SendFrames { frames, chop } if frames.len() > MAX_NAMED_FRAMES => {
                let bytes: usize = frames.iter().map(|odd| odd.frame.payload.len()).sum();
                write!(f, "send {} frames of {bytes} bytes in all{}", frames.len(), chopped(*chop))
            }
            Self::SendFrames { frames, chop } => {
                let names: Vec<_> = frames.iter().map(|frame| frame.named(true)).collect();
                write!(f, "send {}{}", names.join(", "), chopped(*chop))
            }
            Self::SendPing(ping) => {
                f.write_str("send a ping message")?;
                ping.bytes.iter().try_for_each(|bytes| write!(f, " of {bytes} bytes"))?;
                ping.fragments.iter().try_for_each(|count| write!(f, " in {count} fragments"))?;
                ping.between.iter().try_for_each(|text| write!(f, " with ping frames {text:?} between"))?;
                f.write_str(&chopped(ping.chop))
            }
            Self::Subscribe(target) => write!(f, "subscribe to {target}"),
            Self::Unsubscribe(target) => write!(f, "unsubscribe from {target}"),
            Self::SignIn(None) => f.write_str("sign in"),
            Self::SignIn(Some(other)) => write!(f, "sign in as {other}"),
            Self::BreakSignIn(how) => write!(f, "sign in {how}"),
            Self::Network(act) => write!(f, "the network {act}"),
        }
    }
}

fn chopped(chop: Option<NonZeroUsize>) -> String {
    chop.map(|bytes| format!(", {bytes} bytes a write")).unwrap_or_default()
}

impl FrameSpec {
    /// What it is, for people; `masks` says whether its sender should mask it.
    pub(super) fn named(&self, masks: bool) -> String {
        let RawFrame { fin, rsv, opcode, payload } = &self.frame;
        let opcode = opcode.to_string().to_lowercase();
        let last = if *fin { "" } else { " that is not the last" };
        let mask = match (masks, self.masked) {
            (true, false) => " without a mask",
            (false, true) => " with a mask",
            _ => "",
        };
        let bits = if *rsv == 0 { String::new() } else { format!(" with reserved bits {rsv:03b}") };
        format!("a {opcode} frame of {} bytes{last}{mask}{bits}", payload.len())
    }
}
