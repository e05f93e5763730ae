//! One channel: its consumers, what it holds unacknowledged, and how it ends.

use super::connection::{command_invalid, source_of};
use super::content::Incoming;
use super::reply_to::ReplyConsumer;
use super::{ConnectionId, ConsumerId, State};
use crate::fault::Fault;
use crate::topology::{Entry, QueueId};
use amq_protocol::protocol::{AMQPClass, AMQPHardError, channel};
use amq_protocol::types::ShortString;
use std::collections::BTreeMap;

/// A message delivered on a channel and not yet acknowledged.
#[derive(Debug)]
pub(super) struct Unacked {
    pub(super) queue: QueueId,
    pub(super) entry: Entry,
    /// The consumer that received it; `None` where it was fetched by `basic.get`.
    pub(super) consumer: Option<ConsumerId>,
}

/// One channel.
#[derive(Debug, Default)]
pub(super) struct Channel {
    /// `close` was sent: everything but its answer is ignored.
    pub(super) closing: bool,
    pub(super) consumers: BTreeMap<ShortString, ConsumerId>,
    pub(super) unacked: BTreeMap<u64, Unacked>,
    last_delivery_tag: u64,
    /// The limit of unacknowledged deliveries that new consumers get; zero for none.
    pub(super) consumer_prefetch: u16,
    /// The limit of unacknowledged deliveries over all consumers; zero for none.
    pub(super) channel_prefetch: u16,
    /// Unacknowledged deliveries to consumers.
    pub(super) delivered: usize,
    /// Where the publisher asked for confirms, the number of messages so far.
    pub(super) published: Option<u64>,
    /// Confirms to send: the last tag, and whether it stands for several.
    pub(super) confirmed: Option<(u64, bool)>,
    /// A message of which parts are to come.
    pub(super) incoming: Option<Incoming>,
    /// Takes the replies to requests that were published here.
    pub(super) reply_consumer: Option<ReplyConsumer>,
    /// The queue last declared here, which an empty name means.
    pub(super) last_queue: Option<ShortString>,
}

impl Channel {
    /// The tag of the next delivery.
    pub(super) fn next_delivery_tag(&mut self) -> u64 {
        self.last_delivery_tag += 1;
        self.last_delivery_tag
    }

    /// Whether consumers may get more.
    pub(super) fn has_room(&self) -> bool {
        self.channel_prefetch == 0 || self.delivered < usize::from(self.channel_prefetch)
    }

    /// The queue that is meant by a name: the one last declared, where the name is empty.
    ///
    /// # Errors
    ///
    /// 404 where none was declared.
    pub(super) fn meant(&self, name: &ShortString) -> Result<ShortString, Fault> {
        if !name.as_str().is_empty() {
            return Ok(name.clone());
        }
        self.last_queue.clone().ok_or_else(|| {
            Fault::soft(amq_protocol::protocol::AMQPSoftError::NOTFOUND, "no previously declared queue")
        })
    }
}

impl State {
    /// Takes a method on a channel other than 0 of an open connection.
    pub(super) fn on_channel_method(&mut self, id: ConnectionId, number: u16, method: AMQPClass) {
        use channel::AMQPMethod as Method;
        let source = source_of(&method);
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        let result = match (connection.channels.get(&number), method) {
            (None, AMQPClass::Channel(Method::Open(_))) => self.open_channel(id, number),
            (None, _) => Err(Fault::hard(AMQPHardError::CHANNELERROR, "expected 'channel.open'")),
            (Some(open), method) if open.closing => {
                match method {
                    AMQPClass::Channel(Method::CloseOk(_)) => {
                        connection.channels.remove(&number);
                    }
                    AMQPClass::Channel(Method::Close(_)) => {
                        connection.channels.remove(&number);
                        self.send(id, number, AMQPClass::Channel(Method::CloseOk(channel::CloseOk {})));
                    }
                    _ => {}
                }
                return;
            }
            (Some(_), AMQPClass::Channel(Method::Open(_))) => {
                Err(Fault::hard(AMQPHardError::CHANNELERROR, "second 'channel.open' seen"))
            }
            (Some(open), _) if open.incoming.is_some() => Err(Fault::hard(
                AMQPHardError::UNEXPECTEDFRAME,
                "expected the rest of a message, got a method frame instead",
            )),
            (Some(_), method) => self.on_method(id, number, method),
        };
        if let Err(fault) = result {
            self.fail(id, number, &fault, source);
        }
    }

    fn open_channel(&mut self, id: ConnectionId, number: u16) -> Result<(), Fault> {
        let Some(connection) = self.connections.get_mut(&id) else {
            return Ok(());
        };
        if number > connection.channel_max {
            return Err(Fault::hard(
                AMQPHardError::NOTALLOWED,
                format!("channel {number} is beyond the negotiated channel_max ({})", connection.channel_max),
            ));
        }
        connection.channels.insert(number, Channel::default());
        self.send(id, number, AMQPClass::Channel(channel::AMQPMethod::OpenOk(channel::OpenOk {})));
        Ok(())
    }

    /// Takes a method of the channel class on an open channel.
    pub(super) fn on_channel_class(
        &mut self,
        id: ConnectionId,
        number: u16,
        method: &channel::AMQPMethod,
    ) -> Result<(), Fault> {
        use channel::AMQPMethod as Method;
        match method {
            Method::Close(_) => {
                self.send_confirms();
                self.forget_channel(id, number);
                self.send(id, number, AMQPClass::Channel(Method::CloseOk(channel::CloseOk {})));
                Ok(())
            }
            Method::Flow(channel::Flow { active: true }) => {
                let ok = channel::FlowOk { active: true };
                self.send(id, number, AMQPClass::Channel(Method::FlowOk(ok)));
                Ok(())
            }
            Method::Flow(channel::Flow { active: false }) => Err(Fault::not_implemented("active=false")),
            Method::FlowOk(_) => Ok(()),
            Method::Open(_) | Method::OpenOk(_) | Method::CloseOk(_) => {
                Err(command_invalid("unexpected channel method"))
            }
        }
    }

    /// Closes a channel, or for a hard fault the connection, and sends the client the reason.
    pub(super) fn fail(&mut self, id: ConnectionId, number: u16, fault: &Fault, source: (u16, u16)) {
        self.send_confirms();
        if fault.is_hard() {
            return self.close_connection(id, fault, source);
        }
        self.forget_channel(id, number);
        let close = channel::Close {
            reply_code: fault.code(),
            reply_text: fault.text(),
            class_id: source.0,
            method_id: source.1,
        };
        self.send(id, number, AMQPClass::Channel(channel::AMQPMethod::Close(close)));
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.channels.insert(number, Channel { closing: true, ..Channel::default() });
        }
    }

    /// Drops a channel: its consumers end, and what it held unacknowledged returns to its queues.
    pub(super) fn forget_channel(&mut self, id: ConnectionId, number: u16) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        let Some(channel) = connection.channels.remove(&number) else {
            return;
        };
        for unacked in channel.unacked.into_values() {
            self.put_back(unacked);
        }
        if let Some(consumer) = channel.reply_consumer {
            self.reply_channels.remove(&consumer.name);
        }
        for consumer in channel.consumers.into_values() {
            self.remove_consumer(consumer);
        }
    }

    /// An open channel of an open connection.
    pub(super) fn channel_mut(&mut self, id: ConnectionId, number: u16) -> Option<&mut Channel> {
        self.connections.get_mut(&id)?.channels.get_mut(&number)
    }
}
