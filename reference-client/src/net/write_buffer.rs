//! A stream that takes each frame whole and writes it as the socket allows, so that tungstenite never waits to write and its
//! reading goes on (IN-2).
//!
//! What waits is bounded: the connection gives one message at a time, and of pongs that have not begun to be written the newest
//! is kept, as RFC 6455 section 5.5.3 allows.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The first byte's opcode (RFC 6455 section 5.2).
const OPCODE: u8 = 0x0f;
const TEXT: u8 = 0x1;
const PONG: u8 = 0xa;

/// A socket behind the frames that wait for it. It takes the bytes of one write for one frame: tungstenite writes so where its
/// own buffer holds nothing back.
#[derive(Debug)]
pub(super) struct WriteBuffer<S> {
    stream: S,
    frames: VecDeque<Frame>,
}

#[derive(Debug)]
struct Frame {
    opcode: u8,
    rest: Bytes,
    /// Whether some of it has been written; such a frame cannot be withdrawn.
    begun: bool,
}

impl<S> WriteBuffer<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, frames: VecDeque::new() }
    }

    /// Whether everything has been handed to the network.
    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Whether some of a text message has yet to be handed to the network.
    pub(super) fn holds_text(&self) -> bool {
        self.frames.iter().any(|frame| frame.opcode == TEXT)
    }

    fn append(&mut self, bytes: &[u8]) {
        let opcode = bytes[0] & OPCODE;
        if opcode == PONG {
            self.frames.retain(|frame| frame.begun || frame.opcode != PONG);
        }
        self.frames.push_back(Frame { opcode, rest: Bytes::copy_from_slice(bytes), begun: false });
    }
}

impl<S: AsyncWrite + Unpin> WriteBuffer<S> {
    /// Writes pending frames. A frame counts as written only once it is flushed: TLS has a buffer of its own.
    fn poll_drain(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(frame) = self.frames.front_mut() {
            while !frame.rest.is_empty() {
                let written = ready!(Pin::new(&mut self.stream).poll_write(context, &frame.rest))?;
                if written == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                frame.rest.advance(written);
                frame.begun = true;
            }
            ready!(Pin::new(&mut self.stream).poll_flush(context))?;
            self.frames.pop_front();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for WriteBuffer<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WriteBuffer<S> {
    /// Takes all of it at once. An error of the socket is the next flush's.
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if !bytes.is_empty() {
            self.append(bytes);
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_drain(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(context))?;
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    const TEXT_FRAME: &[u8] = &[0x81, 2, b'o', b'k'];

    fn pong(number: u8) -> [u8; 3] {
        [0x8a, 1, number]
    }

    /// However many pongs are owed to a peer that does not read, one waits beside the frame that is being written.
    #[tokio::test]
    async fn the_newest_pong_waits() {
        let (near, mut far) = duplex(1);
        let mut buffer = WriteBuffer::new(near);
        for number in 0..=u8::MAX {
            buffer.write_all(&pong(number)).await.unwrap();
            assert!(buffer.flush().now_or_never().is_none());
        }
        assert_eq!(buffer.frames.len(), 2);
        let mut read = Vec::new();
        let (shut, _) = tokio::join!(buffer.shutdown(), far.read_to_end(&mut read));
        shut.unwrap();
        assert_eq!(read, [pong(0), pong(u8::MAX)].concat());
    }

    /// A text counts as handed over when its last byte is, whatever waits behind it.
    #[tokio::test]
    async fn a_text_is_held_until_its_last_byte() {
        let (near, mut far) = duplex(TEXT_FRAME.len() - 1);
        let mut buffer = WriteBuffer::new(near);
        buffer.write_all(TEXT_FRAME).await.unwrap();
        buffer.write_all(&pong(1)).await.unwrap();
        assert!(buffer.flush().now_or_never().is_none());
        assert!(buffer.holds_text());
        far.read_u8().await.unwrap();
        assert!(buffer.flush().now_or_never().is_none());
        assert_eq!((buffer.holds_text(), buffer.is_empty()), (false, false));
    }
}
