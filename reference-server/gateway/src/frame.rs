//! Finished frames. A gateway's frames carry no mask, so all receivers of an event share one.

use bytes::Bytes;
use protocol::CloseCode;

/// The last frame of its message.
const FIN: u8 = 0x80;
/// Opcodes (RFC 6455 section 11.8).
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;

/// A text message.
pub fn text_frame(text: &str) -> Bytes {
    frame(TEXT, text.as_bytes())
}

/// A binary message.
pub fn binary_frame(bytes: &[u8]) -> Bytes {
    frame(BINARY, bytes)
}

/// An empty ping.
pub fn ping_frame() -> Bytes {
    frame(PING, &[])
}

/// A close.
pub fn close_frame(code: CloseCode) -> Bytes {
    frame(CLOSE, &code.0.to_be_bytes())
}

/// A whole frame without a mask (RFC 6455 section 5.2). A protocol library would do, but each draws masks for clients, and this
/// crate has no entropy.
fn frame(opcode: u8, payload: &[u8]) -> Bytes {
    let mut bytes = Vec::with_capacity(payload.len() + 10);
    bytes.push(FIN | opcode);
    let length = payload.len();
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(length @ ..=125), _) => bytes.push(length),
        (_, Ok(length)) => {
            bytes.push(126);
            bytes.extend_from_slice(&length.to_be_bytes());
        }
        _ => {
            bytes.push(127);
            bytes.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(payload);
    bytes.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes of RFC 6455 section 5.7, and the two longer forms of the length.
    #[test]
    fn frames_are_those_of_the_rfc() {
        assert_eq!(&text_frame("Hello")[..], [0x81, 5, b'H', b'e', b'l', b'l', b'o']);
        assert_eq!(&binary_frame(&[7])[..], [0x82, 1, 7]);
        assert_eq!(&ping_frame()[..], [0x89, 0]);
        assert_eq!(&close_frame(CloseCode::GOING_AWAY)[..], [0x88, 2, 0x03, 0xe9]);
        assert_eq!(text_frame(&"x".repeat(125))[..2], [0x81, 125]);
        assert_eq!(text_frame(&"x".repeat(65_535))[..4], [0x81, 126, 0xff, 0xff]);
        assert_eq!(text_frame(&"x".repeat(126))[..4], [0x81, 126, 0, 126]);
        assert_eq!(text_frame(&"x".repeat(65_536))[..10], [0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
    }
}
