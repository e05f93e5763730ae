//! One event's payloads, as a callback or as a stream.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::{Stream, StreamExt};
use serde_json::Value;
use tokio::sync::broadcast;
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::wrappers::errors::BroadcastStreamRecvError;

use super::listening::Listening;
use crate::client::SendError;
use crate::provider::Provider;

/// Payloads that a stream keeps for a slow reader; beyond it the oldest are dropped, and the reader receives an error.
const STREAM_CAPACITY: usize = 1024;

/// Calls back for every event of a type while it is held (HOOK-1).
pub struct Subscription {
    _listening: Listening,
}

/// The payloads of an event type as a [`Stream`]. It ends never; dropping it unmounts it (HOOK-1).
pub struct Events {
    payloads: BroadcastStream<Value>,
    _listening: Listening,
}

/// The reader of a stream was too slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} events were missed: the reader is too slow")]
pub struct Lagged(pub u64);

impl Subscription {
    /// Subscribes to `event_type`, once connected, and calls `callback` with each payload.
    ///
    /// # Errors
    /// When the client has ended.
    pub async fn mount(
        provider: &Provider,
        event_type: &str,
        callback: impl FnMut(&Value) + Send + 'static,
    ) -> Result<Self, SendError> {
        let mut listening = Listening::new(provider);
        listening.event(event_type, callback).await?;
        Ok(Self { _listening: listening })
    }
}

impl Events {
    /// Subscribes to `event_type`, once connected.
    ///
    /// # Errors
    /// When the client has ended.
    pub async fn mount(provider: &Provider, event_type: &str) -> Result<Self, SendError> {
        let (to, payloads) = broadcast::channel(STREAM_CAPACITY);
        let mut listening = Listening::new(provider);
        // It fails only when the receiver is gone: the stream is being dropped.
        listening.event(event_type, move |payload| drop(to.send(payload.clone()))).await?;
        Ok(Self { payloads: BroadcastStream::new(payloads), _listening: listening })
    }
}

impl Stream for Events {
    type Item = Result<Value, Lagged>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let lagged = |BroadcastStreamRecvError::Lagged(missed)| Lagged(missed);
        self.payloads.poll_next_unpin(context).map(|item| item.map(|item| item.map_err(lagged)))
    }
}
