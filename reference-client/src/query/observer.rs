//! An observer, which keeps a query up to date.

use std::sync::Weak;

use tokio::sync::watch;

use super::client::CacheState;
use super::entry::Snapshot;
use super::key::QueryKey;

/// Observes a query while it is held.
pub struct QueryObserver {
    key: QueryKey,
    snapshots: watch::Receiver<Snapshot>,
    cache: Weak<CacheState>,
}

impl QueryObserver {
    pub(super) fn new(key: QueryKey, snapshots: watch::Receiver<Snapshot>, cache: Weak<CacheState>) -> Self {
        Self { key, snapshots, cache }
    }

    /// What is observed.
    pub fn key(&self) -> &QueryKey {
        &self.key
    }

    /// How the query stands.
    pub fn snapshot(&self) -> Snapshot {
        self.snapshots.borrow().clone()
    }

    /// Waits for a change and returns the query's state; `None` once the cache is dropped.
    pub async fn changed(&mut self) -> Option<Snapshot> {
        self.snapshots.changed().await.ok()?;
        Some(self.snapshots.borrow_and_update().clone())
    }
}

impl Drop for QueryObserver {
    fn drop(&mut self) {
        if let Some(cache) = self.cache.upgrade() {
            cache.unobserve(&self.key);
        }
    }
}
