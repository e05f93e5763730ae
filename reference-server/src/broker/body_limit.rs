//! Bodies that are too large are cut out of what a broker sends, before anything holds them (BRIDGE-8): lapin collects a body until it is
//! whole, however long its header says that it is. What is left is a message without a body, which is no event, and rejected as such; the
//! broker still has all of it, for its dead letters.
//!
//! ```text
//!  ┌─► head: type, channel, size ──► payload, end ─┬─► passed on
//!  │      └─ a content header over the limit: its body size becomes 0
//!  └───────└─ body frames of such a channel ───────┴─► dropped
//! ```
//!
//! Frames are those of AMQP 0-9-1, section 4.2.3.

use std::collections::BTreeMap;

/// Bytes before a frame's payload: type, channel, size.
const HEAD_BYTES: usize = 7;
/// Bytes of a content header up to its flags: class, weight, body size.
const CONTENT_BYTES: usize = 12;
/// Types of frames.
const METHOD: u8 = 1;
const HEADER: u8 = 2;
const BODY: u8 = 3;

/// What one connection receives.
#[derive(Debug)]
pub(super) struct BodyLimit {
    limit: u64,
    /// What of a frame has been read and not decided on.
    begun: Vec<u8>,
    /// Bytes of the frame that are still to come, and are decided on.
    rest: u64,
    is_dropping: bool,
    /// Bytes of bodies that are to be dropped, by channel.
    too_large: BTreeMap<u16, u64>,
}

impl BodyLimit {
    /// Lets bodies of so many bytes pass.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit: limit as u64,
            begun: Vec::new(),
            rest: 0,
            is_dropping: false,
            too_large: BTreeMap::new(),
        }
    }

    /// Appends to `passed` what may pass of the next bytes, wherever they were cut.
    pub(super) fn filter(&mut self, mut bytes: &[u8], passed: &mut Vec<u8>) {
        while !bytes.is_empty() {
            if self.rest > 0 {
                let (now, later) =
                    bytes.split_at(usize::try_from(self.rest).unwrap_or(usize::MAX).min(bytes.len()));
                if !self.is_dropping {
                    passed.extend_from_slice(now);
                }
                self.rest -= now.len() as u64;
                bytes = later;
                continue;
            }
            let (now, later) = bytes.split_at((self.wanted() - self.begun.len()).min(bytes.len()));
            self.begun.extend_from_slice(now);
            bytes = later;
            if self.begun.len() == self.wanted() {
                self.decide(passed);
            }
        }
    }

    /// How many bytes of a frame it takes to decide on it.
    fn wanted(&self) -> usize {
        match self.begun.first() {
            Some(&HEADER) => HEAD_BYTES + CONTENT_BYTES,
            _ => HEAD_BYTES,
        }
    }

    fn decide(&mut self, passed: &mut Vec<u8>) {
        let mut begun = std::mem::take(&mut self.begun);
        let channel = u16::from_be_bytes([begun[1], begun[2]]);
        let size = u64::from(u32::from_be_bytes([begun[3], begun[4], begun[5], begun[6]]));
        self.is_dropping = false;
        match begun[0] {
            // Whatever a method says, the content before it has ended.
            METHOD => drop(self.too_large.remove(&channel)),
            HEADER => self.judge(channel, &mut begun),
            BODY => {
                if let Some(left) = self.too_large.get_mut(&channel) {
                    self.is_dropping = true;
                    *left = left.saturating_sub(size);
                    if *left == 0 {
                        self.too_large.remove(&channel);
                    }
                }
            }
            _ => {}
        }
        // The byte behind the payload marks the frame's end.
        self.rest = (HEAD_BYTES as u64 + size + 1).saturating_sub(begun.len() as u64);
        if !self.is_dropping {
            passed.extend_from_slice(&begun);
        }
        begun.clear();
        self.begun = begun;
    }

    fn judge(&mut self, channel: u16, begun: &mut [u8]) {
        let Some(body_size) = begun.last_chunk_mut::<8>() else { return };
        let announced = u64::from_be_bytes(*body_size);
        if announced > self.limit {
            tracing::warn!("a message of {announced} bytes is not read: an event has at most {}", self.limit);
            *body_size = [0; 8];
            self.too_large.insert(channel, announced);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMIT: usize = 10;

    fn frame(kind: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
        let size = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&[kind][..], &channel.to_be_bytes(), &size, payload, &[0xce]].concat()
    }

    fn header(channel: u16, body_size: u64) -> Vec<u8> {
        frame(HEADER, channel, &[&[0, 60, 0, 0][..], &body_size.to_be_bytes(), &[0, 0]].concat())
    }

    fn filter(bytes: &[u8], cut: usize) -> Vec<u8> {
        let mut limit = BodyLimit::new(LIMIT);
        let mut passed = Vec::new();
        bytes.chunks(cut).for_each(|part| limit.filter(part, &mut passed));
        assert!(limit.begun.len() < HEAD_BYTES + CONTENT_BYTES);
        passed
    }

    /// A body over the limit is dropped, in however many frames it comes, and with it nothing else.
    #[test]
    fn too_large_a_body_is_dropped() {
        let deliver = frame(METHOD, 1, b"deliver");
        let received = [
            &deliver[..],
            &header(1, 10),
            &frame(BODY, 1, b"0123456789"),
            &deliver,
            &header(1, 11),
            &frame(BODY, 1, b"012345"),
            &frame(8, 0, b""),
            &frame(BODY, 2, b"another channel's"),
            &frame(BODY, 1, b"67890"),
            &deliver,
            &header(1, 1 << 33),
            &frame(BODY, 1, b"the broker gives up"),
            &deliver,
            &header(1, 2),
            &frame(BODY, 1, b"ab"),
        ]
        .concat();
        let passed = [
            &deliver[..],
            &header(1, 10),
            &frame(BODY, 1, b"0123456789"),
            &deliver,
            &header(1, 0),
            &frame(8, 0, b""),
            &frame(BODY, 2, b"another channel's"),
            &deliver,
            &header(1, 0),
            &deliver,
            &header(1, 2),
            &frame(BODY, 1, b"ab"),
        ]
        .concat();
        for cut in [1, 2, 3, 7, 19, 64, received.len()] {
            assert_eq!(filter(&received, cut), passed, "{cut}");
        }
    }

    proptest! {
        /// Whatever comes, where it is cut changes nothing, and nothing is held back for long.
        #[test]
        fn a_cut_changes_nothing(bytes in proptest::collection::vec(0..4_u8, 0..300), cut in 1..40_usize) {
            prop_assert_eq!(filter(&bytes, cut), filter(&bytes, 1));
        }
    }
}
