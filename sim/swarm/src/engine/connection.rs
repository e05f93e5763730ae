//! A connection, from its dial to the end of both ends.

use std::collections::VecDeque;

use bytes::Bytes;
use protocol::{CloseCode, Dialect};
use reference_gateway::Backlog;
use reference_session::SendKind;
use scenarios::Frame;
use scenarios::trace::{FrameKind, Message};

use super::pipe::Pipe;

/// One connection.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) client: usize,
    pub(crate) dial: reference_session::ConnectionId,
    /// Its number among those of its client, as traces have it.
    pub(crate) number: u32,
    pub(crate) gateway: usize,
    pub(crate) up: Pipe,
    pub(crate) down: Pipe,
    /// Whether the network carries nothing of it any more.
    pub(crate) is_lost: bool,
    pub(crate) near: Near,
    /// What the client has for its socket.
    pub(crate) waiting: VecDeque<Waiting>,
    /// The code that the client has closed it with.
    pub(crate) ours: Option<CloseCode>,
    pub(crate) far: Far,
    pub(crate) backlog: Backlog,
}

/// The client's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Near {
    /// Its dial is under way.
    Dialling,
    /// It is open, whether or not the client has closed it.
    Open,
    /// The gateway's close frame has come: it ends.
    Finishing(CloseCode),
    /// It is over.
    Over,
}

/// The gateway's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Far {
    /// The dial has not come.
    Unknown,
    /// It is open.
    Open(reference_gateway::ConnectionId),
    /// It has a close frame behind all else, and ends once that is answered.
    Closing,
    /// It has been closed by both ends, and ends once all is written.
    Flushing,
    /// It is over.
    Over,
}

/// What waits for a client's socket.
#[derive(Debug)]
pub(crate) enum Waiting {
    Text(String, SendKind),
    Pong,
    Close(CloseCode),
}

/// A whole frame of a gateway.
#[derive(Debug)]
pub(crate) enum GatewayFrame {
    Text(String),
    Ping,
    Close(Option<CloseCode>),
}

/// Cuts finished frames of the gateway, which have no mask (RFC 6455, 5.2).
pub(crate) fn frames(mut bytes: &[u8]) -> Vec<GatewayFrame> {
    const WHOLE: &str = "the gateway's frames are whole";
    let mut frames = Vec::new();
    while let [first, second, rest @ ..] = bytes {
        let (length, behind) = match second & 0x7f {
            126 => (u16::from_be_bytes([rest[0], rest[1]]) as usize, &rest[2..]),
            127 => {
                let length = u64::from_be_bytes(rest[..8].try_into().expect(WHOLE));
                (usize::try_from(length).expect(WHOLE), &rest[8..])
            }
            length => (usize::from(length), rest),
        };
        let (payload, rest) = behind.split_at(length);
        frames.push(match first & 0x0f {
            0x8 => {
                GatewayFrame::Close(payload.first_chunk().map(|code| CloseCode(u16::from_be_bytes(*code))))
            }
            0x9 => GatewayFrame::Ping,
            _ => GatewayFrame::Text(String::from_utf8_lossy(payload).into_owned()),
        });
        bytes = rest;
    }
    frames
}

/// A gateway's text as a trace has it.
pub(crate) fn received(text: String, dialect: &Dialect) -> Frame {
    let message = match dialect.decode_server(&text) {
        Ok(decoded) => Message::Server(decoded.message),
        Err(error) => Message::Unreadable(error.to_string()),
    };
    Frame { kind: FrameKind::Text, body: text, message: Some(message), form: None }
}

/// A client's text as a trace has it.
pub(crate) fn sent(text: String, dialect: &Dialect) -> Frame {
    let message = match dialect.decode_client(&text) {
        Ok(decoded) => Message::Client(decoded.message),
        Err(error) => Message::Unreadable(error.to_string()),
    };
    Frame { kind: FrameKind::Text, body: text, message: Some(message), form: None }
}

/// A control frame without a payload.
pub(crate) fn control(kind: FrameKind) -> Frame {
    let message = (kind == FrameKind::Ping).then_some(Message::Server(protocol::ServerMessage::Ping));
    Frame { kind, body: String::new(), message, form: None }
}

impl Connection {
    /// Frames for the client that the gateway's socket takes next.
    pub(crate) fn next_piece(&mut self) -> Option<Bytes> {
        if !self.down.takes_more() {
            return None;
        }
        let piece = self.backlog.front()?.clone();
        self.backlog.written(piece.len());
        Some(piece)
    }
}
