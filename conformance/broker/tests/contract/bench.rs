//! What a behaviour is shown with: a connection of its own, names of its own, and short ways to say usual things.

use futures_util::StreamExt;
use lapin::message::{BasicGetMessage, Delivery};
use lapin::options::{
    BasicConsumeOptions, BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions,
    ExchangeDeleteOptions, QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, Consumer, ErrorKind, ExchangeKind};
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

/// How long something that has to happen may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A broker, as one behaviour sees it.
pub(crate) struct Bench {
    pub(crate) url: String,
    pub(crate) connection: Connection,
    behaviour: &'static str,
    names: Mutex<BTreeSet<ShortString>>,
}

impl Bench {
    pub(crate) async fn new(url: String, behaviour: &'static str) -> Self {
        let connection = connect(&url).await.expect("the broker takes a connection");
        Self { url, connection, behaviour, names: Mutex::default() }
    }

    /// A name that no other behaviour uses, nor this one in another run.
    pub(crate) fn name(&self, what: &str) -> ShortString {
        let name: ShortString = format!("gatecheck.{}.{}.{what}", std::process::id(), self.behaviour).into();
        self.names.lock().expect("no name panics").insert(name.clone());
        name
    }

    pub(crate) async fn channel(&self) -> Channel {
        self.connection.create_channel().await.expect("a channel")
    }

    /// A channel whose publishes are confirmed.
    pub(crate) async fn confirming_channel(&self) -> Channel {
        let channel = self.channel().await;
        channel.confirm_select(ConfirmSelectOptions::default()).await.expect("confirms");
        channel
    }

    /// Another client.
    pub(crate) async fn connect(&self) -> Connection {
        connect(&self.url).await.expect("the broker takes another connection")
    }

    /// The URL with `query` added.
    pub(crate) fn url_with(&self, query: &str) -> String {
        format!("{}?{query}", self.url)
    }

    pub(crate) async fn exchange(&self, channel: &Channel, kind: ExchangeKind) -> ShortString {
        let name = self.name(&format!("exchange.{kind:?}"));
        let declared = channel.exchange_declare(
            name.clone(),
            kind,
            ExchangeDeclareOptions::default(),
            FieldTable::default(),
        );
        declared.await.expect("an exchange");
        name
    }

    pub(crate) async fn queue(&self, channel: &Channel, what: &str) -> ShortString {
        self.queue_with(channel, what, &[]).await
    }

    pub(crate) async fn queue_with(
        &self,
        channel: &Channel,
        what: &str,
        arguments: &[(&str, AMQPValue)],
    ) -> ShortString {
        let name = self.name(what);
        let declared = channel.queue_declare(name.clone(), QueueDeclareOptions::default(), table(arguments));
        declared.await.expect("a queue");
        name
    }

    /// A queue bound to an exchange under each of the keys.
    pub(crate) async fn bound_queue(
        &self,
        channel: &Channel,
        exchange: &ShortString,
        keys: &[&str],
    ) -> ShortString {
        let queue = self.queue(channel, &format!("queue-for-{}", keys.join("-"))).await;
        for key in keys {
            bind(channel, &queue, exchange, key).await;
        }
        queue
    }

    /// Deletes everything that was named.
    pub(crate) async fn clean(self) {
        // Dropped and not closed: lapin's close fails, and once in a while never ends, while channels that were just
        // dropped are closing.
        drop(self.connection);
        let connection = connect(&self.url).await.expect("the broker takes another connection");
        for name in self.names.into_inner().expect("no name panics") {
            let mut channel = connection.create_channel().await.expect("a channel");
            while let Err(error) = channel.queue_delete(name.clone(), QueueDeleteOptions::default()).await {
                // An exclusive queue is locked until its connection is gone.
                assert_eq!(code_of::<()>(Err(error)), 405);
                channel = connection.create_channel().await.expect("a channel");
            }
            let deleted = channel.exchange_delete(name, ExchangeDeleteOptions::default()).await;
            deleted.expect("a deleted exchange");
        }
    }
}

pub(crate) async fn connect(url: &str) -> lapin::Result<Connection> {
    Connection::connect(url, ConnectionProperties::default()).await
}

pub(crate) fn table(arguments: &[(&str, AMQPValue)]) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in arguments {
        table.insert((*name).into(), value.clone());
    }
    table
}

pub(crate) fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}

pub(crate) async fn bind(channel: &Channel, queue: &ShortString, exchange: &ShortString, key: &str) {
    let bound = channel.queue_bind(
        queue.clone(),
        exchange.clone(),
        key.into(),
        QueueBindOptions::default(),
        FieldTable::default(),
    );
    bound.await.expect("a binding");
}

/// Publishes to an exchange, without waiting for anything.
pub(crate) async fn publish(channel: &Channel, exchange: &ShortString, key: &str, body: &str) {
    publish_with(channel, exchange, key, body, BasicProperties::default()).await;
}

pub(crate) async fn publish_with(
    channel: &Channel,
    exchange: &ShortString,
    key: &str,
    body: &str,
    properties: BasicProperties,
) {
    let options = BasicPublishOptions::default();
    let sent = channel.basic_publish(exchange.clone(), key.into(), options, body.as_bytes(), properties);
    sent.await.expect("a message is sent");
}

/// Publishes straight to a queue.
pub(crate) async fn put(channel: &Channel, queue: &ShortString, bodies: &[&str]) {
    for body in bodies {
        publish(channel, &ShortString::default(), queue.as_str(), body).await;
    }
}

pub(crate) async fn consume(channel: &Channel, queue: &ShortString) -> Consumer {
    consume_with(channel, queue, BasicConsumeOptions::default()).await
}

pub(crate) async fn consume_with(
    channel: &Channel,
    queue: &ShortString,
    options: BasicConsumeOptions,
) -> Consumer {
    let consumer =
        channel.basic_consume(queue.clone(), ShortString::default(), options, FieldTable::default());
    consumer.await.expect("a consumer")
}

/// The next delivery.
pub(crate) async fn next(consumer: &mut Consumer) -> Delivery {
    let next = tokio::time::timeout(PATIENCE, consumer.next()).await;
    next.expect("a delivery in time").expect("a consumer that goes on").expect("a delivery")
}

/// The next deliveries, as text.
pub(crate) async fn next_bodies(consumer: &mut Consumer, count: usize) -> Vec<String> {
    let mut bodies = Vec::new();
    for _ in 0..count {
        bodies.push(body_of(&next(consumer).await));
    }
    bodies
}

/// Whether the consumer has ended.
pub(crate) async fn ended(consumer: &mut Consumer) -> bool {
    tokio::time::timeout(PATIENCE, consumer.next()).await.expect("an end in time").is_none()
}

pub(crate) fn body_of(delivery: &Delivery) -> String {
    String::from_utf8(delivery.data.clone()).expect("text")
}

pub(crate) async fn get(channel: &Channel, queue: &ShortString) -> Option<BasicGetMessage> {
    channel.basic_get(queue.clone(), BasicGetOptions { no_ack: true }).await.expect("an answer to get")
}

/// The next message, fetched once it is there and not acknowledged. Unlike a consumer, this can be dropped without
/// taking further messages along.
pub(crate) async fn fetch(channel: &Channel, queue: &ShortString) -> Delivery {
    let fetched = async {
        loop {
            let answer = channel.basic_get(queue.clone(), BasicGetOptions::default()).await;
            match answer.expect("an answer to get") {
                Some(message) => return message.delivery,
                None => tokio::task::yield_now().await,
            }
        }
    };
    tokio::time::timeout(PATIENCE, fetched).await.expect("a message in time")
}

/// Removes every message from a queue and returns the bodies as text.
pub(crate) async fn drain(channel: &Channel, queue: &ShortString) -> Vec<String> {
    let mut bodies = Vec::new();
    while let Some(message) = get(channel, queue).await {
        bodies.push(body_of(&message.delivery));
    }
    bodies
}

/// Messages that wait, and consumers. What the queue sent to this channel before has arrived when this returns, and
/// what this channel published before has been routed.
pub(crate) async fn counts(channel: &Channel, queue: &ShortString) -> (u32, u32) {
    let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    let declared =
        channel.queue_declare(queue.clone(), passive, FieldTable::default()).await.expect("the queue is");
    (declared.message_count(), declared.consumer_count())
}

/// Waits until a queue has as many messages ready: operations of other channels are not confirmed.
pub(crate) async fn until_ready(channel: &Channel, queue: &ShortString, ready: u32) {
    let counted = async {
        while counts(channel, queue).await.0 != ready {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, counted).await.expect("the messages are ready in time");
}

/// The reply code with which a request failed.
pub(crate) fn code_of<T: std::fmt::Debug>(result: lapin::Result<T>) -> u16 {
    match result.expect_err("the broker refuses").kind() {
        ErrorKind::ProtocolError(error) => error.get_id(),
        other => panic!("not refused by the broker: {other:?}"),
    }
}

/// The reply text with which a request failed.
pub(crate) fn message_of<T: std::fmt::Debug>(result: lapin::Result<T>) -> String {
    match result.expect_err("the broker refuses").kind() {
        ErrorKind::ProtocolError(error) => error.get_message().to_string(),
        other => panic!("not refused by the broker: {other:?}"),
    }
}
