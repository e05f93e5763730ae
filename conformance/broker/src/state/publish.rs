//! Publishing: routing, confirms and returns.

use super::{ConnectionId, Output, State};
use crate::fault::Fault;
use crate::message::Message;
use crate::topology::QueueId;
use amq_protocol::protocol::{AMQPClass, AMQPSoftError, basic};
use std::collections::BTreeSet;
use std::sync::Arc;

impl State {
    /// Takes a message that is complete.
    pub(super) fn publish(
        &mut self,
        id: ConnectionId,
        number: u16,
        message: &Arc<Message>,
        mandatory: bool,
    ) -> Result<(), Fault> {
        let exchange = self.topology.exchanges.get(&message.exchange);
        if exchange.is_some_and(|exchange| exchange.internal) {
            return Err(Fault::refused(format!(
                "cannot publish to internal exchange '{}' in vhost '/'",
                message.exchange
            )));
        }
        self.deliver_reply(message);
        let queues = self.topology.route(message)?;
        self.published += 1;
        if queues.is_empty() {
            self.unroutable += 1;
            if mandatory {
                self.give_back(id, number, Arc::clone(message));
            }
        }
        let accepted = self.enqueue(&queues, message);
        self.confirm(id, number, accepted);
        Ok(())
    }

    /// Appends a message to queues; whether all of them took it.
    pub(super) fn enqueue(&mut self, queues: &BTreeSet<QueueId>, message: &Arc<Message>) -> bool {
        let mut accepted = true;
        for &id in queues {
            if self.topology.refuses(id, message) {
                self.refused += 1;
                accepted = false;
                continue;
            }
            let Some(queue) = self.topology.queue_mut(id) else {
                continue;
            };
            queue.push(Arc::clone(message), self.now.elapsed);
            if queue.arguments.message_ttl.is_some() || message.expiration.is_some() {
                self.expiring.insert(id);
            }
            self.dirty.insert(id);
        }
        accepted
    }

    fn give_back(&mut self, id: ConnectionId, number: u16, message: Arc<Message>) {
        let method = AMQPClass::Basic(basic::AMQPMethod::Return(basic::Return {
            reply_code: AMQPSoftError::NOROUTE.get_id(),
            reply_text: "NO_ROUTE".into(),
            exchange: message.exchange.clone(),
            routing_key: message.routing_key.clone(),
        }));
        self.emit(Output::Content { to: id, channel: number, method, message });
    }

    /// Notes what became of the next message of a channel that wants confirms.
    fn confirm(&mut self, id: ConnectionId, number: u16, accepted: bool) {
        let Some(channel) = self.channel_mut(id, number) else {
            return;
        };
        let Some(published) = &mut channel.published else {
            return;
        };
        *published += 1;
        let tag = *published;
        if accepted {
            channel.confirmed = Some((tag, channel.confirmed.is_some()));
            self.unconfirmed.insert((id, number));
            return;
        }
        // Acks are sent in order with it, or `multiple` would cover it.
        self.send_confirms();
        let nack = basic::Nack { delivery_tag: tag, multiple: false, requeue: false };
        self.send(id, number, AMQPClass::Basic(basic::AMQPMethod::Nack(nack)));
    }

    /// Sends the confirms that have been held back so that one could stand for many.
    pub(super) fn send_confirms(&mut self) {
        while let Some((id, number)) = self.unconfirmed.pop_first() {
            let confirmed = self.channel_mut(id, number).and_then(|channel| channel.confirmed.take());
            if let Some((delivery_tag, multiple)) = confirmed {
                let ack = basic::Ack { delivery_tag, multiple };
                self.send(id, number, AMQPClass::Basic(basic::AMQPMethod::Ack(ack)));
            }
        }
    }
}
