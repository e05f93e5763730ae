//! Writes the [`Backlog`] of one connection (BRIDGE-12). It owns the socket's write half and is its only writer; tungstenite's own
//! answers, pongs and closes, go through it too.
//!
//! The shard that appends also writes, so that a delivery costs no wake of the connection's task; that task takes over
//! only where the socket does not take everything at once.

use std::cell::RefCell;
use std::io;
use std::os::fd::RawFd;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use reference_gateway::Backlog;
use tokio::io::AsyncWrite;

use super::budget::ShardOutboxes;

/// The outbox of one connection, held by the shard that appends and the connection that waits for its socket; both are on
/// one thread.
pub(super) struct Outbox<W> {
    inner: Rc<RefCell<Inner<W>>>,
}

struct Inner<W> {
    writer: W,
    /// The socket that the writer writes to as it is, if it does; open as long as the writer is there.
    socket: Option<RawFd>,
    backlog: Backlog,
    /// Where its pieces are counted.
    outboxes: ShardOutboxes,
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
    /// Nothing waits yet. Where the writer's bytes go to a socket as they are, [`Outbox::offer`] names it.
    pub(super) fn new(writer: W, socket: Option<RawFd>, backlog: Backlog, outboxes: ShardOutboxes) -> Self {
        Self {
            inner: Rc::new(RefCell::new(Inner {
                writer,
                socket,
                backlog,
                outboxes,
                unflushed: false,
                blocked: false,
                failed: None,
                task: None,
            })),
        }
    }

    /// Appends whole frames. They are written by [`Outbox::flush`], once a batch. False where more waits than may, although the socket
    /// was offered it: the peer reads too slowly.
    pub(super) fn append(&self, frames: Bytes) -> bool {
        self.inner.borrow_mut().change(|backlog| backlog.append(frames));
        if !self.inner.borrow().backlog.is_over() {
            return true;
        }
        // The outbox may not have been flushed since the batch began.
        self.flush();
        !self.inner.borrow().backlog.is_over()
    }

    /// How many bytes wait.
    pub(super) fn bytes(&self) -> usize {
        self.inner.borrow().backlog.bytes()
    }

    /// Writes what waits, as far as the socket takes it now. The connection's task does the rest; before its first
    /// [`Outbox::poll_write`] it does all of it. Returns how many bytes still wait.
    pub(super) fn flush(&self) -> usize {
        let mut inner = self.inner.borrow_mut();
        if !inner.blocked
            && let Some(task) = inner.task.take()
        {
            inner.flush(task);
        }
        inner.backlog.bytes()
    }

    /// Gives up what has not begun to be written, but for the close (BRIDGE-12).
    pub(super) fn shed(&self) {
        self.inner.borrow_mut().change(Backlog::shed);
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

impl<W> Outbox<W> {
    /// What a flush would write by one plain send, and the socket for it: so that it can be sent with others instead, which
    /// [`Outbox::sent`] notes. Nothing else may be written to this outbox in between.
    pub(super) fn offer(&self) -> Option<(RawFd, Bytes)> {
        let inner = self.inner.borrow();
        if inner.blocked || inner.task.is_none() || inner.failed.is_some() || inner.backlog.pieces() != 1 {
            return None;
        }
        Some((inner.socket?, inner.backlog.front()?.clone()))
    }

    /// The socket took so many bytes of what was offered; the rest is for the next flush.
    pub(super) fn sent(&self, bytes: usize) {
        self.inner.borrow_mut().change(|backlog| backlog.written(bytes));
    }

    /// Frames of this connection alone, counted while they wait.
    pub(super) fn hold(&self, frames: Bytes) -> Bytes {
        self.inner.borrow().outboxes.hold(frames)
    }
}

impl<W> Clone for Outbox<W> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}

impl<W> Inner<W> {
    /// Changes the backlog, and the count of all pieces with it.
    fn change(&mut self, change: impl FnOnce(&mut Backlog)) {
        let before = self.backlog.pieces();
        change(&mut self.backlog);
        self.outboxes.changed(before, self.backlog.pieces());
    }
}

impl<W> Drop for Inner<W> {
    fn drop(&mut self) {
        self.outboxes.changed(self.backlog.pieces(), 0);
    }
}

impl<W: AsyncWrite + Unpin> Inner<W> {
    fn flush(&mut self, task: Waker) {
        let mut context = Context::from_waker(&task);
        if let Poll::Ready(Err(error)) = self.poll_drain(&mut context) {
            self.failed = Some(error);
            task.wake_by_ref();
        }
        self.task = Some(task);
    }

    fn poll_drain(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(error) = self.failed.take() {
            return Poll::Ready(Err(error));
        }
        let outcome = self.poll_pieces(context);
        self.blocked = outcome.is_pending();
        outcome
    }

    fn poll_pieces(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(first) = self.backlog.front() {
            let mut writer = Pin::new(&mut self.writer);
            let several =
                self.backlog.with_slices(|slices| writer.as_mut().poll_write_vectored(context, slices));
            let polled = several.unwrap_or_else(|| writer.poll_write(context, first));
            match polled {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(written)) => {
                    self.change(|backlog| backlog.written(written));
                    self.unflushed = true;
                }
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use std::future::poll_fn;
    use tokio::io::{AsyncReadExt, duplex};

    const BYTES: usize = 64;

    fn backlog(limit: usize) -> Backlog {
        Backlog::new(limit, protocol::CloseCode::TRY_AGAIN_LATER)
    }

    fn outbox<W: AsyncWrite + Unpin>(writer: W, limit: usize) -> Outbox<W> {
        Outbox::new(writer, None, backlog(limit), ShardOutboxes::unlimited())
    }

    /// Frames are written whole and in order, however little the socket takes at a time.
    #[tokio::test]
    async fn frames_are_written_in_order() {
        let (near, mut far) = duplex(2);
        let outbox = outbox(near, BYTES);
        for frame in ["one", "two", "three"] {
            outbox.append(Bytes::from_static(frame.as_bytes()));
        }
        let mut read = Vec::new();
        let (written, _) =
            tokio::join!(poll_fn(|context| outbox.poll_finish(context)), far.read_to_end(&mut read));
        written.unwrap();
        assert_eq!((&read[..], outbox.bytes()), (&b"onetwothree"[..], 0));
    }

    /// A socket that takes what is over the limit has kept up; one that does not is closed, behind the frame that was begun.
    #[tokio::test]
    async fn the_socket_is_offered_what_is_too_much() {
        let close = reference_gateway::close_frame(protocol::CloseCode::TRY_AGAIN_LATER);
        for (pipe_bytes, keeps_up, expected) in
            [(BYTES, true, b"firstsecond".to_vec()), (2, false, [b"first", &close[..]].concat())]
        {
            let (near, mut far) = duplex(pipe_bytes);
            let outbox = outbox(near, 2);
            assert!(poll_fn(|context| outbox.poll_write(context)).now_or_never().is_none());
            assert!(outbox.append(Bytes::from_static(b"first")), "a single frame is never too much");
            assert_eq!(outbox.append(Bytes::from_static(b"second")), keeps_up);
            if !keeps_up {
                outbox.shed();
            }
            let mut read = Vec::new();
            let (written, _) =
                tokio::join!(poll_fn(|context| outbox.poll_finish(context)), far.read_to_end(&mut read));
            written.unwrap();
            assert_eq!(read, expected);
        }
    }

    /// A flush writes at once, without the connection's task, as soon as that has shown itself.
    #[tokio::test]
    async fn a_flush_writes_at_once() {
        let (near, mut far) = duplex(BYTES);
        let outbox = outbox(near, BYTES);
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

    /// What is offered is a single piece that nothing is in the way of; what was not taken of it a flush writes, behind what was.
    #[tokio::test]
    async fn an_offer_is_what_a_flush_would_write() {
        const SOCKET: RawFd = 7;
        let (near, mut far) = duplex(3);
        let outbox = Outbox::new(near, Some(SOCKET), backlog(BYTES), ShardOutboxes::unlimited());
        outbox.append(Bytes::from_static(b"abc"));
        assert_eq!(outbox.offer(), None, "no task would be woken when the socket is full");
        assert!(poll_fn(|context| outbox.poll_write(context)).now_or_never().is_none());
        assert_eq!(outbox.offer(), None, "nothing waits");
        outbox.append(Bytes::from_static(b"de"));
        assert_eq!(outbox.offer(), Some((SOCKET, Bytes::from_static(b"de"))));
        outbox.append(Bytes::from_static(b"f"));
        assert_eq!(outbox.offer(), None, "several pieces are one vectored write");
        outbox.sent(2);
        assert_eq!(outbox.offer(), Some((SOCKET, Bytes::from_static(b"f"))));
        outbox.sent(0);
        assert_eq!(outbox.flush(), 1, "the pipe is full");
        assert_eq!(outbox.offer(), None, "the connection's task writes once the socket takes more");
        let mut read = [0; 3];
        far.read_exact(&mut read).await.unwrap();
        assert!(poll_fn(|context| outbox.poll_write(context)).now_or_never().is_none());
        far.read_exact(&mut read[..1]).await.unwrap();
        assert_eq!((&read[..1], outbox.bytes()), (&b"f"[..], 0));
        let sealed = self::outbox(tokio::io::sink(), BYTES);
        assert!(poll_fn(|context| sealed.poll_write(context)).now_or_never().is_none());
        sealed.append(Bytes::from_static(b"a"));
        assert_eq!(sealed.offer(), None, "its bytes are not the socket's");
    }

    /// A socket that breaks while the shard writes is the connection's business.
    #[tokio::test]
    async fn a_broken_socket_is_reported_to_the_task() {
        let (near, far) = duplex(BYTES);
        let outbox = outbox(near, BYTES);
        assert!(poll_fn(|context| outbox.poll_write(context)).now_or_never().is_none());
        drop(far);
        outbox.append(Bytes::from_static(b"a"));
        outbox.flush();
        let error = poll_fn(|context| outbox.poll_write(context)).await;
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}
