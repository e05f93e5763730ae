//! What is known under one key.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde_json::Value;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

/// Why a fetch brought nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FetchError(pub String);

/// How a query stands.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Snapshot {
    /// The newest data, fresh or not.
    pub data: Option<Arc<Value>>,
    /// Whether the data is known to be out of date, or there is none.
    pub stale: bool,
    /// Whether a fetch is under way.
    pub fetching: bool,
    /// Why the last fetch failed, until one succeeds.
    pub error: Option<FetchError>,
}

/// Makes the future that fetches. It is called on the thread that invalidates or asks, and must not block.
pub(super) type Fetcher = Arc<dyn Fn() -> BoxFuture<'static, Result<Value, FetchError>> + Send + Sync>;

/// Identifies a fetch, so that the result of an outdated one can be dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FetchId(pub(super) u64);

/// One key's data, and who cares for it.
pub(super) struct Entry {
    snapshot: watch::Sender<Snapshot>,
    pub(super) fetcher: Option<Fetcher>,
    pub(super) observers: usize,
    /// When it was used last, in uses of the cache.
    pub(super) used: u64,
    running: Option<Running>,
}

/// The fetch that counts.
struct Running {
    id: FetchId,
    /// There once its task is; dropped, it gives the fetch up.
    task: Option<AbortOnDropHandle<()>>,
}

impl Entry {
    pub(super) fn new() -> Self {
        let (snapshot, _) = watch::channel(Snapshot { stale: true, ..Snapshot::default() });
        Self { snapshot, fetcher: None, observers: 0, used: 0, running: None }
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        self.snapshot.borrow().clone()
    }

    pub(super) fn watch(&self) -> watch::Receiver<Snapshot> {
        self.snapshot.subscribe()
    }

    pub(super) fn is_fetching(&self) -> bool {
        self.running.is_some()
    }

    /// Whether it has no observers and no running fetch.
    pub(super) fn is_idle(&self) -> bool {
        self.observers == 0 && self.running.is_none()
    }

    /// Another fetch counts from now on; one that was under way is given up.
    pub(super) fn begin(&mut self, id: FetchId) {
        self.running = Some(Running { id, task: None });
        self.snapshot.send_modify(|snapshot| snapshot.fetching = true);
    }

    /// The fetch has its task; where it no longer counts, that is ended.
    pub(super) fn attach(&mut self, id: FetchId, task: AbortOnDropHandle<()>) {
        if let Some(running) = self.running.as_mut().filter(|running| running.id == id) {
            running.task = Some(task);
        }
    }

    /// Takes a fetch's result, where it still counts.
    pub(super) fn finish(&mut self, id: FetchId, result: Result<Value, FetchError>) {
        if self.running.as_ref().is_none_or(|running| running.id != id) {
            return;
        }
        self.running = None;
        self.snapshot.send_modify(|snapshot| {
            snapshot.fetching = false;
            match result {
                Ok(data) => {
                    *snapshot = Snapshot { data: Some(Arc::new(data)), ..Snapshot::default() };
                }
                Err(error) => snapshot.error = Some(error),
            }
        });
    }

    /// The data is this; what is being fetched is older.
    pub(super) fn set(&mut self, data: Value) {
        self.running = None;
        self.snapshot.send_replace(Snapshot { data: Some(Arc::new(data)), ..Snapshot::default() });
    }

    /// The data is out of date.
    pub(super) fn spoil(&mut self) {
        self.snapshot.send_modify(|snapshot| snapshot.stale = true);
    }
}
