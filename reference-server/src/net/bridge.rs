//! From the broker to the shards: each event is read, routed and encoded once, and acknowledged once every shard has it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::FutureExt;
use tokio::sync::{mpsc, oneshot};

use super::shard::{Mail, Shared};
use crate::broker::{EventSource, SourceEvent, Tag};
use crate::gateway::{Event, Routed};

/// Deliveries that make one batch at most.
const BATCH: usize = 256;

/// Carries events until it is dropped.
pub(super) struct Bridge<S, I> {
    pub(super) source: S,
    pub(super) shared: Arc<Shared>,
    pub(super) shards: Vec<mpsc::Sender<Mail<I>>>,
}

/// Events that are on their way together.
#[derive(Default)]
struct Batch {
    events: Vec<Arc<Routed>>,
    last: Option<Tag>,
}

impl<S: EventSource, I: Send + 'static> Bridge<S, I> {
    /// Runs until the shards are gone.
    pub(super) async fn run(mut self) {
        loop {
            let mut batch = Batch::default();
            let mut next = Some(self.source.next().await);
            // Whatever is there already goes along.
            while let Some(event) = next {
                self.take(event, &mut batch).await;
                next = if batch.last.is_some() && batch.events.len() < BATCH {
                    self.source.next().now_or_never()
                } else {
                    None
                };
            }
            let Some(last) = batch.last else { continue };
            if !self.hand_over(batch.events).await {
                return;
            }
            self.source.acknowledge_up_to(last).await;
        }
    }

    async fn take(&mut self, event: SourceEvent, batch: &mut Batch) {
        match event {
            SourceEvent::Up => set(&self.shared.ready, true),
            SourceEvent::Down => {
                set(&self.shared.ready, false);
                // The broker has put back what was not acknowledged; it will deliver it again.
            }
            SourceEvent::Delivery { tag, body } => match Event::parse(&body) {
                Ok(event) => {
                    let now = (self.shared.wall)();
                    let dialect = &self.shared.config.gateway.dialect;
                    let routed = self.shared.config.routing.route(&event, dialect, now);
                    if routed.skipped > 0 {
                        tracing::warn!(event = event.name, "its data does not say whose it is");
                    }
                    batch.events.push(Arc::new(routed));
                    batch.last = Some(tag);
                }
                Err(error) => {
                    tracing::warn!("a message was rejected: {error}");
                    self.source.reject(tag).await;
                }
            },
        }
    }

    /// Gives the events to every shard and waits until each has them; false when a shard is gone.
    async fn hand_over(&self, events: Vec<Arc<Routed>>) -> bool {
        let mut taken = Vec::new();
        for shard in &self.shards {
            let (tell, told) = oneshot::channel();
            if shard.send(Mail::Events { events: events.clone(), taken: tell }).await.is_err() {
                return false;
            }
            taken.push(told);
        }
        for told in taken {
            if told.await.is_err() {
                return false;
            }
        }
        true
    }
}

fn set(ready: &AtomicBool, value: bool) {
    ready.store(value, Ordering::Relaxed);
}
