//! Queries that an event says something about.

use serde_json::Value;

use super::listening::Listening;
use crate::client::SendError;
use crate::provider::Provider;
use crate::query::{QueryClient, QueryKey};

/// Invalidates queries at every event of a type while it is held (HOOK-2, HOOK-7).
pub struct RealTimeUpdates {
    _listening: Listening,
}

/// Writes what an event says into a query while it is held (HOOK-3, HOOK-7).
pub struct RealTimeQueryUpdate {
    _listening: Listening,
}

impl RealTimeUpdates {
    /// At each event of `event_type` every key of `keys` is invalidated, in order; then `handler` is called with the payload.
    ///
    /// # Errors
    /// When the client has ended.
    pub async fn mount(
        provider: &Provider,
        queries: &QueryClient,
        event_type: &str,
        keys: Vec<QueryKey>,
        mut handler: impl FnMut(&Value) + Send + 'static,
    ) -> Result<Self, SendError> {
        let mut listening = Listening::new(provider);
        let (at_event, after_loss, lost) = (queries.clone(), queries.clone(), keys.clone());
        listening.reconnected(move || lost.iter().for_each(|key| after_loss.invalidate(key)));
        let at_event = move |payload: &Value| {
            keys.iter().for_each(|key| at_event.invalidate(key));
            handler(payload);
        };
        listening.event(event_type, at_event).await?;
        Ok(Self { _listening: listening })
    }
}

impl RealTimeQueryUpdate {
    /// At each event of `event_type` the value under `key` becomes `updater(old, payload)`; `old` is `None` where nothing is
    /// cached. `updater` must not use the cache.
    ///
    /// # Errors
    /// When the client has ended.
    pub async fn mount(
        provider: &Provider,
        queries: &QueryClient,
        event_type: &str,
        key: QueryKey,
        mut updater: impl FnMut(Option<&Value>, &Value) -> Value + Send + 'static,
    ) -> Result<Self, SendError> {
        let mut listening = Listening::new(provider);
        let (at_event, after_loss, lost) = (queries.clone(), queries.clone(), key.clone());
        listening.reconnected(move || after_loss.invalidate(&lost));
        listening
            .event(event_type, move |payload| at_event.update(&key, |old| updater(old, payload)))
            .await?;
        Ok(Self { _listening: listening })
    }
}
