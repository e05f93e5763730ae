//! The seam between a gateway and its broker, so that a simulated broker can stand in for a real one.

use bytes::Bytes;

/// Names a delivery on the connection to the broker that it came on. A connection that was made anew numbers anew; settling
/// a delivery of an older one does nothing, since the broker has put it back already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tag {
    /// Which connection to the broker, counted from 1.
    pub epoch: u64,
    /// Which delivery on it; later ones are greater.
    pub number: u64,
}

/// An event from the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceEvent {
    /// The topology stands and events are consumed.
    Up,
    /// The connection to the broker is lost; it is dialled again.
    Down,
    /// A message. It stays the broker's until it is settled.
    Delivery {
        /// Its name.
        tag: Tag,
        /// Its body.
        body: Bytes,
    },
}

/// A source of events. It seeks its broker by itself and for ever.
pub trait EventSource: Send + 'static {
    /// Waits for what comes next. Cancel safe: what was not returned comes at the next call.
    fn next(&mut self) -> impl Future<Output = SourceEvent>;

    /// Acknowledges every delivery up to this one that is not settled yet (BRIDGE-7).
    fn acknowledge_up_to(&mut self, tag: Tag) -> impl Future<Output = ()>;

    /// Rejects one delivery without requeueing: it is dead-lettered where the queue has a dead-letter exchange (BRIDGE-8).
    fn reject(&mut self, tag: Tag) -> impl Future<Output = ()>;
}

/// A gateway without a broker: it serves connections, and is never ready.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoBroker;

impl EventSource for NoBroker {
    async fn next(&mut self) -> SourceEvent {
        std::future::pending().await
    }

    async fn acknowledge_up_to(&mut self, _: Tag) {}

    async fn reject(&mut self, _: Tag) {}
}
