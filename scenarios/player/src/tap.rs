//! What stands between a client and its gateway, passes every byte on, and writes down what passed.
//!
//! ```text
//!  client ══► Tap ══► Network (may go wrong) ══► Watched ══► gateway
//!              └── what the client sends, and what it receives       └── when the gateway ends its end
//! ```
//!
//! The client's offer of extensions is not passed on: compressed frames could not be read.

mod watched;

use std::error::Error;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use protocol::{CloseCode, Dialect, PendingRequests};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, split};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;
use tungstenite::protocol::frame::coding::{Control, OpCode};

use self::watched::Watched;
use super::fragments::Fragments;
use super::journal::Recorder;
use super::masks::Masks;
use super::pair::Dial;
use super::stage::Accept;
use scenarios::frame::RawFrame;
use scenarios::trace::{Actor, Event, Frame, FrameKind, Side};
use wire::frame::{FrameReader, FrameTooLong};
use wire::handshake::{ReceivedRequest, read_head, status_of, without_field};
use wire::link::Network;

/// Connections that may be open at once; a client that goes beyond it is left waiting.
const MAX_CONNECTIONS: usize = 256;
/// Bytes that are read at once.
const CHUNK_BYTES: usize = 16 * 1024;
/// What of an answer that grants no upgrade is passed on.
const MAX_REFUSAL_BYTES: usize = 64 * 1024;

/// How each half spells the wire, and where what passes is written down.
#[derive(Clone)]
pub(super) struct TapSetup {
    pub(super) client: Dialect,
    pub(super) gateway: Dialect,
    pub(super) network: Network,
    pub(super) recorder: Recorder,
}

/// A running tap. Dropping it drops every connection.
pub(super) struct Tap {
    _task: AbortOnDropHandle<()>,
}

impl Tap {
    /// Starts on a listening socket.
    pub(super) fn start<L, D>(listener: L, dial: D, setup: TapSetup) -> Self
    where
        L: Accept + Send + 'static,
        L::Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        D: Dial,
    {
        Self { _task: AbortOnDropHandle::new(tokio::spawn(run(listener, dial, setup))) }
    }
}

async fn run<L, D>(mut listener: L, dial: D, setup: TapSetup)
where
    L: Accept + Send,
    L::Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    D: Dial,
{
    let mut connections = JoinSet::new();
    let (mut dials, mut listens) = (0, true);
    loop {
        tokio::select! {
            biased;
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if listens && connections.len() < MAX_CONNECTIONS => match accepted {
                Ok(near) => {
                    let connection = Connection { number: dials, setup: setup.clone() };
                    dials += 1;
                    connections.spawn(connection.run(near, dial.clone()));
                }
                // Nothing can dial any more; what is connected stays so.
                Err(_) => listens = false,
            },
            else => return,
        }
    }
}

struct Connection {
    number: u32,
    setup: TapSetup,
}

impl Connection {
    async fn run<S, D>(self, mut near: S, dial: D)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        D: Dial,
    {
        match self.open(&mut near, dial).await {
            Ok(Some((far, early))) => self.carry(near, far, early).await,
            Ok(None) => {
                let _ = near.shutdown().await;
            }
            Err(error) => {
                self.note(Event::Refused { status: None, code: None, by: None, reason: error.to_string() })
                    .await;
            }
        }
    }

    /// Passes the handshake on. Nothing where the upgrade was refused; otherwise the gateway's end, and what the two had sent by then.
    async fn open<S, D>(&self, near: &mut S, dial: D) -> io::Result<Option<(DuplexStream, [Vec<u8>; 2])>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
        D: Dial,
    {
        let (head, leftover) = read_head(near).await?;
        let request = ReceivedRequest::parse(&head, Vec::new())?;
        let query = request.parameters(&self.setup.client);
        let token_in = self.setup.client.token.besides_query();
        self.note(Event::Dialled { path: request.path.clone(), query, token_in }).await;
        let (ends, ended) = oneshot::channel();
        let watched = Watched { stream: dial.dial().await?, ends: Some(ends) };
        let mut far = self.setup.network.pass(watched, |watched| D::reset(watched.stream));
        self.tell_end(ended);
        far.write_all(&without_field(&head, "sec-websocket-extensions")).await?;
        let (answer, behind) = read_head(&mut far).await?;
        let text = |head: &[u8]| String::from_utf8_lossy(head).into_owned();
        self.note(Event::Handshake { request: text(&head), answer: text(&answer) }).await;
        // Noted before it is passed on, as frames are.
        match status_of(&answer) {
            Some(101) => {
                self.note(Event::Opened).await;
                // That the client is gone by now is seen as its end.
                let _ = near.write_all(&answer).await;
                Ok(Some((far, [leftover, behind])))
            }
            Some(status) => {
                let refused =
                    Event::Refused { status: Some(status), code: None, by: None, reason: String::new() };
                self.note(refused).await;
                // Whether the client reads all of a refusal changes nothing.
                let begun = [answer, behind].concat();
                let mut rest = begun.as_slice().chain(far.take(MAX_REFUSAL_BYTES as u64));
                let _ = tokio::io::copy(&mut rest, near).await;
                Ok(None)
            }
            None => {
                near.write_all(&answer).await?;
                near.write_all(&behind).await?;
                Err(io::Error::new(io::ErrorKind::InvalidData, "the answer is not HTTP"))
            }
        }
    }

    /// Notes when the gateway ends its end. The network lets nobody see that while it carries nothing.
    fn tell_end(&self, ended: oneshot::Receiver<()>) {
        let (recorder, number) = (self.setup.recorder.clone(), self.number);
        tokio::spawn(async move {
            // Where the tap or the network ends it, the gateway does not.
            if ended.await.is_ok() {
                recorder.record(Actor::client(), Some(number), Event::GatewayClosed).await;
            }
        });
    }

    /// Carries frames both ways until the gateway's end is over, for the client as the network lets it be.
    async fn carry<S>(self, near: S, far: DuplexStream, [from_client, from_gateway]: [Vec<u8>; 2])
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let (mut near_read, mut near_write) = split(near);
        let (mut far_read, mut far_write) = split(far);
        let (closed, spoken, pending) = Default::default();
        let log = Log { connection: self, closed, spoken, pending };
        let mut received = Direction::new(Side::Gateway);
        log.took(&mut received, &from_gateway).await;
        // That one end takes no more is seen when it ends.
        let _ = near_write.write_all(&from_gateway).await;
        let up = async {
            let mut sent = Direction::new(Side::Client);
            log.took(&mut sent, &from_client).await;
            if far_write.write_all(&from_client).await.is_ok() {
                log.pass(sent, &mut near_read, &mut far_write).await;
            }
            // The gateway sees the end when the network lets it; what it says until then goes nowhere.
            let _ = far_write.shutdown().await;
            std::future::pending::<()>().await;
        };
        // A direction that is held up holds up the other one no more than a network would.
        tokio::select! {
            () = log.pass(received, &mut far_read, &mut near_write) => {}
            () = up => {}
        }
        let _ = near_write.shutdown().await;
    }

    async fn note(&self, event: Event) {
        self.setup.recorder.record(Actor::client(), Some(self.number), event).await;
    }
}

/// Bytes of one direction on their way to being messages.
struct Direction {
    from: Side,
    reader: FrameReader,
    fragments: Fragments,
    masks: Masks,
    /// Whether its bytes were no frames at some time: nothing can be read in them any more.
    is_lost: bool,
}

impl Direction {
    fn new(from: Side) -> Self {
        let (reader, fragments) = (FrameReader::default(), Fragments::default());
        Self { from, reader, fragments, masks: Masks::default(), is_lost: false }
    }

    /// Who sends in it.
    fn name(&self) -> &'static str {
        match self.from {
            Side::Gateway => "gateway",
            Side::Client => "client",
        }
    }
}

/// Writes down what passes on a connection.
struct Log {
    connection: Connection,
    /// Whether its end has been noted.
    closed: AtomicBool,
    /// Whether the gateway has said anything.
    spoken: AtomicBool,
    /// The client's requests that wait for an answer.
    pending: Mutex<PendingRequests>,
}

impl Log {
    /// Passes on what one end says, and notes it, until it says no more.
    async fn pass(
        &self,
        mut direction: Direction,
        from: &mut (impl AsyncRead + Unpin),
        to: &mut (impl AsyncWrite + Unpin),
    ) {
        let mut buffer = vec![0; CHUNK_BYTES];
        loop {
            let count = from.read(&mut buffer).await.unwrap_or(0);
            if count == 0 {
                return self.over(None, direction.from).await;
            }
            // Noted before it is passed on, so that no answer can stand before what it answers.
            self.took(&mut direction, &buffer[..count]).await;
            // That one end takes no more is seen when it ends.
            let _ = to.write_all(&buffer[..count]).await;
            let _ = to.flush().await;
        }
    }

    async fn took(&self, direction: &mut Direction, bytes: &[u8]) {
        if direction.is_lost {
            return;
        }
        direction.reader.feed(bytes);
        loop {
            match direction.reader.take() {
                Ok(Some(frame)) => self.frame(direction, frame).await,
                Ok(None) => return,
                Err(error) => {
                    direction.is_lost = true;
                    if FrameTooLong::caused(&error) {
                        return self.floods(direction, &error);
                    }
                    let (why, by) = (error.to_string(), direction.from);
                    self.connection.note(Event::BadFrame { why, by }).await;
                    return;
                }
            }
        }
    }

    async fn frame(&self, direction: &mut Direction, frame: RawFrame) {
        let from_gateway = direction.from == Side::Gateway;
        let (by, mask) = (direction.from, direction.reader.mask());
        let why = direction.masks.fault(by, mask).or_else(|| frame.fault(direction.fragments.is_open()));
        if let Some(why) = why {
            self.connection.note(Event::BadFrame { why: why.to_owned(), by }).await;
        }
        let frame = match direction.fragments.take(frame) {
            Ok(Some(frame)) => frame,
            Ok(None) => return,
            Err(error) => return self.floods(direction, &error),
        };
        if !self.connection.setup.recorder.admits(&frame.payload, direction.name()) {
            return;
        }
        let setup = &self.connection.setup;
        // Each frame means what its sender means by it.
        let dialect = if from_gateway { &setup.gateway } else { &setup.client };
        let seen = {
            let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
            let seen = Frame::of(&frame, dialect, from_gateway, Some(&pending));
            seen.refer(dialect, &mut pending);
            seen
        };
        self.spoken.fetch_or(from_gateway && seen.kind == FrameKind::Text, Ordering::Relaxed);
        let event = if from_gateway { Event::Received(seen) } else { Event::Sent(seen) };
        self.connection.note(event).await;
        if frame.opcode == OpCode::Control(Control::Close) {
            self.over(frame.close_code(), direction.from).await;
        }
    }

    /// Ends the case: one end sends more than is read.
    fn floods(&self, direction: &Direction, error: &dyn Error) {
        let by = direction.name();
        self.connection.setup.recorder.floods(format!("the {by} floods the connection: {error}"));
    }

    /// The connection is over for the half that says so first.
    async fn over(&self, code: Option<CloseCode>, by: Side) {
        if self.closed.swap(true, Ordering::Relaxed) {
            return;
        }
        self.connection.note(Event::Closed { code, by }).await;
        if by == Side::Gateway && code.is_some() && !self.spoken.load(Ordering::Relaxed) {
            // A refusal that some dialects word as an upgrade followed by a close.
            let reason = "closed before any message".to_owned();
            self.connection.note(Event::Refused { status: None, code, by: None, reason }).await;
        }
    }
}

#[cfg(test)]
mod tests;
