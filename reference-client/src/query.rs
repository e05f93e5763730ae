//! A cache of what the application has fetched, so that an event can say what of it is out of date (HOOK-2 to HOOK-7).
//!
//! It does what TanStack Query does for a front end, and no more: keys are JSON arrays, matched by prefix; what is observed is
//! fetched again when it is invalidated; each key has one fetch in flight; and the result of a fetch that began before its
//! key was written or invalidated is dropped. Data does not age by itself: events say when it is out of date.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! use reference_client::query::{QueryClient, QueryKey};
//! use serde_json::json;
//!
//! let queries = QueryClient::default();
//! let list = QueryKey::from(["payments"]);
//! let payments = queries.fetch(&list, || async { Ok(json!([{ "id": "p-1" }])) }).await?;
//! assert_eq!(*payments, json!([{ "id": "p-1" }]));
//!
//! queries.invalidate(&list);
//! assert!(queries.snapshot(&list).stale);
//! # Ok::<(), reference_client::query::FetchError>(()) }).unwrap();
//! ```

mod client;
mod entry;
mod key;
mod observer;

#[cfg(test)]
mod tests;

pub use client::{DEFAULT_CAPACITY, QueryClient};
pub use entry::{FetchError, Snapshot};
pub use key::QueryKey;
pub use observer::QueryObserver;
