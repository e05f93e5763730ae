//! The cache as the application holds it.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use futures_util::FutureExt;
use serde_json::Value;
use tokio_util::task::AbortOnDropHandle;

use super::entry::{Entry, FetchError, FetchId, Fetcher, Snapshot};
use super::key::QueryKey;
use super::observer::QueryObserver;

/// Queries that are kept without observers; beyond it the least recently used are evicted.
pub const DEFAULT_CAPACITY: usize = 1000;

/// A cache of queries. Cheap to clone; the clones share it.
#[derive(Clone)]
pub struct QueryClient {
    shared: Arc<CacheState>,
}

pub(super) struct CacheState {
    cache: Mutex<Cache>,
}

struct Cache {
    entries: BTreeMap<QueryKey, Entry>,
    capacity: usize,
    uses: u64,
    fetches: u64,
}

/// A fetch that is to be started once the cache is unlocked: the fetcher is the application's, and may use the cache.
struct Start {
    key: QueryKey,
    id: FetchId,
    fetcher: Fetcher,
}

impl Default for QueryClient {
    fn default() -> Self {
        Self::with_capacity(DEFAULT_CAPACITY)
    }
}

impl QueryClient {
    /// An empty cache that keeps at most so many queries without observers.
    pub fn with_capacity(capacity: usize) -> Self {
        let cache = Cache { entries: BTreeMap::new(), capacity, uses: 0, fetches: 0 };
        Self { shared: Arc::new(CacheState { cache: Mutex::new(cache) }) }
    }

    /// The data under this key: what is cached where it is fresh, else what is being fetched already, else what `fetcher`
    /// brings. Dropping the future leaves the fetch running.
    ///
    /// # Errors
    /// When the fetch fails. What was cached before stays, and stays stale.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub async fn fetch<F, R>(&self, key: &QueryKey, fetcher: F) -> Result<Arc<Value>, FetchError>
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<Value, FetchError>> + Send + 'static,
    {
        let (mut snapshots, start) = {
            let mut cache = self.shared.lock();
            let entry = cache.entry(key);
            entry.fetcher = Some(erased(fetcher));
            let snapshots = entry.watch();
            let wanted = entry.snapshot().stale && !entry.is_fetching();
            (snapshots, if wanted { cache.start(key) } else { None })
        };
        self.shared.run(start);
        let settled = snapshots.wait_for(|snapshot| !snapshot.fetching).await;
        let snapshot = settled.map_err(|_| FetchError("the query was forgotten".to_owned()))?;
        match (&snapshot.data, &snapshot.error) {
            (Some(data), None) => Ok(data.clone()),
            (_, Some(error)) => Err(error.clone()),
            (None, None) => Err(FetchError("the fetch brought nothing".to_owned())),
        }
    }

    /// Observes a query while the answer is held: it is fetched now where it is stale, and again whenever it is invalidated.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn observe<F, R>(&self, key: QueryKey, fetcher: F) -> QueryObserver
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<Value, FetchError>> + Send + 'static,
    {
        let (snapshots, start) = {
            let mut cache = self.shared.lock();
            let entry = cache.entry(&key);
            entry.fetcher = Some(erased(fetcher));
            entry.observers += 1;
            let snapshots = entry.watch();
            let wanted = entry.snapshot().stale && !entry.is_fetching();
            (snapshots, if wanted { cache.start(&key) } else { None })
        };
        self.shared.run(start);
        QueryObserver::new(key, snapshots, Arc::downgrade(&self.shared))
    }

    /// The query's state; an unknown key has no data and is stale.
    pub fn snapshot(&self, key: &QueryKey) -> Snapshot {
        let cache = self.shared.lock();
        let unknown = || Snapshot { stale: true, ..Snapshot::default() };
        cache.entries.get(key).map_or_else(unknown, Entry::snapshot)
    }

    /// Writes data under a key. It is fresh; the result of a fetch that is under way is dropped.
    pub fn set(&self, key: &QueryKey, data: Value) {
        self.update(key, |_| data);
    }

    /// Writes `updater(old)` under a key atomically: no other write comes in between (HOOK-3). `updater` must not use the
    /// cache, which is locked.
    pub fn update(&self, key: &QueryKey, updater: impl FnOnce(Option<&Value>) -> Value) {
        let mut cache = self.shared.lock();
        let entry = cache.entry(key);
        let old = entry.snapshot().data;
        entry.set(updater(old.as_deref()));
    }

    /// Says that everything is out of date whose key begins with this one. What is observed is fetched again at once, in the
    /// order of the keys; fetches that are under way begin anew, since their results may be older than the event.
    ///
    /// # Panics
    /// Outside a tokio runtime, where something has to be fetched.
    pub fn invalidate(&self, prefix: &QueryKey) {
        let starts: Vec<_> = {
            let mut cache = self.shared.lock();
            let matching: Vec<_> = cache.entries.keys().filter(|key| prefix.matches(key)).cloned().collect();
            let spoil = |key: &QueryKey| {
                let entry = cache.entries.get_mut(key)?;
                entry.spoil();
                if entry.is_idle() { None } else { cache.start(key) }
            };
            matching.iter().filter_map(spoil).collect()
        };
        self.shared.run(starts);
    }

    /// How many queries are kept.
    pub fn len(&self) -> usize {
        self.shared.lock().entries.len()
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl CacheState {
    fn lock(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An observer was dropped.
    pub(super) fn unobserve(&self, key: &QueryKey) {
        if let Some(entry) = self.lock().entries.get_mut(key) {
            entry.observers -= 1;
        }
    }

    /// Calls the fetchers, and lets each run on a task of its own.
    fn run(self: &Arc<Self>, starts: impl IntoIterator<Item = Start>) {
        for Start { key, id, fetcher } in starts {
            let panicked = |_| FetchError("the fetcher panicked".to_owned());
            let fetch = std::panic::catch_unwind(AssertUnwindSafe(|| fetcher())).map_err(panicked);
            let shared = Arc::downgrade(self);
            let finished = key.clone();
            let task = tokio::spawn(async move {
                let result = match fetch {
                    Ok(fetch) => AssertUnwindSafe(fetch)
                        .catch_unwind()
                        .await
                        .unwrap_or_else(|cause| Err(panicked(cause))),
                    Err(error) => Err(error),
                };
                Self::finish(&shared, &finished, id, result);
            });
            if let Some(entry) = self.lock().entries.get_mut(&key) {
                entry.attach(id, AbortOnDropHandle::new(task));
            }
        }
    }

    fn finish(shared: &Weak<Self>, key: &QueryKey, id: FetchId, result: Result<Value, FetchError>) {
        // The cache may have been dropped.
        if let Some(shared) = shared.upgrade()
            && let Some(entry) = shared.lock().entries.get_mut(key)
        {
            entry.finish(id, result);
        }
    }
}

impl Cache {
    /// The entry of this key, which is in use now.
    fn entry(&mut self, key: &QueryKey) -> &mut Entry {
        if !self.entries.contains_key(key) {
            self.make_room();
            self.entries.insert(key.clone(), Entry::new());
        }
        self.uses += 1;
        let entry = self.entries.get_mut(key).expect("it was there or has been put there");
        entry.used = self.uses;
        entry
    }

    /// Begins a fetch, where it is known how.
    fn start(&mut self, key: &QueryKey) -> Option<Start> {
        let entry = self.entries.get_mut(key)?;
        let fetcher = entry.fetcher.clone()?;
        self.fetches += 1;
        let id = FetchId(self.fetches);
        entry.begin(id);
        Some(Start { key: key.clone(), id, fetcher })
    }

    /// Evicts the least recently used queries without observers when the cache is full.
    fn make_room(&mut self) {
        let idle = self.entries.values().filter(|entry| entry.is_idle()).count();
        if idle < self.capacity {
            return;
        }
        let idle = self.entries.iter().filter(|(_, entry)| entry.is_idle());
        if let Some(oldest) = idle.min_by_key(|(_, entry)| entry.used).map(|(key, _)| key.clone()) {
            self.entries.remove(&oldest);
        }
    }
}

fn erased<F, R>(fetcher: F) -> Fetcher
where
    F: Fn() -> R + Send + Sync + 'static,
    R: Future<Output = Result<Value, FetchError>> + Send + 'static,
{
    Arc::new(move || fetcher().boxed())
}
