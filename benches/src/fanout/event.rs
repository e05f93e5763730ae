//! The events. All are as long as each other and numbered, so that a subscriber knows every byte it must get.

use bytes::Bytes;

/// Length of an event's finished message.
pub const MESSAGE_BYTES: usize = 200;
/// Length of a frame: four bytes of head, and the message.
pub const FRAME_BYTES: usize = 4 + MESSAGE_BYTES;

/// The event's own time, which a gateway passes on.
const TIMESTAMP: &str = "2026-01-01T00:00:00.000Z";

/// The body that a broker delivers. Its event goes to all clients (BRIDGE-2).
pub(super) fn body(number: usize) -> Bytes {
    let data = data(number);
    format!(r#"{{"type":"payment:created","data":{data},"timestamp":"{TIMESTAMP}"}}"#).into()
}

/// What a subscriber gets.
pub(super) fn message(number: usize) -> String {
    let data = data(number);
    format!(r#"{{"type":"payment:created","payload":{data},"timestamp":"{TIMESTAMP}"}}"#)
}

/// The message as one text frame without a mask.
pub(super) fn frame(number: usize) -> Vec<u8> {
    let mut frame = vec![0x81, 126, 0, 200];
    frame.extend_from_slice(message(number).as_bytes());
    frame
}

fn data(number: usize) -> String {
    format!(r#"{{"number":"{number:08}","note":"{:x<93}"}}"#, "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::RoomName;

    /// The gateway turns the broker's body into the frame that subscribers expect, for all clients.
    #[test]
    fn a_body_becomes_its_frame() {
        let routed = crate::machine::route(&body(42));
        assert_eq!(routed.frames, frame(42));
        assert_eq!(routed.frames.len(), FRAME_BYTES);
        assert_eq!(routed.rooms, [RoomName::parse("broadcast").unwrap()]);
    }
}
