//! One thread with its share of the clients: raw sockets, one buffer that all of them are read into, no allocation for a frame.
//!
//! `mio` without a runtime: a client is a few hundred bytes, not a task with buffers of its own, and there is nothing between
//! the readiness of a socket and the read.

mod conversation;
mod course;

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token};
use tokio::sync::mpsc::Sender;

use super::client::{Client, State};
use super::dial;
use super::tally::{CurrentSecond, Totals};
use super::{Drive, Status, WorkerCommand};
use crate::crowd::Crowd;
use conformance::limits::HostLimit;

/// The token of what wakes the thread for a command.
pub(super) const WAKER: Token = Token(usize::MAX);
/// Sockets that are reported at once.
const EVENTS: usize = 1024;
/// Bytes that are read at once.
const BUFFER_BYTES: usize = 256 * 1024;
/// How often what has no event of its own is looked at: deadlines, departures, pings, reports.
const TICK: Duration = Duration::from_millis(20);
/// Clients on their way in at once, where they do not all come back after a cut.
const AT_ONCE: usize = 64;
/// How long a dial and a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(20);
/// Pause before a client is dialled again that was not let in.
const AGAIN_AFTER: Duration = Duration::from_millis(100);

pub(super) struct Worker {
    number: usize,
    crowd: Arc<Crowd>,
    poll: Poll,
    clients: Vec<Client>,
    /// Clients whose sockets may hold more than was read in one turn.
    unread: Vec<usize>,
    buffer: Vec<u8>,
    commands: Receiver<WorkerCommand>,
    reports: Sender<Status>,
    drive: Drive,
    /// Clients that are to be dialled, from the last.
    to_dial: Vec<usize>,
    arriving: usize,
    present: usize,
    arrived: u64,
    last_in: Option<Instant>,
    at_once: usize,
    origin: Option<Instant>,
    has_begun: bool,
    /// What is owed at most, by channel, once that is known.
    until: Option<Arc<[u64]>>,
    second: CurrentSecond,
    totals: Totals,
    /// Time that was spent waiting since the begin.
    idle: Duration,
    /// Why a client cannot be let in.
    refused: Option<String>,
    random: fastrand::Rng,
    next_tick: Instant,
    course: course::Course,
    is_over: bool,
}

impl Worker {
    pub(super) fn new(
        number: usize,
        crowd: Arc<Crowd>,
        (poll, commands): (Poll, Receiver<WorkerCommand>),
        reports: Sender<Status>,
        drive: Drive,
        clients: impl Iterator<Item = usize>,
    ) -> Self {
        let client = |index| Client::new(index, crowd.plan.channels_of(index, crowd.user(index)));
        let clients: Vec<_> = clients.map(client).collect();
        Self {
            number,
            poll,
            unread: Vec::new(),
            buffer: vec![0; BUFFER_BYTES],
            commands,
            reports,
            random: fastrand::Rng::with_seed(drive.seed ^ number as u64),
            drive,
            to_dial: Vec::new(),
            arriving: 0,
            present: 0,
            arrived: 0,
            last_in: None,
            at_once: AT_ONCE,
            origin: None,
            has_begun: false,
            until: None,
            second: CurrentSecond::default(),
            totals: Totals::default(),
            idle: Duration::ZERO,
            refused: None,
            next_tick: now(),
            course: course::Course::default(),
            is_over: false,
            clients,
            crowd,
        }
    }

    /// Works until it is asked to close, or its commands end.
    pub(super) fn run(mut self) {
        let mut events = Events::with_capacity(EVENTS);
        while !self.is_over {
            let before = now();
            let wait = match self.unread.is_empty() {
                true => self.next_tick.saturating_duration_since(before),
                false => Duration::ZERO,
            };
            if let Err(error) = self.poll.poll(&mut events, Some(wait))
                && error.kind() != io::ErrorKind::Interrupted
            {
                self.refused = Some(HostLimit::explain("cannot wait for sockets", &error));
            }
            let woken = now();
            self.idle += woken - before;
            self.advance(woken);
            for index in std::mem::take(&mut self.unread) {
                self.read(index);
            }
            for event in &events {
                if event.token() == WAKER {
                    continue;
                }
                let index = event.token().0;
                if event.is_writable() {
                    self.writable(index);
                }
                if event.is_readable() || event.is_read_closed() || event.is_error() {
                    self.read(index);
                }
            }
            self.take_commands();
            let now = now();
            if now >= self.next_tick {
                self.next_tick = now + TICK;
                self.tick(now);
            }
            self.dial_some();
        }
        // What is left is ended with the thread.
    }

    /// How long the run has taken; nothing before it begins.
    fn elapsed(&self, now: Instant) -> Option<Duration> {
        self.origin.and_then(|origin| now.checked_duration_since(origin))
    }

    fn advance(&mut self, now: Instant) {
        if let Some(elapsed) = self.elapsed(now) {
            // What was waited before the begin says nothing of how busy the run is.
            if !std::mem::replace(&mut self.has_begun, true) {
                self.idle = Duration::ZERO;
            }
            self.second.advance(elapsed, self.present);
        }
    }

    fn take_commands(&mut self) {
        loop {
            match self.commands.try_recv() {
                Ok(command) => self.obey(command),
                Err(TryRecvError::Empty) => return,
                // The run was given up.
                Err(TryRecvError::Disconnected) => {
                    self.is_over = true;
                    return;
                }
            }
        }
    }

    fn obey(&mut self, command: WorkerCommand) {
        match command {
            WorkerCommand::Dial => self.to_dial.extend((0..self.clients.len()).rev()),
            WorkerCommand::Begin { origin } => {
                self.origin = Some(origin);
                self.course.begin(now(), &self.drive);
                self.clients.iter_mut().for_each(Client::begin);
            }
            WorkerCommand::CutAll => self.cut_all(),
            WorkerCommand::Finish { until } => {
                self.until = Some(until);
                self.course.end();
            }
            WorkerCommand::Close => self.close(),
        }
    }

    /// Every connection is cut, and every client comes back at once.
    fn cut_all(&mut self) {
        self.at_once = usize::MAX;
        for index in 0..self.clients.len() {
            self.leave(index, true);
            self.to_dial.push(index);
        }
    }

    /// Ends every connection, settles every ledger, and reports for the last time.
    fn close(&mut self) {
        self.second.finish(self.present);
        for index in 0..self.clients.len() {
            self.leave(index, false);
        }
        self.is_over = true;
        let status = Status { totals: Some(Box::new(std::mem::take(&mut self.totals))), ..self.status() };
        // The receiver is gone where the run was given up.
        let _ = self.reports.blocking_send(status);
    }

    fn dial_some(&mut self) {
        while self.arriving < self.at_once && self.refused.is_none() {
            let Some(index) = self.to_dial.pop() else { return };
            self.dial(index);
        }
    }

    fn dial(&mut self, index: usize) {
        let client = &mut self.clients[index];
        let dialled = dial::dial(self.crowd.address, client.index).and_then(|mut socket| {
            let interest = Interest::READABLE | Interest::WRITABLE;
            self.poll.registry().register(&mut socket, Token(index), interest)?;
            Ok(socket)
        });
        match dialled {
            Ok(socket) => {
                client.socket = Some(socket);
                client.state = State::Dialling;
                client.deadline = Some(now() + HANDSHAKE);
                self.arriving += 1;
            }
            Err(error) => self.not_let_in(index, &error),
        }
    }

    /// A client's connection has failed before it was in. It is tried again, unless this host is the cause.
    fn not_let_in(&mut self, index: usize, error: &io::Error) {
        if let Some(limit) = HostLimit::of("cannot dial the gateway", error) {
            self.refuse(index, &limit.to_string());
            return;
        }
        let client = &mut self.clients[index];
        self.arriving -= usize::from(client.is_arriving());
        drop(client.reset());
        client.deadline = Some(now() + AGAIN_AFTER);
        self.course.failed = Some(error.to_string());
    }

    /// A client cannot be let in, and trying again would not change that.
    fn refuse(&mut self, index: usize, reason: &str) {
        let client = &mut self.clients[index];
        self.arriving -= usize::from(client.is_arriving());
        drop(client.reset());
        let number = client.index + 1;
        self.refused
            .get_or_insert_with(|| format!("client {number} of {}: {reason}", self.crowd.members.end));
    }

    /// Settles a client's ledgers and forgets its connection.
    fn leave(&mut self, index: usize, is_cut: bool) {
        if self.origin.is_some() {
            self.settle(index);
        }
        let client = &mut self.clients[index];
        self.arriving -= usize::from(client.is_arriving());
        self.present -= usize::from(client.is_in());
        if client.is_in() && !is_cut {
            let normal = 1000_u16.to_be_bytes();
            let close = crate::crowd::control(tungstenite::protocol::frame::coding::Control::Close, &normal);
            // The gateway may have ended already.
            let _ = client.send(&close);
        }
        if let Some(socket) = client.reset() {
            match is_cut {
                true => dial::cut(socket),
                false => drop(socket),
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a load generator measures real time")]
pub(super) fn now() -> Instant {
    Instant::now()
}
