//! From deliveries of the broker to batches for the shards, and back to what is acknowledged (BRIDGE-7).
//!
//! ```text
//!           take            broadcast               accepted (each shard)
//!  delivery ────► batch open ────────► batch under way ────────► acknowledge up to its last delivery
//!     │
//!     └─► poison: to be rejected at once
//! ```

use std::collections::BTreeSet;
use std::sync::Arc;

use protocol::{Dialect, Timestamp};

use super::delivery::{Deliveries, Delivery};
use super::event::{Event, EventError};
use super::routing::RoutingTable;

/// Deliveries that make one batch at most.
const BATCH: usize = 256;
/// Bytes of bodies after which a batch goes out. Sockets are written to between batches, so an outbox does not
/// accumulate what a fast reader could already have read.
const BATCH_BYTES: usize = 256 * 1024;

/// What was delivered and is not acknowledged; `T` names a delivery.
#[derive(Debug)]
pub struct Bridge<T> {
    routing: RoutingTable,
    dialect: Dialect,
    shards: usize,
    batch: Batch<T>,
    under_way: Option<UnderWay<T>>,
}

/// An event that joined the batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// Its type.
    pub event: String,
    /// Rooms left out because its data does not say which they are.
    pub skipped: usize,
}

/// What every shard is to be given.
#[derive(Debug, Clone)]
pub struct Broadcast {
    /// In their order.
    pub deliveries: Vec<Arc<Delivery>>,
    /// How many events they are.
    pub events: usize,
}

/// Events that are on their way together.
#[derive(Debug)]
struct Batch<T> {
    deliveries: Deliveries,
    events: usize,
    /// Of the bodies.
    bytes: usize,
    last: Option<T>,
}

/// A batch that was broadcast.
#[derive(Debug)]
struct UnderWay<T> {
    last: T,
    /// The shards that have not accepted it.
    missing: BTreeSet<usize>,
}

impl<T: Copy> Bridge<T> {
    /// A bridge to so many shards, with nothing on it.
    pub fn new(routing: RoutingTable, dialect: Dialect, shards: usize) -> Self {
        Self { routing, dialect, shards, batch: Batch::default(), under_way: None }
    }

    /// Routes a delivery and encodes its frame, once for all shards.
    ///
    /// # Errors
    /// When its body is no event: it is poison, and to be rejected (BRIDGE-8).
    pub fn take(&mut self, tag: T, body: &[u8], now: Timestamp) -> Result<Joined, EventError> {
        let event = Event::parse(body)?;
        let routed = self.routing.route(&event, &self.dialect, now);
        let skipped = routed.skipped;
        self.batch.deliveries.push(routed);
        self.batch.events += 1;
        self.batch.bytes += body.len();
        self.batch.last = Some(tag);
        Ok(Joined { event: event.name, skipped })
    }

    /// Whether the batch has something, and deliveries that are ready may still join it.
    pub fn may_grow(&self) -> bool {
        self.batch.last.is_some() && self.batch.events < BATCH && self.batch.bytes < BATCH_BYTES
    }

    /// Ends the batch. None where it is empty, or another one is still under way: batches are acknowledged in their order.
    pub fn broadcast(&mut self) -> Option<Broadcast> {
        if self.under_way.is_some() {
            return None;
        }
        let last = self.batch.last?;
        let Batch { deliveries, events, .. } = std::mem::take(&mut self.batch);
        self.under_way = Some(UnderWay { last, missing: (0..self.shards).collect() });
        Some(Broadcast { deliveries: deliveries.finish().into_iter().map(Arc::new).collect(), events })
    }

    /// A shard has put the batch under way into the outboxes of all its connections that are to get it. Returns the delivery up to
    /// which everything is to be acknowledged, once every shard has.
    pub fn accepted(&mut self, shard: usize) -> Option<T> {
        let under_way = self.under_way.as_mut()?;
        under_way.missing.remove(&shard);
        if under_way.missing.is_empty() { self.under_way.take().map(|batch| batch.last) } else { None }
    }
}

impl<T> Default for Batch<T> {
    fn default() -> Self {
        Self { deliveries: Deliveries::default(), events: 0, bytes: 0, last: None }
    }
}

#[cfg(test)]
mod tests;
