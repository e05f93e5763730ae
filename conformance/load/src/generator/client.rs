//! One client: a socket, what it waits for, and its ledgers.
//!
//! ```text
//!  Absent ──dial──► Dialling ──connected──► Upgrading ──101──► Greeting ──welcome──► Present ──► Leaving ──► Absent
//!    ▲                 │                        │                  │                   │  ended by the gateway
//!    └──── again ──────┴────────────────────────┴──────────────────┘                   ▼
//!                                                                                     Cut
//! ```

use std::io::{self, Write};
use std::time::{Duration, Instant};

use mio::net::TcpStream;

use super::opening::Opening;
use crate::ledger::Ledger;

/// Bytes that may wait to be written to a gateway that does not read.
const MAX_UNSENT_BYTES: usize = 64 * 1024;
/// How long after a client is in events must reach it, where none has before: its subscriptions may take until then.
const SETTLES_WITHIN: Duration = Duration::from_secs(2);

/// What a client waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// There is no connection; it may be dialled.
    Absent,
    Dialling,
    Upgrading,
    Greeting,
    Present,
    /// It goes once it has what it is owed.
    Leaving,
    /// The gateway has ended the connection.
    Cut,
}

/// A client.
#[derive(Debug)]
pub(super) struct Client {
    /// Which of the whole crowd.
    pub(super) index: usize,
    pub(super) state: State,
    pub(super) socket: Option<TcpStream>,
    /// The begin of a frame, or of the answer to the handshake, that is not whole.
    pub(super) partial: Vec<u8>,
    /// The begin of a message that comes in fragments.
    pub(super) fragments: Vec<u8>,
    unsent: Vec<u8>,
    /// What it has to say before it is in, where there is anything.
    pub(super) opening: Option<Box<Opening>>,
    pub(super) memberships: Vec<Membership>,
    /// When what it waits for is overdue, or when it is dialled again.
    pub(super) deadline: Option<Instant>,
    /// Whether its next request to join or leave the spare room is to leave.
    pub(super) leaves_spare: bool,
}

/// That it gets the events of a channel.
#[derive(Debug)]
pub(super) struct Membership {
    pub(super) channel: u32,
    /// Whether an event has come through at all.
    pub(super) probed: bool,
    ledger: Option<Ledger>,
    /// The first event that is owed in any case.
    owed_from: u64,
    /// The first that is not owed any more.
    pub(super) until: Option<u64>,
}

impl Client {
    pub(super) fn new(index: usize, channels: impl Iterator<Item = u32>) -> Self {
        let membership =
            |channel| Membership { channel, probed: false, ledger: None, owed_from: u64::MAX, until: None };
        Self {
            index,
            state: State::Absent,
            socket: None,
            partial: Vec::new(),
            fragments: Vec::new(),
            unsent: Vec::new(),
            opening: None,
            memberships: channels.map(membership).collect(),
            deadline: None,
            leaves_spare: false,
        }
    }

    /// Whether it is signed in.
    pub(super) fn is_in(&self) -> bool {
        matches!(self.state, State::Present | State::Leaving)
    }

    /// Whether it is on its way in.
    pub(super) fn is_arriving(&self) -> bool {
        matches!(self.state, State::Dialling | State::Upgrading | State::Greeting)
    }

    /// Forgets the connection, as before a dial. The ledgers have been settled.
    pub(super) fn reset(&mut self) -> Option<TcpStream> {
        self.state = State::Absent;
        self.deadline = None;
        // What a client held while its frames were in pieces is given back.
        self.partial = Vec::new();
        self.fragments = Vec::new();
        self.unsent = Vec::new();
        self.opening = None;
        self.leaves_spare = false;
        for membership in &mut self.memberships {
            membership.ledger = None;
            membership.owed_from = u64::MAX;
            membership.until = None;
        }
        self.socket.take()
    }

    /// Writes what the socket takes, and keeps the rest for when it takes more.
    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        if !self.unsent.is_empty() {
            if self.unsent.len() + bytes.len() > MAX_UNSENT_BYTES {
                return Err(io::Error::other("the gateway does not read"));
            }
            self.unsent.extend_from_slice(bytes);
            return Ok(());
        }
        let written = self.write(bytes)?;
        self.unsent.extend_from_slice(&bytes[written..]);
        Ok(())
    }

    /// Writes what could not be written before.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        if self.unsent.is_empty() {
            return Ok(());
        }
        let unsent = std::mem::take(&mut self.unsent);
        let written = self.write(&unsent)?;
        self.unsent.extend_from_slice(&unsent[written..]);
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(socket) = &mut self.socket else { return Err(io::ErrorKind::NotConnected.into()) };
        let mut written = 0;
        while written < bytes.len() {
            match socket.write(&bytes[written..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(written)
    }

    /// From the begin of the run on every event is owed.
    pub(super) fn begin(&mut self) {
        for membership in &mut self.memberships {
            membership.ledger = Some(Ledger::owed_from(0));
            membership.owed_from = 0;
        }
    }

    /// It is in, in the middle of a run: events are owed from the first one that comes, or from the first of a channel after so long.
    pub(super) fn is_owed_soon(&mut self, now: Duration, first_after: impl Fn(u32, u64) -> u64) {
        let settled_us = (now + SETTLES_WITHIN).as_micros() as u64;
        for membership in &mut self.memberships {
            membership.owed_from = first_after(membership.channel, settled_us);
        }
    }

    /// Whether everything has come that is owed below `until`, by channel.
    pub(super) fn is_complete(&self, until: impl Fn(&Membership) -> u64) -> bool {
        self.memberships.iter().all(|membership| membership.missing(until(membership)) == 0)
    }
}

impl Membership {
    /// The ledger, from the first event that comes.
    pub(super) fn ledger_at(&mut self, number: u64) -> &mut Ledger {
        let first = number.min(self.owed_from);
        self.ledger.get_or_insert_with(|| Ledger::owed_from(first))
    }

    /// The ledger as it is at the end.
    pub(super) fn settled(&self) -> Ledger {
        self.ledger.clone().unwrap_or_else(|| Ledger::owed_from(self.owed_from))
    }

    /// How many events have not come, though a later one has.
    pub(super) fn skipped(&self) -> u64 {
        self.ledger.as_ref().map_or(0, Ledger::skipped)
    }

    /// How many events below `until` have not come.
    pub(super) fn missing(&self, until: u64) -> u64 {
        match &self.ledger {
            Some(ledger) => ledger.missing(until),
            None => until.saturating_sub(self.owed_from),
        }
    }
}
