//! What came of a soak.

use std::fmt;
use std::ops::AddAssign;
use std::time::Duration;

/// What became of the broker in a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outages {
    /// How often it was restarted.
    pub restarts: u32,
    /// How long nothing was published because of that.
    pub silence: Duration,
    /// Events that waited in its durable queue because the gateway was not back yet.
    pub waited: u64,
}

/// Problems that are kept to be shown; all are counted.
const KEPT: usize = 20;
/// What the gateway may keep beyond its start: an allocator does not give back every page that it once had, and the
/// outboxes of stalled readers were among them.
const ALLOWANCE_BYTES: u64 = 32 * 1024 * 1024;

/// What came of it.
#[derive(Debug, Default)]
pub struct Summary {
    /// How long it took.
    pub duration: Duration,
    /// Healthy clients that came.
    pub connections: u64,
    /// Events that were published.
    pub events: u64,
    /// Deliveries that were checked.
    pub checked: u64,
    /// Healthy clients that were replaced: the actual churn.
    pub replaced: u64,
    /// Handshakes that were aborted.
    pub broke_off: u64,
    /// What became of the broker.
    pub outages: Outages,
    /// Ends of those that do harm.
    pub adversaries: Ended,
    /// The gateway's memory.
    pub memory: Memory,
    /// The first problems.
    pub problems: Vec<Problem>,
    /// All of them.
    pub problem_count: usize,
}

/// How often clients that do harm were ended by the gateway.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ended {
    /// Those that did not read.
    pub stalled: u64,
    /// Those that sent too much.
    pub flooding: u64,
    /// Those that sent garbage.
    pub garbage: u64,
    /// Those that sent empty fragments.
    pub fragments: u64,
    /// Those that connected and said nothing.
    pub silent: u64,
}

/// The gateway's resident memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Memory {
    /// Without clients, after as many as there will be had been there once.
    pub first: u64,
    /// The most that was seen.
    pub peak: u64,
    /// The newest figure; at the end without clients again.
    pub last: u64,
}

/// How far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Time since every client was connected.
    pub elapsed: Duration,
    /// Healthy clients.
    pub connections: usize,
    /// Events that were published.
    pub events: u64,
    /// Deliveries that were checked.
    pub checked: u64,
    /// The gateway's resident memory.
    pub resident_bytes: u64,
    /// Problems so far.
    pub problems: usize,
}

/// What must not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// An event did not come.
    Lost {
        /// The client.
        client: u64,
        /// The event.
        number: u64,
    },
    /// An event came twice, or too late.
    Again {
        /// The client.
        client: u64,
        /// The event.
        number: u64,
        /// The newest that had come before.
        after: u64,
    },
    /// An event came that is for others.
    Foreign {
        /// The client.
        client: u64,
        /// The event.
        number: u64,
    },
    /// An event came that was not published.
    Unpublished {
        /// The client.
        client: u64,
        /// Its number.
        number: u64,
    },
    /// A healthy client could not come in.
    Refused {
        /// The client.
        client: u64,
        /// What it saw.
        reason: String,
    },
    /// A healthy client's connection ended.
    Cut {
        /// The client.
        client: u64,
        /// What it saw.
        seen: String,
    },
    /// An event was not acknowledged in time.
    Unacknowledged(String),
    /// State was left behind when every client had disconnected.
    Left(String),
    /// The gateway did not give its memory back.
    Memory(Memory),
    /// The gateway panicked.
    Panic(String),
    /// The gateway did not end well.
    End(String),
}

impl Summary {
    pub(super) fn note(&mut self, problem: Problem) {
        self.problem_count += 1;
        if self.problems.len() < KEPT {
            self.problems.push(problem);
        }
    }

    /// What did not happen in the time there was, so that nothing is claimed of it.
    pub fn not_exercised(&self) -> Vec<&'static str> {
        let Ended { stalled, flooding, garbage, fragments, silent } = self.adversaries;
        let happened = [
            (
                u64::from(self.outages.restarts),
                "the broker was never restarted: that takes longer than `--restart-every`",
            ),
            (self.outages.waited, "no event waited in the queue for a gateway that was away"),
            (stalled, "no reader that stalls was ended: one stalls for 20 s"),
            (flooding, "no client that floods was ended"),
            (garbage, "no client that sends garbage was ended"),
            (fragments, "no client that sends empty fragments was ended"),
            (silent, "no connection that says nothing was ended: that takes 10 s"),
        ];
        happened.into_iter().filter(|(times, _)| *times == 0).map(|(_, missing)| missing).collect()
    }
}

impl Memory {
    pub(super) fn begin(bytes: u64) -> Self {
        Self { first: bytes, peak: bytes, last: bytes }
    }

    pub(super) fn look(&mut self, bytes: u64) {
        self.last = bytes;
        self.peak = self.peak.max(bytes);
    }

    pub(super) fn verdict(self) -> Option<Problem> {
        (self.last > self.first + ALLOWANCE_BYTES).then_some(Problem::Memory(self))
    }
}

impl AddAssign for Ended {
    fn add_assign(&mut self, other: Self) {
        self.stalled += other.stalled;
        self.flooding += other.flooding;
        self.garbage += other.garbage;
        self.fragments += other.fragments;
        self.silent += other.silent;
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |bytes: u64| bytes as f64 / (1024.0 * 1024.0);
        if self.peak == 0 {
            return f.write_str("not known: this system does not tell");
        }
        let [first, peak, last] = [self.first, self.peak, self.last].map(mib);
        write!(f, "{first:.1} MiB at first, {peak:.1} at most, {last:.1} at last")
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost { client, number } => write!(f, "client {client} did not get event {number}"),
            Self::Again { client, number, after } => {
                write!(f, "client {client} got event {number} after event {after}")
            }
            Self::Foreign { client, number } => {
                write!(f, "client {client} got event {number}, which is for others")
            }
            Self::Unpublished { client, number } => {
                write!(f, "client {client} got event {number}, which nobody published")
            }
            Self::Refused { client, reason } => write!(f, "client {client} was not let in: {reason}"),
            Self::Cut { client, seen } => write!(f, "client {client} lost its connection: {seen}"),
            Self::Unacknowledged(what) => write!(f, "not acknowledged: {what}"),
            Self::Left(what) => write!(f, "left behind when everybody had gone: {what}"),
            Self::Memory(memory) => write!(f, "memory was not given back: {memory}"),
            Self::Panic(line) => write!(f, "the gateway panicked: {line}"),
            Self::End(how) => write!(f, "the gateway did not end well: {how}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Memory that is above where it began by more than the allowance is a problem; what it was in between is none.
    #[test]
    fn memory_must_come_back() {
        let mut memory = Memory::begin(100);
        memory.look(100 + 2 * ALLOWANCE_BYTES);
        memory.look(100 + ALLOWANCE_BYTES);
        assert_eq!((memory.peak, memory.verdict()), (100 + 2 * ALLOWANCE_BYTES, None));
        memory.look(101 + ALLOWANCE_BYTES);
        assert_eq!(memory.verdict(), Some(Problem::Memory(memory)));
    }

    /// Every problem is counted; the first ones are kept.
    #[test]
    fn every_problem_is_counted() {
        let mut summary = Summary::default();
        (0..50).for_each(|client| summary.note(Problem::Lost { client, number: 1 }));
        assert_eq!((summary.problems.len(), summary.problem_count), (KEPT, 50));
        assert_eq!(summary.problems.first(), Some(&Problem::Lost { client: 0, number: 1 }));
    }
}
