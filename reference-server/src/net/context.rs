//! What all shards share, and what each says of itself.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::time::Instant;

use super::WallClock;
use super::admission::Places;
use super::budget::OutboxBudget;
use super::log_sample::LogSample;
use crate::config::Config;
use crate::metrics::Metrics;
use reference_gateway::ConnectionStats;

/// What all shards share, and none owns.
pub(super) struct ServerContext {
    pub(super) config: Config,
    pub(super) wall: WallClock,
    pub(super) metrics: Metrics,
    pub(super) places: Places,
    /// For what waits in all outboxes.
    pub(super) budget: Arc<OutboxBudget>,
    /// Lines about refused connections, and about rejected messages.
    pub(super) refusals: LogSample,
    pub(super) rejections: LogSample,
    /// Lines about connections that were given up.
    pub(super) sheds: LogSample,
    /// Asks each shard for its report.
    pub(super) reporters: Vec<mpsc::Sender<ReportRequest>>,
    /// The last page of numbers, and until when it is served again.
    pub(super) stats_page: Mutex<Option<(Instant, String)>>,
}

/// A shard is asked about itself.
pub(super) struct ReportRequest {
    /// Whether users and rooms are asked for by name.
    pub(super) with_names: bool,
    pub(super) reply: oneshot::Sender<ShardReport>,
}

/// A shard's report (CONN-9).
#[derive(Debug, Default)]
pub(super) struct ShardReport {
    pub(super) stats: ConnectionStats,
    pub(super) connections: usize,
    /// Rooms with members.
    pub(super) room_count: usize,
    /// Bytes that wait to be written.
    pub(super) outbox_bytes: usize,
    /// What the report took to make.
    pub(super) took: Duration,
}

impl ServerContext {
    /// Whether events are consumed.
    pub(super) fn is_ready(&self) -> bool {
        self.metrics.broker_up.get() == 1
    }

    /// The sum of the shards' reports. A shard that is ending is left out.
    pub(super) async fn report(&self, with_names: bool) -> ShardReport {
        let mut whole = ShardReport::default();
        for shard in &self.reporters {
            let (reply, replied) = oneshot::channel();
            if shard.send(ReportRequest { with_names, reply }).await.is_ok()
                && let Ok(report) = replied.await
            {
                whole.add(report);
            }
        }
        whole
    }
}

impl ShardReport {
    fn add(&mut self, other: Self) {
        self.stats.add(other.stats);
        self.room_count += other.room_count;
        self.connections += other.connections;
        self.outbox_bytes += other.outbox_bytes;
        self.took += other.took;
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the driver is where the clock is; tokio's is virtual in simulations"
)]
pub(super) fn now() -> Instant {
    Instant::now()
}
