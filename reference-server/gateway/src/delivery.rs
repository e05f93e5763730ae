//! Events on their way to sockets: consecutive ones for the same rooms travel as one piece.

use bytes::{Bytes, BytesMut};
use protocol::RoomName;

use super::routing::Routed;

/// Most bytes that travel as one piece, unless one event is larger. A piece cannot be withdrawn once part of it is
/// written, so it must be short.
const PIECE_BYTES: usize = 16 * 1024;

/// Finished frames, and the rooms whose members get them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The rooms, none twice.
    pub rooms: Vec<RoomName>,
    /// The frames, one behind the other; every receiver shares them.
    pub frames: Bytes,
    /// How many events they are.
    pub events: u64,
}

/// Joins routed events, in their order (BRIDGE-6).
#[derive(Debug, Default)]
pub struct Deliveries {
    finished: Vec<Delivery>,
    rooms: Vec<RoomName>,
    frames: BytesMut,
    events: u64,
}

impl Deliveries {
    /// Adds the next event. An event without rooms is not delivered.
    pub fn push(&mut self, routed: Routed) {
        if routed.rooms.is_empty() {
            return;
        }
        if self.rooms != routed.rooms || self.frames.len() + routed.frame.len() > PIECE_BYTES {
            self.finish_piece();
            self.rooms = routed.rooms;
        }
        self.frames.extend_from_slice(&routed.frame);
        self.events += 1;
    }

    /// What was joined.
    pub fn finish(mut self) -> Vec<Delivery> {
        self.finish_piece();
        self.finished
    }

    fn finish_piece(&mut self) {
        if self.events > 0 {
            self.finished.push(Delivery {
                rooms: std::mem::take(&mut self.rooms),
                frames: self.frames.split().freeze(),
                events: std::mem::take(&mut self.events),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routed(room: &str, frame: &'static [u8]) -> Routed {
        let rooms = RoomName::parse(room).into_iter().collect();
        Routed { rooms, frame: Bytes::from_static(frame), skipped: 0 }
    }

    fn joined(events: impl IntoIterator<Item = Routed>) -> Vec<(String, Vec<u8>, u64)> {
        let mut deliveries = Deliveries::default();
        events.into_iter().for_each(|routed| deliveries.push(routed));
        let plain =
            |delivery: Delivery| (delivery.rooms[0].to_string(), delivery.frames.to_vec(), delivery.events);
        deliveries.finish().into_iter().map(plain).collect()
    }

    /// Adjacent events of one room form one piece; order is kept across rooms; events without rooms are left out.
    #[test]
    fn neighbours_travel_together() {
        let events =
            [routed("a", b"1"), routed("a", b"2"), routed("b", b"3"), routed("", b"-"), routed("a", b"4")];
        let piece = |room: &str, frames: &[u8], events| (room.to_owned(), frames.to_vec(), events);
        assert_eq!(joined(events), [piece("a", b"12", 2), piece("b", b"3", 1), piece("a", b"4", 1)]);
        assert!(joined([]).is_empty());
    }

    /// A piece ends before it is too long; a single event may be as long as it is.
    #[test]
    fn pieces_are_bounded() {
        const LONG: &[u8] = &[b'x'; PIECE_BYTES + 1];
        const HALF: &[u8] = &[b'x'; PIECE_BYTES / 2];
        let lengths =
            |events: Vec<Routed>| joined(events).iter().map(|piece| piece.1.len()).collect::<Vec<_>>();
        assert_eq!(
            lengths(vec![routed("a", HALF), routed("a", HALF), routed("a", HALF)]),
            [PIECE_BYTES, PIECE_BYTES / 2]
        );
        assert_eq!(lengths(vec![routed("a", b"1"), routed("a", LONG)]), [1, PIECE_BYTES + 1]);
    }
}
