//! Counts a peer's frames on the wire, before anything is made of them: a flood may consist of frames that are no message, such as empty
//! continuations (MSG-6). Whether they are valid is for the WebSocket library to say.
//!
//! ```text
//!  ┌─► head (2, 4 or 10 bytes) ──counted──► mask and payload (skipped) ─┐
//!  └────────────────────────────────────────────────────────────────────┘
//! ```

use std::time::Duration;

use super::rate::{Bucket, RateLimit};

/// Bytes of a mask.
const MASK_BYTES: u64 = 4;

/// The frames of one connection.
#[derive(Debug)]
pub struct FrameMeter {
    limit: RateLimit,
    bucket: Bucket,
    /// The head that is read, without its mask.
    head: [u8; 10],
    read: usize,
    /// Bytes of the frame that are still to come behind its head.
    rest: u64,
}

impl FrameMeter {
    /// At most so many; a second's worth may come at once.
    pub fn new(limit: RateLimit) -> Self {
        Self { limit, bucket: Bucket::default(), head: [0; 10], read: 0, rest: 0 }
    }

    /// Takes what comes next on the wire, wherever it was cut, and returns how many frames begin in it. None where they are more than
    /// may be.
    #[must_use]
    pub fn take(&mut self, now: Duration, bytes: &[u8]) -> Option<u32> {
        let frames = self.scan(bytes);
        (frames == 0 || self.bucket.take(now, self.limit, frames)).then_some(frames)
    }

    fn scan(&mut self, mut bytes: &[u8]) -> u32 {
        let mut frames = 0;
        while let [first, behind @ ..] = bytes {
            if self.rest > 0 {
                let skipped = usize::try_from(self.rest).unwrap_or(usize::MAX).min(bytes.len());
                self.rest -= skipped as u64;
                bytes = &bytes[skipped..];
                continue;
            }
            self.head[self.read] = *first;
            self.read += 1;
            bytes = behind;
            if let Some(rest) = self.announced() {
                self.read = 0;
                self.rest = rest;
                frames += 1;
            }
        }
        frames
    }

    /// Bytes behind the head, once it is whole (RFC 6455 section 5.2).
    fn announced(&self) -> Option<u64> {
        let [_, second, rest @ ..] = &self.head[..self.read] else { return None };
        let payload = match second & 0x7f {
            126 => u64::from(u16::from_be_bytes(rest.try_into().ok()?)),
            127 => u64::from_be_bytes(rest.try_into().ok()?),
            length => u64::from(length),
        };
        let mask = if second & 0x80 == 0 { 0 } else { MASK_BYTES };
        Some(payload.saturating_add(mask))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const UNLIMITED: RateLimit = RateLimit { per_second: u32::MAX };

    fn frame(payload: usize) -> Vec<u8> {
        let mut bytes = vec![0x80];
        match payload {
            0..126 => bytes.push(0x80 | payload as u8),
            126..65536 => {
                bytes.push(0x80 | 126);
                bytes.extend((payload as u16).to_be_bytes());
            }
            _ => {
                bytes.push(0x80 | 127);
                bytes.extend((payload as u64).to_be_bytes());
            }
        }
        bytes.resize(bytes.len() + 4 + payload, 0xff);
        bytes
    }

    /// Frames of every form are counted once, however they are cut.
    #[test]
    fn each_frame_counts_once() {
        let lengths = [0, 1, 125, 126, 127, 65_535, 65_536, 0];
        let bytes: Vec<u8> = lengths.into_iter().flat_map(frame).collect();
        for cut in [1, 2, 3, 7, 4096, bytes.len()] {
            let mut meter = FrameMeter::new(UNLIMITED);
            let counts = bytes.chunks(cut).map(|part| meter.take(Duration::ZERO, part).unwrap());
            assert_eq!(counts.sum::<u32>(), 8, "{cut}");
        }
    }

    /// A second's worth may come at once, then as much as the rate gives back; bytes of a frame that was counted cost nothing.
    #[test]
    fn more_than_the_rate_is_too_much() {
        let mut meter = FrameMeter::new(RateLimit { per_second: 10 });
        let empty = frame(0);
        assert_eq!(meter.take(Duration::ZERO, &empty.repeat(9)), Some(9));
        let long = frame(300);
        assert_eq!(meter.take(Duration::ZERO, &long[..200]), Some(1));
        assert_eq!(meter.take(Duration::ZERO, &long[200..]), Some(0));
        assert_eq!(meter.take(Duration::from_millis(50), &empty), None);
        let mut meter = FrameMeter::new(RateLimit { per_second: 10 });
        for tick in 0..50 {
            assert_eq!(meter.take(Duration::from_millis(100 * tick), &empty), Some(1), "{tick}");
        }
    }

    proptest! {
        /// No bytes panic the meter, and a cut changes no count.
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), cut in 1..20_usize) {
            let whole = FrameMeter::new(UNLIMITED).take(Duration::ZERO, &bytes);
            let mut meter = FrameMeter::new(UNLIMITED);
            let cut: u32 = bytes.chunks(cut).filter_map(|part| meter.take(Duration::ZERO, part)).sum();
            prop_assert_eq!(whole, Some(cut));
        }
    }
}
