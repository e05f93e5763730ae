//! Fails the subject when its step comes.

use std::sync::mpsc;

use player::Recorder;
use scenarios::trace::{Actor, Event};
use tokio::sync::oneshot;

use crate::boundary::{Channels, Failure, FailureKind};
use crate::context::Fault;

/// The text for the death of a subject.
const KILLED: &str = "killed by a signal";

/// A stage's part in a failure.
pub(crate) struct Failing {
    failure: Option<Failure>,
    channels: Channels,
    /// Where the subject runs.
    hosts: Vec<&'static str>,
    /// What the trace calls it.
    subject: Actor,
    faults: mpsc::Sender<Fault>,
    recorder: Recorder,
}

impl Failing {
    pub(crate) fn new(
        failure: Option<Failure>,
        hosts: &[&'static str],
        subject: Actor,
        faults: &mpsc::Sender<Fault>,
        recorder: &Recorder,
    ) -> Self {
        let (faults, recorder) = (faults.clone(), recorder.clone());
        Self { failure, channels: Channels::default(), hosts: hosts.to_vec(), subject, faults, recorder }
    }

    /// What the subject hears and speaks through.
    pub(crate) fn channels(&self) -> &Channels {
        &self.channels
    }

    /// A step begins.
    pub(crate) fn begin_step(&self, number: usize) {
        match self.failure {
            Some(Failure { from_step, kind: FailureKind::Killed }) if from_step == number => self.kill(),
            Some(Failure { from_step, kind }) if from_step == number => self.channels.fail(kind),
            _ => {}
        }
    }

    /// Ends every host of the subject; that it died is in the trace once they are gone, as with a real process.
    fn kill(&self) {
        let crash = |host: &&'static str| {
            let (done, crashed) = oneshot::channel();
            // A world that is ending crashes nothing, and its trace is over.
            let _ = self.faults.send(Fault::Crash(host, done));
            crashed
        };
        let crashes: Vec<_> = self.hosts.iter().map(crash).collect();
        let (subject, recorder) = (self.subject.clone(), self.recorder.clone());
        tokio::spawn(async move {
            for crashed in crashes {
                let _ = crashed.await;
            }
            recorder.record(subject, None, Event::SubjectDied { status: KILLED.to_owned() }).await;
        });
    }
}
