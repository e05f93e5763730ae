//! One scripted end of an open WebSocket connection. It conforms to RFC 6455 unless ordered otherwise.

mod command;
mod sending;
#[cfg(test)]
mod tests;

use std::error::Error;
use std::io;

use data_encoding::HEXLOWER;
use protocol::{ClientMessage, CloseCode, PendingRequests, ServerMessage, Timestamp};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

pub(super) use self::command::{Closing, PeerCommand};
use super::compression::{COMPRESSED, Compression, InflateError};
use super::fragments::{Fragmentation, Fragments};
use super::journal::Recorder;
use super::masks::Masks;
use super::stage::Setting;
use scenarios::frame::RawFrame;
use scenarios::trace::{Actor, Event, Frame, FrameKind, Message, Side};
use wire::frame::{FrameReader, FrameTooLong};

/// Orders that wait for the peer.
const ORDERS: usize = 64;

/// A running end. Dropping it drops the connection.
pub(super) struct Peer {
    orders: mpsc::Sender<PeerCommand>,
    _task: AbortOnDropHandle<()>,
}

/// An event that waits for a subscription by which it can come.
struct WaitingEvent {
    name: String,
    data: Value,
    cut: Option<Fragmentation>,
}

/// Who a peer is.
pub(super) struct PeerSetup {
    /// Which end it plays.
    pub(super) side: Side,
    /// The client end's name.
    pub(super) actor: Actor,
    /// Which of that actor's connections this is.
    pub(super) connection: u32,
    /// How many of the gateway's pings it answers.
    pub(super) pings_to_answer: u32,
    /// Whether it answers ping messages, where it plays the gateway.
    pub(super) answers_ping_messages: bool,
    /// Whether it reads nothing until a command resumes reading.
    pub(super) stalled: bool,
    /// Where it writes what it sees.
    pub(super) recorder: Recorder,
    /// The dialect, and the clock for timestamps.
    pub(super) setting: Setting,
    /// What compressed messages are read by, where that was agreed to.
    pub(super) compression: Option<Compression>,
    /// What a client's end asked for while it was opened.
    pub(super) pending: PendingRequests,
}

impl Peer {
    /// Starts on a stream whose handshake is done.
    pub(super) fn start<S>(stream: S, leftover: Vec<u8>, mut setup: PeerSetup) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (orders, inbox) = mpsc::channel(ORDERS);
        let masks = fastrand::Rng::with_seed(setup.setting.seed ^ u64::from(setup.connection));
        let stalled = setup.stalled;
        let (pending, compression) = (setup.pending.clone(), setup.compression.take());
        let end = End {
            stream,
            setup,
            masks,
            fragments: Fragments::default(),
            compression,
            closing: None,
            is_closed: false,
            masks_seen: Masks::default(),
            stalled,
            cut_after: None,
            events: Vec::new(),
            pending,
            is_within_message: false,
            held_answers: 0,
        };
        let task = tokio::spawn(end.run(FrameReader::after(leftover), inbox));
        Self { orders, _task: AbortOnDropHandle::new(task) }
    }

    /// Sends the peer a command; false when its connection is over.
    pub(super) async fn order(&self, order: PeerCommand) -> bool {
        self.orders.send(order).await.is_ok()
    }
}

struct End<S> {
    stream: S,
    setup: PeerSetup,
    masks: fastrand::Rng,
    /// A message whose last frame has not come.
    fragments: Fragments,
    compression: Option<Compression>,
    /// The close that this end began.
    closing: Option<Closing>,
    /// Whether the other end has closed: nothing may follow.
    is_closed: bool,
    masks_seen: Masks,
    stalled: bool,
    /// Text messages that are read before the connection is dropped.
    cut_after: Option<u32>,
    /// What has not been sent yet, in order.
    events: Vec<WaitingEvent>,
    /// What the client's end has asked for, where messages refer to it.
    pending: PendingRequests,
    /// Whether the last frame of a message of this end's is still to be sent.
    is_within_message: bool,
    /// Answers to ping messages that wait for that frame: no other message may begin before it (RFC 6455 section 5.4).
    held_answers: usize,
}

/// Whether the connection goes on.
enum Next {
    Go,
    Over { code: Option<CloseCode>, by: Side },
}

impl<S: AsyncRead + AsyncWrite + Unpin> End<S> {
    async fn run(mut self, mut reader: FrameReader, mut inbox: mpsc::Receiver<PeerCommand>) {
        let (code, by) = loop {
            let next = tokio::select! {
                biased;
                Some(order) = inbox.recv() => match self.obey(order).await {
                    // A write error does not end reading: the other end may have sent a reason before it closed.
                    Err(_) if !self.stalled => Ok(Next::Go),
                    other => other,
                },
                frame = reader.next(&mut self.stream), if !self.stalled => match frame {
                    Ok(Some(frame)) => {
                        self.check(&frame, reader.mask()).await;
                        if self.is_closed { Ok(Next::Go) } else { self.take(frame).await }
                    }
                    Err(error) if FrameTooLong::caused(&error) => {
                        self.floods(&error);
                        Ok(self.ended())
                    }
                    Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                        // Where the next frame would begin cannot be told any more.
                        let (why, by) = (error.to_string(), other(self.setup.side));
                        self.note(Event::BadFrame { why, by }).await;
                        Ok(self.ended())
                    }
                    Ok(None) | Err(_) => Ok(self.ended()),
                },
                // No command comes any more, and nothing is read.
                else => return,
            };
            match next {
                Ok(Next::Go) => {}
                Ok(Next::Over { code, by }) => break (code, by),
                Err(_) => {
                    let Next::Over { code, by } = self.ended() else { continue };
                    break (code, by);
                }
            }
        };
        self.note(Event::Closed { code, by }).await;
        // The gateway ends the TCP connection (RFC 6455 section 7.1.1), so nothing is lost by ending it here too.
        let _ = self.stream.shutdown().await;
    }

    async fn obey(&mut self, order: PeerCommand) -> io::Result<Next> {
        match order {
            PeerCommand::Send(frame) => self.send(frame).await?,
            PeerCommand::Event { name, data, cut } => {
                self.events.push(WaitingEvent { name, data, cut });
                self.send_events().await?;
            }
            PeerCommand::Bytes(bytes) => {
                let frame =
                    Frame { kind: FrameKind::Raw, body: HEXLOWER.encode(&bytes), message: None, form: None };
                self.note_sent(frame).await;
                self.stream.write_all(&bytes).await?;
            }
            PeerCommand::Frames { frames, message, chop } => self.send_odd(frames, message, chop).await?,
            PeerCommand::Close(closing) => {
                self.closing = Some(closing);
                self.send(RawFrame::close(closing.code)).await?;
            }
            PeerCommand::HalfClose => {
                self.stream.shutdown().await?;
                // An answer can no longer be written, and failing to write one would end the connection.
                self.setup.pings_to_answer = 0;
                self.setup.answers_ping_messages = false;
            }
            PeerCommand::Drop => {
                let code = self.closing.map(|closing| closing.code);
                return Ok(Next::Over { code, by: self.setup.side });
            }
            PeerCommand::Stall(stalled) => self.stalled = stalled,
            PeerCommand::CutAfter(count) => {
                self.cut_after = Some(count);
                self.stalled = false;
            }
            PeerCommand::Mute => self.setup.pings_to_answer = 0,
            PeerCommand::AnswerPingMessages(answers) => self.setup.answers_ping_messages = answers,
        }
        Ok(Next::Go)
    }

    /// Notes what is wrong with the other end's frame.
    async fn check(&mut self, frame: &RawFrame, mask: Option<[u8; 4]>) {
        let by = other(self.setup.side);
        let late = self.is_closed.then_some("a frame after the close frame (section 5.5.1)");
        let why = late.or_else(|| self.masks_seen.fault(by, mask));
        let is_compressed = self.compression.is_some()
            && frame.rsv == COMPRESSED
            && matches!(frame.opcode, OpCode::Data(Data::Text | Data::Binary));
        let is_open = self.fragments.is_open();
        let fault = match is_compressed {
            true => RawFrame { rsv: 0, ..frame.clone() }.fault(is_open),
            false => frame.fault(is_open),
        };
        if let Some(why) = why.or(fault) {
            self.note(Event::BadFrame { why: why.to_owned(), by }).await;
        }
    }

    async fn take(&mut self, frame: RawFrame) -> io::Result<Next> {
        let mut frame = match self.fragments.take(frame) {
            Ok(Some(frame)) => frame,
            Ok(None) => return Ok(Next::Go),
            Err(error) => {
                self.floods(&error);
                return Ok(self.ended());
            }
        };
        if frame.rsv == COMPRESSED
            && let Some(compression) = &mut self.compression
        {
            match compression.inflated(&frame.payload) {
                Ok(payload) => frame = RawFrame { rsv: 0, payload, ..frame },
                Err(error @ InflateError::TooLong) => {
                    self.floods(&error);
                    return Ok(self.ended());
                }
                Err(error @ InflateError::Broken) => {
                    let (why, by) = (error.to_string(), other(self.setup.side));
                    self.note(Event::BadFrame { why, by }).await;
                }
            }
        }
        if !self.setup.recorder.admits(&frame.payload, self.other()) {
            return Ok(self.ended());
        }
        let is_broken =
            frame.opcode == OpCode::Data(Data::Text) && std::str::from_utf8(&frame.payload).is_err();
        if is_broken {
            let (why, by) = ("a text that is not UTF-8 (section 5.6)".to_owned(), other(self.setup.side));
            self.note(Event::BadFrame { why, by }).await;
        }
        let seen = self.frame(&frame, self.setup.side == Side::Client);
        let message = seen.message.clone();
        let answer = match (self.setup.side, seen.kind) {
            (Side::Gateway, FrameKind::Text) => self.setup.setting.dialect.answer_to_opening(&seen.body),
            _ => None,
        };
        let reference = self.refer(&seen);
        self.note_received(self.apart_from_opening(seen)).await;
        let is_text = frame.opcode == OpCode::Data(Data::Text);
        if is_text && let Some(left) = &mut self.cut_after {
            *left -= 1;
            if *left == 0 {
                // What is dropped with bytes unread is reset, not closed: the other end learns of no end of its stream.
                return Ok(Next::Over { code: None, by: self.setup.side });
            }
        }
        match frame.opcode {
            OpCode::Control(Control::Ping) if self.answers_ping(false) => {
                self.send(RawFrame::control(Control::Pong, frame.payload)).await?;
            }
            OpCode::Control(Control::Close) => {
                let code = frame.close_code();
                return match self.closing {
                    Some(Closing { lingers: true, .. }) => {
                        self.is_closed = true;
                        Ok(Next::Go)
                    }
                    Some(Closing { code, .. }) => Ok(Next::Over { code: Some(code), by: self.setup.side }),
                    None => {
                        // The connection is over either way; a peer that does not wait for the answer is no concern.
                        let _ = self.send(RawFrame::control(Control::Close, frame.payload)).await;
                        Ok(Next::Over { code, by: other(self.setup.side) })
                    }
                };
            }
            _ => {}
        }
        if let Some(answer) = answer {
            self.send(RawFrame::text(answer)).await?;
            return Ok(Next::Go);
        }
        match message {
            Some(Message::Client(message)) => {
                self.reply(message, reference.as_deref()).await?;
                self.send_events().await?;
            }
            Some(Message::Server(ServerMessage::Ping)) if is_text && self.answers_ping(true) => {
                self.held_answers += 1;
                self.answer_ping_messages().await?;
            }
            _ => {}
        }
        Ok(Next::Go)
    }

    /// What a client under test asks for as it opens is none of the requests that scenarios are about.
    fn apart_from_opening(&self, mut seen: Frame) -> Frame {
        let dialect = &self.setup.setting.dialect;
        if let (Side::Gateway, Some(Message::Client(ClientMessage::Subscribe(target)))) =
            (self.setup.side, &seen.message)
            && dialect.opens_with(target)
        {
            let payload = Value::from(target.name());
            seen.message =
                Some(Message::Client(ClientMessage::Other { kind: "opening".to_owned(), payload }));
        }
        seen
    }

    /// Whether it answers a ping of this kind. Only those of the declared heartbeat are counted: there may be others beside them.
    fn answers_ping(&mut self, by_message: bool) -> bool {
        let left = &mut self.setup.pings_to_answer;
        let answers = *left > 0;
        if *left != u32::MAX && by_message == self.setup.setting.dialect.beats_by_message() {
            *left = left.saturating_sub(1);
        }
        answers
    }

    /// What a gateway answers by itself.
    async fn reply(&mut self, message: ClientMessage, id: Option<&str>) -> io::Result<()> {
        let acks = self.setup.setting.dialect.acks;
        let answer = match message {
            ClientMessage::Ping if self.setup.answers_ping_messages => ServerMessage::Pong,
            ClientMessage::Subscribe(target) if acks => ServerMessage::Subscribed(target),
            ClientMessage::Unsubscribe(target) if acks => ServerMessage::Unsubscribed(target),
            _ => return Ok(()),
        };
        let text = self.setup.setting.dialect.encode_server(&answer, self.now(), id);
        self.send(RawFrame::text(text)).await
    }

    /// The frame as the trace has it. `from_gateway` says which direction its text is read in.
    fn frame(&self, frame: &RawFrame, from_gateway: bool) -> Frame {
        Frame::of(frame, &self.setup.setting.dialect, from_gateway, self.pending(from_gateway))
    }

    /// What a frame refers to; what a gateway's end says is its own affair.
    fn pending(&self, from_gateway: bool) -> Option<&PendingRequests> {
        (self.setup.side == Side::Client || !from_gateway).then_some(&self.pending)
    }

    /// The reference of a message, where it has one.
    fn refer(&mut self, seen: &Frame) -> Option<String> {
        seen.refer(&self.setup.setting.dialect, &mut self.pending)
    }

    /// Ends the case: the other end sends more than is read.
    fn floods(&self, error: &dyn Error) {
        let by = self.other();
        self.setup.recorder.floods(format!("the {by} floods the connection: {error}"));
    }

    /// What is judged: the other end.
    fn other(&self) -> &'static str {
        match self.setup.side {
            Side::Client => "gateway",
            Side::Gateway => "client",
        }
    }

    /// How the connection counts when it ends without a closing handshake.
    fn ended(&self) -> Next {
        match self.closing {
            Some(Closing { code, .. }) => Next::Over { code: Some(code), by: self.setup.side },
            None => Next::Over { code: None, by: other(self.setup.side) },
        }
    }

    async fn note_sent(&mut self, frame: Frame) {
        self.note(if self.setup.side == Side::Client { Event::Sent(frame) } else { Event::Received(frame) })
            .await;
    }

    async fn note_received(&mut self, frame: Frame) {
        self.note(if self.setup.side == Side::Client { Event::Received(frame) } else { Event::Sent(frame) })
            .await;
    }

    async fn note(&mut self, event: Event) {
        self.setup.recorder.record(self.setup.actor.clone(), Some(self.setup.connection), event).await;
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_unix_ms((self.setup.setting.unix_ms)())
    }
}

fn other(side: Side) -> Side {
    match side {
        Side::Client => Side::Gateway,
        Side::Gateway => Side::Client,
    }
}
