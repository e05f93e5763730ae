//! Consumers: how they come and go, and how queues go with them.

use super::reply_to::REPLY_TO;
use super::{ConnectionId, ConsumerId, State};
use crate::fault::Fault;
use crate::topology::{Queue, QueueId, QueueKind, as_number};
use amq_protocol::protocol::{AMQPClass, AMQPHardError, basic};
use amq_protocol::types::{FieldTable, ShortString};

/// The prefix of the consumer tags that the broker makes up.
const TAG_PREFIX: &str = "amq.ctag-";
/// The argument that puts a consumer before or behind others.
const PRIORITY: &str = "x-priority";

/// A consumer: it receives a queue's messages as they come.
#[derive(Debug)]
pub(super) struct Consumer {
    pub(super) connection: ConnectionId,
    pub(super) channel: u16,
    pub(super) tag: ShortString,
    pub(super) queue: QueueId,
    /// Deliveries count as acknowledged at once.
    pub(super) no_ack: bool,
    /// The limit of unacknowledged deliveries; zero for none.
    pub(super) prefetch: u16,
    pub(super) unacked: usize,
    /// Those with higher ones come first, as long as they have room.
    pub(super) priority: i128,
    exclusive: bool,
}

impl Consumer {
    /// Whether its own limit lets it have more.
    pub(super) fn has_room(&self) -> bool {
        self.no_ack || self.prefetch == 0 || self.unacked < usize::from(self.prefetch)
    }
}

impl State {
    /// Starts a consumer.
    pub(super) fn consume(
        &mut self,
        id: ConnectionId,
        number: u16,
        consume: basic::Consume,
    ) -> Result<(), Fault> {
        if consume.queue.as_str() == REPLY_TO {
            return self.consume_replies(id, number, consume);
        }
        let queue = self.queue_meant(id, number, &consume.queue)?;
        let priority = consumer_priority(self.topology.queue(queue), &consume.arguments)?;
        let tag = match consume.consumer_tag.as_str() {
            "" => self.make_up_name(TAG_PREFIX).into(),
            _ => consume.consumer_tag,
        };
        let limit = self.config.limits.consumers;
        if self.consumers.len() >= limit {
            let detail = format!("the limit of {limit} consumers is reached");
            return Err(Fault::hard(AMQPHardError::RESOURCEERROR, detail));
        }
        let consumer = ConsumerId(self.next_consumer);
        let Some(channel) = self.connections.get_mut(&id).and_then(|it| it.channels.get_mut(&number)) else {
            return Ok(());
        };
        if channel.consumers.contains_key(&tag) {
            let detail = format!("attempt to reuse consumer tag '{tag}'");
            return Err(Fault::hard(AMQPHardError::NOTALLOWED, detail));
        }
        let prefetch = channel.consumer_prefetch;
        let has_channel_prefetch = channel.channel_prefetch > 0;
        let Some(found) = self.topology.queue_mut(queue) else {
            return Ok(());
        };
        if has_channel_prefetch && found.arguments.kind == QueueKind::Quorum {
            let detail = format!("queue '{}' in vhost '/' does not support global qos", found.name);
            return Err(Fault::not_implemented(detail));
        }
        let is_unavailable = consume.exclusive && found.arguments.single_active_consumer;
        if is_unavailable
            || found.has_exclusive_consumer
            || (consume.exclusive && !found.consumers.is_empty())
        {
            return Err(Fault::refused(format!("queue '{}' in vhost '/' in exclusive use", found.name)));
        }
        found.has_exclusive_consumer = consume.exclusive;
        found.consumers.push_back(consumer);
        channel.consumers.insert(tag.clone(), consumer);
        self.next_consumer += 1;
        self.consumers.insert(
            consumer,
            Consumer {
                connection: id,
                channel: number,
                tag: tag.clone(),
                queue,
                no_ack: consume.no_ack,
                prefetch,
                unacked: 0,
                priority,
                exclusive: consume.exclusive,
            },
        );
        let ok = basic::AMQPMethod::ConsumeOk(basic::ConsumeOk { consumer_tag: tag });
        self.reply(id, number, consume.nowait, AMQPClass::Basic(ok));
        let ignored = consume.arguments.inner().keys().filter(|name| name.as_str() != PRIORITY);
        self.report_ignored("basic.consume", ignored.map(ToString::to_string));
        self.dirty.insert(queue);
        Ok(())
    }

    /// Ends a consumer at its client's wish. What it holds unacknowledged stays with the channel.
    pub(super) fn cancel(
        &mut self,
        id: ConnectionId,
        number: u16,
        cancel: basic::Cancel,
    ) -> Result<(), Fault> {
        let Some(channel) = self.channel_mut(id, number) else {
            return Ok(());
        };
        if let Some(consumer) = channel.consumers.remove(&cancel.consumer_tag) {
            self.remove_consumer(consumer);
        } else {
            self.cancel_replies(id, number, &cancel.consumer_tag);
        }
        let ok = basic::AMQPMethod::CancelOk(basic::CancelOk { consumer_tag: cancel.consumer_tag });
        self.reply(id, number, cancel.nowait, AMQPClass::Basic(ok));
        Ok(())
    }

    /// Sets the limits of unacknowledged deliveries.
    pub(super) fn set_prefetch(
        &mut self,
        id: ConnectionId,
        number: u16,
        qos: &basic::Qos,
    ) -> Result<(), Fault> {
        let Some(channel) = self.channel_mut(id, number) else {
            return Ok(());
        };
        if qos.global {
            channel.channel_prefetch = qos.prefetch_count;
            let consumers: Vec<_> = channel.consumers.values().copied().collect();
            self.wake(&consumers);
        } else {
            channel.consumer_prefetch = qos.prefetch_count;
        }
        self.send(id, number, AMQPClass::Basic(basic::AMQPMethod::QosOk(basic::QosOk {})));
        Ok(())
    }

    /// Looks again at the queues of these consumers.
    pub(super) fn wake(&mut self, consumers: &[ConsumerId]) {
        let queues = consumers.iter().filter_map(|id| self.consumers.get(id)).map(|consumer| consumer.queue);
        self.dirty.extend(queues);
    }

    /// Takes a consumer off its queue. A queue that lives only as long as it is consumed goes with the last one.
    pub(super) fn remove_consumer(&mut self, id: ConsumerId) {
        let Some(consumer) = self.consumers.remove(&id) else {
            return;
        };
        let Some(queue) = self.topology.queue_mut(consumer.queue) else {
            return;
        };
        queue.consumers.retain(|other| *other != id);
        if consumer.exclusive {
            queue.has_exclusive_consumer = false;
        }
        queue.used = self.now.elapsed;
        if queue.auto_delete && queue.consumers.is_empty() {
            self.delete_queue(consumer.queue);
        } else if queue.arguments.single_active_consumer {
            // The next one becomes the active one.
            self.dirty.insert(consumer.queue);
        }
    }

    /// Deletes a queue, and sends `basic.cancel` to those of its consumers that support it.
    pub(super) fn delete_queue(&mut self, id: QueueId) {
        let Some(queue) = self.topology.remove_queue(id) else {
            return;
        };
        self.dirty.remove(&id);
        self.expiring.remove(&id);
        self.expirable.remove(&id);
        for consumer in queue.consumers {
            let Some(consumer) = self.consumers.remove(&consumer) else {
                continue;
            };
            let Some(connection) = self.connections.get_mut(&consumer.connection) else {
                continue;
            };
            if let Some(channel) = connection.channels.get_mut(&consumer.channel) {
                channel.consumers.remove(&consumer.tag);
            }
            if connection.wants_cancels {
                let cancel = basic::Cancel { consumer_tag: consumer.tag, nowait: true };
                let cancel = AMQPClass::Basic(basic::AMQPMethod::Cancel(cancel));
                self.send(consumer.connection, consumer.channel, cancel);
            }
        }
    }
}

/// Reads a consumer's priority; zero where it has none.
///
/// # Errors
///
/// 406 for what is no number.
fn consumer_priority(queue: &Queue, arguments: &FieldTable) -> Result<i128, Fault> {
    let Some(value) = arguments.inner().get(PRIORITY) else {
        return Ok(0);
    };
    as_number(value).ok_or_else(|| {
        let name = &queue.name;
        Fault::precondition(format!(
            "invalid arg '{PRIORITY}' for queue '{name}' in vhost '/': expected integer"
        ))
    })
}
