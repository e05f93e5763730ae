//! One connection from its first byte to its last.

use std::io::{self, ErrorKind};
use std::net::IpAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use protocol::{Claims, CloseCode};
use tokio::io::{AsyncRead, AsyncWrite, ReadHalf, WriteHalf};
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::answer::Answer;
use super::head::{Head, HeadError};
use super::listen::Listen;
use super::outbox::{Outbox, Tap};
use super::routes::serve;
use super::shard::{Shared, Sign};
use super::upgrade::SignedIn;
use crate::gateway::{ConnectionId, Input, close_frame};
use crate::metrics::{End, Refusal};

/// Read buffer of a connection; tungstenite's default is 128 KiB.
const BUFFER_BYTES: usize = 2 * 1024;
/// Longest time that a closing handshake, or the last bytes of a connection that is ending, may take.
const CLOSING: Duration = Duration::from_secs(5);
/// Orders that wait for a connection. It ends by the first, so there are never more.
const ORDERS: usize = 2;

/// What a shard tells a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Begin the closing handshake.
    Close(CloseCode),
    /// Say goodbye with this code, if the socket takes it, and go: the peer reads too slowly.
    Shed(CloseCode),
}

/// A socket's tap, and the WebSocket that reads it.
type Socket<S> = WebSocketStream<Tap<ReadHalf<S>, WriteHalf<S>>>;

/// A request that asked for a WebSocket and got one.
pub(super) struct Opened<S> {
    stream: S,
    signed_in: SignedIn,
    /// What was read behind the request.
    leftover: Vec<u8>,
}

impl<S> Opened<S> {
    /// Whom it speaks for.
    pub(super) fn claims(&self) -> &Claims {
        &self.signed_in.claims
    }
}

/// Answers the one request of a new connection. A peer that does not finish it in time is dropped (CONN-8).
pub(super) async fn open<L: Listen>(
    incoming: L::Incoming,
    peer: IpAddr,
    shared: &Shared,
) -> Option<Opened<L::Stream>> {
    let opening = async {
        let mut stream = L::open(incoming).await?;
        let head = match Head::read(&mut stream).await {
            Ok(head) => head,
            Err(HeadError::Malformed) => {
                shared.metrics.refuse(Refusal::Request);
                Answer::plain(400, "Bad Request").send(&mut stream).await?;
                return Ok(None);
            }
            Err(HeadError::Io(error)) => return Err(error),
        };
        let signed_in = serve(&mut stream, &head, peer, shared).await?;
        Ok::<_, io::Error>(signed_in.map(|signed_in| Opened { stream, signed_in, leftover: head.leftover }))
    };
    match tokio::time::timeout(shared.config.connect_timeout, opening).await {
        Ok(Ok(opened)) => opened,
        Ok(Err(error)) => {
            tracing::debug!("a connection broke before it was served: {error}");
            None
        }
        Err(_) => {
            shared.metrics.refuse(Refusal::Timeout);
            None
        }
    }
}

/// Serves a WebSocket until its end.
pub(super) async fn serve_socket<S>(
    opened: Opened<S>,
    id: ConnectionId,
    shared: &Shared,
    signs: &mpsc::Sender<Sign<S>>,
) where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Opened { stream, signed_in: SignedIn { claims, place }, leftover } = opened;
    let (reader, writer) = tokio::io::split(stream);
    let outbox = Outbox::new(writer);
    let (orders, inbox) = mpsc::channel(ORDERS);
    if signs.send(Sign::Opened { id, claims, outbox: outbox.clone(), orders }).await.is_err() {
        return;
    }
    let limits = WebSocketConfig::default()
        .read_buffer_size(BUFFER_BYTES)
        .write_buffer_size(0)
        .max_message_size(Some(shared.config.max_message_bytes))
        .max_frame_size(Some(shared.config.max_message_bytes));
    let tap = Tap { reader, outbox: outbox.clone(), limit: shared.config.outbox_bytes };
    let socket = WebSocketStream::from_partially_read(tap, leftover, Role::Server, Some(limits)).await;
    converse(id, socket, &outbox, inbox, shared, signs).await;
    // The shard is gone, or learns that the connection is.
    let _ = signs.send(Sign::Input(Input::Closed(id))).await;
    let goodbye = std::future::poll_fn(|context| outbox.poll_finish(context));
    // What a peer does not take by now it does not get.
    let _ = tokio::time::timeout(CLOSING, goodbye).await;
    drop(place);
}

/// Reads, and writes what the socket did not take at once, until one side has had enough.
async fn converse<S>(
    id: ConnectionId,
    mut socket: Socket<S>,
    outbox: &Outbox<WriteHalf<S>>,
    mut orders: mpsc::Receiver<Order>,
    shared: &Shared,
    signs: &mpsc::Sender<Sign<S>>,
) where
    S: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        tokio::select! {
            biased;
            order = orders.recv() => match order {
                Some(Order::Close(code)) => return close(socket, code, outbox).await,
                Some(Order::Shed(code)) => return shed(code, outbox),
                // The machine has given the connection up.
                None => return,
            },
            _ = std::future::poll_fn(|context| outbox.poll_write(context)) => return,
            message = socket.next() => {
                let input = match message {
                    Some(Ok(Message::Text(text))) => Input::Text(id, text.as_str().to_owned()),
                    Some(Ok(Message::Binary(_))) => Input::Binary(id),
                    // tungstenite has answered already.
                    Some(Ok(Message::Ping(_))) => Input::Ping(id),
                    Some(Ok(Message::Pong(_))) => Input::Pong(id),
                    Some(Ok(Message::Frame(_))) => continue,
                    Some(Ok(Message::Close(_))) => {
                        // Its answer to a close leaves tungstenite with the next flush, and fails with nothing but the tap.
                        let _ = socket.flush().await;
                        return;
                    }
                    None => return,
                    Some(Err(Error::Io(error))) if error.kind() == ErrorKind::QuotaExceeded => {
                        shared.metrics.end(End::Slow);
                        return shed(CloseCode::TRY_AGAIN_LATER, outbox);
                    }
                    Some(Err(error)) => {
                        if !matches!(error, Error::Io(_) | Error::ConnectionClosed) {
                            shared.metrics.end(End::Broken);
                        }
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
fn shed<W: AsyncWrite + Unpin>(code: CloseCode, outbox: &Outbox<W>) {
    outbox.discard();
    outbox.append(close_frame(code));
}

/// The closing handshake, begun by this end.
async fn close<S>(mut socket: Socket<S>, code: CloseCode, outbox: &Outbox<WriteHalf<S>>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let frame = CloseFrame { code: code.0.into(), reason: "".into() };
    let handshake = async {
        socket.close(Some(frame)).await?;
        while socket.next().await.transpose()?.is_some() {}
        Ok::<_, Error>(())
    };
    tokio::select! {
        biased;
        _ = std::future::poll_fn(|context| outbox.poll_write(context)) => {}
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
