//! One subject that the harness started: a process, or a future in this one.

use futures_util::future::Either;

use crate::in_process::InProcess;
use crate::process::Subject;

/// A subject that the harness started. Dropping it ends it.
pub(super) enum Instance {
    Process(Subject),
    InProcess(InProcess),
}

impl Instance {
    /// Its process, where it has one of its own.
    pub(super) fn id(&self) -> Option<u32> {
        match self {
            Self::Process(subject) => subject.id(),
            Self::InProcess(_) => None,
        }
    }

    /// The process whose waits are its own: this one, for a subject in it.
    pub(super) fn measured(&self) -> Option<u32> {
        match self {
            Self::Process(subject) => subject.id(),
            Self::InProcess(_) => Some(std::process::id()),
        }
    }

    /// The process, for what can be done to a process only.
    pub(super) fn process(&self) -> Option<&Subject> {
        match self {
            Self::Process(subject) => Some(subject),
            Self::InProcess(_) => None,
        }
    }

    /// How it ended, where it has.
    pub(super) fn ended(&self) -> Option<String> {
        match self {
            Self::Process(subject) => subject.ended(),
            Self::InProcess(subject) => subject.ended(),
        }
    }

    /// Waits for its end and says how it ended.
    pub(super) fn end(&self) -> impl Future<Output = String> + Send + 'static {
        match self {
            Self::Process(subject) => Either::Left(subject.end()),
            Self::InProcess(subject) => Either::Right(subject.end()),
        }
    }

    /// Ends it without warning, and waits until it is gone.
    pub(super) async fn kill(&mut self) {
        match self {
            Self::Process(subject) => subject.kill().await,
            Self::InProcess(subject) => subject.kill().await,
        }
    }

    /// What it printed last. What a subject in this process prints is not told from what others print.
    pub(super) async fn output(&self) -> Vec<String> {
        match self {
            Self::Process(subject) => subject.output().await,
            Self::InProcess(_) => Vec::new(),
        }
    }
}
