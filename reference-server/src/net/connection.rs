//! One connection from its first byte to its last.

use std::io;
use std::os::fd::RawFd;
use std::time::Duration;

use protocol::{Claims, CloseCode};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, WriteHalf};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::answer::Answer;
use super::arrival::Arrival;
use super::budget::ShardOutboxes;
use super::context::{ServerContext, now};
use super::head::{ReadHeadError, read_head};
use super::listen::Listen;
use super::outbox::Outbox;
use super::routes::{Served, serve};
use super::seat::Seat;
use super::sign_in::sign_in;
use super::socket::{Ended, Received, Socket, SocketLimits};
use super::upgrade::SignedIn;
use crate::metrics::{End, Refusal};
use reference_gateway::{ConnectionId, Head, Input, Status};

/// Requests of one connection at most: a scraper's connection is made anew now and then, so that load balancers can move it.
const MAX_PAGES: usize = 1000;
/// Longest time between two requests; scrapers ask every minute or more often.
const IDLE: Duration = Duration::from_secs(75);

/// Longest time that it may take to tell a peer that there is no place, and to read what it sends meanwhile.
const GOODBYE: Duration = Duration::from_secs(1);
/// Bytes of it that are read: a request has no more.
const GOODBYE_BYTES: u64 = 16 * 1024;

/// A command from the shard to a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConnectionCommand {
    /// Begin the closing handshake.
    Close(CloseCode),
    /// Say why, and end without waiting for an answer: the peer sends too much.
    CutOff(CloseCode),
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
        /// It ends by its first order, and so there is no second.
        orders: oneshot::Sender<ConnectionCommand>,
    },
    /// Something for the machine.
    Input(Input),
}

/// A request that asked for a WebSocket and got one.
pub(super) struct Opened<S> {
    /// On the heap: a future keeps a place for each step through which it moves what it owns.
    socket: Box<Socket<S>>,
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
    seat: Seat,
    shared: &ServerContext,
    outboxes: ShardOutboxes,
) -> Option<Opened<L::Stream>> {
    let arrival = seat.arrival();
    let by = now() + shared.config.connect_timeout;
    let opening = async {
        let stream = L::open(incoming, &arrival).await?;
        // Some listeners do not say.
        arrival.speaks().await;
        Ok(stream)
    };
    let stream = match in_time(&arrival, by, opening).await {
        Ok(stream) => stream,
        Err(unserved) => return unserved.note(shared),
    };
    // Whoever says nothing takes no more memory than it takes to wait for it.
    let raw = L::SOCKET.map(|socket| socket(&stream));
    Box::pin(hear(stream, raw, seat, by, shared, outboxes)).await
}

/// Answers the requests of a connection that has a seat, or waited in vain for one.
async fn hear<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    raw: Option<RawFd>,
    mut seat: Seat,
    mut by: Instant,
    shared: &ServerContext,
    outboxes: ShardOutboxes,
) -> Option<Opened<S>> {
    let arrival = seat.arrival();
    if arrival.is_turned_away() {
        turn_away(&mut stream, shared).await;
        return None;
    }
    let mut left = MAX_PAGES;
    let mut read = Vec::new();
    loop {
        let served = in_time(&arrival, by, exchange(&mut stream, read, &mut seat, &mut left, shared)).await;
        let (outcome, leftover) = match served {
            Ok(served) => served?,
            Err(Unserved::Evicted) => {
                turn_away(&mut stream, shared).await;
                return None;
            }
            Err(unserved) => return unserved.note(shared),
        };
        read = match outcome {
            Served::Upgraded(signed_in) => {
                let dialect = &shared.config.gateway.dialect;
                let limits = SocketLimits {
                    message_bytes: shared.config.max_message_bytes,
                    outbox_bytes: shared.config.outbox_bytes,
                    frame_rate: shared.config.frame_rate,
                    flood: dialect.flood(),
                    slow: dialect.slow_reader(),
                };
                let mut socket = Box::new(Socket::new(stream, raw, leftover, limits, outboxes).await);
                let denied = match signed_in {
                    Some(signed_in) => return Some(Opened { socket, signed_in }),
                    // It keeps its seat until it has signed in.
                    None => tokio::select! {
                        biased;
                        signed_in = sign_in(&mut socket, arrival.client(), shared) => match signed_in {
                            Ok(signed_in) => return Some(Opened { socket, signed_in }),
                            Err(code) => code,
                        },
                        () = arrival.evicted() => Some(dialect.turn_away()),
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
            turn_away(&mut stream, shared).await;
            return None;
        }
        by = now() + shared.config.connect_timeout;
    }
}

/// Answers 503. A socket that is closed with unread input sends a reset, which may overtake the answer; so the request is read.
async fn turn_away(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), shared: &ServerContext) {
    shared.metrics.refuse(Refusal::Capacity);
    let goodbye = async {
        Answer::of(Status::FULL).send(stream).await?;
        tokio::io::copy(&mut stream.take(GOODBYE_BYTES), &mut tokio::io::sink()).await
    };
    // The result does not matter: the connection ends.
    let _ = tokio::time::timeout(GOODBYE, goodbye).await;
}

/// Why a connection was not served.
enum Unserved {
    Broken(io::Error),
    /// It took too long (CONN-8).
    Late,
    /// Its seat went to another.
    Evicted,
}

impl Unserved {
    fn note<T>(self, shared: &ServerContext) -> Option<T> {
        match self {
            Self::Broken(error) => tracing::debug!("a connection broke before it was served: {error}"),
            Self::Late => shared.metrics.refuse(Refusal::Timeout),
            Self::Evicted => shared.metrics.refuse(Refusal::Silent),
        }
        None
    }
}

/// What comes of an exchange, unless its time is over or its seat is lost first.
async fn in_time<T>(
    arrival: &Arrival,
    by: Instant,
    exchange: impl Future<Output = io::Result<T>>,
) -> Result<T, Unserved> {
    tokio::select! {
        biased;
        done = exchange => done.map_err(Unserved::Broken),
        () = arrival.evicted() => Err(Unserved::Evicted),
        () = arrival.late(by) => Err(Unserved::Late),
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
    let arrival = seat.arrival();
    if arrival.is_from_proxy()
        && let Some(client) = head.forwarded_for(|address| arrival.trusts(address))
    {
        arrival.is_for(client);
    }
    let served = serve(stream, &head, arrival.client(), shared, || *left > 0 && seat.rest()).await?;
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
    let (orders, inbox) = oneshot::channel();
    let outbox = socket.outbox().clone();
    if signs.send(ConnectionEvent::Opened { id, claims, outbox, orders }).await.is_err() {
        return;
    }
    let parting = converse(id, &mut socket, inbox, shared, signs).await;
    // The shard has ended, or receives the end of the connection.
    let _ = signs.send(ConnectionEvent::Input(Input::Closed(id))).await;
    match parting {
        // What happens once need not have a place in every connection's task.
        Teardown::Goodbye => Box::pin(socket.finish()).await,
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
    mut orders: oneshot::Receiver<ConnectionCommand>,
    shared: &ServerContext,
    signs: &mpsc::Sender<ConnectionEvent<S>>,
) -> Teardown
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        let said = tokio::select! {
            biased;
            order = &mut orders => {
                match order {
                    Ok(ConnectionCommand::CutOff(code)) => socket.cut_off(code),
                    Ok(ConnectionCommand::Close(code)) => Box::pin(socket.close(code)).await,
                    Ok(ConnectionCommand::Shed) => socket.shed(),
                    // The machine has given the connection up.
                    Err(_) => return Teardown::GivenUp,
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

    /// What one connection's task takes, apart from buffers: each open connection costs that (`--nocapture` shows it).
    #[test]
    fn a_connection_is_small() {
        type Stream = tokio::net::TcpStream;
        fn size<A, B, C, F: Future>(_: impl Fn(A, B, C) -> F) -> usize {
            size_of::<F>()
        }
        type Signs = &'static mpsc::Sender<ConnectionEvent<Stream>>;
        let serving = size(|opened: Opened<Stream>, shared: &'static ServerContext, signs: Signs| {
            serve_socket(opened, ConnectionId(0), shared, signs)
        });
        let sockets = [size_of::<Socket<Stream>>(), size_of::<Opened<Stream>>(), size_of::<Claims>()];
        println!("serving {serving}; a socket, with its claims, the claims {sockets:?}");
        assert!(serving < 1200, "{serving}");
    }

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
