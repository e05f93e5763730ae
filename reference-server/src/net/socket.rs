//! A WebSocket after its handshake: reads the peer's messages, answers its control frames, and writes its outbox.

use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::os::fd::RawFd;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use protocol::CloseCode;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadHalf, WriteHalf};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

use super::budget::ShardOutboxes;
use super::outbox::Outbox;
use super::tap::Tap;
use reference_gateway::{Backlog, RateLimit, close_frame};

/// Read buffer of a connection; tungstenite's default is 128 KiB.
const BUFFER_BYTES: usize = 1024;
/// Longest time that a closing handshake, or the last bytes of a connection that is ending, may take.
const CLOSING: Duration = Duration::from_secs(5);
/// Bytes that are still read, and thrown away, from a peer whose connection is ending.
const LINGER_BYTES: u64 = 1024 * 1024;

/// How much a socket takes.
#[derive(Debug, Clone, Copy)]
pub(super) struct SocketLimits {
    /// Largest message from the peer (MSG-5).
    pub(super) message_bytes: usize,
    /// Bytes that may wait to be written (BRIDGE-12).
    pub(super) outbox_bytes: usize,
    /// Frames from the peer, those that are no whole message included (MSG-6).
    pub(super) frame_rate: RateLimit,
    /// The close code of a peer that sends more frames.
    pub(super) flood: CloseCode,
    /// The close code of a peer for which more bytes wait.
    pub(super) slow: CloseCode,
}

/// An open WebSocket.
pub(super) struct Socket<S> {
    stream: WebSocketStream<Tap<ReadHalf<S>, WriteHalf<S>>>,
    outbox: Outbox<WriteHalf<S>>,
    /// The close code of a peer that sends too many frames.
    flood: CloseCode,
    /// Whether the peer may have sent more than was read.
    unread: bool,
}

/// What a peer said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Received {
    /// A text message.
    Text(Utf8Bytes),
    /// A binary message.
    Binary(Bytes),
    /// A ping, which has been answered.
    Ping,
    /// A pong.
    Pong,
}

/// Why a peer is not read any more. The close frame, if any, waits in the outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// It closed, or the connection was lost.
    Closed,
    /// It does not read the answers that it asks for (BRIDGE-12).
    Slow,
    /// It broke the rules (MSG-7).
    Broken,
    /// It sent more frames than it may (MSG-6).
    Flood,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    /// A socket whose handshake is done; `leftover` was read behind it. `raw` is what the stream writes to, where it does so unchanged.
    pub(super) async fn new(
        stream: S,
        raw: Option<RawFd>,
        leftover: Vec<u8>,
        limits: SocketLimits,
        outboxes: ShardOutboxes,
    ) -> Self {
        let (reader, writer) = tokio::io::split(stream);
        let outbox = Outbox::new(writer, raw, Backlog::new(limits.outbox_bytes, limits.slow), outboxes);
        let config = WebSocketConfig::default()
            .read_buffer_size(BUFFER_BYTES)
            .write_buffer_size(0)
            .max_message_size(Some(limits.message_bytes))
            .max_frame_size(Some(limits.message_bytes));
        let tap = Tap::new(reader, outbox.clone(), limits.frame_rate, &leftover);
        let stream = WebSocketStream::from_partially_read(tap, leftover, Role::Server, Some(config)).await;
        Self { stream, outbox, flood: limits.flood, unread: false }
    }

    /// Where to append frames for the peer.
    pub(super) fn outbox(&self) -> &Outbox<WriteHalf<S>> {
        &self.outbox
    }

    /// Waits for the peer's next message, and meanwhile writes what the socket did not accept at once. Cancel safe.
    pub(super) async fn next(&mut self) -> Result<Received, Ended> {
        loop {
            let message = tokio::select! {
                biased;
                _ = poll_fn(|context| self.outbox.poll_write(context)) => return Err(Ended::Closed),
                message = self.stream.next() => message,
            };
            let ended = match message {
                Some(Ok(Message::Text(text))) => return Ok(Received::Text(text)),
                Some(Ok(Message::Binary(bytes))) => return Ok(Received::Binary(bytes)),
                // tungstenite has answered already.
                Some(Ok(Message::Ping(_))) => return Ok(Received::Ping),
                Some(Ok(Message::Pong(_))) => return Ok(Received::Pong),
                Some(Ok(Message::Frame(_))) => continue,
                Some(Ok(Message::Close(_))) => {
                    // Its answer to a close leaves tungstenite with the next flush, and fails with nothing but the tap.
                    let _ = self.stream.flush().await;
                    Ended::Closed
                }
                None => Ended::Closed,
                Some(Err(Error::Io(error))) if error.kind() == ErrorKind::QuotaExceeded => {
                    self.shed();
                    Ended::Slow
                }
                Some(Err(Error::Io(_))) if self.stream.get_ref().is_flood() => {
                    let _ = self.outbox.append(close_frame(self.flood));
                    Ended::Flood
                }
                // An abrupt TCP close is not a protocol violation (RFC 6455, 7.1.5).
                Some(Err(
                    Error::Io(_)
                    | Error::ConnectionClosed
                    | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake),
                )) => Ended::Closed,
                Some(Err(error)) => {
                    // However much waits, the connection ends.
                    let _ = self.outbox.append(close_frame(code_for(&error)));
                    Ended::Broken
                }
            };
            self.unread = true;
            return Err(ended);
        }
    }

    /// Gives up what waits; the close is all that is left to write.
    pub(super) fn shed(&mut self) {
        self.outbox.shed();
        self.unread = true;
    }

    /// Ends a peer that sends too much: it receives the code, and what it goes on to send is thrown away unparsed.
    pub(super) fn cut_off(&mut self, code: CloseCode) {
        // However much waits, the connection ends.
        let _ = self.outbox.append(close_frame(code));
        self.unread = true;
    }

    /// The closing handshake, begun by this end.
    pub(super) async fn close(&mut self, code: CloseCode) {
        let frame = CloseFrame { code: code.0.into(), reason: "".into() };
        let handshake = async {
            self.stream.close(Some(frame)).await?;
            while self.stream.next().await.transpose()?.is_some() {}
            Ok::<_, Error>(())
        };
        tokio::select! {
            biased;
            _ = poll_fn(|context| self.outbox.poll_write(context)) => {}
            // However the handshake ends, the connection does.
            ended = tokio::time::timeout(CLOSING, handshake) => self.unread = !matches!(ended, Ok(Ok(()))),
        }
    }

    /// Writes what waits, and ends the connection. What a peer does not take in time it does not get; to drop a socket
    /// instead is to write no more.
    pub(super) async fn finish(mut self) {
        let goodbye = async {
            poll_fn(|context| self.outbox.poll_finish(context)).await?;
            if self.unread {
                // Closing a TCP socket with unread input sends a reset (RFC 1122, 4.2.2.13), which may overtake the close frame.
                let mut rest = self.stream.get_mut().reader().take(LINGER_BYTES);
                tokio::io::copy(&mut rest, &mut tokio::io::sink()).await?;
            }
            Ok::<_, io::Error>(())
        };
        // The result does not matter: the connection ends.
        let _ = tokio::time::timeout(CLOSING, goodbye).await;
    }
}

/// The close code for a peer that violated the protocol (RFC 6455 section 7.4.1).
fn code_for(error: &Error) -> CloseCode {
    match error {
        Error::Capacity(_) => CloseCode::TOO_BIG,
        Error::Utf8(_) => CloseCode::INVALID_DATA,
        _ => CloseCode::PROTOCOL_ERROR,
    }
}
