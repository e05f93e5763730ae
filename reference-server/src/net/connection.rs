//! One connection from its first byte to its last.

use std::io;
use std::time::Duration;

use protocol::{Claims, CloseCode};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, WriteHalf};
use tokio::sync::mpsc;

use super::answer::Answer;
use super::budget::ShardOutboxes;
use super::context::ServerContext;
use super::head::{ReadHeadError, read_head};
use super::listen::Listen;
use super::outbox::Outbox;
use super::routes::{Served, serve};
use super::seat::Seat;
use super::sign_in::sign_in;
use super::socket::{Ended, Received, Socket, SocketLimits};
use super::upgrade::SignedIn;
use crate::metrics::{End, Refusal};
use reference_gateway::{ConnectionId, Head, Input};

/// Orders that wait for a connection. It ends by the first, so there are never more.
const ORDERS: usize = 2;
/// Requests of one connection at most: a scraper's connection is made anew now and then, so that load balancers can move it.
const MAX_PAGES: usize = 1000;
/// Longest time between two requests; scrapers ask every minute or more often.
const IDLE: Duration = Duration::from_secs(75);

/// A command from the shard to a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConnectionCommand {
    /// Begin the closing handshake.
    Close(CloseCode),
    /// Say goodbye, if the socket takes it, and go: the peer reads too slowly.
    Shed,
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
    socket: Socket<S>,
    signed_in: SignedIn,
}

impl<S> Opened<S> {
    /// Whom it speaks for.
    pub(super) fn claims(&self) -> &Claims {
        &self.signed_in.claims
    }
}

/// Answers the requests of a new connection, until one of them is for a WebSocket. A peer that does not finish a request in time is
/// dropped (CONN-8); between requests for pages it may be silent for longer.
pub(super) async fn open<L: Listen>(
    incoming: L::Incoming,
    mut seat: Seat,
    shared: &ServerContext,
    outboxes: ShardOutboxes,
) -> Option<Opened<L::Stream>> {
    let mut left = MAX_PAGES;
    let opening = async {
        let mut stream = L::open(incoming).await?;
        let served = exchange(&mut stream, Vec::new(), &mut seat, &mut left, shared).await?;
        Ok((stream, served))
    };
    let (mut stream, mut served) = in_time(shared, opening).await?;
    loop {
        let (outcome, leftover) = served?;
        let read = match outcome {
            Served::Upgraded(signed_in) => {
                let limits = SocketLimits {
                    message_bytes: shared.config.max_message_bytes,
                    outbox_bytes: shared.config.outbox_bytes,
                    frame_rate: shared.config.frame_rate,
                };
                let mut socket = Socket::new(stream, leftover, limits, outboxes).await;
                let denied = match signed_in {
                    Some(signed_in) => return Some(Opened { socket, signed_in }),
                    // It keeps its seat until it has signed in.
                    None => match sign_in(&mut socket, seat.peer(), shared).await {
                        Ok(signed_in) => return Some(Opened { socket, signed_in }),
                        Err(code) => code,
                    },
                };
                if let Some(code) = denied {
                    socket.close(code).await;
                }
                socket.finish().await;
                return None;
            }
            Served::Ended => return None,
            Served::Answered => next_bytes(&mut stream, leftover, IDLE).await?,
        };
        if !seat.resume() {
            shared.metrics.refuse(Refusal::Capacity);
            return None;
        }
        served = in_time(shared, exchange(&mut stream, read, &mut seat, &mut left, shared)).await?;
    }
}

/// One request and its answer, within the time that a handshake may take.
async fn in_time<T>(shared: &ServerContext, exchange: impl Future<Output = io::Result<T>>) -> Option<T> {
    match tokio::time::timeout(shared.config.connect_timeout, exchange).await {
        Ok(Ok(done)) => Some(done),
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

/// Reads a request, of which `read` has been read already, and answers it; says what was read behind it.
async fn exchange(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    read: Vec<u8>,
    seat: &mut Seat,
    left: &mut usize,
    shared: &ServerContext,
) -> io::Result<Option<(Served, Vec<u8>)>> {
    let Some(head) = request(stream, read).await? else {
        shared.metrics.refuse(Refusal::Request);
        return Ok(None);
    };
    *left -= 1;
    let peer = seat.peer();
    let served = serve(stream, &head, peer, shared, || *left > 0 && seat.rest()).await?;
    Ok(Some((served, head.leftover)))
}

/// The first bytes of the next request, if one comes.
async fn next_bytes(
    stream: &mut (impl AsyncRead + Unpin),
    leftover: Vec<u8>,
    idle: Duration,
) -> Option<Vec<u8>> {
    if !leftover.is_empty() {
        return Some(leftover);
    }
    let mut read = leftover;
    match tokio::time::timeout(idle, stream.read_buf(&mut read)).await {
        Ok(Ok(1..)) => Some(read),
        // It is idle for too long, or has ended.
        Ok(Ok(0) | Err(_)) | Err(_) => None,
    }
}

/// Reads a request; bytes that are none are answered here.
pub(super) async fn request(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    read: Vec<u8>,
) -> io::Result<Option<Head>> {
    match read_head(stream, read).await {
        Ok(head) => Ok(Some(head)),
        Err(ReadHeadError::Malformed(_)) => {
            Answer::plain(400, "Bad Request").send(stream).await?;
            Ok(None)
        }
        Err(ReadHeadError::Io(error)) => Err(error),
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
    let Opened { mut socket, signed_in: SignedIn { claims, place } } = opened;
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
                    Some(ConnectionCommand::Close(CloseCode::POLICY)) => socket.cut_off(CloseCode::POLICY),
                    Some(ConnectionCommand::Close(code)) => socket.close(code).await,
                    Some(ConnectionCommand::Shed) => socket.shed(),
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
                    Ended::Flood => shared.metrics.end(End::Flood),
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

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;

    /// What was read already is next, then what comes; a peer that sends nothing is waited for no longer than it may be idle.
    #[tokio::test]
    async fn an_idle_peer_is_let_go() {
        let (mut near, mut far) = tokio::io::duplex(8);
        let long = Duration::from_secs(60);
        assert_eq!(next_bytes(&mut near, b"GET".to_vec(), Duration::ZERO).await, Some(b"GET".to_vec()));
        far.write_all(b"HEAD").await.unwrap();
        assert_eq!(next_bytes(&mut near, Vec::new(), long).await, Some(b"HEAD".to_vec()));
        assert_eq!(next_bytes(&mut near, Vec::new(), Duration::from_millis(1)).await, None);
        drop(far);
        assert_eq!(next_bytes(&mut near, Vec::new(), long).await, None);
    }
}
