//! The task of one socket: bytes to frames, orders to bytes, and the clock's part (handshake, heartbeats, closing).

use super::listen::Listen;
use super::state::{ConnectionId, Input};
use super::wire::{Decoder, Frame, WireError, put_greeting, put_heartbeat};
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

/// How much is read at once, so the largest batch of frames, and what a queued small message may keep alive.
const READ_BYTES: usize = 64 * 1024;
/// How long a client has to close its side after the broker closed its own.
const LINGER: Duration = Duration::from_secs(1);
/// Missed heartbeats after which a peer is dead (AMQP 0-9-1, section 4.2.7).
const MISSED_HEARTBEATS: u32 = 2;

/// A command to a socket's task.
#[derive(Debug)]
pub(super) enum SocketCommand {
    /// Write these bytes, and report their weight as flushed.
    Write { bytes: Vec<u8>, weight: usize },
    /// Take no larger frames; send a heartbeat where there is nothing else to send, and expect the same (zero:
    /// neither).
    Tuned { frame_max: u32, heartbeat: Duration },
    /// The handshake is over.
    Opened,
    /// The client should close soon.
    Closing,
}

/// One client's socket.
#[derive(Debug)]
pub(super) struct Socket {
    pub(super) id: ConnectionId,
    pub(super) peer: SocketAddr,
    pub(super) frame_max: u32,
    pub(super) handshake_timeout: Duration,
    pub(super) inputs: mpsc::Sender<Input>,
    pub(super) stalled: watch::Receiver<bool>,
}

/// What was agreed, set by orders and obeyed by the reader.
#[derive(Clone, Copy, Debug)]
struct Terms {
    /// When the client must have opened or closed.
    deadline: Option<Instant>,
    heartbeat: Duration,
    frame_max: u32,
}

/// Why a socket is closed.
#[derive(Debug, thiserror::Error)]
enum End {
    #[error("the client closed")]
    Closed,
    #[error("the client did not open or close in time")]
    Overdue,
    #[error("the client missed its heartbeats")]
    Silent,
    #[error("the client does not speak AMQP 0-9-1")]
    NotAmqp,
    #[error("cut off")]
    Aborted,
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Socket {
    /// Serves one client to its end, and reports that end.
    pub(super) async fn serve<L: Listen>(
        self,
        mut stream: L::Stream,
        orders: mpsc::UnboundedReceiver<SocketCommand>,
        aborted: oneshot::Receiver<()>,
    ) {
        tracing::info!(peer = %self.peer, "connection accepted");
        let end = self.exchange(&mut stream, orders, aborted).await;
        if matches!(end, End::Aborted) {
            // A reset and no orderly end, as an outage makes it.
            L::reset(stream);
        } else {
            drop(stream);
        }
        tracing::info!(peer = %self.peer, "connection ended: {end}");
        // The receiver is dropped when the broker has ended.
        let _ = self.inputs.send(Input::Gone(self.id)).await;
    }

    async fn exchange(
        &self,
        stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
        orders: mpsc::UnboundedReceiver<SocketCommand>,
        aborted: oneshot::Receiver<()>,
    ) -> End {
        let deadline = Some(now() + self.handshake_timeout);
        let terms =
            watch::Sender::new(Terms { deadline, heartbeat: Duration::ZERO, frame_max: self.frame_max });
        let mut decoder = Decoder::new(self.frame_max);
        let (mut reader, mut writer) = tokio::io::split(stream);
        let conversation = async {
            self.await_greeting(&mut reader, &mut writer, &mut decoder, deadline).await?;
            let reading = self.read(&mut reader, decoder, terms.subscribe());
            let writing = self.write(&mut writer, orders, &terms);
            first_of(reading, writing).await
        };
        tokio::select! {
            biased;
            // The other end is dropped unused when the connection is to end in an orderly way.
            Ok(()) = aborted => End::Aborted,
            end = conversation => end.map_or_else(|end| end, |never| match never {}),
        }
    }

    async fn await_greeting(
        &self,
        reader: &mut (impl AsyncRead + Unpin),
        writer: &mut (impl AsyncWrite + Unpin),
        decoder: &mut Decoder,
        deadline: Option<Instant>,
    ) -> Result<(), End> {
        loop {
            match decoder.greeting() {
                Ok(true) => break,
                Ok(false) => {}
                Err(_) => {
                    // The standard's answer: what would have been right.
                    let mut answer = Vec::new();
                    put_greeting(&mut answer);
                    writer.write_all(&answer).await?;
                    writer.shutdown().await?;
                    return Err(End::NotAmqp);
                }
            }
            tokio::select! {
                biased;
                () = sleep_until(deadline) => return Err(End::Overdue),
                read = reader.read_buf(decoder.buffer()) => if read? == 0 { return Err(End::Closed) },
            }
        }
        self.report(Input::Connected(self.id)).await
    }

    /// Reads frames and passes them on, until the client goes or falls silent.
    async fn read(
        &self,
        reader: &mut (impl AsyncRead + Unpin),
        mut decoder: Decoder,
        mut terms: watch::Receiver<Terms>,
    ) -> Result<std::convert::Infallible, End> {
        let mut stalled = self.stalled.clone();
        let mut heard = now();
        let mut malformed = false;
        loop {
            let Terms { deadline, heartbeat, frame_max } = *terms.borrow_and_update();
            decoder.limit_frames(frame_max);
            if !malformed && let Err(fault) = self.pass_on(&mut decoder).await? {
                malformed = true;
                self.report(Input::Malformed(self.id, fault)).await?;
            }
            let silent = (!heartbeat.is_zero()).then(|| heard + heartbeat * MISSED_HEARTBEATS);
            let is_stalled = *stalled.borrow_and_update();
            if malformed {
                decoder.buffer().clear();
            }
            decoder.buffer().reserve(READ_BYTES);
            tokio::select! {
                biased;
                // A client that goes on sending must not put off its deadline, nor what changes its terms; both are rare.
                () = sleep_until(deadline) => return Err(End::Overdue),
                changed = terms.changed() => changed.map_err(|_| End::Closed)?,
                changed = stalled.changed() => {
                    changed.map_err(|_| End::Closed)?;
                    // Silence that the broker made is not the client's.
                    heard = now();
                }
                read = reader.read_buf(decoder.buffer()), if !is_stalled => {
                    if read? == 0 {
                        return Err(End::Closed);
                    }
                    heard = now();
                }
                // What has arrived was not silence, even where it is read late.
                () = sleep_until(silent), if !is_stalled => return Err(End::Silent),
            }
        }
    }

    /// Passes on the frames that are there in full.
    async fn pass_on(&self, decoder: &mut Decoder) -> Result<Result<(), super::fault::Fault>, End> {
        let mut frames = Vec::new();
        let outcome = loop {
            match decoder.frame() {
                Ok(Some(Frame::Heartbeat)) => {}
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break Ok(()),
                Err(WireError::Frame(fault)) => break Err(fault),
                Err(WireError::Greeting) => return Err(End::NotAmqp),
            }
        };
        if !frames.is_empty() {
            self.report(Input::Frames(self.id, frames)).await?;
        }
        Ok(outcome)
    }

    /// Carries out orders, and sends heartbeats between them.
    async fn write(
        &self,
        writer: &mut (impl AsyncWrite + Unpin),
        mut orders: mpsc::UnboundedReceiver<SocketCommand>,
        terms: &watch::Sender<Terms>,
    ) -> Result<std::convert::Infallible, End> {
        let mut stalled = self.stalled.clone();
        loop {
            // Twice as often as agreed, so that a late one is still in time.
            let interval = terms.borrow().heartbeat / 2;
            let next_beat = (!interval.is_zero()).then(|| now() + interval);
            let order = tokio::select! {
                biased;
                // Any traffic counts as a heartbeat (AMQP 0-9-1, section 4.2.7).
                order = orders.recv() => order,
                () = sleep_until(next_beat) => {
                    let mut beat = Vec::new();
                    put_heartbeat(&mut beat);
                    Some(SocketCommand::Write { bytes: beat, weight: 0 })
                }
            };
            match order {
                Some(SocketCommand::Write { bytes, weight }) => {
                    stalled.wait_for(|stalled| !stalled).await.map_err(|_| End::Closed)?;
                    writer.write_all(&bytes).await?;
                    if weight > 0 {
                        self.report(Input::Flushed(self.id, weight)).await?;
                    }
                }
                Some(SocketCommand::Tuned { frame_max, heartbeat }) => terms.send_modify(|terms| {
                    terms.frame_max = frame_max;
                    terms.heartbeat = heartbeat;
                }),
                Some(SocketCommand::Opened) => terms.send_modify(|terms| terms.deadline = None),
                Some(SocketCommand::Closing) => {
                    let deadline = now() + self.handshake_timeout;
                    terms.send_modify(|terms| terms.deadline = Some(deadline));
                }
                None => {
                    // Closing a socket with unread input resets the connection (RFC 1122, 4.2.2.13), and the last frames
                    // would be lost: so the client gets some time to close first.
                    writer.shutdown().await?;
                    terms.send_modify(|terms| terms.deadline = Some(now() + LINGER));
                    std::future::pending::<()>().await;
                }
            }
        }
    }

    async fn report(&self, input: Input) -> Result<(), End> {
        self.inputs.send(input).await.map_err(|_| End::Closed)
    }
}

/// The outcome of the half that ends first. Each poll begins with the other half than the last one, so that one that is
/// always ready cannot starve the other of its task's budget, and a simulation repeats.
async fn first_of<T>(one: impl Future<Output = T>, other: impl Future<Output = T>) -> T {
    let (mut one, mut other) = (pin!(one), pin!(other));
    let mut begins_with_one = false;
    poll_fn(|context| {
        begins_with_one = !begins_with_one;
        if begins_with_one && let Poll::Ready(end) = one.as_mut().poll(context) {
            return Poll::Ready(end);
        }
        if let Poll::Ready(end) = other.as_mut().poll(context) {
            return Poll::Ready(end);
        }
        if begins_with_one { Poll::Pending } else { one.as_mut().poll(context) }
    })
    .await
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

#[expect(clippy::disallowed_methods, reason = "the driver has the clock")]
fn now() -> Instant {
    Instant::now()
}
