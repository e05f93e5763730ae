//! What waits to be written to one connection: finished frames, bounded in bytes (BRIDGE-12). It owns the socket's write
//! half and is its only writer; tungstenite's own answers, pongs and closes, go through it too.
//!
//! The shard that appends also writes, so that a delivery costs no wake of the connection's task; that task takes over
//! only where the socket does not take everything at once.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Pieces that one write takes at most.
const PIECES_PER_WRITE: usize = 64;

/// The outbox of one connection, held by the shard that appends and the connection that waits for its socket; both are on
/// one thread.
pub(super) struct Outbox<W> {
    inner: Rc<RefCell<Inner<W>>>,
}

struct Inner<W> {
    writer: W,
    /// Each piece is one frame or several, never a part of one.
    pieces: VecDeque<Bytes>,
    bytes: usize,
    /// Whether the first piece has been written in part; such a piece cannot be withdrawn.
    partial: bool,
    /// Whether the socket buffers bytes that must still be flushed, as TLS does.
    unflushed: bool,
    /// Whether the socket takes no more for now; the connection's task is woken when it does.
    blocked: bool,
    /// The error, until the connection's task has received it.
    failed: Option<io::Error>,
    /// Wakes the connection's task.
    task: Option<Waker>,
}

impl<W: AsyncWrite + Unpin> Outbox<W> {
    pub(super) fn new(writer: W) -> Self {
        Self {
            inner: Rc::new(RefCell::new(Inner {
                writer,
                pieces: VecDeque::new(),
                bytes: 0,
                partial: false,
                unflushed: false,
                blocked: false,
                failed: None,
                task: None,
            })),
        }
    }

    /// Appends whole frames, and returns the number of bytes that wait. They are written by [`Outbox::flush`], once a batch.
    pub(super) fn append(&self, frames: Bytes) -> usize {
        let mut inner = self.inner.borrow_mut();
        inner.bytes += frames.len();
        inner.pieces.push_back(frames);
        inner.bytes
    }

    /// How many bytes wait.
    pub(super) fn bytes(&self) -> usize {
        self.inner.borrow().bytes
    }

    /// Writes what waits, as far as the socket takes it now. The connection's task does the rest; before its first
    /// [`Outbox::poll_write`] it does all of it.
    pub(super) fn flush(&self) {
        let mut inner = self.inner.borrow_mut();
        if inner.blocked {
            return;
        }
        let Some(task) = inner.task.take() else { return };
        let mut context = Context::from_waker(&task);
        if let Poll::Ready(Err(error)) = inner.poll_drain(&mut context) {
            inner.failed = Some(error);
            task.wake_by_ref();
        }
        inner.task = Some(task);
    }

    /// Takes back whatever has not begun to be written.
    pub(super) fn discard(&self) {
        let mut inner = self.inner.borrow_mut();
        let kept = usize::from(inner.partial);
        inner.pieces.truncate(kept);
        inner.bytes = inner.pieces.iter().map(Bytes::len).sum();
    }

    /// Writes what waits on behalf of the connection's task, which is woken when the socket takes more, and never ends but
    /// by an error.
    pub(super) fn poll_write(&self, context: &mut Context<'_>) -> Poll<io::Error> {
        let mut inner = self.inner.borrow_mut();
        if !inner.task.as_ref().is_some_and(|task| task.will_wake(context.waker())) {
            inner.task = Some(context.waker().clone());
        }
        match inner.poll_drain(context) {
            Poll::Ready(Err(error)) => Poll::Ready(error),
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Pending,
        }
    }

    /// Writes what waits, to the end, and then ends the sending side.
    pub(super) fn poll_finish(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut inner = self.inner.borrow_mut();
        match inner.poll_drain(context) {
            Poll::Ready(Ok(())) => Pin::new(&mut inner.writer).poll_shutdown(context),
            other => other,
        }
    }
}

impl<W> Clone for Outbox<W> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}

impl<W: AsyncWrite + Unpin> Inner<W> {
    fn poll_drain(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(error) = self.failed.take() {
            return Poll::Ready(Err(error));
        }
        let outcome = self.poll_pieces(context);
        self.blocked = outcome.is_pending();
        outcome
    }

    fn poll_pieces(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(first) = self.pieces.front() {
            let writer = Pin::new(&mut self.writer);
            let polled = if self.pieces.len() == 1 {
                writer.poll_write(context, first)
            } else {
                let mut slices = [IoSlice::new(&[]); PIECES_PER_WRITE];
                let count = self.pieces.len().min(PIECES_PER_WRITE);
                for (slice, piece) in slices.iter_mut().zip(&self.pieces) {
                    *slice = IoSlice::new(piece);
                }
                writer.poll_write_vectored(context, &slices[..count])
            };
            match polled {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(written)) => self.advance(written),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        if self.unflushed {
            match Pin::new(&mut self.writer).poll_flush(context) {
                Poll::Ready(Ok(())) => self.unflushed = false,
                other => return other,
            }
        }
        Poll::Ready(Ok(()))
    }

    fn advance(&mut self, mut written: usize) {
        self.unflushed = true;
        self.bytes -= written;
        while written > 0 {
            let Some(first) = self.pieces.front_mut() else { return };
            if written < first.len() {
                first.advance(written);
                self.partial = true;
                return;
            }
            written -= first.len();
            self.pieces.pop_front();
            self.partial = false;
        }
    }
}

/// The stream that tungstenite sees: it reads the socket, and writes to the outbox.
pub(super) struct Tap<R, W> {
    pub(super) reader: R,
    pub(super) outbox: Outbox<W>,
    /// Bytes that may wait. Writes beyond it fail with [`io::ErrorKind::QuotaExceeded`]: a peer that asks for answers and
    /// does not read them reads too slowly as well (BRIDGE-12).
    pub(super) limit: usize,
}

impl<R: AsyncRead + Unpin, W> AsyncRead for Tap<R, W> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.reader).poll_read(context, buffer)
    }
}

impl<R: Unpin, W: AsyncWrite + Unpin> AsyncWrite for Tap<R, W> {
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
    use futures_util::FutureExt;
    use std::future::poll_fn;
    use tokio::io::{AsyncReadExt, duplex};

    const BYTES: usize = 64;

    /// Frames are written whole and in order, however little the socket takes at a time.
    #[tokio::test]
    async fn frames_are_written_in_order() {
        let (near, mut far) = duplex(2);
        let outbox = Outbox::new(near);
        for frame in ["one", "two", "three"] {
            outbox.append(Bytes::from_static(frame.as_bytes()));
        }
        let mut read = Vec::new();
        let (written, _) =
            tokio::join!(poll_fn(|context| outbox.poll_finish(context)), far.read_to_end(&mut read));
        written.unwrap();
        assert_eq!((&read[..], outbox.bytes()), (&b"onetwothree"[..], 0));
    }

    /// A frame that is partly written stays; the rest can be withdrawn.
    #[tokio::test]
    async fn a_frame_is_never_cut() {
        let (near, mut far) = duplex(2);
        let outbox = Outbox::new(near);
        outbox.append(Bytes::from_static(b"half"));
        outbox.append(Bytes::from_static(b"gone"));
        assert!(poll_fn(|context| outbox.poll_write(context)).now_or_never().is_none());
        outbox.discard();
        outbox.append(Bytes::from_static(b"!"));
        let mut read = Vec::new();
        let (written, _) =
            tokio::join!(poll_fn(|context| outbox.poll_finish(context)), far.read_to_end(&mut read));
        written.unwrap();
        assert_eq!(read, b"half!");
    }

    /// A flush writes at once, without the connection's task, as soon as that has shown itself.
    #[tokio::test]
    async fn a_flush_writes_at_once() {
        let (near, mut far) = duplex(BYTES);
        let outbox = Outbox::new(near);
        outbox.append(Bytes::from_static(b"a"));
        outbox.flush();
        assert_eq!(outbox.bytes(), 1, "no task would be woken when the socket is full");
        assert!(poll_fn(|context| outbox.poll_write(context)).now_or_never().is_none());
        outbox.append(Bytes::from_static(b"b"));
        outbox.flush();
        let mut read = [0; 2];
        far.read_exact(&mut read).await.unwrap();
        assert_eq!((&read, outbox.bytes()), (b"ab", 0));
    }

    /// A socket that breaks while the shard writes is the connection's business.
    #[tokio::test]
    async fn a_broken_socket_is_reported_to_the_task() {
        let (near, far) = duplex(BYTES);
        let outbox = Outbox::new(near);
        assert!(poll_fn(|context| outbox.poll_write(context)).now_or_never().is_none());
        drop(far);
        outbox.append(Bytes::from_static(b"a"));
        outbox.flush();
        let error = poll_fn(|context| outbox.poll_write(context)).await;
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}
