//! Drives the [`Bridge`]: deliveries of the broker go in, batches go to the shards, and what all of them have is acknowledged.

use std::sync::Arc;

use futures_util::FutureExt;
use reference_gateway::{Bridge, Broadcast};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::context::{ServerContext, now};
use super::shard::ShardCommand;
use crate::broker::{EventSource, SourceEvent, Tag};

/// Carries events until it is dropped.
pub(super) struct BridgeDriver<S, I> {
    source: S,
    shared: Arc<ServerContext>,
    shards: Vec<mpsc::Sender<ShardCommand<I>>>,
    bridge: Bridge<Tag>,
}

impl<S: EventSource, I: Send + 'static> BridgeDriver<S, I> {
    pub(super) fn new(
        source: S,
        shared: Arc<ServerContext>,
        shards: Vec<mpsc::Sender<ShardCommand<I>>>,
    ) -> Self {
        let config = &shared.config;
        let bridge = Bridge::new(config.routing.clone(), config.gateway.dialect.clone(), shards.len());
        Self { source, shared, shards, bridge }
    }

    /// Runs until the shards have ended.
    pub(super) async fn run(mut self) {
        loop {
            let mut next = Some(self.source.next().await);
            let received = now();
            // Deliveries that are ready join the batch.
            while let Some(event) = next {
                self.take(event).await;
                next = if self.bridge.may_grow() { self.source.next().now_or_never() } else { None };
            }
            let Some(broadcast) = self.bridge.broadcast() else { continue };
            self.shared.metrics.events.inc_by(broadcast.events as u64);
            match self.hand_over(broadcast, received).await {
                Some(last) => self.source.acknowledge_up_to(last).await,
                None => return,
            }
        }
    }

    async fn take(&mut self, event: SourceEvent) {
        match event {
            SourceEvent::Up => drop(self.shared.metrics.broker_up.set(1)),
            // The broker has put back what was not acknowledged; it will deliver it again.
            SourceEvent::Down => drop(self.shared.metrics.broker_up.set(0)),
            SourceEvent::Delivery { tag, body } if body.len() > self.shared.config.max_event_bytes => {
                let (bytes, limit) = (body.len(), self.shared.config.max_event_bytes);
                self.reject(tag, &format!("{bytes} bytes are more than the {limit} that an event may have"))
                    .await;
            }
            SourceEvent::Delivery { tag, body } => match self.bridge.take(tag, &body, (self.shared.wall)()) {
                Ok(joined) if joined.skipped > 0 => {
                    self.shared.metrics.skipped_rooms.inc_by(joined.skipped as u64);
                    tracing::warn!(event = joined.event, "its data does not say whose it is");
                }
                Ok(_) => {}
                Err(error) => self.reject(tag, &error.to_string()).await,
            },
        }
    }

    /// A message that is no event is poison (BRIDGE-8).
    async fn reject(&mut self, tag: Tag, reason: &str) {
        self.shared.metrics.poison.inc();
        let line = |left_out| tracing::warn!(left_out, "a message was rejected: {reason}");
        self.shared.rejections.log(line);
        self.source.reject(tag).await;
    }

    /// Gives the batch to every shard and waits for each; returns what is to be acknowledged, or none when a shard has ended.
    async fn hand_over(&mut self, mut broadcast: Broadcast, received: Instant) -> Option<Tag> {
        for delivery in broadcast.deliveries.iter_mut().filter_map(Arc::get_mut) {
            delivery.frames = self.shared.budget.hold(std::mem::take(&mut delivery.frames));
        }
        let mut acks = Vec::new();
        for shard in &self.shards {
            let (ack, acked) = oneshot::channel();
            let deliveries = broadcast.deliveries.clone();
            shard.send(ShardCommand::Events { deliveries, received, ack }).await.ok()?;
            acks.push(acked);
        }
        let mut last = None;
        for (shard, acked) in acks.into_iter().enumerate() {
            acked.await.ok()?;
            last = self.bridge.accepted(shard);
        }
        last
    }
}
