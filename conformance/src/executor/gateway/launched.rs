//! A gateway that the harness launched, and what steps can do to it.

use std::io;

use player::StageError;
use scenarios::scenario::Settings;
use tokio::sync::watch;

use crate::executor::instance::Instance;
use crate::in_process::{GatewayStart, GatewayStarter, Taken};
use crate::process::Subject;

/// A gateway that the harness launched. Dropping it ends it.
pub(super) struct Launched {
    pub(super) instance: Instance,
    /// What one in this process was offered; a process shows by its command what it takes.
    offer: Option<Offer>,
}

struct Offer {
    taken: Taken,
    shutdown: watch::Sender<bool>,
}

impl Launched {
    /// A process.
    pub(super) fn process(subject: Subject) -> Self {
        Self { instance: Instance::Process(subject), offer: None }
    }

    /// Starts one in this process; `start` makes what it is started with.
    pub(super) fn in_process(
        starter: &GatewayStarter,
        start: impl FnOnce(Taken, watch::Receiver<bool>) -> GatewayStart,
    ) -> io::Result<Self> {
        let (shutdown, asked) = watch::channel(false);
        let taken = Taken::default();
        let gateway = starter.start(start(taken.clone(), asked))?;
        Ok(Self { instance: Instance::InProcess(gateway), offer: Some(Offer { taken, shutdown }) })
    }

    /// Why it cannot be judged with these settings, where it has not taken one of them.
    pub(super) fn lacks(&self, settings: &Settings) -> Option<String> {
        let Offer { taken, .. } = self.offer.as_ref()?;
        let mut needed = settings.placeholders().into_iter();
        let missing = needed.find(|names| !names.iter().any(|name| taken.has(name)))?.first()?;
        Some(format!("needs a gateway that takes `start.setting(\"{missing}\")`"))
    }

    /// Asks it to end.
    pub(super) fn ask_to_end(&self) -> Result<(), StageError> {
        match (&self.offer, self.instance.process()) {
            (Some(Offer { taken, shutdown }), _) if taken.has_shutdown() => {
                shutdown.send_replace(true);
                Ok(())
            }
            (None, Some(subject)) => {
                subject.terminate();
                Ok(())
            }
            _ => {
                let why = "needs a gateway that ends when it is asked to: it awaits `start.shutdown()`";
                Err(StageError::Unavailable(why.to_owned()))
            }
        }
    }

    /// What it has printed.
    pub(super) async fn log(&self) -> Result<String, StageError> {
        match self.instance.process() {
            Some(subject) => Ok(subject.output().await.join("\n")),
            None => Err(needs_process("its log is read")),
        }
    }

    /// Ends it as SIGKILL does.
    pub(super) async fn kill(&mut self) -> Result<(), StageError> {
        // What a future leaves to others, such as a thread of its AMQP library, would outlive it.
        self.instance.process().ok_or_else(|| needs_process("it is killed"))?;
        self.instance.kill().await;
        Ok(())
    }
}

fn needs_process(why: &str) -> StageError {
    StageError::Unavailable(format!("needs a gateway that is a process of its own: {why}"))
}
