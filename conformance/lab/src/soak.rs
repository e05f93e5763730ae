//! A long run of the reference gateway with everything that goes wrong at once, and a ledger of what each client saw.
//!
//! ```text
//!  Publisher ──numbered events──► embedded broker ──► reference gateway (a process)
//!      │        (restarted each minute)                    ║
//!     Feed ◄── what should have come ── Members (healthy, coming and going), stalled, flooding, garbage
//! ```

mod adversary;
mod course;
mod crowd;
mod dial;
mod feed;
mod gateway;
mod ledger;
mod member;
mod publisher;
mod summary;

use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinError;
use tokio::time::Instant;

use crate::reference_gateway::GatewayError;
use course::Course;
use embedded_broker::{Broker, BrokerConfig, BrokerError};
use gateway::Gateway;

pub use publisher::Outages;
pub use summary::{Ended, Memory, Problem, Progress, Summary};

/// How much of everything there is.
#[derive(Debug, Clone)]
pub struct SoakConfig {
    /// This program, which the gateway is a part of.
    pub program: PathBuf,
    /// How long it takes, not counting the beginning and the end.
    pub duration: Duration,
    /// Healthy clients at any time.
    pub connections: usize,
    /// How many of them leave each second, each followed by another.
    pub churn: u32,
    /// Events each second.
    pub events: u32,
    /// Clients of each kind that does harm: stalled, flooding, sending garbage.
    pub adversaries: usize,
    /// Time between two restarts of the broker.
    pub restart_every: Duration,
    /// Where randomness begins.
    pub seed: u64,
}

/// Why a soak has no result.
#[derive(Debug, miette::Diagnostic, thiserror::Error)]
pub enum SoakError {
    /// So many connections need more descriptors than this process may have.
    #[error("{needed} open files are needed, and this process may have {allowed}")]
    #[diagnostic(help("raise the limit (`ulimit -n {needed}`), or ask for fewer `--connections`"))]
    Descriptors {
        /// How many.
        needed: u64,
        /// How many there may be.
        allowed: u64,
    },
    /// The embedded broker cannot start.
    #[error("the embedded broker: {0}")]
    Broker(#[from] BrokerError),
    /// The embedded broker has ended.
    #[error(transparent)]
    BrokerEnded(#[from] embedded_broker::Ended),
    /// The gateway is not there, or not any more.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Gateway(#[from] GatewayError),
    /// It was interrupted before every client was connected.
    #[error("interrupted before every client was connected")]
    Interrupted,
    /// A task of the harness panicked.
    #[error("a task of the harness: {0}")]
    Task(#[from] JoinError),
    /// The harness failed.
    #[error("{0}")]
    Harness(String),
}

/// Longest wait for anything that must happen; healthy runs never wait so long.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs to the end, or until `stop`; both are summed up, unless nothing had begun yet.
///
/// # Errors
/// When it could not run: that is no finding about the gateway, unless the gateway died.
pub async fn run(
    config: SoakConfig,
    stop: impl Future<Output = ()>,
    mut on_progress: impl FnMut(&Progress),
) -> Result<Summary, SoakError> {
    let mut stop = pin!(stop);
    dial::raise_descriptors(config.connections + 8 * config.adversaries)?;
    let broker = Arc::new(Broker::start(BrokerConfig::default()).await?);
    let url = broker.url();
    // From before there is a process that could be left behind.
    let mut gateway = tokio::select! {
        biased;
        () = &mut stop => return Err(SoakError::Interrupted),
        started = Gateway::start(&config.program, &url) => started?,
    };
    let outcome = tokio::select! {
        biased;
        reason = gateway.end() => Err(gateway.over(format!("ended: {reason}")).await),
        outcome = Course::new(&config, &broker, &gateway).run(stop, &mut on_progress) => outcome,
    };
    // However it went, the gateway does not stay; how it ends counts where there is something to sum up.
    let ends = gateway.stop().await;
    let summary = outcome.map(|mut summary| {
        ends.into_iter().for_each(|problem| summary.note(problem));
        summary
    });
    if let Some(broker) = Arc::into_inner(broker) {
        broker.shutdown().await;
    }
    summary
}

#[expect(clippy::disallowed_methods, reason = "a soak takes real time")]
fn now() -> Instant {
    Instant::now()
}
