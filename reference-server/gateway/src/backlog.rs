//! What waits to be written to one connection: finished frames, bounded in bytes (BRIDGE-12).

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes};
use protocol::CloseCode;

use super::frame::close_frame;

/// Pieces that one write takes at most.
const PIECES_PER_WRITE: usize = 64;
/// Pieces for which room is kept while none waits: an idle connection costs little, and one event at a time no allocation.
const PIECES_KEPT: usize = 4;

/// Frames on their way to a socket, in order.
#[derive(Debug)]
pub struct Backlog {
    /// Each piece is one frame or several, never a part of one.
    pieces: VecDeque<Bytes>,
    bytes: usize,
    limit: usize,
    /// The code that a peer gets which reads too slowly.
    slow: CloseCode,
    /// Whether the first piece has been written in part; such a piece cannot be withdrawn.
    is_partial: bool,
    /// Whether it was given up: from then on nothing joins it.
    is_shed: bool,
}

impl Backlog {
    /// Nothing waits, and at most so many bytes may; a peer that reads too slowly for that is closed with this code.
    pub fn new(limit: usize, slow: CloseCode) -> Self {
        Self { pieces: VecDeque::new(), bytes: 0, limit, slow, is_partial: false, is_shed: false }
    }

    /// Appends whole frames. Behind the close of a shed backlog there is nothing.
    pub fn append(&mut self, frames: Bytes) {
        if self.is_shed {
            return;
        }
        self.bytes += frames.len();
        self.pieces.push_back(frames);
    }

    /// Whether the peer reads too slowly, once its socket has been offered what waits. Only unread backlog counts against it: a
    /// single piece is never too much, however large its event is.
    pub fn is_over(&self) -> bool {
        self.bytes > self.limit && self.pieces.len() > 1
    }

    /// Gives up what has not begun to be written: all that is left for the peer is to learn that it reads too slowly. Further calls do
    /// nothing.
    pub fn shed(&mut self) {
        if self.is_shed {
            return;
        }
        self.pieces.truncate(usize::from(self.is_partial));
        self.pieces.shrink_to(PIECES_PER_WRITE);
        self.bytes = self.pieces.iter().map(Bytes::len).sum();
        self.append(close_frame(self.slow));
        self.is_shed = true;
    }

    /// How many pieces wait.
    pub fn pieces(&self) -> usize {
        self.pieces.len()
    }

    /// How many bytes wait.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// What is to be written first, or nothing.
    pub fn front(&self) -> Option<&Bytes> {
        self.pieces.front()
    }

    /// Offers several pieces to one write, where there are several.
    pub fn with_slices<T>(&self, write: impl FnOnce(&[IoSlice<'_>]) -> T) -> Option<T> {
        if self.pieces.len() < 2 {
            return None;
        }
        let mut slices = [IoSlice::new(&[]); PIECES_PER_WRITE];
        let count = self.pieces.len().min(PIECES_PER_WRITE);
        for (slice, piece) in slices.iter_mut().zip(&self.pieces) {
            *slice = IoSlice::new(piece);
        }
        Some(write(&slices[..count]))
    }

    /// So many bytes were written.
    pub fn written(&mut self, mut count: usize) {
        self.bytes -= count;
        while count > 0 {
            let Some(first) = self.pieces.front_mut() else { return };
            if count < first.len() {
                first.advance(count);
                self.is_partial = true;
                return;
            }
            count -= first.len();
            self.pieces.pop_front();
            self.is_partial = false;
        }
        if self.pieces.is_empty() {
            // The room that a backlog took is given back with it.
            self.pieces.shrink_to(PIECES_KEPT);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::text_frame;
    use proptest::prelude::*;

    const LIMIT: usize = 100;
    const SLOW: CloseCode = CloseCode(4013);

    /// What a peer reads to the end.
    fn rest(mut backlog: Backlog) -> Vec<u8> {
        let mut read = Vec::new();
        while let Some(first) = backlog.front().cloned() {
            read.extend_from_slice(&first);
            backlog.written(first.len());
        }
        assert_eq!(backlog.bytes(), 0);
        read
    }

    /// A single event larger than the limit is accepted into an empty backlog; what comes behind it is too much.
    #[test]
    fn a_single_event_is_never_too_much() {
        let mut backlog = Backlog::new(LIMIT, SLOW);
        backlog.append(Bytes::from(vec![b'x'; 2 * LIMIT]));
        assert!(!backlog.is_over());
        backlog.append(Bytes::from_static(b"y"));
        assert!(backlog.is_over());
        backlog.written(LIMIT + 1);
        assert!(!backlog.is_over());
    }

    /// A frame that is partly written stays; the rest is withdrawn.
    #[test]
    fn a_frame_is_never_cut() {
        let mut backlog = Backlog::new(LIMIT, SLOW);
        backlog.append(Bytes::from_static(b"half"));
        backlog.append(Bytes::from_static(b"more"));
        backlog.written(2);
        for _ in 0..2 {
            backlog.shed();
            backlog.append(Bytes::from_static(b"late"));
        }
        let close = close_frame(SLOW);
        assert_eq!(rest(backlog), [b"lf", &close[..]].concat());
    }

    /// The room that many pieces took is given back once they are written.
    #[test]
    fn an_empty_backlog_is_small() {
        let mut backlog = Backlog::new(LIMIT, SLOW);
        for _ in 0..1000 {
            backlog.append(Bytes::from_static(b"x"));
        }
        backlog.written(1000);
        assert!(backlog.pieces.capacity() <= 2 * PIECES_KEPT, "{}", backlog.pieces.capacity());
    }

    proptest! {
        /// Whatever the socket takes, it takes whole frames in order; before the shedding what waits is at most the limit and one piece,
        /// after it at most one piece and the close.
        #[test]
        fn frames_are_whole_and_bounded(steps in proptest::collection::vec((0..60_usize, 0..80_usize), 1..60)) {
            let mut backlog = Backlog::new(LIMIT, SLOW);
            let (mut offered, mut read, mut largest) = (Vec::new(), Vec::new(), 0);
            for (length, taken) in steps {
                let frame = text_frame(&"x".repeat(length));
                largest = largest.max(frame.len());
                offered.push(frame.clone());
                backlog.append(frame);
                let slices = backlog.with_slices(|slices| slices.iter().flat_map(|slice| slice.to_vec()).collect::<Vec<_>>());
                let front = backlog.front().map(|first| first.to_vec()).unwrap_or_default();
                let taken = slices.unwrap_or(front).into_iter().take(taken).collect::<Vec<_>>();
                backlog.written(taken.len());
                read.extend(taken);
                prop_assert!(backlog.bytes() <= LIMIT + largest);
                if backlog.is_over() {
                    backlog.shed();
                    prop_assert!(backlog.bytes() <= largest + 4);
                    break;
                }
            }
            read.extend(rest(backlog));
            let close = close_frame(SLOW);
            let text = read.strip_suffix(&close[..]).unwrap_or(&read);
            let mut left = text;
            for frame in &offered {
                match left.strip_prefix(&frame[..]) {
                    Some(behind) => left = behind,
                    None => break,
                }
            }
            prop_assert!(left.is_empty(), "{:?} is not whole frames", text);
        }
    }
}
