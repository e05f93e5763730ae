//! What waits to be written to one connection: finished frames, bounded in bytes (BRIDGE-12). It is the socket's only
//! writer; tungstenite's own answers, pongs and closes, go through it too.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Frames that one write takes at most.
const FRAMES_PER_WRITE: usize = 64;

/// The outbox of one connection, held by the shard that appends and the connection that writes; both are on one thread.
#[derive(Clone, Default)]
pub(super) struct Outbox {
    inner: Rc<RefCell<Inner>>,
}

#[derive(Default)]
struct Inner {
    frames: VecDeque<Bytes>,
    bytes: usize,
    /// Whether the first frame has been written in part; such a frame cannot be taken back.
    partial: bool,
    writer: Option<Waker>,
}

impl Outbox {
    /// Appends a frame, and says how many bytes wait now. The writer is woken by [`Outbox::flush`], once a batch.
    pub(super) fn append(&self, frame: Bytes) -> usize {
        let mut inner = self.inner.borrow_mut();
        inner.bytes += frame.len();
        inner.frames.push_back(frame);
        inner.bytes
    }

    /// Has everything written that was appended.
    pub(super) fn flush(&self) {
        if let Some(writer) = self.inner.borrow_mut().writer.take() {
            writer.wake();
        }
    }

    /// Takes back whatever has not begun to be written.
    pub(super) fn discard(&self) {
        let mut inner = self.inner.borrow_mut();
        let kept = usize::from(inner.partial);
        inner.frames.truncate(kept);
        inner.bytes = inner.frames.iter().map(Bytes::len).sum();
    }

    /// Writes what waits, and comes back when there is more: it never ends but by an error.
    pub(super) fn poll_write<W: AsyncWrite + Unpin>(
        &self,
        writer: &mut W,
        context: &mut Context<'_>,
    ) -> Poll<io::Error> {
        match self.poll_drain(writer, context) {
            Poll::Ready(Ok(())) => {
                self.inner.borrow_mut().writer = Some(context.waker().clone());
                Poll::Pending
            }
            Poll::Ready(Err(error)) => Poll::Ready(error),
            Poll::Pending => Poll::Pending,
        }
    }

    /// Writes what waits, to the end.
    pub(super) fn poll_drain<W: AsyncWrite + Unpin>(
        &self,
        writer: &mut W,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let mut inner = self.inner.borrow_mut();
        while !inner.frames.is_empty() {
            let slices: Vec<IoSlice<'_>> =
                inner.frames.iter().take(FRAMES_PER_WRITE).map(|frame| IoSlice::new(frame)).collect();
            let written = match Pin::new(&mut *writer).poll_write_vectored(context, &slices) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(written)) => written,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            };
            inner.advance(written);
        }
        Poll::Ready(Ok(()))
    }
}

impl Inner {
    fn advance(&mut self, mut written: usize) {
        self.bytes -= written;
        while written > 0 {
            let Some(first) = self.frames.front_mut() else { return };
            if written < first.len() {
                first.advance(written);
                self.partial = true;
                return;
            }
            written -= first.len();
            self.frames.pop_front();
            self.partial = false;
        }
    }
}

/// The stream that tungstenite sees: it reads the socket, and writes to the outbox.
pub(super) struct Tap<R> {
    pub(super) reader: R,
    pub(super) outbox: Outbox,
    /// Bytes that may wait. Writes beyond it fail with [`io::ErrorKind::QuotaExceeded`]: a peer that asks for answers and
    /// does not read them reads too slowly as well (BRIDGE-12).
    pub(super) limit: usize,
}

impl<R: AsyncRead + Unpin> AsyncRead for Tap<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.reader).poll_read(context, buffer)
    }
}

impl<R: Unpin> AsyncWrite for Tap<R> {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.outbox.append(Bytes::copy_from_slice(bytes)) > self.limit {
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
    use super::*;
    use tokio::io::AsyncReadExt;

    async fn drain(outbox: &Outbox, writer: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        std::future::poll_fn(|context| outbox.poll_drain(writer, context)).await
    }

    /// Frames are written whole and in order, however little the socket takes at a time.
    #[tokio::test]
    async fn frames_are_written_in_order() {
        let outbox = Outbox::default();
        let frames = ["one", "two", "", "three"];
        for frame in frames {
            outbox.append(Bytes::from_static(frame.as_bytes()));
        }
        let (mut near, mut far) = tokio::io::duplex(2);
        let mut read = vec![0; 11];
        let (written, _) = tokio::join!(drain(&outbox, &mut near), far.read_exact(&mut read));
        written.unwrap();
        assert_eq!(read, b"onetwothree");
        assert_eq!(outbox.append(Bytes::new()), 0, "nothing waits any more");
    }

    /// What has begun to be written stays; the rest can be taken back.
    #[tokio::test]
    async fn a_frame_is_never_cut() {
        let outbox = Outbox::default();
        outbox.append(Bytes::from_static(b"half"));
        outbox.append(Bytes::from_static(b"gone"));
        let (mut near, mut far) = tokio::io::duplex(2);
        assert!(futures_util::FutureExt::now_or_never(drain(&outbox, &mut near)).is_none());
        outbox.discard();
        outbox.append(Bytes::from_static(b"!"));
        let mut read = vec![0; 5];
        let (written, _) = tokio::join!(drain(&outbox, &mut near), far.read_exact(&mut read));
        written.unwrap();
        assert_eq!(read, b"half!");
    }
}
