//! `permessage-deflate` as a browser speaks it (RFC 7692): offered, and used where the gateway accepts it.

use miniz_oxide::deflate::core::CompressorOxide;
use miniz_oxide::deflate::stream::deflate;
use miniz_oxide::inflate::stream::{InflateState, inflate};
use miniz_oxide::{DataFormat, MZError, MZFlush, MZStatus};
use scenarios::frame::RawFrame;
use tungstenite::protocol::frame::coding::{Data, OpCode};
use wire::frame::MAX_MESSAGE_BYTES;

/// What browsers offer.
pub(super) const OFFER: &str = "permessage-deflate; client_max_window_bits";
/// The reserved bit of a message that is compressed (section 6).
pub(super) const COMPRESSED: u8 = 4;
/// What a flush ends with, which is not sent (section 7.2.1).
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];
/// Longest message that is compressed: whatever window a gateway asks for holds it.
const MAX_COMPRESSED: usize = 256;
const CHUNK: usize = 64 * 1024;
const MIB: usize = 1024 * 1024;
const LEVEL: u8 = 6;

/// Why a message is not inflated.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum InflateError {
    #[error("a compressed message that cannot be inflated (RFC 7692 section 7.2.2)")]
    Broken,
    #[error("a compressed message of more than {MAX_MESSAGE_BYTES} bytes")]
    TooLong,
}

/// What a gateway's compressed messages are read by. Its own compressor may refer to earlier messages.
pub(super) struct Compression(Box<InflateState>);

impl Compression {
    /// What the answer to the offer agrees to, if anything.
    ///
    /// # Errors
    /// When it agrees to what was not offered.
    pub(super) fn agreed(answer: &str) -> Result<Option<Self>, &'static str> {
        let mut fields = answer.lines().skip(1).map_while(|line| line.split_once(':'));
        let field = fields.find(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-extensions"));
        let Some((_, value)) = field else { return Ok(None) };
        let mut parts = value.split(';').map(str::trim);
        if parts.next() != Some("permessage-deflate") || !parts.all(is_parameter) {
            return Err(
                "an answer that agrees to an extension which was not offered so (RFC 7692 section 7.1)",
            );
        }
        Ok(Some(Self(InflateState::new_boxed(DataFormat::Raw))))
    }

    /// A message as it was before it was compressed.
    ///
    /// # Errors
    /// When it cannot be inflated, or is longer than a message that is not compressed may be.
    pub(super) fn inflated(&mut self, payload: &[u8]) -> Result<Vec<u8>, InflateError> {
        let input = [payload, &TAIL].concat();
        let (mut taken, mut message, mut chunk) = (0, Vec::new(), vec![0; CHUNK]);
        loop {
            let step = inflate(&mut self.0, &input[taken..], &mut chunk, MZFlush::None);
            taken += step.bytes_consumed;
            message.extend_from_slice(&chunk[..step.bytes_written]);
            if message.len() > MAX_MESSAGE_BYTES {
                return Err(InflateError::TooLong);
            }
            match step.status {
                Ok(MZStatus::StreamEnd) => {
                    self.0.reset(DataFormat::Raw);
                    return Ok(message);
                }
                Ok(_) if step.bytes_consumed + step.bytes_written > 0 => {}
                Ok(_) | Err(MZError::Buf) if taken == input.len() => return Ok(message),
                _ => return Err(InflateError::Broken),
            }
        }
    }

    /// The frame as a browser sends it.
    pub(super) fn deflated(frame: RawFrame) -> RawFrame {
        let is_text = frame.opcode == OpCode::Data(Data::Text);
        if !is_text || !(1..=MAX_COMPRESSED).contains(&frame.payload.len()) {
            return frame;
        }
        RawFrame { rsv: COMPRESSED, payload: compressed(&frame.payload), ..frame }
    }
}

/// Bytes compressed by themselves.
fn compressed(bytes: &[u8]) -> Vec<u8> {
    let mut flushed = flushed(bytes);
    flushed.truncate(flushed.len() - TAIL.len());
    flushed
}

/// The same with the flush at its end, which is a whole number of bytes: what is compressed so can stand one behind the other.
fn flushed(mut bytes: &[u8]) -> Vec<u8> {
    let mut compressor = CompressorOxide::default();
    compressor.set_format_and_level(DataFormat::Raw, LEVEL);
    let (mut out, mut chunk) = (Vec::new(), vec![0; CHUNK]);
    loop {
        let step = deflate(&mut compressor, bytes, &mut chunk, MZFlush::Sync);
        bytes = &bytes[step.bytes_consumed..];
        out.extend_from_slice(&chunk[..step.bytes_written]);
        if step.bytes_written < chunk.len() && bytes.is_empty() {
            return out;
        }
    }
}

/// A text of so many blanks, to the next MiB, compressed: about a thousandth of it. One MiB is compressed, and repeated.
pub(super) fn bomb(bytes: usize) -> RawFrame {
    let mut payload = flushed(&vec![b' '; MIB]).repeat(bytes.div_ceil(MIB));
    payload.truncate(payload.len() - TAIL.len());
    RawFrame { rsv: COMPRESSED, ..RawFrame::whole(OpCode::Data(Data::Text), payload) }
}

/// Whether an answer to the offer may have this parameter (section 7.1).
fn is_parameter(text: &str) -> bool {
    let (name, value) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
    let is_window = value.is_some_and(|value| {
        value.trim_matches('"').parse::<u8>().is_ok_and(|bits| (8..=15).contains(&bits))
    });
    match name {
        "server_no_context_takeover" | "client_no_context_takeover" => value.is_none(),
        "server_max_window_bits" | "client_max_window_bits" => is_window,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(extensions: &str) -> String {
        format!("HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Extensions: {extensions}\r\n\r\n")
    }

    /// Only what was offered can be agreed to; nothing need be.
    #[test]
    fn answers_are_read() {
        let agrees = |text: &str| Compression::agreed(text).map(|agreed| agreed.is_some());
        assert_eq!(agrees("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"), Ok(false));
        for good in [
            "permessage-deflate",
            "permessage-deflate; server_no_context_takeover; client_max_window_bits=12",
        ] {
            assert_eq!(agrees(&answer(good)), Ok(true), "{good}");
        }
        for bad in [
            "x-webkit-deflate-frame",
            "permessage-deflate; client_max_window_bits",
            "permessage-deflate; made_up",
        ] {
            assert!(agrees(&answer(bad)).is_err(), "{bad}");
        }
    }

    /// What is compressed reads back, one message after the other, and the example of section 7.2.3.1 does.
    #[test]
    fn messages_round_trip() {
        let mut reader = Compression::agreed(&answer("permessage-deflate")).unwrap().unwrap();
        for text in ["Hello", "{\"type\":\"ping\"}", "Hello"] {
            let frame = Compression::deflated(RawFrame::text(text));
            assert_eq!(frame.rsv, COMPRESSED);
            assert_eq!(reader.inflated(&frame.payload).unwrap(), text.as_bytes());
        }
        assert_eq!(reader.inflated(&[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]).unwrap(), b"Hello");
        assert_eq!(reader.inflated(&[0xff; 20]), Err(InflateError::Broken));
        let long = "x".repeat(MAX_COMPRESSED + 1);
        assert_eq!(Compression::deflated(RawFrame::text(long)).rsv, 0);
    }

    /// A bomb is what it says, and small.
    #[test]
    fn a_bomb_is_small() {
        let inflated = |bytes| {
            let frame = bomb(bytes);
            assert!(frame.payload.len() < bytes / 512, "{}", frame.payload.len());
            let mut reader = Compression::agreed(&answer("permessage-deflate")).unwrap().unwrap();
            reader.inflated(&frame.payload).map(|message| message.len())
        };
        assert_eq!(inflated(MAX_MESSAGE_BYTES), Ok(MAX_MESSAGE_BYTES));
        assert_eq!(inflated(MAX_MESSAGE_BYTES + MIB), Err(InflateError::TooLong));
    }
}
