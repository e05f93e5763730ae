//! What was said on a connection until its handshake was over.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Most bytes of each direction that are kept.
const KEPT_BYTES: usize = 4 * 1024;

/// The bytes of both directions, as far as they are kept.
#[derive(Debug, Default)]
pub struct Transcript {
    read: Vec<u8>,
    written: Vec<u8>,
}

/// A connection whose bytes are kept.
pub struct Recorded<'a, S> {
    stream: S,
    transcript: &'a mut Transcript,
}

impl Transcript {
    /// A connection whose bytes are kept from now on.
    pub fn record<S>(&mut self, stream: S) -> Recorded<'_, S> {
        Recorded { stream, transcript: self }
    }

    /// What was read, up to the end of its head where it is one that grants an upgrade: frames follow that.
    pub fn read(&self) -> String {
        let is_granted = self.read.starts_with(b"HTTP/1.1 101") || self.read.starts_with(b"GET ");
        let head = self.read.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4);
        let end = head.filter(|_| is_granted).unwrap_or(self.read.len());
        String::from_utf8_lossy(&self.read[..end]).into_owned()
    }

    /// What was written.
    pub fn written(&self) -> String {
        String::from_utf8_lossy(&self.written).into_owned()
    }
}

impl<S> Recorded<'_, S> {
    /// The connection itself; what follows is not kept.
    pub fn into_inner(self) -> S {
        self.stream
    }
}

fn keep(kept: &mut Vec<u8>, bytes: &[u8]) {
    let room = KEPT_BYTES.saturating_sub(kept.len());
    kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
}

impl<S: AsyncRead + Unpin> AsyncRead for Recorded<'_, S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        keep(&mut self.transcript.read, &buffer.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Recorded<'_, S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, bytes))?;
        keep(&mut self.transcript.written, &bytes[..written]);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    /// A handshake is kept as it was, without the frames behind it; of much is kept the beginning.
    #[tokio::test]
    async fn a_handshake_is_kept() {
        for (answer, kept) in [
            (
                "HTTP/1.1 101 Switching Protocols\r\n\r\n\u{1}frames",
                "HTTP/1.1 101 Switching Protocols\r\n\r\n",
            ),
            ("HTTP/1.1 403 No\r\n\r\nwhy", "HTTP/1.1 403 No\r\n\r\nwhy"),
        ] {
            let (near, mut far) = duplex(64 * 1024);
            let mut transcript = Transcript::default();
            let mut recorded = transcript.record(near);
            recorded.write_all(&[b'x'; 2 * KEPT_BYTES]).await.unwrap();
            far.write_all(answer.as_bytes()).await.unwrap();
            drop(far);
            recorded.read_to_end(&mut Vec::new()).await.unwrap();
            drop(recorded);
            assert_eq!((transcript.read().as_str(), transcript.written().len()), (kept, KEPT_BYTES));
        }
    }
}
