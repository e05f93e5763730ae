//! The stream that tungstenite sees: it reads the socket, within limits, and writes to the outbox.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use reference_gateway::{FrameMeter, RateLimit};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::context::now;
use super::outbox::Outbox;

/// Bytes that are read from one peer before the other connections of its shard have their turn.
const TURN_BYTES: usize = 64 * 1024;
/// Frames that are read from one peer in one turn.
const TURN_FRAMES: u32 = 256;

/// Both directions of one connection.
pub(super) struct Tap<R, W> {
    reader: R,
    /// Writes beyond its limit fail with [`io::ErrorKind::QuotaExceeded`]: a peer that asks for answers and does not read them reads
    /// too slowly as well (BRIDGE-12).
    outbox: Outbox<W>,
    meter: FrameMeter,
    origin: Instant,
    turn: Turn,
    is_flood: bool,
}

/// What was read since the connection's task was last suspended.
#[derive(Debug, Default)]
struct Turn {
    bytes: usize,
    frames: u32,
}

impl<R, W> Tap<R, W> {
    /// A connection of which `leftover` has been read already.
    pub(super) fn new(reader: R, outbox: Outbox<W>, frame_rate: RateLimit, leftover: &[u8]) -> Self {
        let mut meter = FrameMeter::new(frame_rate);
        let is_flood = meter.take(std::time::Duration::ZERO, leftover).is_none();
        Self { reader, outbox, meter, origin: now(), turn: Turn::default(), is_flood }
    }

    /// Whether more frames came than may; from then on reads fail.
    pub(super) fn is_flood(&self) -> bool {
        self.is_flood
    }

    /// What comes from the peer, unread by anything else.
    pub(super) fn reader(&mut self) -> &mut R {
        &mut self.reader
    }
}

impl Turn {
    fn is_over(&self) -> bool {
        self.bytes >= TURN_BYTES || self.frames >= TURN_FRAMES
    }
}

impl<R: AsyncRead + Unpin, W> AsyncRead for Tap<R, W> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_flood {
            return Poll::Ready(Err(io::ErrorKind::Other.into()));
        }
        if self.turn.is_over() {
            self.turn = Turn::default();
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.reader).poll_read(context, buffer);
        if polled.is_pending() {
            self.turn = Turn::default();
            return polled;
        }
        let read = &buffer.filled()[before..];
        if !read.is_empty() {
            let at = now() - self.origin;
            let Some(frames) = self.meter.take(at, read) else {
                self.is_flood = true;
                return Poll::Ready(Err(io::ErrorKind::Other.into()));
            };
            self.turn.bytes += read.len();
            self.turn.frames += frames;
        }
        polled
    }
}

impl<R: Unpin, W: AsyncWrite + Unpin> AsyncWrite for Tap<R, W> {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let frames = self.outbox.hold(Bytes::copy_from_slice(bytes));
        if !self.outbox.append(frames) {
            return Poll::Ready(Err(io::ErrorKind::QuotaExceeded.into()));
        }
        self.outbox.flush();
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::budget::ShardOutboxes;
    use super::*;
    use futures_util::FutureExt;
    use protocol::CloseCode;
    use reference_gateway::Backlog;
    use tokio::io::AsyncReadExt;
    use tokio::task::coop::unconstrained;

    fn tap(peer: impl AsyncRead + Unpin, frame_rate: u32) -> Tap<impl AsyncRead + Unpin, tokio::io::Sink> {
        let backlog = Backlog::new(1024, CloseCode::TRY_AGAIN_LATER);
        let outbox = Outbox::new(tokio::io::sink(), None, backlog, ShardOutboxes::unlimited());
        Tap::new(peer, outbox, RateLimit { per_second: frame_rate }, &[])
    }

    /// Reads in one turn, as long as the peer is read without a pause.
    async fn turn(tap: &mut (impl AsyncRead + Unpin)) -> usize {
        let mut buffer = vec![0; 1024];
        let mut read = 0;
        while let Some(Ok(count)) = unconstrained(tap.read(&mut buffer)).now_or_never() {
            read += count;
        }
        read
    }

    /// A peer that always has more is read for no longer than a turn, counted in bytes or in frames; then it goes on.
    #[tokio::test]
    async fn a_turn_has_an_end() {
        // Of these bytes a frame has 2 + 4 + 0x01.
        let mut many = tap(tokio::io::repeat(0x81), u32::MAX);
        let mut long = tap(tokio::io::repeat(0xff), u32::MAX);
        for _ in 0..3 {
            let frames = turn(&mut many).await / 7;
            let most = TURN_FRAMES as usize + 1024 / 7 + 1;
            assert!((TURN_FRAMES as usize - 1..=most).contains(&frames), "{frames}");
            assert_eq!(turn(&mut long).await, TURN_BYTES);
        }
    }

    /// Beyond the rate no more is read.
    #[tokio::test]
    async fn a_flood_is_read_no_further() {
        let mut flood = tap(tokio::io::repeat(0x81), 100);
        let mut buffer = vec![0; 1024];
        assert!(flood.read(&mut buffer).await.is_err());
        assert!(flood.is_flood() && flood.read(&mut buffer).await.is_err());
    }
}
