//! Direct reply-to: replies go straight to the channel that asked, past any queue.
//!
//! A client consumes from the pseudo-queue [`REPLY_TO`] and names it in the `reply_to` of its requests, which the broker
//! replaces by a made-up name. What is published to that name through the default exchange is delivered on the channel
//! that published the request. Rules and wording are RabbitMQ's (<https://www.rabbitmq.com/docs/direct-reply-to>).

use super::{ConnectionId, Output, State};
use crate::fault::Fault;
use crate::message::{Message, decode_properties, encode_properties};
use amq_protocol::protocol::{AMQPClass, basic, queue};
use amq_protocol::types::ShortString;
use bytes::Bytes;
use std::sync::Arc;

/// The pseudo-queue.
pub(super) const REPLY_TO: &str = "amq.rabbitmq.reply-to";
/// What the names of reply queues begin with.
const NAME_PREFIX: &str = "amq.rabbitmq.reply-to.";
/// The prefix of the consumer tags that the broker makes up.
const TAG_PREFIX: &str = "amq.ctag-";

/// Takes the replies of one channel.
#[derive(Debug)]
pub(super) struct ReplyConsumer {
    tag: ShortString,
    /// The made-up name of its reply queue.
    pub(super) name: ShortString,
}

impl State {
    /// Starts the channel's one consumer of replies.
    ///
    /// # Errors
    ///
    /// 406 for a second one, and for one that wants to acknowledge.
    pub(super) fn consume_replies(
        &mut self,
        id: ConnectionId,
        number: u16,
        consume: basic::Consume,
    ) -> Result<(), Fault> {
        if !consume.no_ack {
            return Err(Fault::precondition("reply consumer cannot acknowledge"));
        }
        let tag = match consume.consumer_tag.as_str() {
            "" => self.make_up_name(TAG_PREFIX).into(),
            _ => consume.consumer_tag,
        };
        let name: ShortString = self.make_up_name(NAME_PREFIX).into();
        let Some(channel) = self.channel_mut(id, number) else {
            return Ok(());
        };
        if channel.reply_consumer.is_some() {
            return Err(Fault::precondition("reply consumer already set"));
        }
        channel.reply_consumer = Some(ReplyConsumer { tag: tag.clone(), name: name.clone() });
        self.reply_channels.insert(name, (id, number));
        let ok = basic::AMQPMethod::ConsumeOk(basic::ConsumeOk { consumer_tag: tag });
        self.reply(id, number, consume.nowait, AMQPClass::Basic(ok));
        Ok(())
    }

    /// Ends the channel's consumer of replies, if it has that tag.
    pub(super) fn cancel_replies(&mut self, id: ConnectionId, number: u16, tag: &ShortString) {
        let Some(channel) = self.channel_mut(id, number) else {
            return;
        };
        if let Some(consumer) = channel.reply_consumer.take_if(|consumer| consumer.tag == *tag) {
            self.reply_channels.remove(&consumer.name);
        }
    }

    /// Answers a declaration of a reply queue, by which a replier learns whether its requester is still there; none
    /// for any other name. Nothing is declared, passively or not.
    ///
    /// # Errors
    ///
    /// 404 where the requester has disconnected.
    pub(super) fn declare_reply_queue(&self, name: &ShortString) -> Option<Result<queue::DeclareOk, Fault>> {
        if !name.as_str().starts_with(REPLY_TO) {
            return None;
        }
        let is_known = name.as_str() == REPLY_TO || self.reply_channels.contains_key(name);
        let ok = queue::DeclareOk { queue: name.clone(), message_count: 0, consumer_count: 1 };
        Some(if is_known { Ok(ok) } else { Err(Fault::not_found("queue", name.as_str())) })
    }

    /// The properties of a request, with the name of the channel's reply queue.
    ///
    /// # Errors
    ///
    /// 406 where the channel does not consume replies.
    pub(super) fn with_reply_name(
        &mut self,
        id: ConnectionId,
        number: u16,
        properties: &[u8],
    ) -> Result<Bytes, Fault> {
        let consumer = self.channel_mut(id, number).and_then(|channel| channel.reply_consumer.as_ref());
        let Some(consumer) = consumer else {
            return Err(Fault::precondition("fast reply consumer does not exist"));
        };
        let properties = decode_properties(properties).unwrap_or_default();
        Ok(encode_properties(&properties.with_reply_to(consumer.name.clone())))
    }

    /// Delivers a message that is a reply, if its requester is still there. To the publisher it has no route either way.
    pub(super) fn deliver_reply(&mut self, message: &Arc<Message>) {
        if !message.exchange.as_str().is_empty() {
            return;
        }
        let Some(&(to, number)) = self.reply_channels.get(&message.routing_key) else {
            return;
        };
        let Some(channel) = self.channel_mut(to, number) else {
            return;
        };
        let Some(tag) = channel.reply_consumer.as_ref().map(|consumer| consumer.tag.clone()) else {
            return;
        };
        let method = AMQPClass::Basic(basic::AMQPMethod::Deliver(basic::Deliver {
            consumer_tag: tag,
            delivery_tag: channel.next_delivery_tag(),
            redelivered: false,
            exchange: message.exchange.clone(),
            routing_key: message.routing_key.clone(),
        }));
        self.unasked += 1;
        self.emit(Output::Content { to, channel: number, method, message: Arc::clone(message) });
    }
}
