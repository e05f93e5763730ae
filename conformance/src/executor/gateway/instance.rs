//! One gateway that the harness started: a process, or a future in this one.

use std::io;

use player::StageError;
use tokio::sync::watch;

use crate::in_process::{GatewayStart, GatewayStarter, InProcess, Taken};
use crate::process::Subject;

/// A gateway that the harness started. Dropping it ends it.
pub(super) enum Instance {
    Process(Subject),
    InProcess { gateway: InProcess, taken: Taken, shutdown: watch::Sender<bool> },
}

impl Instance {
    /// Starts one in this process; `start` makes what it is started with.
    pub(super) fn in_process(
        starter: &GatewayStarter,
        start: impl FnOnce(Taken, watch::Receiver<bool>) -> GatewayStart,
    ) -> io::Result<Self> {
        let (shutdown, asked) = watch::channel(false);
        let taken = Taken::default();
        let gateway = starter.start(start(taken.clone(), asked))?;
        Ok(Self::InProcess { gateway, taken, shutdown })
    }

    /// The process, where it is one that can be measured.
    pub(super) fn id(&self) -> Option<u32> {
        match self {
            Self::Process(subject) => subject.id(),
            Self::InProcess { .. } => None,
        }
    }

    /// How it ended, where it has.
    pub(super) fn ended(&self) -> Option<String> {
        match self {
            Self::Process(subject) => subject.ended(),
            Self::InProcess { gateway, .. } => gateway.ended(),
        }
    }

    /// Waits for its end and says how it ended.
    pub(super) fn end(&self) -> impl Future<Output = String> + Send + 'static {
        match self {
            Self::Process(subject) => futures_util::future::Either::Left(subject.end()),
            Self::InProcess { gateway, .. } => futures_util::future::Either::Right(gateway.end()),
        }
    }

    /// Ends it without warning, and waits until it is gone.
    pub(super) async fn kill(&mut self) {
        match self {
            Self::Process(subject) => subject.kill().await,
            Self::InProcess { gateway, .. } => gateway.kill().await,
        }
    }

    /// What it printed last. What a gateway in this process prints is not told from what others print.
    pub(super) async fn output(&self) -> Vec<String> {
        match self {
            Self::Process(subject) => subject.output().await,
            Self::InProcess { .. } => Vec::new(),
        }
    }

    /// Which of these settings it has taken; `None` where that shows in its command.
    pub(super) fn taken(&self) -> Option<&Taken> {
        match self {
            Self::Process(_) => None,
            Self::InProcess { taken, .. } => Some(taken),
        }
    }

    /// The process, for what can be done to a process only.
    pub(super) fn process(&self) -> Result<&Subject, StageError> {
        match self {
            Self::Process(subject) => Ok(subject),
            Self::InProcess { .. } => {
                let why = "needs a gateway that is a process of its own: it is killed, or its log is read";
                Err(StageError::Unavailable(why.to_owned()))
            }
        }
    }

    /// Asks it to end.
    pub(super) fn ask_to_end(&self) -> Result<(), StageError> {
        match self {
            Self::Process(subject) => subject.terminate(),
            Self::InProcess { taken, .. } if !taken.has_shutdown() => {
                let why = "needs a gateway that ends when it is asked to: it awaits `start.shutdown()`";
                return Err(StageError::Unavailable(why.to_owned()));
            }
            Self::InProcess { shutdown, .. } => drop(shutdown.send_replace(true)),
        }
        Ok(())
    }
}
