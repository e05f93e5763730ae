//! One connection from its first byte to its last.

use std::io;
use std::net::IpAddr;

use protocol::{Claims, CloseCode};
use tokio::io::{AsyncRead, AsyncWrite, WriteHalf};
use tokio::sync::mpsc;

use super::answer::Answer;
use super::context::ServerContext;
use super::head::{Head, HeadError};
use super::listen::Listen;
use super::outbox::Outbox;
use super::routes::serve;
use super::socket::{Ended, Received, Socket, SocketLimits};
use super::upgrade::SignedIn;
use crate::metrics::{End, Refusal};
use reference_gateway::{ConnectionId, Input};

/// Orders that wait for a connection. It ends by the first, so there are never more.
const ORDERS: usize = 2;

/// A command from the shard to a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConnectionCommand {
    /// Begin the closing handshake.
    Close(CloseCode),
    /// Say goodbye with this code, if the socket takes it, and go: the peer reads too slowly.
    Shed(CloseCode),
}

/// What a connection sends its shard.
pub(super) enum ConnectionEvent<S> {
    /// It is signed in.
    Opened {
        id: ConnectionId,
        claims: Claims,
        outbox: Outbox<WriteHalf<S>>,
        orders: mpsc::Sender<ConnectionCommand>,
    },
    /// Something for the machine.
    Input(Input),
}

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
    shared: &ServerContext,
) -> Option<Opened<L::Stream>> {
    let opening = async {
        let mut stream = L::open(incoming).await?;
        let Some(head) = request(&mut stream).await? else {
            shared.metrics.refuse(Refusal::Request);
            return Ok(None);
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

/// Reads a request; bytes that are none are answered here.
pub(super) async fn request(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> io::Result<Option<Head>> {
    match Head::read(stream).await {
        Ok(head) => Ok(Some(head)),
        Err(HeadError::Malformed) => {
            Answer::plain(400, "Bad Request").send(stream).await?;
            Ok(None)
        }
        Err(HeadError::Io(error)) => Err(error),
    }
}

/// Serves a WebSocket until its end.
pub(super) async fn serve_socket<S>(
    opened: Opened<S>,
    id: ConnectionId,
    shared: &ServerContext,
    signs: &mpsc::Sender<ConnectionEvent<S>>,
) where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Opened { stream, signed_in: SignedIn { claims, place }, leftover } = opened;
    let limits = SocketLimits {
        message_bytes: shared.config.max_message_bytes,
        outbox_bytes: shared.config.outbox_bytes,
    };
    let mut socket = Socket::new(stream, leftover, limits).await;
    let (orders, inbox) = mpsc::channel(ORDERS);
    let outbox = socket.outbox().clone();
    if signs.send(ConnectionEvent::Opened { id, claims, outbox, orders }).await.is_err() {
        return;
    }
    let parting = converse(id, &mut socket, inbox, shared, signs).await;
    // The shard has ended, or receives the end of the connection.
    let _ = signs.send(ConnectionEvent::Input(Input::Closed(id))).await;
    match parting {
        Teardown::Goodbye => socket.finish().await,
        Teardown::GivenUp => drop(socket),
    }
    drop(place);
}

/// How a connection ends.
enum Teardown {
    /// The peer may want to know why.
    Goodbye,
    /// The peer is unreachable.
    GivenUp,
}

/// Forwards the peer's messages until either side closes.
async fn converse<S>(
    id: ConnectionId,
    socket: &mut Socket<S>,
    mut orders: mpsc::Receiver<ConnectionCommand>,
    shared: &ServerContext,
    signs: &mpsc::Sender<ConnectionEvent<S>>,
) -> Teardown
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        let said = tokio::select! {
            biased;
            order = orders.recv() => {
                match order {
                    Some(ConnectionCommand::Close(code)) => socket.close(code).await,
                    Some(ConnectionCommand::Shed(code)) => socket.shed(code),
                    // The machine has given the connection up.
                    None => return Teardown::GivenUp,
                }
                return Teardown::Goodbye;
            }
            said = socket.next() => said,
        };
        let input = match said {
            Ok(Received::Text(text)) => Input::Text(id, text.as_str().to_owned()),
            Ok(Received::Binary(_)) => Input::Binary(id),
            Ok(Received::Ping) => Input::Ping(id),
            Ok(Received::Pong) => Input::Pong(id),
            Err(ended) => {
                match ended {
                    Ended::Slow => shared.metrics.end(End::Slow),
                    Ended::Broken => shared.metrics.end(End::Broken),
                    Ended::Closed => {}
                }
                return Teardown::Goodbye;
            }
        };
        if signs.send(ConnectionEvent::Input(input)).await.is_err() {
            return Teardown::Goodbye;
        }
    }
}
