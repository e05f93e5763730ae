//! Two processes, so that whichever is killed, the other ends what was started.
//!
//! ```text
//!  gatecheck, the guard ══ standard input ══► gatecheck, in a session of its own ──► what is judged, and what that starts
//!    passes signals on, and the exit code        the pipe has closed: the guard is gone, and so
//!    its worker is gone: all that is left          all that there is is killed
//!    is killed
//! ```
//!
//! A terminal stops what is in the foreground (Ctrl-Z), and that is the guard alone: it stops all that there is below it, and lets it go on
//! when it goes on itself.

use std::collections::BTreeSet;
use std::env;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::thread;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, getpid, getppid, kill_process, setsid, waitid};
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};

use super::{descendants, groups};
use crate::exit::Exit;
use crate::interruption::{Signals, Stops};

/// In the worker's environment: the guard's process id.
pub(super) const GUARD: &str = "GATECHECK_GUARD";

/// What a process is to do.
#[derive(Debug)]
pub enum Role {
    /// The work: it is guarded, or cannot be.
    Worker,
    /// No more: the work is done. Its exit code, and what is to be said of its end.
    Guard {
        /// The exit code.
        code: u8,
        /// What went wrong, a line for each.
        complaints: Vec<String>,
    },
}

/// Starts this program once more, with the same arguments, and guards it; in the program that was started so, begins to watch the
/// guard. Call it first in a program that starts processes: standard input is gone then.
pub fn guard() -> Role {
    let is_guarded = env::var(GUARD).ok().zip(getppid()).is_some_and(|(id, parent)| id == parent.to_string());
    if is_guarded {
        watch_guard();
        return Role::Worker;
    }
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return Role::Worker;
    };
    match runtime.block_on(work()) {
        // What cannot be guarded does its work all the same.
        Err(_) => Role::Worker,
        Ok(status) => {
            let left = descendants::end_all();
            let unended =
                left.into_iter().map(|process| format!("{process} could not be ended: end it yourself"));
            // Where a signal that was passed on came before the worker listened, that is how it ends.
            let asked = [Signal::INT, Signal::TERM, Signal::HUP].map(Signal::as_raw);
            let killed = status.signal().filter(|signal| !asked.contains(signal)).map(|signal| {
                format!("gatecheck was killed (signal {signal}); what it had started has been ended")
            });
            let otherwise = if killed.is_some() { Exit::Harness } else { Exit::Interrupted };
            let code = status.code().and_then(|code| u8::try_from(code).ok());
            Role::Guard {
                code: code.unwrap_or(otherwise.code()),
                complaints: killed.into_iter().chain(unended).collect(),
            }
        }
    }
}

/// Starts the worker, passes signals on to it, and awaits its end.
async fn work() -> io::Result<ExitStatus> {
    let mut signals = Signals::new()?;
    let mut stops = Stops::new()?;
    let mut children = signal(SignalKind::child())?;
    descendants::adopt();
    let mut arguments = env::args_os();
    let program = env::current_exe()?;
    let mut start = Command::new(program);
    start.args(arguments.by_ref().skip(1)).env(GUARD, getpid().to_string()).stdin(Stdio::piped());
    let mut worker = start.spawn()?;
    // Held until it has ended: closing it is how the worker knows that this process is gone.
    let _pipe = worker.stdin.take();
    let id = worker.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    loop {
        tokio::select! {
            biased;
            status = worker.wait() => return status,
            (_, signal) = signals.next() => {
                let _ = id.map(|id| kill_process(id, signal));
                go_on(id);
            }
            // What is judged can stop its judge; the work goes on all the same.
            Some(()) = children.recv() => {
                let stopped = id.is_some_and(|id| {
                    let looks = WaitIdOptions::STOPPED | WaitIdOptions::NOHANG;
                    waitid(WaitId::Pid(id), looks).is_ok_and(|change| change.is_some())
                });
                if stopped {
                    go_on(id);
                }
            }
            () = stops.next() => stop(id),
        }
    }
}

fn go_on(worker: Option<Pid>) {
    let _ = worker.map(|id| kill_process(id, Signal::CONT));
}

/// Most looks for what has not stopped yet: what starts others without end is left running.
const MOST_LOOKS: usize = 1000;

/// Stops everything below this process, and this process; returns when it goes on, and so does the rest.
fn stop(worker: Option<Pid>) {
    // The worker first: it starts others.
    let below = || descendants::tree(getpid()).into_iter().filter(|id| *id != getpid());
    if let Some(id) = worker {
        let _ = kill_process(id, Signal::STOP);
    }
    // What a process starts until it has stopped shows at a later look.
    let mut seen = BTreeSet::new();
    for _ in 0..MOST_LOOKS {
        let is_due = |id: &Pid| seen.insert(id.as_raw_pid()) || descendants::runs(*id);
        let running: Vec<_> = below().filter(is_due).collect();
        if running.is_empty() {
            break;
        }
        for id in running {
            let _ = kill_process(id, Signal::STOP);
        }
        thread::yield_now();
    }
    let _ = kill_process(getpid(), Signal::STOP);
    for id in below() {
        let _ = kill_process(id, Signal::CONT);
    }
}

/// Ends everything, this process included, once the guard is gone.
fn watch_guard() {
    // What is sent to the guard's group, by a terminal or by `timeout`, comes from the guard, once.
    let _ = setsid();
    descendants::adopt();
    thread::spawn(|| {
        // Reads to the end; a read that is interrupted is no end.
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        groups::kill_all();
        descendants::end_all();
        std::process::exit(Exit::Interrupted.code().into());
    });
}
