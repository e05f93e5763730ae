//! The thread that reads how long process trees have waited for a processor.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::process_tree::{ProcessorTime, Thread, threads};
use super::waits::{Reading, Waits};

/// How often every thread is read.
const PERIOD: Duration = Duration::from_millis(15);
/// What it may cost, as a part of one core: where there is much to read, it is read less often.
const SHARE: u32 = 50;
/// How often every thread is read, however many there are.
const LONGEST_PERIOD: Duration = Duration::from_millis(500);
/// How often new threads and children are looked for. What they have waited before they are found is not lost.
const LIST_AGAIN: Duration = Duration::from_millis(100);
/// Longest time to wait for a thread that has no processor, until what it waited is known.
const SETTLE: Duration = Duration::from_millis(500);

/// What the thread is asked for.
pub(super) enum SamplerCommand {
    /// Reads a process and its children from now on.
    Watch { tree: u64, leader: u32 },
    /// Says what a tree has waited since an instant, once what its threads wait for at this moment is known, too.
    Settle { tree: u64, from: Instant, answer: oneshot::Sender<Waits> },
    /// Reads a tree no longer.
    Forget { tree: u64 },
}

/// All that is watched.
#[derive(Default)]
pub(super) struct Sampler {
    trees: BTreeMap<u64, Tree>,
    settling: Vec<Settling>,
    /// When all trees were read last.
    read: Option<Instant>,
    /// What this thread itself had from a processor by then.
    ran_ns: u64,
    /// How long until they are read again.
    period: Duration,
}

/// A process and its children.
struct Tree {
    leader: u32,
    /// What each thread had when it was read last.
    threads: BTreeMap<Thread, ProcessorTime>,
    listed: Instant,
    read: Instant,
    waits: Waits,
}

/// A question that waits for threads which have no processor.
struct Settling {
    tree: u64,
    from: Instant,
    answer: oneshot::Sender<Waits>,
    asked: Instant,
    /// The threads, with what they had when it was asked: Linux adds a wait when it is over.
    waiting: Vec<(Thread, ProcessorTime)>,
}

impl Sampler {
    /// Obeys until no one can give orders any more.
    #[expect(clippy::disallowed_methods, reason = "it measures the real clock; that is its purpose")]
    pub(super) fn run(mut self, orders: &Receiver<SamplerCommand>) {
        loop {
            let order = match self.next_reading() {
                None => orders.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(at) => orders.recv_timeout(at.saturating_duration_since(Instant::now())),
            };
            match order {
                Ok(order) => self.obey(order, Instant::now()),
                Err(RecvTimeoutError::Timeout) => self.sample(Instant::now()),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// When there is something to read; nothing where there is nothing.
    fn next_reading(&self) -> Option<Instant> {
        let period = if self.settling.is_empty() { self.period } else { PERIOD };
        let read = (!self.trees.is_empty()).then_some(self.read)?;
        read.map(|read| read + period)
    }

    fn obey(&mut self, order: SamplerCommand, now: Instant) {
        match order {
            SamplerCommand::Watch { tree, leader } => {
                self.read.get_or_insert(now);
                self.trees.insert(tree, Tree::new(leader, now));
            }
            SamplerCommand::Settle { tree, from, answer } => {
                let Some(found) = self.trees.get_mut(&tree) else { return };
                found.sample(now);
                let waiting = found.threads.iter().filter(|(thread, _)| thread.is_runnable());
                let waiting = waiting.map(|(thread, had)| (*thread, *had)).collect();
                self.settling.push(Settling { tree, from, answer, asked: now, waiting });
                self.settle(now);
            }
            SamplerCommand::Forget { tree } => {
                self.trees.remove(&tree);
                self.settling.retain(|settling| settling.tree != tree);
                if self.trees.is_empty() {
                    self.read = None;
                }
            }
        }
    }

    fn sample(&mut self, now: Instant) {
        if self.read.is_some_and(|read| now.saturating_duration_since(read) >= self.period) {
            // It has slept since the last reading, so that all that cost is accounted for.
            let ran_ns = ProcessorTime::own().unwrap_or_default().ran_ns;
            let cost = Duration::from_nanos(ran_ns.saturating_sub(self.ran_ns));
            self.period = (cost * SHARE).clamp(PERIOD, LONGEST_PERIOD);
            (self.read, self.ran_ns) = (Some(now), ran_ns);
            self.trees.values_mut().for_each(|tree| tree.sample(now));
        }
        self.settle(now);
    }

    /// Answers what can be answered.
    fn settle(&mut self, now: Instant) {
        for mut settling in std::mem::take(&mut self.settling) {
            let Some(tree) = self.trees.get_mut(&settling.tree) else { continue };
            settling.waiting.retain(|(thread, had)| {
                thread.processor_time().as_ref() == Some(had) && thread.is_runnable()
            });
            let waited = now.saturating_duration_since(settling.asked);
            if !settling.waiting.is_empty() && waited < SETTLE {
                self.settling.push(settling);
                continue;
            }
            tree.sample(now);
            if !settling.waiting.is_empty() {
                let reading = Reading { elapsed: Duration::ZERO, sum: waited, longest: waited };
                tree.waits.book(now, reading);
            }
            // The question may have been dropped.
            let _ = settling.answer.send(tree.waits.later(settling.from));
        }
    }
}

impl Tree {
    fn new(leader: u32, now: Instant) -> Self {
        let had = |thread: Thread| Some((thread, thread.processor_time()?));
        let threads = threads(leader).into_iter().filter_map(had).collect();
        Self { leader, threads, listed: now, read: now, waits: Waits::new(now) }
    }

    fn sample(&mut self, now: Instant) {
        if now.saturating_duration_since(self.listed) >= LIST_AGAIN {
            self.listed = now;
            for thread in threads(self.leader) {
                self.threads.entry(thread).or_default();
            }
        }
        let mut reading = Reading { elapsed: now.saturating_duration_since(self.read), ..Reading::default() };
        self.threads.retain(|thread, had| {
            let Some(has) = thread.processor_time() else { return false };
            let waited = Duration::from_nanos(has.waited_ns.saturating_sub(had.waited_ns));
            reading.sum += waited;
            reading.longest = reading.longest.max(waited);
            *had = has;
            true
        });
        self.read = now;
        self.waits.book(now, reading);
    }
}
