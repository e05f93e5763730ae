//! The load generator: threads that hold the clients' sockets, and count what comes.
//!
//! ```text
//!  Drive ──► Worker (a thread with its share of the clients) ──Status, ten a second──► who runs the workload
//!              ▲ WorkerCommand: dial, begin, cut, finish, close
//! ```

mod client;
mod dial;
mod frame;
mod opening;
mod tally;
mod worker;

use std::io;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use mio::{Poll, Waker};
use tokio::sync::mpsc as reports;

use crate::crowd::Crowd;
pub(crate) use opening::Opening;
pub(crate) use tally::{SecondTally, Totals};
use worker::{WAKER, Worker};

/// Reports that may wait: of each thread some seconds.
const REPORTS_OF_WORKER: usize = 64;

/// What the clients do beside receiving, of one thread.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Drive {
    pub(crate) seed: u64,
    pub(crate) churn: f64,
    pub(crate) pings: f64,
    pub(crate) subscriptions: f64,
}

/// What a thread is to do.
#[derive(Debug, Clone)]
pub(crate) enum WorkerCommand {
    /// Connect every client.
    Dial,
    /// The measured time begins, or has begun, at this instant.
    Begin { origin: Instant },
    /// Cut every connection, and connect again.
    CutAll,
    /// Nothing is owed beyond these numbers, by channel.
    Finish { until: Arc<[u64]> },
    /// Disconnect every client, and report the totals.
    Close,
}

/// What a thread reports.
#[derive(Debug, Default)]
pub(crate) struct Status {
    pub(crate) worker: usize,
    /// Clients that are signed in.
    pub(crate) present: usize,
    /// Connections that the gateway has ended.
    pub(crate) cut: u64,
    /// Why a client cannot be let in, where one cannot.
    pub(crate) refused: Option<String>,
    /// Why a connection failed that was tried again, or was ended.
    pub(crate) failed: Option<String>,
    /// Channels whose events have not come through to every client yet, before the begin.
    pub(crate) unprobed: Vec<u32>,
    /// Clients that have signed in, each time counted.
    pub(crate) arrived: u64,
    /// When the last of them did.
    pub(crate) last_in: Option<Instant>,
    /// Events that have not come, though a later one has.
    pub(crate) skipped: u64,
    /// Events that are owed and have not come, once it is known what is owed.
    pub(crate) missing: u64,
    /// Whether everything has come that is owed, once that is known.
    pub(crate) is_complete: bool,
    /// Seconds that have ended since the last report.
    pub(crate) seconds: Vec<SecondTally>,
    /// Everything, in the last report.
    pub(crate) totals: Option<Box<Totals>>,
}

/// The threads. Dropping it ends them.
pub(crate) struct Generator {
    workers: Vec<Handle>,
    reports: reports::Receiver<Status>,
}

struct Handle {
    commands: Option<mpsc::Sender<WorkerCommand>>,
    waker: Waker,
    thread: Option<JoinHandle<()>>,
}

impl Generator {
    /// Starts so many threads; nothing is dialled yet.
    ///
    /// # Errors
    /// When the host refuses what they need.
    pub(crate) fn start(crowd: &Arc<Crowd>, threads: usize, drive: Drive) -> io::Result<Self> {
        let (sender, reports) = reports::channel(REPORTS_OF_WORKER * threads);
        let share = |rate: f64| rate / threads as f64;
        let drive = Drive {
            seed: drive.seed,
            churn: share(drive.churn),
            pings: share(drive.pings),
            subscriptions: share(drive.subscriptions),
        };
        let mut workers = Vec::new();
        for number in 0..threads {
            let poll = Poll::new()?;
            let waker = Waker::new(poll.registry(), WAKER)?;
            let (commands, inbox) = mpsc::channel();
            let clients = crowd.members.clone().skip(number).step_by(threads);
            let worker = Worker::new(number, crowd.clone(), (poll, inbox), sender.clone(), drive, clients);
            let name = format!("clients-{number}");
            let thread = thread::Builder::new().name(name).spawn(move || worker.run())?;
            workers.push(Handle { commands: Some(commands), waker, thread: Some(thread) });
        }
        Ok(Self { workers, reports })
    }

    /// How many threads there are.
    pub(crate) fn threads(&self) -> usize {
        self.workers.len()
    }

    /// Sends a command to all threads.
    pub(crate) fn command(&self, command: &WorkerCommand) {
        for worker in &self.workers {
            if let Some(commands) = &worker.commands {
                // A thread that has ended has panicked; its report is missed, which is noticed.
                let _ = commands.send(command.clone());
                let _ = worker.waker.wake();
            }
        }
    }

    /// The next report; none once every thread has ended.
    pub(crate) async fn report(&mut self) -> Option<Status> {
        self.reports.recv().await
    }
}

impl Drop for Generator {
    fn drop(&mut self) {
        // A thread that has no room for its report is not waited for.
        self.reports.close();
        for worker in &mut self.workers {
            worker.commands = None;
            let _ = worker.waker.wake();
        }
        for worker in &mut self.workers {
            let _ = worker.thread.take().map(JoinHandle::join);
        }
    }
}
