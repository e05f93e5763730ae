//! The methods of an open channel, each class in turn.

use super::channel::Channel;
use super::connection::command_invalid;
use super::content::Incoming;
use super::{ConnectionId, State};
use crate::fault::Fault;
use crate::topology::{ALTERNATE_EXCHANGE, Destination, Queue, QueueArguments, QueueId};
use amq_protocol::protocol::{AMQPClass, access, basic, confirm, exchange, queue};
use amq_protocol::types::{FieldTable, ShortString};

/// The prefix of the queue names that the broker makes up.
const QUEUE_PREFIX: &str = "amq.gen-";

impl State {
    /// Takes a method on an open channel.
    pub(super) fn on_method(
        &mut self,
        id: ConnectionId,
        number: u16,
        method: AMQPClass,
    ) -> Result<(), Fault> {
        match method {
            AMQPClass::Basic(method) => self.on_basic(id, number, method),
            AMQPClass::Channel(method) => self.on_channel_class(id, number, &method),
            AMQPClass::Exchange(method) => self.on_exchange(id, number, method),
            AMQPClass::Queue(method) => self.on_queue(id, number, method),
            AMQPClass::Confirm(confirm::AMQPMethod::Select(select)) => {
                if let Some(channel) = self.channel_mut(id, number) {
                    channel.published.get_or_insert(0);
                }
                let ok = AMQPClass::Confirm(confirm::AMQPMethod::SelectOk(confirm::SelectOk {}));
                self.reply(id, number, select.nowait, ok);
                Ok(())
            }
            // Obsolete since 0-9-1, still sent by old clients, always granted.
            AMQPClass::Access(access::AMQPMethod::Request(_)) => {
                self.send(id, number, AMQPClass::Access(access::AMQPMethod::RequestOk(access::RequestOk {})));
                Ok(())
            }
            AMQPClass::Tx(_) => Err(Fault::not_implemented("transactions; use confirms")),
            AMQPClass::Connection(_) => Err(command_invalid("connection methods belong on channel 0")),
            AMQPClass::Access(access::AMQPMethod::RequestOk(_))
            | AMQPClass::Confirm(confirm::AMQPMethod::SelectOk(_)) => {
                Err(command_invalid("this method is the broker's to send"))
            }
        }
    }

    fn on_basic(&mut self, id: ConnectionId, number: u16, method: basic::AMQPMethod) -> Result<(), Fault> {
        use basic::AMQPMethod as Method;
        match method {
            Method::Publish(publish) => {
                if publish.immediate {
                    return Err(Fault::not_implemented("immediate=true"));
                }
                if let Some(channel) = self.channel_mut(id, number) {
                    channel.incoming = Some(Incoming::new(publish));
                }
                Ok(())
            }
            Method::Qos(qos) => self.set_prefetch(id, number, &qos),
            Method::Consume(consume) => self.consume(id, number, consume),
            Method::Cancel(cancel) => self.cancel(id, number, cancel),
            Method::Get(get) => self.get(id, number, &get),
            Method::Ack(ack) => self.ack(id, number, &ack),
            Method::Nack(nack) => self.nack(id, number, nack.delivery_tag, nack.multiple, nack.requeue),
            Method::Reject(reject) => self.nack(id, number, reject.delivery_tag, false, reject.requeue),
            Method::Recover(recover) => {
                self.recover(id, number, recover.requeue)?;
                let ok = AMQPClass::Basic(Method::RecoverOk(basic::RecoverOk {}));
                self.send(id, number, ok);
                Ok(())
            }
            Method::RecoverAsync(recover) => self.recover(id, number, recover.requeue),
            // Answers to the broker's own cancels, which want none.
            Method::CancelOk(_) => Ok(()),
            Method::QosOk(_)
            | Method::ConsumeOk(_)
            | Method::Return(_)
            | Method::Deliver(_)
            | Method::GetOk(_)
            | Method::GetEmpty(_)
            | Method::RecoverOk(_) => Err(command_invalid("this method is the broker's to send")),
        }
    }

    fn on_exchange(
        &mut self,
        id: ConnectionId,
        number: u16,
        method: exchange::AMQPMethod,
    ) -> Result<(), Fault> {
        use exchange::AMQPMethod as Method;
        let (nowait, ok) = match method {
            Method::Declare(declare) => {
                let nowait = declare.nowait;
                let ignored: Vec<_> = exchange_arguments_ignored(&declare.arguments).collect();
                self.topology.declare_exchange(declare)?;
                self.report_ignored("exchange.declare", ignored.into_iter());
                (nowait, Method::DeclareOk(exchange::DeclareOk {}))
            }
            Method::Delete(delete) => {
                self.topology.delete_exchange(&delete)?;
                (delete.nowait, Method::DeleteOk(exchange::DeleteOk {}))
            }
            Method::Bind(bind) => {
                let destination = Destination::Exchange(bind.destination);
                self.topology.bind(&bind.source, bind.routing_key, destination, bind.arguments)?;
                (bind.nowait, Method::BindOk(exchange::BindOk {}))
            }
            Method::Unbind(unbind) => {
                let destination = Destination::Exchange(unbind.destination);
                self.topology.unbind(&unbind.source, &unbind.routing_key, destination, unbind.arguments)?;
                (unbind.nowait, Method::UnbindOk(exchange::UnbindOk {}))
            }
            Method::DeclareOk(_) | Method::DeleteOk(_) | Method::BindOk(_) | Method::UnbindOk(_) => {
                return Err(command_invalid("this method is the broker's to send"));
            }
        };
        self.reply(id, number, nowait, AMQPClass::Exchange(ok));
        Ok(())
    }

    fn on_queue(&mut self, id: ConnectionId, number: u16, method: queue::AMQPMethod) -> Result<(), Fault> {
        use queue::AMQPMethod as Method;
        let (nowait, ok) = match method {
            Method::Declare(declare) => {
                if let Some(declared) = self.declare_reply_queue(&declare.queue) {
                    let ok = AMQPClass::Queue(Method::DeclareOk(declared?));
                    self.reply(id, number, declare.nowait, ok);
                    return Ok(());
                }
                let queue = self.declare_queue(id, number, &declare)?;
                let queue = self.topology.queue(queue);
                let ok = queue::DeclareOk {
                    queue: queue.name.clone(),
                    message_count: count(queue.ready()),
                    consumer_count: count(queue.consumers.len()),
                };
                (declare.nowait, Method::DeclareOk(ok))
            }
            Method::Bind(bind) => {
                let (queue, key) = self.bound_queue(id, number, &bind.queue, bind.routing_key)?;
                self.topology.bind(&bind.exchange, key, Destination::Queue(queue), bind.arguments)?;
                (bind.nowait, Method::BindOk(queue::BindOk {}))
            }
            Method::Unbind(unbind) => {
                let (queue, key) = self.bound_queue(id, number, &unbind.queue, unbind.routing_key)?;
                self.topology.unbind(&unbind.exchange, &key, Destination::Queue(queue), unbind.arguments)?;
                (false, Method::UnbindOk(queue::UnbindOk {}))
            }
            Method::Purge(purge) => {
                let queue = self.queue_meant(id, number, &purge.queue)?;
                let purged = self.topology.queue_mut(queue).map_or(0, Queue::purge);
                (purge.nowait, Method::PurgeOk(queue::PurgeOk { message_count: count(purged) }))
            }
            Method::Delete(delete) => {
                let message_count = count(self.delete_queue_named(id, number, &delete)?);
                (delete.nowait, Method::DeleteOk(queue::DeleteOk { message_count }))
            }
            Method::DeclareOk(_)
            | Method::BindOk(_)
            | Method::UnbindOk(_)
            | Method::PurgeOk(_)
            | Method::DeleteOk(_) => return Err(command_invalid("this method is the broker's to send")),
        };
        self.reply(id, number, nowait, AMQPClass::Queue(ok));
        Ok(())
    }

    fn declare_queue(
        &mut self,
        id: ConnectionId,
        number: u16,
        declare: &queue::Declare,
    ) -> Result<QueueId, Fault> {
        let generated = declare.queue.as_str().is_empty() && !declare.passive;
        let queue = if declare.passive {
            self.queue_meant(id, number, &declare.queue)?
        } else {
            let name = match generated {
                true => self.make_up_name(QUEUE_PREFIX).into(),
                false => declare.queue.clone(),
            };
            let queue = self.topology.declare_queue(declare, name, generated, id)?;
            self.report_ignored("queue.declare", QueueArguments::ignored(&declare.arguments));
            queue
        };
        let now = self.now.elapsed;
        if let Some(found) = self.topology.queue_mut(queue)
            && found.arguments.expires.is_some()
        {
            found.used = now;
            self.expirable.insert(queue);
        }
        let name = self.topology.queue(queue).name.clone();
        if let Some(channel) = self.channel_mut(id, number) {
            channel.last_queue = Some(name);
        }
        Ok(queue)
    }

    fn delete_queue_named(
        &mut self,
        id: ConnectionId,
        number: u16,
        delete: &queue::Delete,
    ) -> Result<usize, Fault> {
        let queue = match self.queue_meant(id, number, &delete.queue) {
            Ok(queue) => queue,
            // One that does not exist is deleted already.
            Err(fault) if fault.is_not_found() && !delete.queue.as_str().is_empty() => return Ok(0),
            Err(fault) => return Err(fault),
        };
        let found = self.topology.queue(queue);
        if delete.if_unused && !found.consumers.is_empty() {
            return Err(Fault::precondition(format!("queue '{}' in vhost '/' in use", found.name)));
        }
        if delete.if_empty && found.ready() > 0 {
            return Err(Fault::precondition(format!("queue '{}' in vhost '/' is not empty", found.name)));
        }
        let ready = found.ready();
        self.delete_queue(queue);
        Ok(ready)
    }

    /// The queue and key of a binding. Both left out mean the last queue and its name.
    fn bound_queue(
        &self,
        id: ConnectionId,
        number: u16,
        queue: &ShortString,
        key: ShortString,
    ) -> Result<(QueueId, ShortString), Fault> {
        let found = self.queue_meant(id, number, queue)?;
        let implied = queue.as_str().is_empty() && key.as_str().is_empty();
        let key = if implied { self.topology.queue(found).name.clone() } else { key };
        Ok((found, key))
    }

    /// The queue of that name, or the last one declared on this channel where it is empty.
    pub(super) fn queue_meant(
        &self,
        id: ConnectionId,
        number: u16,
        name: &ShortString,
    ) -> Result<QueueId, Fault> {
        let name = match self.connections.get(&id).and_then(|connection| connection.channels.get(&number)) {
            Some(channel) => Channel::meant(channel, name)?,
            None => name.clone(),
        };
        self.topology.queue_named(name.as_str(), id)
    }

    /// Answers, unless the client asked not to.
    pub(super) fn reply(&mut self, id: ConnectionId, number: u16, nowait: bool, ok: AMQPClass) {
        if !nowait {
            self.send(id, number, ok);
        }
    }
}

/// The arguments of an exchange that change nothing here.
fn exchange_arguments_ignored(arguments: &FieldTable) -> impl Iterator<Item = String> {
    let names = arguments.inner().keys().map(ToString::to_string);
    names.filter(|name| name != ALTERNATE_EXCHANGE)
}

/// A count as the wire carries it.
pub(super) fn count(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
