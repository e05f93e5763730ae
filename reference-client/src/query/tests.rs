//! The cache as its users see it. Fetches wait for the test's word, so that every order can be tried.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use super::{FetchError, QueryClient, QueryKey};

/// A fetcher that hands every call to the test.
struct Source {
    calls: mpsc::UnboundedReceiver<oneshot::Sender<Result<Value, FetchError>>>,
    to: mpsc::UnboundedSender<oneshot::Sender<Result<Value, FetchError>>>,
}

impl Source {
    fn new() -> Self {
        let (to, calls) = mpsc::unbounded_channel();
        Self { calls, to }
    }

    fn fetcher(
        &self,
    ) -> impl Fn() -> futures_util::future::BoxFuture<'static, Result<Value, FetchError>> + Send + Sync + 'static
    {
        let to = self.to.clone();
        move || {
            let (answer, answered) = oneshot::channel();
            to.send(answer).expect("the test listens");
            Box::pin(
                async move { answered.await.unwrap_or_else(|_| Err(FetchError("no answer".to_owned()))) },
            )
        }
    }

    /// The next call; it has been made already, since fetchers are called at once.
    fn call(&mut self) -> oneshot::Sender<Result<Value, FetchError>> {
        self.calls.try_recv().expect("a fetch has begun")
    }

    fn is_quiet(&mut self) -> bool {
        self.calls.try_recv().is_err()
    }
}

fn key(name: &str) -> QueryKey {
    QueryKey::from([name])
}

/// One fetch serves all concurrent callers, and later callers while the data is fresh.
#[tokio::test]
async fn one_fetch_serves_all() {
    let (queries, mut source) = (QueryClient::default(), Source::new());
    let (list, fetcher) = (key("list"), source.fetcher());
    let asked = |fetcher| {
        let (queries, list) = (queries.clone(), list.clone());
        tokio::spawn(async move { queries.fetch(&list, fetcher).await })
    };
    let (first, second) = (asked(source.fetcher()), asked(fetcher));
    tokio::task::yield_now().await;
    source.call().send(Ok(json!(1))).unwrap();
    assert_eq!(*first.await.unwrap().unwrap(), json!(1));
    assert_eq!(*second.await.unwrap().unwrap(), json!(1));
    let later = queries.fetch(&list, source.fetcher()).await;
    assert_eq!(*later.unwrap(), json!(1));
    assert!(source.is_quiet(), "the data is fresh");
}

/// HOOK-2: what is observed is fetched again when a key that begins it is invalidated; what is not observed only becomes stale,
/// and other keys stay as they are.
#[tokio::test]
async fn what_is_observed_is_fetched_again() {
    let queries = QueryClient::default();
    let (mut observed, mut other, mut idle) = (Source::new(), Source::new(), Source::new());
    let page = QueryKey::from([json!("list"), json!({ "page": 1 })]);
    let mut observer = queries.observe(page, observed.fetcher());
    let _elsewhere = queries.observe(key("lists"), other.fetcher());
    observed.call().send(Ok(json!("old"))).unwrap();
    other.call().send(Ok(json!("else"))).unwrap();
    while observer.snapshot().stale {
        observer.changed().await.unwrap();
    }
    queries.set(&key("list"), json!("by hand"));

    queries.invalidate(&key("list"));
    assert!(observer.snapshot().stale && observer.snapshot().fetching);
    observed.call().send(Ok(json!("new"))).unwrap();
    while observer.snapshot().stale {
        observer.changed().await.unwrap();
    }
    assert_eq!(observer.snapshot().data.as_deref(), Some(&json!("new")));
    assert!(other.is_quiet() && queries.snapshot(&key("list")).stale);
    let again = tokio::spawn({
        let (queries, fetcher) = (queries.clone(), idle.fetcher());
        async move { queries.fetch(&key("list"), fetcher).await }
    });
    tokio::task::yield_now().await;
    idle.call().send(Ok(json!("fetched"))).unwrap();
    assert_eq!(*again.await.unwrap().unwrap(), json!("fetched"));
}

/// The result of a fetch that began before the key was invalidated is dropped; its callers receive the newer result.
#[tokio::test]
async fn stale_results_are_dropped() {
    let (queries, mut source) = (QueryClient::default(), Source::new());
    let observer = queries.observe(key("list"), source.fetcher());
    let early = source.call();
    queries.invalidate(&key("list"));
    let late = source.call();
    // The early fetch is abandoned; whether its receiver still exists depends on when its task ends.
    let _ = early.send(Ok(json!("early")));
    late.send(Ok(json!("late"))).unwrap();
    let waited = queries.fetch(&key("list"), source.fetcher()).await;
    assert_eq!(*waited.unwrap(), json!("late"));
    assert!(source.is_quiet(), "one fetch in flight");
    assert_eq!(observer.snapshot().data.as_deref(), Some(&json!("late")));
}

/// HOOK-3: an update sees the old value and wins over a fetch that is under way.
#[tokio::test]
async fn an_update_wins_over_a_fetch() {
    let (queries, mut source) = (QueryClient::default(), Source::new());
    let observer = queries.observe(key("total"), source.fetcher());
    let under_way = source.call();
    queries.set(&key("total"), json!(1));
    queries.update(&key("total"), |old| json!(old.and_then(Value::as_u64).unwrap_or_default() + 1));
    let _ = under_way.send(Ok(json!(0)));
    tokio::task::yield_now().await;
    assert_eq!(observer.snapshot().data.as_deref(), Some(&json!(2)));
    assert!(!observer.snapshot().fetching);
}

/// A fetch that fails or panics is reported; the old data stays and is stale; the next fetch may succeed.
#[tokio::test]
async fn failures_are_reported() {
    let queries = QueryClient::default();
    queries.set(&key("list"), json!("old"));
    queries.invalidate(&key("list"));
    let failed = queries.fetch(&key("list"), || async { Err(FetchError("down".to_owned())) }).await;
    assert_eq!(failed, Err(FetchError("down".to_owned())));
    let snapshot = queries.snapshot(&key("list"));
    assert!(snapshot.stale && snapshot.data.as_deref() == Some(&json!("old")));
    let panicked = queries.fetch(&key("list"), || async { panic!("a bug in the application") }).await;
    assert_eq!(panicked, Err(FetchError("the fetcher panicked".to_owned())));
    let worked = queries.fetch(&key("list"), || async { Ok(json!("new")) }).await;
    assert_eq!(*worked.unwrap(), json!("new"));
}

/// A fetcher may use the cache.
#[tokio::test]
async fn a_fetcher_may_use_the_cache() {
    let queries = QueryClient::default();
    let seen = Arc::new(Mutex::new(None));
    let (inner, inner_seen) = (queries.clone(), seen.clone());
    let fetcher = move || {
        *inner_seen.lock().unwrap() = inner.snapshot(&key("user")).data;
        async { Ok(json!("list")) }
    };
    queries.set(&key("user"), json!("u1"));
    queries.fetch(&key("list"), fetcher).await.unwrap();
    assert_eq!(seen.lock().unwrap().as_deref(), Some(&json!("u1")));
}

/// Queries without observers are kept up to the capacity; the least recently used is evicted first.
#[tokio::test]
async fn the_cache_is_bounded() {
    let queries = QueryClient::with_capacity(2);
    let held = queries.observe(key("held"), || async { Ok(json!("held")) });
    for name in ["a", "b", "a", "c"] {
        queries.set(&key(name), json!(name));
    }
    let kept = |name| queries.snapshot(&key(name)).data.is_some();
    assert!(kept("a") && !kept("b") && kept("c"));
    assert_eq!(held.key(), &key("held"));
    drop(held);
    assert_eq!(queries.len(), 3);
}
