//! Frames to and from bytes.
//!
//! Methods and properties are `amq-protocol`'s; the envelope is cut here, so that a body is a view into what was read
//! and not a copy.

mod nesting;

use super::fault::Fault;
use super::message::{Message, decode_properties};
use amq_protocol::frame::{AMQPFrame, ProtocolVersion, gen_frame};
use amq_protocol::protocol::constants::{FRAME_BODY, FRAME_END, FRAME_HEADER, FRAME_HEARTBEAT, FRAME_METHOD};
use amq_protocol::protocol::{AMQPClass, AMQPHardError, parse_class};
use amq_protocol::types::{FieldTable, ShortString};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use thiserror::Error;

/// Type, channel and length before the payload, and the end mark after it.
const ENVELOPE_BYTES: usize = 8;
/// Type, channel and length.
const PREFIX_BYTES: usize = 7;
/// `AMQP`, and the version.
const GREETING_BYTES: usize = 8;
/// Class, weight and body size: what stands before the properties in a content header.
const CONTENT_HEADER_BYTES: usize = 12;

/// One frame as read from a client.
#[derive(Clone, Debug)]
pub(crate) enum Frame {
    Method(u16, AMQPClass),
    Header(u16, ContentHeader),
    Body(u16, Bytes),
    Heartbeat,
}

/// A content header: the properties as sent, and those of them that the broker itself heeds.
#[derive(Clone, Debug, Default)]
pub(crate) struct ContentHeader {
    pub(crate) body_size: u64,
    pub(crate) properties: Bytes,
    pub(crate) expiration: Option<ShortString>,
    pub(crate) user_id: Option<ShortString>,
    pub(crate) reply_to: Option<ShortString>,
    pub(crate) priority: Option<u8>,
    /// Headers name further routing keys (`CC`, `BCC`).
    pub(crate) has_copies: bool,
}

/// Bytes that are no AMQP.
#[derive(Clone, Debug, Error, PartialEq)]
pub(crate) enum WireError {
    /// The connection does not begin with the protocol header of AMQP 0-9-1.
    #[error("the peer does not speak AMQP 0-9-1")]
    Greeting,
    /// A frame that cannot be read, and the fault that the peer receives.
    #[error("{0}")]
    Frame(#[from] Fault),
}

/// Cuts a client's bytes into frames.
#[derive(Debug)]
pub(crate) struct Decoder {
    buffer: BytesMut,
    greeted: bool,
    max_frame: usize,
}

impl Decoder {
    /// A decoder for a new connection, with the frame size that the broker is going to propose.
    pub(crate) fn new(max_frame: u32) -> Self {
        Self { buffer: BytesMut::new(), greeted: false, max_frame: max_frame as usize }
    }

    /// Takes no frame larger than this, envelope included.
    pub(crate) fn limit_frames(&mut self, max_frame: u32) {
        self.max_frame = max_frame as usize;
    }

    /// Where to put what was read.
    pub(crate) fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// Takes the protocol header off; whether it was there in full.
    ///
    /// # Errors
    ///
    /// [`WireError::Greeting`] as soon as it can no longer become that header.
    pub(crate) fn greeting(&mut self) -> Result<bool, WireError> {
        let expected = greeting();
        let seen = self.buffer.len().min(GREETING_BYTES);
        if self.buffer[..seen] != expected[..seen] {
            return Err(WireError::Greeting);
        }
        if seen == GREETING_BYTES && !self.greeted {
            self.buffer.advance(GREETING_BYTES);
            self.greeted = true;
        }
        Ok(self.greeted)
    }

    /// The next frame, if it is there in full.
    ///
    /// # Errors
    ///
    /// 501 for a frame that is too large, of an unknown type or badly ended; 502 for a method or a header that does
    /// not parse. The decoder is of no use afterwards.
    pub(crate) fn frame(&mut self) -> Result<Option<Frame>, WireError> {
        if self.buffer.len() < PREFIX_BYTES {
            return Ok(None);
        }
        let mut prefix = &self.buffer[..PREFIX_BYTES];
        let (kind, channel, size) = (prefix.get_u8(), prefix.get_u16(), prefix.get_u32() as usize);
        if !matches!(kind, FRAME_METHOD | FRAME_HEADER | FRAME_BODY | FRAME_HEARTBEAT) {
            return Err(frame_error(format!("unknown frame type {kind}")));
        }
        if size > self.max_frame - ENVELOPE_BYTES {
            return Err(frame_error(format!(
                "type {kind}, {size} bytes are more than the negotiated frame_max"
            )));
        }
        if self.buffer.len() < size + ENVELOPE_BYTES {
            return Ok(None);
        }
        self.buffer.advance(PREFIX_BYTES);
        let payload = self.buffer.split_to(size).freeze();
        if self.buffer.get_u8() != FRAME_END {
            return Err(frame_error(format!("type {kind}, the frame does not end where its length says")));
        }
        match kind {
            FRAME_METHOD => Ok(Some(Frame::Method(channel, method(&payload)?))),
            FRAME_HEADER => Ok(Some(Frame::Header(channel, content_header(payload)?))),
            FRAME_BODY => Ok(Some(Frame::Body(channel, payload))),
            _ => Ok(Some(Frame::Heartbeat)),
        }
    }
}

fn method(payload: &[u8]) -> Result<AMQPClass, WireError> {
    nesting::check(payload)?;
    match parse_class(payload) {
        Ok(([], class)) => Ok(class),
        Ok(_) | Err(_) => Err(syntax_error("a method cannot be read")),
    }
}

fn content_header(mut payload: Bytes) -> Result<ContentHeader, WireError> {
    nesting::check(&payload)?;
    if payload.len() < CONTENT_HEADER_BYTES {
        return Err(syntax_error("a content header cannot be read"));
    }
    payload.advance(4);
    let body_size = payload.get_u64();
    let Some(properties) = decode_properties(&payload) else {
        return Err(syntax_error("a content header's properties cannot be read"));
    };
    Ok(ContentHeader {
        body_size,
        properties: payload,
        expiration: properties.expiration().clone(),
        user_id: properties.user_id().clone(),
        reply_to: properties.reply_to().clone(),
        priority: *properties.priority(),
        has_copies: properties.headers().as_ref().is_some_and(names_copies),
    })
}

fn names_copies(headers: &FieldTable) -> bool {
    ["CC", "BCC"].iter().any(|name| headers.inner().contains_key(*name))
}

fn frame_error(detail: String) -> WireError {
    WireError::Frame(Fault::hard(AMQPHardError::FRAMEERROR, detail))
}

fn syntax_error(detail: &str) -> WireError {
    WireError::Frame(Fault::hard(AMQPHardError::SYNTAXERROR, detail))
}

fn greeting() -> Vec<u8> {
    let mut buffer = Vec::new();
    put(&mut buffer, &AMQPFrame::ProtocolHeader(ProtocolVersion::amqp_0_9_1()));
    buffer
}

/// Writes the protocol header, which is also the answer to a peer that began with another one.
pub(crate) fn put_greeting(buffer: &mut Vec<u8>) {
    buffer.extend_from_slice(&greeting());
}

/// Writes a heartbeat.
pub(crate) fn put_heartbeat(buffer: &mut Vec<u8>) {
    put(buffer, &AMQPFrame::Heartbeat);
}

/// Writes a method.
pub(crate) fn put_method(buffer: &mut Vec<u8>, channel: u16, method: AMQPClass) {
    put(buffer, &AMQPFrame::Method(channel, method));
}

/// Writes the content that follows a method: its header, and its body in frames of at most `max_frame` bytes.
pub(crate) fn put_content(buffer: &mut Vec<u8>, channel: u16, message: &Message, max_frame: u32) {
    const BASIC_CLASS: u16 = 60;
    put_envelope(buffer, FRAME_HEADER, channel, |buffer| {
        buffer.put_u16(BASIC_CLASS);
        buffer.put_u16(0);
        buffer.put_u64(message.body.len() as u64);
        buffer.put_slice(&message.properties);
    });
    for part in message.body.chunks(max_frame as usize - ENVELOPE_BYTES) {
        put_envelope(buffer, FRAME_BODY, channel, |buffer| buffer.put_slice(part));
    }
}

fn put_envelope(buffer: &mut Vec<u8>, kind: u8, channel: u16, payload: impl FnOnce(&mut Vec<u8>)) {
    buffer.put_u8(kind);
    buffer.put_u16(channel);
    buffer.put_u32(0);
    let start = buffer.len();
    payload(buffer);
    let size =
        u32::try_from(buffer.len() - start).expect("a frame is smaller than the negotiated size, an u32");
    buffer[start - 4..start].copy_from_slice(&size.to_be_bytes());
    buffer.put_u8(FRAME_END);
}

fn put(buffer: &mut Vec<u8>, frame: &AMQPFrame) {
    let (written, _) = gen_frame(frame)(std::mem::take(buffer).into())
        .expect("writing into memory does not fail")
        .into_inner();
    *buffer = written;
}

#[cfg(test)]
mod tests;
