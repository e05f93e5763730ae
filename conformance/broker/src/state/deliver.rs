//! From queues to consumers: in turns, within every limit.

use super::channel::Unacked;
use super::methods::count;
use super::{ConnectionId, ConsumerId, Output, State};
use crate::fault::Fault;
use crate::topology::{Entry, Queue, QueueId};
use amq_protocol::protocol::{AMQPClass, basic};
use std::cmp::Reverse;
use std::sync::Arc;

impl State {
    /// Delivers what a queue has to those of its consumers that have room.
    pub(super) fn deliver_from(&mut self, id: QueueId) {
        while let Some(consumer) = self.next_consumer_of(id) {
            let Some(entry) = self.topology.queue_mut(id).and_then(Queue::take) else {
                return;
            };
            self.deliver(consumer, entry);
        }
    }

    /// Whose turn it is: the consumer that has waited longest among those of the highest priority with room. Where one
    /// at a time is active, that is the oldest, or none.
    fn next_consumer_of(&mut self, id: QueueId) -> Option<ConsumerId> {
        let queue = self.topology.queue_mut(id)?;
        if queue.ready() == 0 {
            return None;
        }
        let priority_of = |consumer: &ConsumerId| {
            let consumer = self.consumers.get(consumer)?;
            let connection = self.connections.get(&consumer.connection)?;
            let channel = connection.channels.get(&consumer.channel)?;
            let has_room = connection.is_open()
                && connection.unflushed < self.config.limits.outbox_bytes
                && consumer.has_room()
                && (consumer.no_ack || channel.has_room());
            has_room.then_some(consumer.priority)
        };
        if queue.arguments.single_active_consumer {
            let active = *queue.consumers.front()?;
            return priority_of(&active).map(|_| active);
        }
        let with_room = queue.consumers.iter().enumerate();
        let with_room = with_room.filter_map(|(place, consumer)| Some((place, priority_of(consumer)?)));
        let (place, _) = with_room.min_by_key(|(place, priority)| (Reverse(*priority), *place))?;
        let consumer = queue.consumers.remove(place)?;
        queue.consumers.push_back(consumer);
        Some(consumer)
    }

    fn deliver(&mut self, id: ConsumerId, entry: Entry) {
        let Some(consumer) = self.consumers.get_mut(&id) else {
            return;
        };
        let (to, number) = (consumer.connection, consumer.channel);
        let Some(channel) = self.connections.get_mut(&to).and_then(|it| it.channels.get_mut(&number)) else {
            return;
        };
        let delivery_tag = channel.next_delivery_tag();
        let message = match self.topology.queue_mut(consumer.queue) {
            Some(queue) => queue.as_delivered(&entry),
            None => Arc::clone(&entry.message),
        };
        let method = AMQPClass::Basic(basic::AMQPMethod::Deliver(basic::Deliver {
            consumer_tag: consumer.tag.clone(),
            delivery_tag,
            redelivered: entry.redelivered,
            exchange: message.exchange.clone(),
            routing_key: message.routing_key.clone(),
        }));
        if consumer.no_ack {
            self.unasked += 1;
            if let Some(queue) = self.topology.queue_mut(consumer.queue) {
                queue.settle(&entry);
            }
        } else {
            consumer.unacked += 1;
            channel.delivered += 1;
            channel
                .unacked
                .insert(delivery_tag, Unacked { queue: consumer.queue, entry, consumer: Some(id) });
        }
        self.emit(Output::Content { to, channel: number, method, message });
    }

    /// Fetches one message, whatever the limits of unacknowledged deliveries.
    pub(super) fn get(&mut self, id: ConnectionId, number: u16, get: &basic::Get) -> Result<(), Fault> {
        let queue_id = self.queue_meant(id, number, &get.queue)?;
        let Some(queue) = self.topology.queue_mut(queue_id) else {
            return Ok(());
        };
        let Some(entry) = queue.take() else {
            queue.used = self.now.elapsed;
            self.send(id, number, AMQPClass::Basic(basic::AMQPMethod::GetEmpty(basic::GetEmpty {})));
            return Ok(());
        };
        queue.used = self.now.elapsed;
        let message_count = count(queue.ready());
        let message = queue.as_delivered(&entry);
        if get.no_ack {
            queue.settle(&entry);
            self.unasked += 1;
        }
        let Some(channel) = self.channel_mut(id, number) else {
            return Ok(());
        };
        let delivery_tag = channel.next_delivery_tag();
        let method = AMQPClass::Basic(basic::AMQPMethod::GetOk(basic::GetOk {
            delivery_tag,
            redelivered: entry.redelivered,
            exchange: message.exchange.clone(),
            routing_key: message.routing_key.clone(),
            message_count,
        }));
        if !get.no_ack {
            channel.unacked.insert(delivery_tag, Unacked { queue: queue_id, entry, consumer: None });
        }
        self.emit(Output::Content { to: id, channel: number, method, message });
        Ok(())
    }
}
