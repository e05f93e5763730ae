//! What is read from a client's socket, and what is answered.

use std::io::{self, Read};

use protocol::{ServerMessage, SignInAnswer};
use tungstenite::protocol::frame::coding::Control;

use super::super::client::State;
use super::super::frame::{CLOSE, CONTINUATION, Frame, PING, PONG};
use super::{BUFFER_BYTES, Worker, now};
use crate::crowd::{control, text_frame};
use crate::ledger::Arrival;
use crate::marker::{Mark, PROBE};

/// Longest head of an answer to a handshake.
const MAX_HEAD_BYTES: usize = 16 * 1024;
/// Largest message in fragments.
const MAX_MESSAGE_BYTES: usize = 16 * 1024 * 1024;
/// Reads from one socket before others have their turn.
const READS: usize = 8;

/// Why a connection is over.
enum End {
    /// It failed, or its gateway ended it.
    Broken(io::Error),
    /// The gateway does not let the client in.
    Refused(String),
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        Self::Broken(error)
    }
}

impl Worker {
    /// A socket takes more, or has connected.
    pub(super) fn writable(&mut self, index: usize) {
        let client = &mut self.clients[index];
        let Some(socket) = &client.socket else { return };
        let sent = match client.state {
            State::Dialling => match (socket.take_error(), socket.peer_addr()) {
                (Ok(Some(error)) | Err(error), _) => Err(error),
                (Ok(None), Ok(_)) => {
                    client.state = State::Upgrading;
                    let head = self.crowd.request(client.index).head();
                    client.send(head.as_bytes())
                }
                // Not yet.
                (Ok(None), Err(_)) => Ok(()),
            },
            _ => client.flush(),
        };
        if let Err(error) = sent {
            self.ended(index, End::Broken(error));
        }
    }

    /// A socket has something to read, or has ended.
    pub(super) fn read(&mut self, index: usize) {
        let mut buffer = std::mem::take(&mut self.buffer);
        for turn in 0.. {
            if turn == READS {
                self.unread.push(index);
                break;
            }
            match self.read_once(index, &mut buffer) {
                Ok(true) => {}
                Ok(false) => break,
                Err(end) => {
                    self.ended(index, end);
                    break;
                }
            }
        }
        // One message that was larger than usual does not keep its room.
        buffer.truncate(BUFFER_BYTES);
        self.buffer = buffer;
    }

    /// Reads once; says whether there may be more.
    fn read_once(&mut self, index: usize, buffer: &mut Vec<u8>) -> Result<bool, End> {
        let client = &mut self.clients[index];
        if client.state == State::Dialling {
            return Ok(false);
        }
        let Some(socket) = &mut client.socket else { return Ok(false) };
        let held = client.partial.len();
        if buffer.len() < held + BUFFER_BYTES / 2 {
            buffer.resize(held + BUFFER_BYTES, 0);
        }
        let count = match socket.read(&mut buffer[held..]) {
            Ok(0) => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the gateway ended it").into()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(true),
            Err(error) => return Err(error.into()),
        };
        let is_full = held + count == buffer.len();
        buffer[..held].copy_from_slice(&client.partial);
        client.partial.clear();
        if self.origin.is_some() {
            self.totals.ledger.bytes += count as u64;
        }
        let consumed = self.parse(index, &buffer[..held + count])?;
        let rest = &buffer[consumed..held + count];
        let client = &mut self.clients[index];
        match rest.is_empty() {
            // Memory is a client's only while it holds the begin of a frame.
            true if client.partial.capacity() > 0 => client.partial = Vec::new(),
            true => {}
            false => client.partial.extend_from_slice(rest),
        }
        Ok(is_full)
    }

    /// Takes what is whole; says how many bytes that was.
    fn parse(&mut self, index: usize, bytes: &[u8]) -> Result<usize, End> {
        let mut at = 0;
        if self.clients[index].state == State::Upgrading {
            let Some(length) = self.upgraded(index, bytes)? else { return Ok(0) };
            at = length;
        }
        while let Some(frame) =
            Frame::parse(&bytes[at..]).map_err(|reason| End::Broken(io::Error::other(reason)))?
        {
            at += frame.length;
            self.take_frame(index, frame)?;
        }
        Ok(at)
    }

    /// Takes the answer to a handshake; says how long it was, where it is whole.
    fn upgraded(&mut self, index: usize, bytes: &[u8]) -> Result<Option<usize>, End> {
        let Some(end) = memchr::memmem::find(bytes, b"\r\n\r\n").map(|at| at + 4) else {
            return match bytes.len() > MAX_HEAD_BYTES {
                true => Err(End::Refused("the head of its answer never ends".to_owned())),
                false => Ok(None),
            };
        };
        let number = self.clients[index].index;
        let request = self.crowd.request(number);
        request.check_answer(&bytes[..end]).map_err(|error| End::Refused(error.to_string()))?;
        let client = &mut self.clients[index];
        client.state = State::Greeting;
        client.opening = self.crowd.opening(number).map(Box::new);
        match self.crowd.first_message(number) {
            Some(message) => client.send(&message)?,
            None => self.open(index)?,
        }
        Ok(Some(end))
    }

    /// Sends what a client opens with, up to what must be answered first. It is in after the last answer; where none was due, once the
    /// gateway has greeted it.
    fn open(&mut self, index: usize) -> Result<(), End> {
        let crowd = self.crowd.clone();
        let client = &mut self.clients[index];
        let mut is_in = crowd.dialect.sign_in.is_some() || !crowd.is_greeted();
        if let Some(mut opening) = client.opening.take() {
            while let Some(text) = opening.next(&crowd.dialect) {
                client.send(&text_frame(text))?;
            }
            if opening.awaits() {
                client.opening = Some(opening);
                return Ok(());
            }
            is_in |= opening.was_answered();
        }
        if is_in { self.signed_in(index) } else { Ok(()) }
    }

    fn signed_in(&mut self, index: usize) -> Result<(), End> {
        self.arriving -= 1;
        self.present += 1;
        self.arrived += 1;
        let now = now();
        self.last_in = Some(now);
        let elapsed = self.elapsed(now);
        let client = &mut self.clients[index];
        client.state = State::Present;
        client.deadline = None;
        if let Some(elapsed) = elapsed {
            let plan = &self.crowd.plan;
            client.is_owed_soon(elapsed, |channel, at_us| plan.first_after(channel, at_us));
        }
        let channels = client.memberships.iter().map(|membership| membership.channel);
        if let Some(subscribe) = self.crowd.subscription(channels) {
            client.send(subscribe)?;
        }
        Ok(())
    }

    fn take_frame(&mut self, index: usize, frame: Frame<'_>) -> Result<(), End> {
        match frame.opcode {
            PING => Ok(self.clients[index].send(&control(Control::Pong, frame.payload))?),
            PONG => Ok(()),
            CLOSE => {
                let code = frame.payload.first_chunk::<2>().map_or(1005, |code| u16::from_be_bytes(*code));
                let reason = format!("closed with {code}");
                Err(match self.clients[index].state {
                    State::Greeting => End::Refused(reason),
                    _ => End::Broken(io::Error::other(reason)),
                })
            }
            CONTINUATION => {
                let client = &mut self.clients[index];
                if client.fragments.len() + frame.payload.len() > MAX_MESSAGE_BYTES {
                    return Err(End::Broken(io::Error::other("a message in fragments never ends")));
                }
                client.fragments.extend_from_slice(frame.payload);
                if !frame.fin {
                    return Ok(());
                }
                let message = std::mem::take(&mut client.fragments);
                self.take_message(index, &message)
            }
            _ if !frame.fin => {
                self.clients[index].fragments.extend_from_slice(frame.payload);
                Ok(())
            }
            _ => self.take_message(index, frame.payload),
        }
    }

    fn take_message(&mut self, index: usize, message: &[u8]) -> Result<(), End> {
        let mut rest = message;
        // Several events may come in one message.
        while let Some((mark, end)) = self.crowd.finder.find(rest) {
            self.take_event(index, mark);
            rest = &rest[end..];
        }
        match rest.len() == message.len() {
            true => self.take_other(index, message),
            false => Ok(()),
        }
    }

    fn take_event(&mut self, index: usize, Mark { channel, number }: Mark) {
        let client = &mut self.clients[index];
        let Some(membership) = client.memberships.iter_mut().find(|known| known.channel == channel) else {
            self.totals.ledger.misdirected += 1;
            return;
        };
        if number == PROBE {
            membership.probed = true;
            return;
        }
        let (Some(origin), Some(due_us)) = (self.origin, self.crowd.plan.due_us(channel, number)) else {
            return;
        };
        if membership.until.is_some_and(|until| number >= until) {
            return;
        }
        match membership.ledger_at(number).take(number) {
            Arrival::Again => {
                self.totals.ledger.duplicated += 1;
                return;
            }
            Arrival::Early => return,
            Arrival::Late => self.totals.ledger.disordered += 1,
            Arrival::Owed => {}
        }
        let now = now().saturating_duration_since(origin);
        self.totals.last_arrival = now;
        self.totals.busy = 1.0 - (self.idle.as_secs_f64() / now.as_secs_f64().max(1e-9)).min(1.0);
        self.second.record((now.as_micros() as u64).saturating_sub(due_us));
    }

    /// A message without an event: a greeting, a heartbeat, an acknowledgement.
    fn take_other(&mut self, index: usize, message: &[u8]) -> Result<(), End> {
        let state = self.clients[index].state;
        if state != State::Greeting && !self.crowd.dialect.beats_by_message() {
            return Ok(());
        }
        let Ok(text) = std::str::from_utf8(message) else { return Ok(()) };
        if state == State::Greeting {
            if let Some(opening) = self.clients[index].opening.as_mut().filter(|opening| opening.awaits()) {
                return if opening.take(&self.crowd.dialect, text) { self.open(index) } else { Ok(()) };
            }
            return match (&self.crowd.dialect.sign_in, self.crowd.dialect.sign_in_answer(text)) {
                (Some(_), SignInAnswer::Error) => Err(End::Refused(format!("not signed in: {text}"))),
                (Some(_), SignInAnswer::Unrelated) => Ok(()),
                (Some(_), _) => self.open(index),
                (None, _) => self.signed_in(index),
            };
        }
        let decoded = self.crowd.dialect.decode_server(text);
        if decoded.is_ok_and(|decoded| decoded.message == ServerMessage::Ping) {
            let crowd = self.crowd.clone();
            self.clients[index].send(crowd.pong())?;
        }
        Ok(())
    }

    fn ended(&mut self, index: usize, end: End) {
        let client = &mut self.clients[index];
        match (client.state, end) {
            (State::Absent | State::Cut, _) => {}
            (State::Present, End::Broken(error)) => {
                client.state = State::Cut;
                drop(client.socket.take());
                self.present -= 1;
                self.totals.ledger.cut += 1;
                self.course.failed = Some(error.to_string());
            }
            (State::Leaving, _) => {
                self.leave(index, false);
                self.to_dial.push(index);
            }
            (_, End::Broken(error)) => self.not_let_in(index, &error),
            (_, End::Refused(reason)) => self.refuse(index, &reason),
        }
    }
}
