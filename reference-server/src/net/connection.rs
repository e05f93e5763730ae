//! One connection from its first byte to its last.

use std::io::{self, ErrorKind};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use protocol::CloseCode;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::head::{Head, HeadError, answer};
use super::outbox::{Outbox, Tap};
use super::shard::{Shared, Sign};
use super::upgrade::{Outcome, serve};
use crate::gateway::{ConnectionId, Input, close_frame};

/// Read buffer of a connection; tungstenite's default is 128 KiB.
const BUFFER_BYTES: usize = 4 * 1024;
/// Longest time that a closing handshake, or the last bytes of a connection that is ending, may take.
const CLOSING: Duration = Duration::from_secs(5);
/// Orders that wait for a connection. It ends by the first, so there are never more.
pub(super) const ORDERS: usize = 2;

/// What a shard tells a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Begin the closing handshake.
    Close(CloseCode),
    /// Say goodbye with this code, if the socket takes it, and go: the peer reads too slowly.
    Shed(CloseCode),
}

/// Serves a connection: one request, and where that is an upgrade, a WebSocket until its end.
pub(super) async fn serve_stream<S>(
    mut stream: S,
    id: ConnectionId,
    shared: &Shared,
    signs: &mpsc::Sender<Sign>,
) where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let opening = async {
        match Head::read(&mut stream).await {
            Ok(head) => {
                let outcome = serve(&mut stream, &head, shared).await?;
                Ok::<_, io::Error>(Some((outcome, head.leftover)))
            }
            Err(HeadError::Malformed) => {
                answer(&mut stream, 400, "Bad Request", "").await?;
                Ok(None)
            }
            Err(HeadError::Io(error)) => Err(error),
        }
    };
    // A peer that does not finish its handshake is dropped (CONN-8); so is one whose connection breaks.
    let opened = tokio::time::timeout(shared.config.connect_timeout, opening).await;
    let Ok(Ok(Some((Outcome::Upgraded(claims), leftover)))) = opened else { return };

    let outbox = Outbox::default();
    let (orders, inbox) = mpsc::channel(ORDERS);
    let entrance = Sign::Opened { id, claims: *claims, outbox: outbox.clone(), orders };
    if signs.send(entrance).await.is_err() {
        return;
    }
    let (reader, mut writer) = tokio::io::split(stream);
    let limits = WebSocketConfig::default()
        .read_buffer_size(BUFFER_BYTES)
        .write_buffer_size(0)
        .max_message_size(Some(shared.config.max_message_bytes))
        .max_frame_size(Some(shared.config.max_message_bytes));
    let tap = Tap { reader, outbox: outbox.clone(), limit: shared.config.outbox_bytes };
    let socket = WebSocketStream::from_partially_read(tap, leftover, Role::Server, Some(limits)).await;
    converse(id, socket, &outbox, &mut writer, inbox, signs).await;
    // The shard is gone, or learns that the connection is.
    let _ = signs.send(Sign::Input(Input::Closed(id))).await;
    let goodbye = async {
        std::future::poll_fn(|context| outbox.poll_drain(&mut writer, context)).await?;
        writer.shutdown().await
    };
    // What a peer does not take by now it does not get.
    let _ = tokio::time::timeout(CLOSING, goodbye).await;
}

/// Reads, and writes what the outbox holds, until one side has had enough.
async fn converse<R, W>(
    id: ConnectionId,
    mut socket: WebSocketStream<Tap<R>>,
    outbox: &Outbox,
    writer: &mut W,
    mut orders: mpsc::Receiver<Order>,
    signs: &mpsc::Sender<Sign>,
) where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    loop {
        tokio::select! {
            biased;
            order = orders.recv() => match order {
                Some(Order::Close(code)) => return close(socket, code, outbox, writer).await,
                Some(Order::Shed(code)) => return shed(code, outbox),
                // The machine has given the connection up.
                None => return,
            },
            _ = std::future::poll_fn(|context| outbox.poll_write(writer, context)) => return,
            message = socket.next() => {
                let input = match message {
                    Some(Ok(Message::Text(text))) => Input::Text(id, text.as_str().to_owned()),
                    Some(Ok(Message::Binary(_))) => Input::Binary(id),
                    Some(Ok(Message::Pong(_))) => Input::Pong(id),
                    // tungstenite has answered already.
                    Some(Ok(Message::Ping(_) | Message::Frame(_))) => continue,
                    Some(Ok(Message::Close(_))) => {
                        // Its answer to a close leaves tungstenite with the next flush, and fails with nothing but the tap.
                        let _ = socket.flush().await;
                        return;
                    }
                    None => return,
                    Some(Err(Error::Io(error))) if error.kind() == ErrorKind::QuotaExceeded => {
                        return shed(CloseCode::TRY_AGAIN_LATER, outbox);
                    }
                    Some(Err(error)) => {
                        outbox.append(close_frame(code_for(&error)));
                        return;
                    }
                };
                if signs.send(Sign::Input(input)).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// Gives up what waits; the close is all that is left to write.
fn shed(code: CloseCode, outbox: &Outbox) {
    outbox.discard();
    outbox.append(close_frame(code));
}

/// The closing handshake, begun by this end.
async fn close<R, W>(mut socket: WebSocketStream<Tap<R>>, code: CloseCode, outbox: &Outbox, writer: &mut W)
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let frame = CloseFrame { code: code.0.into(), reason: "".into() };
    let handshake = async {
        socket.close(Some(frame)).await?;
        while socket.next().await.transpose()?.is_some() {}
        Ok::<_, Error>(())
    };
    tokio::select! {
        biased;
        _ = std::future::poll_fn(|context| outbox.poll_write(writer, context)) => {}
        // However the handshake ends, the connection does.
        _ = tokio::time::timeout(CLOSING, handshake) => {}
    }
}

/// What a peer is told that broke the rules (RFC 6455 section 7.4.1).
fn code_for(error: &Error) -> CloseCode {
    match error {
        Error::Capacity(_) => CloseCode::TOO_BIG,
        Error::Utf8(_) => CloseCode::INVALID_DATA,
        _ => CloseCode::PROTOCOL_ERROR,
    }
}
