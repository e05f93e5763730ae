//! Finished frames. A gateway's frames carry no mask, so all receivers of an event share one.

use bytes::Bytes;
use protocol::CloseCode;
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

/// A text message.
pub fn text_frame(text: &str) -> Bytes {
    frame(OpCode::Data(Data::Text), text.as_bytes())
}

/// A binary message.
pub fn binary_frame(bytes: &[u8]) -> Bytes {
    frame(OpCode::Data(Data::Binary), bytes)
}

/// An empty ping.
pub fn ping_frame() -> Bytes {
    frame(OpCode::Control(Control::Ping), &[])
}

/// A close.
pub fn close_frame(code: CloseCode) -> Bytes {
    frame(OpCode::Control(Control::Close), &code.0.to_be_bytes())
}

fn frame(opcode: OpCode, payload: &[u8]) -> Bytes {
    let header = FrameHeader { is_final: true, rsv1: false, rsv2: false, rsv3: false, opcode, mask: None };
    let mut bytes = Vec::with_capacity(payload.len() + 10);
    header.format(payload.len() as u64, &mut bytes).expect("a vector takes every byte");
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
        assert_eq!(text_frame(&"x".repeat(126))[..4], [0x81, 126, 0, 126]);
        assert_eq!(text_frame(&"x".repeat(65_536))[..10], [0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
    }
}
