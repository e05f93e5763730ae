//! Events from RabbitMQ (BRIDGE-1, BRIDGE-7 to BRIDGE-10).

use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicQosOptions, BasicRejectOptions, ExchangeDeclareOptions,
    QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{Channel, Connection, ConnectionProperties, Consumer, ExchangeKind};
use protocol::Backoff;

use super::source::{EventSource, SourceEvent, Tag};

/// Delays between attempts to reach the broker.
const BACKOFF: Backoff =
    Backoff { initial: Duration::from_millis(200), max: Duration::from_secs(10), jitter: 0.2 };
/// Longest time for one attempt.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Where events come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RabbitMqConfig {
    /// The broker.
    pub url: String,
    /// A durable topic exchange.
    pub exchange: String,
    /// A durable queue that is not exclusive.
    pub queue: String,
    /// What of the exchange goes to the queue.
    pub binding: String,
    /// Deliveries that may be unsettled at once.
    pub prefetch: u16,
}

/// A broker that is sought, or consumed from.
pub struct RabbitMq {
    config: RabbitMqConfig,
    state: State,
    epoch: u64,
    jitter: fastrand::Rng,
}

enum State {
    /// The next attempt is due after this delay.
    Waiting { attempt: u32, delay: Duration },
    /// Events are consumed.
    Consuming(Box<Link>),
}

struct Link {
    /// Holding it holds the connection open.
    _connection: Connection,
    channel: Channel,
    consumer: Consumer,
}

impl RabbitMq {
    /// A source that begins to seek its broker at the first [`EventSource::next`]. `seed` begins the jitter of its redials.
    pub fn new(config: RabbitMqConfig, seed: u64) -> Self {
        let state = State::Waiting { attempt: 0, delay: Duration::ZERO };
        Self { config, state, epoch: 0, jitter: fastrand::Rng::with_seed(seed) }
    }

    fn wait_again(&mut self, attempt: u32) {
        let delay = BACKOFF.delay(attempt, self.jitter.f64());
        self.state = State::Waiting { attempt: attempt.saturating_add(1), delay };
    }

    /// The channel on which deliveries of this epoch are settled.
    fn channel_of(&self, tag: Tag) -> Option<&Channel> {
        match &self.state {
            State::Consuming(link) if tag.epoch == self.epoch => Some(&link.channel),
            State::Consuming(_) | State::Waiting { .. } => None,
        }
    }
}

impl EventSource for RabbitMq {
    async fn next(&mut self) -> SourceEvent {
        loop {
            match &mut self.state {
                State::Waiting { attempt, delay } => {
                    let attempt = *attempt;
                    tokio::time::sleep(*delay).await;
                    match tokio::time::timeout(CONNECT_TIMEOUT, Link::open(&self.config)).await {
                        Ok(Ok(link)) => {
                            tracing::info!(queue = self.config.queue, "consuming from the broker");
                            self.epoch += 1;
                            self.state = State::Consuming(Box::new(link));
                            return SourceEvent::Up;
                        }
                        Ok(Err(error)) => tracing::warn!("the broker cannot be consumed from: {error}"),
                        Err(_) => tracing::warn!("the broker does not answer"),
                    }
                    self.wait_again(attempt);
                }
                State::Consuming(link) => match link.consumer.next().await {
                    Some(Ok(delivery)) => {
                        let tag = Tag { epoch: self.epoch, number: delivery.delivery_tag };
                        return SourceEvent::Delivery { tag, body: Bytes::from(delivery.data) };
                    }
                    lost => {
                        let reason = match lost {
                            Some(Err(error)) => error.to_string(),
                            _ => "it ended the subscription".to_owned(),
                        };
                        tracing::warn!("the broker is gone: {reason}");
                        self.wait_again(0);
                        return SourceEvent::Down;
                    }
                },
            }
        }
    }

    async fn acknowledge_up_to(&mut self, tag: Tag) {
        if let Some(channel) = self.channel_of(tag)
            && let Err(error) = channel.basic_ack(tag.number, BasicAckOptions { multiple: true }).await
        {
            // The broker puts back what it was not told of; `next` will see that it is gone.
            tracing::warn!("an acknowledgement was lost: {error}");
        }
    }

    async fn reject(&mut self, tag: Tag) {
        if let Some(channel) = self.channel_of(tag)
            && let Err(error) = channel.basic_reject(tag.number, BasicRejectOptions { requeue: false }).await
        {
            tracing::warn!("a rejection was lost: {error}");
        }
    }
}

impl Link {
    /// Connects, declares what must stand, and begins to consume.
    async fn open(config: &RabbitMqConfig) -> Result<Self, lapin::Error> {
        let connection = Connection::connect(&config.url, ConnectionProperties::default()).await?;
        let channel = connection.create_channel().await?;
        let (exchange, queue) = (config.exchange.as_str(), config.queue.as_str());
        let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        channel
            .exchange_declare(exchange.into(), ExchangeKind::Topic, durable, FieldTable::default())
            .await?;
        let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        channel.queue_declare(queue.into(), durable, FieldTable::default()).await?;
        let binding = config.binding.as_str().into();
        let options = QueueBindOptions::default();
        channel.queue_bind(queue.into(), exchange.into(), binding, options, FieldTable::default()).await?;
        channel.basic_qos(config.prefetch, BasicQosOptions::default()).await?;
        let options = BasicConsumeOptions::default();
        let consumer = channel.basic_consume(queue.into(), "".into(), options, FieldTable::default()).await?;
        Ok(Self { _connection: connection, channel, consumer })
    }
}
