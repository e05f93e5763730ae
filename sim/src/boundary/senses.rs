//! Whether the reference still hears and speaks: its streams, byte by byte, with a process behind them that may have failed.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Whether a subject receives and sends. A lost direction never recovers, so nothing waits for a change.
#[derive(Clone, Default)]
pub(crate) struct Senses(Arc<Lost>);

#[derive(Default)]
struct Lost {
    hearing: AtomicBool,
    speech: AtomicBool,
}

/// A host's sockets and pipes. Those that a mute process closes stay open, as the other end is not notified; they end with
/// the process, which owns this.
#[derive(Clone, Default)]
pub(crate) struct Sockets {
    senses: Senses,
    held: Arc<Mutex<Vec<Box<dyn Send>>>>,
}

/// One of them, for as long as the process uses it.
pub(crate) struct Sensed<S: Send + 'static> {
    /// `None` only while it is dropped.
    stream: Option<S>,
    sockets: Sockets,
}

impl Senses {
    pub(crate) fn lose_hearing(&self) {
        self.0.hearing.store(true, Ordering::Relaxed);
    }

    pub(crate) fn lose_speech(&self) {
        self.0.speech.store(true, Ordering::Relaxed);
    }

    pub(crate) fn hears(&self) -> bool {
        !self.0.hearing.load(Ordering::Relaxed)
    }

    pub(crate) fn speaks(&self) -> bool {
        !self.0.speech.load(Ordering::Relaxed)
    }
}

impl Sockets {
    /// To be called by the host's software, so that its end is theirs.
    pub(crate) fn new(senses: Senses) -> Self {
        Self { senses, held: Arc::default() }
    }

    pub(crate) fn senses(&self) -> &Senses {
        &self.senses
    }

    /// Keeps a socket open until the process ends.
    pub(crate) fn hold(&self, socket: impl Send + 'static) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(socket));
    }

    pub(crate) fn sense<S: Send + 'static>(&self, stream: S) -> Sensed<S> {
        Sensed { stream: Some(stream), sockets: self.clone() }
    }
}

impl<S: Send + Unpin> Sensed<S> {
    fn stream(&mut self) -> Pin<&mut S> {
        Pin::new(self.stream.as_mut().expect("it is there until it is dropped"))
    }
}

impl<S: Send> Drop for Sensed<S> {
    fn drop(&mut self) {
        if let Some(stream) = self.stream.take()
            && !self.sockets.senses.speaks()
        {
            self.sockets.hold(stream);
        }
    }
}

impl<S: AsyncRead + Send + Unpin> AsyncRead for Sensed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.sockets.senses.hears() {
            return Poll::Pending;
        }
        self.stream().poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Send + Unpin> AsyncWrite for Sensed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if !self.sockets.senses.speaks() {
            return Poll::Ready(Ok(bytes.len()));
        }
        self.stream().poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.sockets.senses.speaks() {
            return Poll::Ready(Ok(()));
        }
        self.stream().poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.sockets.senses.speaks() {
            return Poll::Ready(Ok(()));
        }
        self.stream().poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::timeout;

    /// Longer than anything takes here; the clock is a virtual one.
    const LONG: Duration = Duration::from_secs(60);

    /// A deaf end reads nothing, not even what had arrived before.
    #[tokio::test(start_paused = true)]
    async fn the_deaf_read_nothing() {
        let senses = Senses::default();
        let (near, mut far) = duplex(64);
        let mut near = Sockets::new(senses.clone()).sense(near);
        far.write_all(b"ab").await.unwrap();
        assert_eq!(near.read_u8().await.unwrap(), b'a');
        senses.lose_hearing();
        assert!(timeout(LONG, near.read_u8()).await.is_err());
        near.write_all(b"c").await.unwrap();
        assert_eq!(far.read_u8().await.unwrap(), b'c', "it still speaks");
    }

    /// Nothing comes from a mute end, not even its end, until its process ends.
    #[tokio::test(start_paused = true)]
    async fn the_mute_do_not_even_end() {
        let senses = Senses::default();
        let (near, mut far) = duplex(64);
        let process = Sockets::new(senses.clone());
        let mut near = process.sense(near);
        senses.lose_speech();
        near.write_all(b"c").await.unwrap();
        near.shutdown().await.unwrap();
        drop(near);
        assert!(timeout(LONG, far.read_u8()).await.is_err());
        drop(process);
        assert_eq!(far.read_u8().await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
