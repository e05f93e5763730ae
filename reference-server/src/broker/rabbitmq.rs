//! Events from RabbitMQ (BRIDGE-1, BRIDGE-7 to BRIDGE-10).

use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicQosOptions, BasicRejectOptions, ExchangeDeclareOptions,
    QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::uri::AMQPUri;
use lapin::{Channel, Connection, ConnectionProperties, Consumer, ExchangeKind};
use protocol::Backoff;

use super::source::{EventSource, SourceEvent, Tag};
use super::topology::{Declaration, Topology};
use super::transport::limited;

/// Delays between attempts to reach the broker.
const BACKOFF: Backoff =
    Backoff { initial: Duration::from_millis(200), max: Duration::from_secs(10), jitter: 0.2 };
/// Largest frame that is agreed to: what RabbitMQ offers.
const FRAME_BYTES: u32 = 128 * 1024;
/// Smallest frame that each end of a connection must take (AMQP 0-9-1, `frame-min-size`).
const MIN_FRAME_BYTES: u32 = 4096;
/// Longest time for one attempt.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Where events come from.
#[derive(Clone, PartialEq, Eq)]
pub struct RabbitMqConfig {
    /// The broker, with its password.
    pub url: String,
    /// A durable topic exchange.
    pub exchange: String,
    /// The queue, or what its name begins with.
    pub queue: String,
    /// Whether other gateways share it.
    pub queue_kind: QueueKind,
    /// What of the exchange goes to the queue.
    pub binding: String,
    /// Deliveries that may be unsettled at once.
    pub prefetch: u16,
    /// Largest body that is read; of a larger message only that it came.
    pub max_event_bytes: usize,
    /// Where rejected messages go (BRIDGE-8). It is declared, and a queue that keeps them.
    pub dead_letter_exchange: Option<String>,
}

impl std::fmt::Debug for RabbitMqConfig {
    /// The URL is left out: it has a password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("RabbitMqConfig");
        shown
            .field("exchange", &self.exchange)
            .field("queue", &self.queue)
            .field("queue_kind", &self.queue_kind);
        shown.field("binding", &self.binding).field("prefetch", &self.prefetch);
        shown.field("dead_letter_exchange", &self.dead_letter_exchange).finish_non_exhaustive()
    }
}

/// Whose a queue is (BRIDGE-11).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueKind {
    /// Durable, and open to others. Right for one gateway: several would each get a part of the events.
    Shared,
    /// Exclusive to this gateway, and gone with its connection. Right for several: each gets every event that is
    /// published while it is connected.
    PerInstance,
}

impl QueueKind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Shared, Self::PerInstance];

    /// The kind as settings write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Shared => "shared",
            Self::PerInstance => "per-instance",
        }
    }
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
    queue: String,
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
                    let suffix = self.jitter.u64(..);
                    match tokio::time::timeout(CONNECT_TIMEOUT, Link::open(&self.config, suffix)).await {
                        Ok(Ok(link)) => {
                            tracing::info!(queue = link.queue, "consuming from the broker");
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
            // The broker requeues unacknowledged messages; `next` notices that the channel is closed.
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
    /// Connects, declares the topology, and begins to consume. `suffix` distinguishes the queues of several gateways.
    async fn open(config: &RabbitMqConfig, suffix: u64) -> Result<Self, lapin::Error> {
        let mut uri: AMQPUri = config.url.parse().map_err(|error| {
            let error =
                std::io::Error::new(std::io::ErrorKind::InvalidInput, format!("no AMQP URL: {error}"));
            lapin::Error::from(error)
        })?;
        // Of a broker that offers larger frames, none is taken: a frame is held until it is whole.
        let largest = uri.query.frame_max.unwrap_or(FRAME_BYTES);
        uri.query.frame_max = Some(largest.clamp(MIN_FRAME_BYTES, FRAME_BYTES));
        let connection = Connection::connect_uri_with_runtime(
            uri,
            ConnectionProperties::default(),
            limited(config.max_event_bytes),
        )
        .await?;
        let channel = connection.create_channel().await?;
        let Topology { queue, declarations } = Topology::new(config, suffix);
        for declaration in declarations {
            declare(&channel, declaration).await?;
        }
        channel.basic_qos(config.prefetch, BasicQosOptions::default()).await?;
        let options = BasicConsumeOptions::default();
        let consumer =
            channel.basic_consume(queue.as_str().into(), "".into(), options, FieldTable::default()).await?;
        Ok(Self { queue, _connection: connection, channel, consumer })
    }
}

async fn declare(channel: &Channel, declaration: Declaration) -> Result<(), lapin::Error> {
    let mut arguments = FieldTable::default();
    match declaration {
        Declaration::Exchange { name } => {
            let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
            channel.exchange_declare(name.into(), ExchangeKind::Topic, durable, arguments).await
        }
        Declaration::Queue { name, kind, dead_letter_exchange } => {
            if let Some(exchange) = dead_letter_exchange {
                let exchange = AMQPValue::LongString(exchange.into());
                arguments.insert("x-dead-letter-exchange".into(), exchange);
            }
            let (durable, own) = (kind == QueueKind::Shared, kind == QueueKind::PerInstance);
            let options = QueueDeclareOptions {
                durable,
                exclusive: own,
                auto_delete: own,
                ..QueueDeclareOptions::default()
            };
            channel.queue_declare(name.into(), options, arguments).await.map(|_| ())
        }
        Declaration::Binding { queue, exchange, key } => {
            let options = QueueBindOptions::default();
            channel.queue_bind(queue.into(), exchange.into(), key.into(), options, arguments).await
        }
    }
}
