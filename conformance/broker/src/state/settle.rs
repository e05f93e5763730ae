//! What becomes of a delivery: acknowledged, rejected, put back.

use super::channel::Unacked;
use super::dead_letter::Reason;
use super::{ConnectionId, State};
use crate::fault::Fault;
use amq_protocol::protocol::basic;

impl State {
    /// Acknowledges one delivery, or all up to it.
    pub(super) fn ack(&mut self, id: ConnectionId, number: u16, ack: &basic::Ack) -> Result<(), Fault> {
        for unacked in self.take_unacked(id, number, ack.delivery_tag, ack.multiple)? {
            self.acknowledged += 1;
            if let Some(queue) = self.topology.queue_mut(unacked.queue) {
                queue.settle(&unacked.entry);
            }
        }
        Ok(())
    }

    /// Rejects one delivery, or all up to it: back to the queue, or dead.
    pub(super) fn nack(
        &mut self,
        id: ConnectionId,
        number: u16,
        delivery_tag: u64,
        multiple: bool,
        requeue: bool,
    ) -> Result<(), Fault> {
        for unacked in self.take_unacked(id, number, delivery_tag, multiple)? {
            if requeue {
                self.put_back(unacked);
            } else {
                self.rejected += 1;
                self.kill(unacked.queue, unacked.entry, Reason::Rejected);
            }
        }
        Ok(())
    }

    /// Puts back everything that the channel holds unacknowledged.
    pub(super) fn recover(&mut self, id: ConnectionId, number: u16, requeue: bool) -> Result<(), Fault> {
        if !requeue {
            return Err(Fault::not_implemented("requeue=false"));
        }
        self.nack(id, number, 0, true, true)
    }

    /// Returns a delivery to its place in its queue, if that still exists, or ends it where it has been delivered too
    /// often.
    pub(super) fn put_back(&mut self, unacked: Unacked) {
        if let Some(queue) = self.topology.queue_mut(unacked.queue) {
            let mut entry = unacked.entry;
            entry.deliveries += 1;
            if queue.arguments.delivery_limit.is_some_and(|limit| entry.deliveries > limit) {
                return self.kill(unacked.queue, entry, Reason::DeliveryLimit);
            }
            if entry.expires.is_some() {
                self.expiring.insert(unacked.queue);
            }
            queue.put_back(entry);
            self.dirty.insert(unacked.queue);
        }
    }

    /// Takes deliveries off a channel's books, which gives its consumers room.
    ///
    /// # Errors
    ///
    /// 406 for a tag that is not outstanding. Tag 0 with `multiple` means all there are, even none.
    fn take_unacked(
        &mut self,
        id: ConnectionId,
        number: u16,
        delivery_tag: u64,
        multiple: bool,
    ) -> Result<Vec<Unacked>, Fault> {
        let Some(channel) = self.channel_mut(id, number) else {
            return Ok(Vec::new());
        };
        let all = multiple && delivery_tag == 0;
        if !all && !channel.unacked.contains_key(&delivery_tag) {
            return Err(Fault::precondition(format!("unknown delivery tag {delivery_tag}")));
        }
        let settled: Vec<_> = if all {
            std::mem::take(&mut channel.unacked).into_values().collect()
        } else if multiple {
            let rest = channel.unacked.split_off(&(delivery_tag + 1));
            std::mem::replace(&mut channel.unacked, rest).into_values().collect()
        } else {
            channel.unacked.remove(&delivery_tag).into_iter().collect()
        };
        let was_full = !channel.has_room();
        channel.delivered -= settled.iter().filter(|unacked| unacked.consumer.is_some()).count();
        if was_full && channel.has_room() {
            let consumers: Vec<_> = channel.consumers.values().copied().collect();
            self.wake(&consumers);
        }
        for id in settled.iter().filter_map(|unacked| unacked.consumer) {
            // A consumer that was cancelled leaves its deliveries with the channel.
            let Some(consumer) = self.consumers.get_mut(&id) else {
                continue;
            };
            let was_full = !consumer.has_room();
            consumer.unacked -= 1;
            if was_full {
                self.dirty.insert(consumer.queue);
            }
        }
        Ok(settled)
    }
}
