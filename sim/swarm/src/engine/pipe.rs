//! One direction of a connection: what is on its way, in order, and what the network does to it.

use std::collections::VecDeque;

use bytes::Bytes;
use protocol::CloseCode;
use scenarios::network::Lane;

/// Bytes on their way, or in the buffers of both ends, past which a sender's socket takes no more: few, so that sockets are often full.
pub(crate) const SOCKET_BYTES: usize = 2 * 1024;
/// Bytes of a frame beside its payload, and of what is no frame.
const HEAD_BYTES: usize = 8;

/// What is on its way.
#[derive(Debug, Clone)]
pub(crate) enum Item {
    /// A dial and its request, with the token.
    Upgrade(String),
    /// The request is granted.
    Granted,
    /// It is not, with this HTTP status.
    Refused(u16),
    /// No one listens there.
    NoOne,
    /// A client's text.
    Text(String),
    /// A gateway's frames.
    Frames(Bytes),
    /// A client's pong.
    Pong,
    /// A client's close frame.
    Close(CloseCode),
    /// What was garbled.
    Garbage,
    /// The end of the stream.
    End,
    /// A reset.
    Reset,
}

impl Item {
    fn bytes(&self) -> usize {
        let payload = match self {
            Self::Text(text) => text.len(),
            Self::Frames(frames) => frames.len(),
            _ => 0,
        };
        payload + HEAD_BYTES
    }
}

/// What is on its way, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Pipe {
    items: VecDeque<(u64, usize, Item)>,
    bytes: usize,
    /// When the last one arrives: nothing overtakes.
    last_us: u64,
}

impl Pipe {
    /// Whether the sender's socket takes more.
    pub(crate) fn takes_more(&self) -> bool {
        self.bytes < SOCKET_BYTES
    }

    /// Sends something. Returns when it arrives.
    pub(crate) fn send(&mut self, now_us: u64, latency_us: u64, lane: &Lane, item: Item) -> u64 {
        let bytes = item.bytes();
        let item = match item {
            // The end of a stream is no byte of it.
            Item::End | Item::Reset | Item::NoOne => item,
            _ if lane.corrupt => Item::Garbage,
            item => item,
        };
        let begins_us = match lane.rate {
            Some(_) => self.last_us.saturating_sub(latency_us).max(now_us),
            None => now_us,
        };
        let takes_us = lane.rate.map_or(0, |rate| bytes as u64 * 1_000_000 / u64::from(rate.get()));
        let delay_us = u64::try_from(lane.delay.as_micros()).unwrap_or(u64::MAX);
        let arrives_us = (begins_us + takes_us + latency_us).saturating_add(delay_us).max(self.last_us);
        self.last_us = arrives_us;
        self.bytes += bytes;
        self.items.push_back((arrives_us, bytes, item));
        arrives_us
    }

    /// What has arrived first, if anything has.
    pub(crate) fn receive(&mut self, now_us: u64) -> Option<Item> {
        if self.items.front()?.0 > now_us {
            return None;
        }
        let (_, bytes, item) = self.items.pop_front()?;
        self.bytes -= bytes;
        Some(item)
    }

    /// Drops what is on its way: its sender has reset the connection, or it is no more.
    pub(crate) fn clear(&mut self) {
        self.items.clear();
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(length: usize) -> Item {
        Item::Text("x".repeat(length))
    }

    /// What was sent later does not arrive earlier, though the network is faster by then.
    #[test]
    fn nothing_overtakes() {
        let mut pipe = Pipe::default();
        let slow = Lane { delay: std::time::Duration::from_secs(1), ..Lane::default() };
        assert_eq!(pipe.send(0, 5, &slow, text(1)), 1_000_005);
        assert_eq!(pipe.send(10, 5, &Lane::default(), text(1)), 1_000_005);
        assert!(pipe.receive(1_000_004).is_none());
        assert!(pipe.receive(1_000_005).is_some() && pipe.receive(1_000_005).is_some());
    }

    /// A link of so many bytes a second carries no more.
    #[test]
    fn a_rate_is_kept() {
        let mut pipe = Pipe::default();
        let lane = Lane { rate: std::num::NonZeroU32::new(1000), ..Lane::default() };
        assert_eq!(pipe.send(0, 5, &lane, text(92)), 100_005);
        assert_eq!(pipe.send(0, 5, &lane, text(92)), 200_005);
    }

    /// A socket is full with so many bytes on their way, and takes more as they arrive.
    #[test]
    fn a_socket_fills_up() {
        let mut pipe = Pipe::default();
        let mut sent = 0;
        while pipe.takes_more() {
            pipe.send(0, 5, &Lane::default(), text(992));
            sent += 1;
        }
        assert_eq!(sent, SOCKET_BYTES.div_ceil(1000));
        assert!(pipe.receive(5).is_some() && pipe.takes_more());
    }
}
