//! What ends a run before its last case: SIGINT, SIGTERM and SIGHUP, or a failure after which nothing more is to be judged.
//!
//! ```text
//!  the first   ──► no case begins, what runs is ended, what has ended is reported, exit code 130
//!  the second  ──► every process that was started is killed, exit code 130
//! ```

use std::fs;
use std::io;

use rustix::process::Signal as Number;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::exit::Exit;
use crate::process::groups;

/// Whether something has come that ends the run.
#[derive(Debug, Clone)]
pub struct Interruption {
    first: watch::Sender<Option<Cause>>,
}

/// What ends a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    Signal(&'static str),
    /// A case has failed, and the run was to go no further.
    Failure,
}

impl Interruption {
    /// Listens from now on: before anything is started that must not be left behind.
    ///
    /// # Errors
    /// When signals cannot be listened for.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn listen() -> io::Result<Self> {
        let mut signals = Signals::new()?;
        let interruption = Self::never();
        let first = interruption.first.clone();
        tokio::spawn(async move {
            first.send_replace(Some(Cause::Signal(signals.next().await.0)));
            signals.next().await;
            groups::kill_all();
            std::process::exit(Exit::Interrupted.code().into());
        });
        Ok(interruption)
    }

    /// None that comes: the program keeps its own way with signals.
    pub fn never() -> Self {
        Self { first: watch::Sender::new(None) }
    }

    /// The signal, where one has come.
    pub fn signal(&self) -> Option<&'static str> {
        match *self.first.borrow() {
            Some(Cause::Signal(signal)) => Some(signal),
            Some(Cause::Failure) | None => None,
        }
    }

    /// Whether the run is to end.
    pub fn has_begun(&self) -> bool {
        self.first.borrow().is_some()
    }

    /// Ends the run, since a case has failed.
    pub(crate) fn begin_by_failure(&self) {
        self.first.send_if_modified(|first| {
            let is_first = first.is_none();
            first.get_or_insert(Cause::Failure);
            is_first
        });
    }

    /// Waits until the run is to end.
    pub async fn begun(&self) {
        let mut first = self.first.subscribe();
        // The sender is here: it does not end.
        drop(first.wait_for(Option::is_some).await);
    }
}

/// The signal by which a terminal stops what is in its foreground (SIGTSTP).
pub(crate) struct Stops(Option<Signal>);

impl Stops {
    /// Listens from now on. Where it is ignored, it stays so.
    pub(crate) fn new() -> io::Result<Self> {
        let kind = SignalKind::from_raw(Number::TSTP.as_raw());
        Ok(Self(if is_ignored(kind) { None } else { Some(signal(kind)?) }))
    }

    /// Waits for the next one.
    pub(crate) async fn next(&mut self) {
        let came = match &mut self.0 {
            Some(stops) => stops.recv().await,
            None => None,
        };
        if came.is_none() {
            std::future::pending::<()>().await;
        }
    }
}

/// The signals that end a run.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// None where hang-ups are ignored, as under `nohup`: then they stay so.
    hangup: Option<Signal>,
}

impl Signals {
    /// Listens from now on.
    pub(crate) fn new() -> io::Result<Self> {
        let kind = SignalKind::hangup();
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: if is_ignored(kind) { None } else { Some(signal(kind)?) },
        })
    }

    /// The next one: its name, and its number.
    pub(crate) async fn next(&mut self) -> (&'static str, Number) {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            Some(()) = self.interrupt.recv() => ("SIGINT", Number::INT),
            Some(()) = self.terminate.recv() => ("SIGTERM", Number::TERM),
            Some(()) = hangup => ("SIGHUP", Number::HUP),
            else => std::future::pending().await,
        }
    }
}

/// Whether this program was started with the signal ignored, where the system says so (`SigIgn` in proc(5)).
fn is_ignored(signal: SignalKind) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    mask >> (signal.as_raw_value() - 1) & 1 == 1
}
