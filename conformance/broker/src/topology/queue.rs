//! Queues: what waits, what is held unacknowledged, and who consumes.

use super::arguments::{QueueArguments, QueueKind};
use crate::message::Message;
use crate::state::{ConnectionId, ConsumerId};
use amq_protocol::types::{FieldTable, ShortString};
use std::cmp::Reverse;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// Names a queue for its life; a queue declared again under the same name is another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct QueueId(pub(crate) u64);

/// A message in a queue, or on its way to a consumer of that queue.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// Its place: a message that returns goes back to where it stood.
    pub(crate) position: u64,
    pub(crate) message: Arc<Message>,
    pub(crate) redelivered: bool,
    /// How often it was delivered and came back.
    pub(crate) deliveries: u32,
    /// Its priority here.
    priority: u8,
    /// When it may be dropped as expired.
    pub(crate) expires: Option<Duration>,
}

/// A queue as declared, and what it holds.
#[derive(Debug)]
pub(crate) struct Queue {
    pub(crate) name: ShortString,
    pub(crate) durable: bool,
    pub(crate) auto_delete: bool,
    /// The one connection that may use an exclusive queue, and with which it dies.
    pub(crate) owner: Option<ConnectionId>,
    pub(crate) declared: FieldTable,
    pub(crate) arguments: QueueArguments,
    /// In the order of their turns.
    pub(crate) consumers: VecDeque<ConsumerId>,
    /// One consumer has the queue to itself.
    pub(crate) has_exclusive_consumer: bool,
    /// When it was last declared, fetched from, or left by a consumer.
    pub(crate) used: Duration,
    /// By priority, then by position.
    ready: VecDeque<Entry>,
    /// Of the bodies that are ready.
    ready_bytes: usize,
    held: usize,
    bytes: usize,
    next_position: u64,
}

impl Queue {
    pub(crate) fn new(name: ShortString, declared: FieldTable, arguments: QueueArguments) -> Self {
        Self {
            name,
            durable: false,
            auto_delete: false,
            owner: None,
            declared,
            arguments,
            consumers: VecDeque::new(),
            has_exclusive_consumer: false,
            used: Duration::ZERO,
            ready: VecDeque::new(),
            ready_bytes: 0,
            held: 0,
            bytes: 0,
            next_position: 0,
        }
    }

    /// Takes a message behind those of its priority.
    pub(crate) fn push(&mut self, message: Arc<Message>, now: Duration) {
        let ttl = match (self.arguments.message_ttl, message.expiration) {
            (Some(queue), Some(message)) => Some(queue.min(message)),
            (queue, message) => queue.or(message),
        };
        self.bytes += message.weight();
        self.ready_bytes += message.body.len();
        let priority = self.arguments.max_priority.map_or(0, |highest| message.priority.min(highest));
        let entry = Entry {
            position: self.next_position,
            redelivered: false,
            deliveries: 0,
            priority,
            expires: ttl.map(|ttl| now.saturating_add(ttl)),
            message,
        };
        self.next_position += 1;
        let place = self.ready.partition_point(|other| other.priority >= priority);
        self.ready.insert(place, entry);
    }

    /// Takes the oldest message, which the queue then counts as held until it is settled or put back.
    pub(crate) fn take(&mut self) -> Option<Entry> {
        let entry = self.ready.pop_front()?;
        self.ready_bytes -= entry.message.body.len();
        self.held += 1;
        Some(entry)
    }

    /// Forgets a message that was delivered.
    pub(crate) fn settle(&mut self, entry: &Entry) {
        self.held -= 1;
        self.bytes -= entry.message.weight();
    }

    /// Requeues a delivered message, marked as redelivered: at its old position, or in a quorum queue behind those that were
    /// requeued before.
    pub(crate) fn put_back(&mut self, mut entry: Entry) {
        self.held -= 1;
        entry.redelivered = true;
        self.ready_bytes += entry.message.body.len();
        let rank = |entry: &Entry| (Reverse(entry.priority), entry.position);
        let place = match self.arguments.kind {
            QueueKind::Classic => self.ready.partition_point(|other| rank(other) < rank(&entry)),
            QueueKind::Quorum => self.ready.partition_point(|other| other.redelivered),
        };
        self.ready.insert(place, entry);
    }

    /// Drops what waits; how many there were.
    pub(crate) fn purge(&mut self) -> usize {
        self.bytes -= self.ready.iter().map(|entry| entry.message.weight()).sum::<usize>();
        let count = self.ready.len();
        self.ready.clear();
        self.ready_bytes = 0;
        count
    }

    /// Messages that wait for a consumer.
    pub(crate) fn ready(&self) -> usize {
        self.ready.len()
    }

    /// Messages delivered and not yet acknowledged.
    pub(crate) fn unacked(&self) -> usize {
        self.held
    }

    /// The weight of everything held, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether it has grown past its declared length.
    pub(crate) fn is_too_long(&self) -> bool {
        self.arguments.max_length.is_some_and(|length| self.ready() > length)
            || self.arguments.max_length_bytes.is_some_and(|bytes| self.ready_bytes > bytes)
    }

    /// Whether it would, with this message.
    pub(crate) fn would_be_too_long(&self, message: &Message) -> bool {
        let bytes = self.ready_bytes + message.body.len();
        self.arguments.max_length.is_some_and(|length| self.ready() >= length)
            || self.arguments.max_length_bytes.is_some_and(|limit| bytes > limit)
    }

    /// The message as a consumer sees it: quorum queues add the number of earlier deliveries.
    pub(crate) fn as_delivered(&self, entry: &Entry) -> Arc<Message> {
        match self.arguments.kind {
            QueueKind::Classic => Arc::clone(&entry.message),
            QueueKind::Quorum => entry.message.with_delivery_count(entry.deliveries),
        }
    }

    /// When it is deleted unless it is used before.
    pub(crate) fn expiry(&self) -> Option<Duration> {
        let expires = self.arguments.expires.filter(|_| self.consumers.is_empty())?;
        Some(self.used.saturating_add(expires))
    }

    /// When the oldest message expires. Those behind it wait for it, as in RabbitMQ's classic queues.
    pub(crate) fn head_expiry(&self) -> Option<Duration> {
        self.ready.front()?.expires
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue_of(bodies: &[&'static str]) -> Queue {
        let mut queue = Queue::new("q".into(), FieldTable::default(), QueueArguments::default());
        for body in bodies {
            queue.push(Arc::new(Message::text(body)), Duration::ZERO);
        }
        queue
    }

    fn drain(queue: &mut Queue) -> Vec<(Vec<u8>, bool)> {
        std::iter::from_fn(|| queue.take())
            .map(|entry| (entry.message.body.to_vec(), entry.redelivered))
            .collect()
    }

    /// Messages go back to where they stood, whatever the order in which they return.
    #[test]
    fn returned_messages_keep_their_order() {
        let mut queue = queue_of(&["a", "b", "c", "d"]);
        let (a, b, c) = (queue.take().unwrap(), queue.take().unwrap(), queue.take().unwrap());
        queue.put_back(b);
        queue.put_back(c);
        queue.put_back(a);
        let expected = [("a", true), ("b", true), ("c", true), ("d", false)];
        assert_eq!(drain(&mut queue), expected.map(|(body, again)| (body.as_bytes().to_vec(), again)));
    }

    /// The accounts return to nothing once everything is settled or purged.
    #[test]
    fn accounts_balance() {
        let mut queue = queue_of(&["a", "b", "c"]);
        let first = queue.take().unwrap();
        assert_eq!((queue.ready(), queue.unacked()), (2, 1));
        queue.settle(&first);
        assert_eq!(queue.purge(), 2);
        assert_eq!((queue.ready(), queue.unacked(), queue.bytes()), (0, 0, 0));
    }
}
