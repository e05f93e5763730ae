//! An open WebSocket that reads and writes beside each other (IN-2).

use std::future::poll_fn;
use std::task::{Context, Poll};

use futures_util::{SinkExt, StreamExt};
use protocol::CloseCode;
use reference_session::SendKind;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use super::write_buffer::WriteBuffer;

/// An open WebSocket, with at most one text that is being written.
pub(super) struct Socket<S> {
    stream: WebSocketStream<WriteBuffer<S>>,
    /// The text that is being written.
    sending: Option<SendKind>,
    /// Whether the socket takes nothing any more. What the gateway sent before can still be read.
    broken: bool,
}

/// What has happened on both sides of the socket.
#[derive(Debug)]
pub(super) struct Progress {
    /// The text that has been handed to the network.
    pub(super) written: Option<SendKind>,
    /// What came.
    pub(super) received: Option<Received>,
}

/// What came from the gateway.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Received {
    /// A text message.
    Text(String),
    /// Its close, or its answer to one; tungstenite has answered it.
    Close(Option<CloseCode>),
    /// Another frame. tungstenite answers pings; binary messages are nothing to this client (IN-1).
    Other,
    /// Nothing more will come.
    End,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    pub(super) fn new(stream: WebSocketStream<WriteBuffer<S>>) -> Self {
        Self { stream, sending: None, broken: false }
    }

    /// Whether the next text, or a close, can be given.
    pub(super) fn is_writable(&self) -> bool {
        self.sending.is_none() && !self.broken && self.stream.get_ref().is_empty()
    }

    /// Begins to send a text, where the socket is writable; [`Socket::next`] writes it. This waits for nothing.
    pub(super) async fn send(&mut self, text: String, kind: SendKind) {
        self.give(Message::text(text)).await;
        self.sending = (!self.broken).then_some(kind);
    }

    /// Begins the closing handshake, where the socket is writable. This waits for nothing.
    pub(super) async fn close(&mut self, code: CloseCode) {
        let frame = CloseFrame { code: code.0.into(), reason: "".into() };
        self.give(Message::Close(Some(frame))).await;
    }

    /// Where nothing waits, the message is in the write buffer at once.
    async fn give(&mut self, message: Message) {
        self.broken |= self.stream.feed(message).await.is_err();
    }

    /// Writes and reads until either has got anywhere. Cancel safe.
    pub(super) async fn next(&mut self) -> Progress {
        poll_fn(|context| {
            let (written, received) = (self.poll_written(context), self.poll_received(context));
            if written.is_none() && received.is_none() {
                return Poll::Pending;
            }
            Poll::Ready(Progress { written, received })
        })
        .await
    }

    fn poll_written(&mut self, context: &mut Context<'_>) -> Option<SendKind> {
        if !self.broken && matches!(self.stream.poll_flush_unpin(context), Poll::Ready(Err(_))) {
            self.broken = true;
        }
        if self.stream.get_ref().holds_text() { None } else { self.sending.take() }
    }

    fn poll_received(&mut self, context: &mut Context<'_>) -> Option<Received> {
        match self.stream.poll_next_unpin(context) {
            Poll::Ready(Some(Ok(Message::Text(text)))) => Some(Received::Text(text.as_str().to_owned())),
            Poll::Ready(Some(Ok(Message::Close(frame)))) => {
                Some(Received::Close(frame.map(|frame| CloseCode(frame.code.into()))))
            }
            Poll::Ready(Some(Ok(_))) => Some(Received::Other),
            Poll::Ready(Some(Err(_)) | None) => Some(Received::End),
            Poll::Pending => self.broken.then_some(Received::End),
        }
    }
}
