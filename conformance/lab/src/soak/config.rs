//! How a soak is configured, why it may have no result, and its clock.

use std::path::PathBuf;
use std::time::Duration;

use embedded_broker::BrokerError;
use tokio::task::JoinError;
use tokio::time::Instant;

use crate::reference_gateway::GatewayError;

/// Longest wait for anything that must happen; healthy runs never wait so long.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

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
    /// Clients of each kind that does harm: stalled, flooding, sending garbage or empty fragments, silent.
    pub adversaries: usize,
    /// Time between two restarts of the broker.
    pub restart_every: Duration,
    /// The seed of the random number generator.
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

/// The present.
#[expect(clippy::disallowed_methods, reason = "a soak takes real time")]
pub(super) fn now() -> Instant {
    Instant::now()
}
