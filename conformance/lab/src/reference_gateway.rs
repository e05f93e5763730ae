//! The reference gateway as a process, by the path that any gateway is started on, for what is no case: `demo` and `soak`.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::process::ChildStdout;
use tokio::time::timeout;
use tokio_util::codec::{FramedRead, LinesCodec};
use tokio_util::task::AbortOnDropHandle;

use conformance::process::{SpawnError, Streams, Subject};
use conformance::profile::CommandProfile;
use conformance::template::Values;

/// What the gateway prints before its address.
const ANNOUNCEMENT: &str = "listening on ws://";
/// Longest line that says where it listens, in bytes.
const ANNOUNCEMENT_BYTES: usize = 1024;

/// A gateway that listens. Dropping it kills it.
pub(crate) struct ReferenceGateway {
    subject: Subject,
    address: SocketAddr,
    /// Reads on, so that the gateway can always write.
    _stdout: AbortOnDropHandle<()>,
}

/// What a gateway is started with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StartArguments<'a> {
    /// This program, which the gateway is a part of.
    pub program: &'a Path,
    /// The gateway's own arguments.
    pub arguments: &'a [&'a str],
    /// The secret of tokens; it travels in the environment.
    pub jwt_secret: &'a str,
    /// The broker.
    pub amqp_url: &'a str,
    /// Longest wait until it listens.
    pub patience: Duration,
}

/// A gateway that is not there, or not any more.
#[derive(Debug, miette::Diagnostic, thiserror::Error)]
pub enum GatewayError {
    /// It cannot be started.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Spawn(#[from] SpawnError),
    /// It is no more, or never was.
    #[error("the gateway {reason}\n{}", output.join("\n"))]
    Over {
        /// What became of it.
        reason: String,
        /// What it said last.
        output: Vec<String>,
    },
}

impl ReferenceGateway {
    /// Starts one, and waits until it says where it listens.
    ///
    /// # Errors
    /// When it does not start.
    pub(crate) async fn start(with: StartArguments<'_>) -> Result<Self, GatewayError> {
        let words = ["{gatecheck}", "reference-server"].into_iter().chain(with.arguments.iter().copied());
        let env = [("JWT_SECRET", "{jwt_secret}"), ("RABBITMQ_URL", "{amqp_url}")];
        let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let command = CommandProfile { words: words.map(str::to_owned).collect(), env };
        let mut values = Values::default();
        values.set("gatecheck", with.program.display().to_string());
        values.set("jwt_secret", with.jwt_secret);
        values.set("amqp_url", with.amqp_url);
        let mut subject = Subject::spawn(&command, &values, Path::new("."), Streams::Piped)?;
        match announced(&mut subject, with.patience).await {
            Ok((address, stdout)) => {
                Ok(Self { subject, address, _stdout: AbortOnDropHandle::new(tokio::spawn(read_on(stdout))) })
            }
            Err(reason) => Err(GatewayError::Over { reason, output: subject.output().await }),
        }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The process.
    pub(crate) fn process(&self) -> &Subject {
        &self.subject
    }

    /// An error with what the gateway said last.
    pub(crate) async fn over(&self, reason: String) -> GatewayError {
        GatewayError::Over { reason, output: self.subject.output().await }
    }

    /// Asks it to end, kills what is left of it after `patience`, and says how it ended.
    pub(crate) async fn stop(&mut self, patience: Duration) -> String {
        self.subject.stop(patience).await
    }
}

/// Waits until the gateway says where it listens; where it does not, says why.
async fn announced(gateway: &mut Subject, patience: Duration) -> Result<(SocketAddr, ChildStdout), String> {
    let Some((_, stdout)) = gateway.take_pipes() else { return Err("has no output".to_owned()) };
    let mut printed = FramedRead::new(stdout, LinesCodec::new_with_max_length(ANNOUNCEMENT_BYTES));
    let line = match timeout(patience, printed.next()).await {
        Ok(Some(line)) => line.map_err(|error| format!("cannot be read: {error}"))?,
        Ok(None) => return Err(format!("did not start: {}", gateway.end().await)),
        Err(_) => return Err(format!("did not listen within {patience:?}")),
    };
    let address = line.strip_prefix(ANNOUNCEMENT).and_then(|rest| rest.split('/').next()?.parse().ok());
    let address = address.ok_or_else(|| format!("says `{}`, not where it listens", line.trim()))?;
    Ok((address, printed.into_inner()))
}

async fn read_on(mut stdout: ChildStdout) {
    // Where it cannot be read any more, nothing is left to do.
    let _ = tokio::io::copy(&mut stdout, &mut tokio::io::sink()).await;
}
