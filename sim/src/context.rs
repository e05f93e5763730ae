//! What the world gives a stage: the case, virtual time, and faults on request.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use player::{Clock, Play, Setting};
use protocol::Timestamp;
use scenarios::Scenario;
use tokio::sync::oneshot;

use crate::boundary::Boundary;
use crate::log::Log;

/// The wall clock when a simulation begins: 2025-12-23T10:00:00Z.
pub const EPOCH_MS: i64 = 1_766_484_000_000;
/// How long a step waits for what has no window of its own.
pub(crate) const PATIENCE: Duration = Duration::from_secs(3);

/// What a stage asks of the world around it, between two steps.
pub(crate) enum Fault {
    /// Ends a host without warning; the sender fires when it is done.
    Crash(&'static str, oneshot::Sender<()>),
}

/// What a stage is given.
pub(crate) struct Context {
    pub(crate) scenario: Scenario,
    pub(crate) setting: Setting,
    pub(crate) faults: mpsc::Sender<Fault>,
    pub(crate) played: mpsc::Sender<Play>,
    pub(crate) log: Log,
    pub(crate) boundary: Boundary,
}

/// The simulation's clock.
pub(crate) fn clock() -> Clock {
    Arc::new(|| turmoil::sim_elapsed().unwrap_or_default())
}

/// The simulation's wall clock.
pub(crate) fn wall() -> Arc<dyn Fn() -> Timestamp + Send + Sync> {
    Arc::new(|| Timestamp::from_unix_ms(unix_ms()))
}

pub(crate) fn unix_ms() -> i64 {
    let since = turmoil::sim_elapsed().unwrap_or_default().as_millis();
    EPOCH_MS + i64::try_from(since).unwrap_or_default()
}
