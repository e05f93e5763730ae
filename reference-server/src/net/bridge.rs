//! From the broker to the shards: each event is read, routed and encoded once, and acknowledged once every shard has it.

use std::sync::Arc;

use futures_util::FutureExt;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::context::{ServerContext, now};
use super::shard::ShardCommand;
use crate::broker::{EventSource, SourceEvent, Tag};
use reference_gateway::{Deliveries, Delivery, Event};

/// Deliveries that make one batch at most.
const BATCH: usize = 256;
/// Bytes of bodies after which a batch goes out. Sockets are written to between batches, so an outbox does not
/// accumulate what a fast reader could already have read.
const BATCH_BYTES: usize = 256 * 1024;

/// Carries events until it is dropped.
pub(super) struct Bridge<S, I> {
    pub(super) source: S,
    pub(super) shared: Arc<ServerContext>,
    pub(super) shards: Vec<mpsc::Sender<ShardCommand<I>>>,
}

/// Events that are on their way together.
struct Batch {
    deliveries: Deliveries,
    events: usize,
    /// Of the bodies.
    bytes: usize,
    /// When the first of them came.
    received: Instant,
    last: Option<Tag>,
}

impl<S: EventSource, I: Send + 'static> Bridge<S, I> {
    /// Runs until the shards have ended.
    pub(super) async fn run(mut self) {
        loop {
            let mut next = Some(self.source.next().await);
            let mut batch =
                Batch { deliveries: Deliveries::default(), events: 0, bytes: 0, received: now(), last: None };
            // Deliveries that are ready join the batch.
            while let Some(event) = next {
                self.take(event, &mut batch).await;
                next = if batch.last.is_some() && batch.events < BATCH && batch.bytes < BATCH_BYTES {
                    self.source.next().now_or_never()
                } else {
                    None
                };
            }
            let Some(last) = batch.last else { continue };
            self.shared.metrics.events.inc_by(batch.events as u64);
            let deliveries = batch.deliveries.finish().into_iter().map(Arc::new).collect();
            if !self.hand_over(deliveries, batch.received).await {
                return;
            }
            self.source.acknowledge_up_to(last).await;
        }
    }

    async fn take(&mut self, event: SourceEvent, batch: &mut Batch) {
        match event {
            SourceEvent::Up => drop(self.shared.metrics.broker_up.set(1)),
            // The broker has put back what was not acknowledged; it will deliver it again.
            SourceEvent::Down => drop(self.shared.metrics.broker_up.set(0)),
            SourceEvent::Delivery { tag, body } => match Event::parse(&body) {
                Ok(event) => {
                    let now = (self.shared.wall)();
                    let dialect = &self.shared.config.gateway.dialect;
                    let routed = self.shared.config.routing.route(&event, dialect, now);
                    if routed.skipped > 0 {
                        self.shared.metrics.skipped_rooms.inc_by(routed.skipped as u64);
                        tracing::warn!(event = event.name, "its data does not say whose it is");
                    }
                    batch.deliveries.push(routed);
                    batch.events += 1;
                    batch.bytes += body.len();
                    batch.last = Some(tag);
                }
                Err(error) => {
                    self.shared.metrics.poison.inc();
                    tracing::warn!("a message was rejected: {error}");
                    self.source.reject(tag).await;
                }
            },
        }
    }

    /// Gives the events to every shard and waits for each ack; false when a shard has ended.
    async fn hand_over(&self, deliveries: Vec<Arc<Delivery>>, received: Instant) -> bool {
        let mut acks = Vec::new();
        for shard in &self.shards {
            let (ack, acked) = oneshot::channel();
            let mail = ShardCommand::Events { deliveries: deliveries.clone(), received, ack };
            if shard.send(mail).await.is_err() {
                return false;
            }
            acks.push(acked);
        }
        for acked in acks {
            if acked.await.is_err() {
                return false;
            }
        }
        true
    }
}
