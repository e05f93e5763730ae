//! What time ends: messages that wait too long, and queues that are not used.

use super::State;
use super::dead_letter::Reason;
use crate::topology::QueueId;

impl State {
    /// Ends what is over now.
    pub(super) fn expire(&mut self) {
        self.expire_messages();
        self.expire_queues();
    }

    /// Drops the messages whose time is over from the heads of their queues.
    fn expire_messages(&mut self) {
        for id in self.expiring.clone() {
            while let Some(queue) = self.topology.queue_mut(id) {
                let expired = queue.head_expiry().is_some_and(|expires| expires <= self.now.elapsed);
                if !expired {
                    if queue.ready() == 0 {
                        self.expiring.remove(&id);
                    }
                    break;
                }
                let Some(entry) = queue.take() else { break };
                self.kill(id, entry, Reason::Expired);
            }
        }
    }

    /// Deletes the queues that were not used for as long as they were declared to last. Their messages are gone, and not
    /// dead-lettered.
    fn expire_queues(&mut self) {
        let is_over = |id: &QueueId| {
            self.topology.queue(*id).expiry().is_some_and(|expires| expires <= self.now.elapsed)
        };
        for id in self.expirable.iter().copied().filter(is_over).collect::<Vec<_>>() {
            self.delete_queue(id);
        }
    }
}
