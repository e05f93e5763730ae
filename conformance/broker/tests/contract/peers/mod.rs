//! Other people's clients against the embedded broker: `amqplib` on Node.js, `pika` on Python.
//!
//! `amqplib` is looked for where Node.js looks (`NODE_PATH`), or in the `node_modules` of the folder that
//! `GATECHECK_NODE_MODULES` names; `GATECHECK_PYTHON` names the interpreter that has `pika` (`python3` by default).

use crate::arms::{Absence, Arm, Arms, requires};
use libtest_mimic::{Completion, Failed, Trial};
use std::env;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::process::Command;
use tokio::runtime::Runtime;
use tokio::time::timeout;

/// How long a peer may take for all it has to say.
const PEER_TIMEOUT: Duration = Duration::from_secs(60);

/// A client library of another language.
#[derive(Clone, Copy)]
enum Peer {
    Amqplib,
    Pika,
}

impl Peer {
    const ALL: [Self; 2] = [Self::Amqplib, Self::Pika];

    fn name(self) -> &'static str {
        match self {
            Self::Amqplib => "amqplib",
            Self::Pika => "pika",
        }
    }

    /// What `GATECHECK_REQUIRE` calls it.
    fn requirement(self) -> &'static str {
        match self {
            Self::Amqplib => "node",
            Self::Pika => "python",
        }
    }

    /// The interpreter.
    fn command(self) -> Command {
        match self {
            Self::Amqplib => {
                let mut command = Command::new("node");
                if let Some(folder) = env::var_os("GATECHECK_NODE_MODULES") {
                    command.env("NODE_PATH", Path::new(&folder).join("node_modules"));
                }
                command
            }
            Self::Pika => Command::new(env::var_os("GATECHECK_PYTHON").unwrap_or_else(|| "python3".into())),
        }
    }

    /// Arguments that only load the library.
    fn probe(self) -> [&'static str; 2] {
        match self {
            Self::Amqplib => ["-e", "require('amqplib')"],
            Self::Pika => ["-c", "import pika"],
        }
    }

    fn script(self) -> &'static str {
        match self {
            Self::Amqplib => concat!(env!("CARGO_MANIFEST_DIR"), "/tests/contract/peers/peer.cjs"),
            Self::Pika => concat!(env!("CARGO_MANIFEST_DIR"), "/tests/contract/peers/peer.py"),
        }
    }

    /// Why it cannot take part, if it cannot.
    async fn missing(self) -> Option<String> {
        let mut probe = self.command();
        match probe.args(self.probe()).stdin(Stdio::null()).output().await {
            Ok(output) if output.status.success() => None,
            Ok(_) => Some(format!("{} is not installed", self.name())),
            Err(error) => Some(format!("there is no {}: {error}", self.requirement())),
        }
    }

    async fn meet(self, url: &str) -> Result<Completion, Failed> {
        if let Some(reason) = self.missing().await {
            return match requires(self.requirement()) {
                true => Err(format!("GATECHECK_REQUIRE asks for it, but {reason}").into()),
                false => Ok(Completion::ignored_with(reason)),
            };
        }
        let mut script = self.command();
        script.arg(self.script()).arg(url).stdin(Stdio::null()).kill_on_drop(true);
        let output = timeout(PEER_TIMEOUT, script.output()).await;
        let output = output.map_err(|_| format!("not done after {PEER_TIMEOUT:?}"))??;
        if output.status.success() {
            return Ok(Completion::Completed);
        }
        Err(format!("{}\n{}", output.status, String::from_utf8_lossy(&output.stderr)).into())
    }
}

/// A trial for each peer.
pub(crate) fn trials(runtime: &Arc<Runtime>, arms: &Arc<Arms>) -> Vec<Trial> {
    let trials = Peer::ALL.map(|peer| {
        let (runtime, arms) = (Arc::clone(runtime), Arc::clone(arms));
        Trial::ignorable_test(format!("peers/{}", peer.name()), move || {
            runtime.block_on(async {
                match arms.url(Arm::Embedded).await {
                    Ok(url) => peer.meet(&url).await,
                    Err(Absence::Excused(reason)) => Ok(Completion::ignored_with(reason)),
                    Err(Absence::Failed(reason)) => Err(reason.into()),
                }
            })
        })
    });
    trials.into()
}
