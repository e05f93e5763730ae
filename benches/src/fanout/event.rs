//! The events. All of a run are as long as each other and numbered, so that a subscriber knows every byte it must get.

use bytes::Bytes;

/// The event's own time, which a gateway passes on.
const TIMESTAMP: &str = "2026-01-01T00:00:00.000Z";

/// How long the events of a run are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventSize {
    /// Length of a finished message, from 126 to 65,535 bytes: those whose frames have a head of four bytes.
    message: u16,
}

impl EventSize {
    /// What a payment's event has.
    pub const USUAL: Self = Self { message: 200 };

    /// Messages of so many bytes.
    ///
    /// # Panics
    /// When an event has no room in them.
    pub const fn new(message: u16) -> Self {
        assert!(message >= 126, "an event has no room in this");
        Self { message }
    }

    /// Length of an event's finished message.
    pub fn message_bytes(self) -> usize {
        self.message.into()
    }

    /// Length of an event's frame: four bytes of head, and the message.
    pub fn frame_bytes(self) -> usize {
        4 + self.message_bytes()
    }

    /// The body that a broker delivers. Its event goes to all clients (BRIDGE-2).
    pub(super) fn body(self, number: usize) -> Bytes {
        let data = self.data(number);
        format!(r#"{{"type":"payment:created","data":{data},"timestamp":"{TIMESTAMP}"}}"#).into()
    }

    /// What a subscriber gets.
    pub(super) fn message(self, number: usize) -> String {
        let data = self.data(number);
        format!(r#"{{"type":"payment:created","payload":{data},"timestamp":"{TIMESTAMP}"}}"#)
    }

    /// The message as one text frame without a mask.
    pub(super) fn frame(self, number: usize) -> Vec<u8> {
        let [high, low] = self.message.to_be_bytes();
        let mut frame = vec![0x81, 126, high, low];
        frame.extend_from_slice(self.message(number).as_bytes());
        frame
    }

    fn data(self, number: usize) -> String {
        format!(r#"{{"number":"{number:08}","note":"{:x<1$}"}}"#, "", self.message_bytes() - 107)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::RoomName;

    /// The gateway turns the broker's body into the frame that subscribers expect, for all clients.
    #[test]
    fn a_body_becomes_its_frame() {
        for size in [126, 200, 2_048, 32_768].map(EventSize::new) {
            let routed = crate::machine::route(&size.body(42));
            assert_eq!(routed.frames, size.frame(42));
            assert_eq!(routed.frames.len(), size.frame_bytes());
            assert_eq!(routed.rooms, [RoomName::parse("broadcast").unwrap()]);
        }
    }
}
