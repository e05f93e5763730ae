//! Events that come through a broker: what publishes them, and the workloads with them.

use std::io;
use std::ops::Range;

use embedded_broker::{Broker, BrokerConfig};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, ExchangeKind};
use tokio::runtime::Runtime;

use super::arm::Arm;
use super::child::Child;
use super::event::EventSize;
use super::measure::{Burst, MeasureError, Paced, WARMING, emit_burst, emit_paced};
use super::subscribers::Subscribers;
use super::{BurstShape, PacedShape};

/// Where events are published.
pub(super) const EXCHANGE: &str = "gatecheck_bench_events";
/// Deliveries that a consumer may have unacknowledged.
pub(super) const PREFETCH: u16 = 1024;
const KEY: &str = "payment.created";

/// What publishes events: at a broker by URL, or at one in this process.
pub struct Publisher {
    runtime: Runtime,
    url: String,
    channel: Channel,
    /// Confirms what it publishes.
    confirmed: Channel,
    _connection: Connection,
    _broker: Option<Broker>,
}

impl Publisher {
    /// At the broker with this URL; with none, at an embedded one.
    ///
    /// # Errors
    /// When there is no broker.
    pub fn start(url: Option<String>) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        runtime
            .block_on(async {
                let (url, broker) = match url {
                    Some(url) => (url, None),
                    None => {
                        let broker =
                            Broker::start(BrokerConfig::default()).await.map_err(io::Error::other)?;
                        (broker.url(), Some(broker))
                    }
                };
                let (connection, [channel, confirmed]) = connect(&url).await.map_err(io::Error::other)?;
                Ok((url, broker, connection, channel, confirmed))
            })
            .map(|(url, _broker, _connection, channel, confirmed)| Self {
                runtime,
                url,
                channel,
                confirmed,
                _connection,
                _broker,
            })
    }

    /// Publishes an event. That the broker has it is not waited for.
    fn publish(&self, size: EventSize, number: usize) -> io::Result<()> {
        let body = size.body(number);
        let published = self.channel.basic_publish(
            EXCHANGE.into(),
            KEY.into(),
            BasicPublishOptions::default(),
            &body,
            BasicProperties::default(),
        );
        self.runtime.block_on(published).map(drop).map_err(io::Error::other)
    }

    /// Publishes an event as soon as there is a queue for it.
    fn publish_once_routed(&self, size: EventSize, number: usize) -> io::Result<()> {
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let body = size.body(number);
        self.runtime.block_on(async {
            loop {
                let properties = BasicProperties::default();
                let published =
                    self.confirmed.basic_publish(EXCHANGE.into(), KEY.into(), options, &body, properties);
                let confirmation = published.await.map_err(io::Error::other)?.await;
                match confirmation.map_err(io::Error::other)? {
                    Confirmation::Ack(None) => return Ok(()),
                    // It was returned.
                    Confirmation::Ack(Some(_)) => tokio::task::yield_now().await,
                    other => return Err(io::Error::other(format!("the broker answers {other:?}"))),
                }
            }
        })
    }

    /// An arm that has sent its first events to so many subscribers.
    fn warm(
        &self,
        arm: Arm,
        size: EventSize,
        subscribers: usize,
    ) -> Result<(Child, Subscribers), MeasureError> {
        let of_arm = |source| MeasureError::Arm { arm, source };
        let of_load = |source| MeasureError::Delivery { arm, source };
        let child = Child::start_on(arm, size, &self.url).map_err(of_arm)?;
        let subscribers = Subscribers::connect(child.address(), subscribers).map_err(of_load)?;
        let receiving = subscribers.receive(size, 0..WARMING);
        self.publish_once_routed(size, 0).map_err(of_arm)?;
        for number in 1..WARMING {
            self.publish_once_routed(size, number).map_err(of_arm)?;
        }
        let (subscribers, _) = receiving.finish().map_err(of_load)?;
        Ok((child, subscribers))
    }

    fn publish_all(&self, size: EventSize, mut numbers: Range<usize>) -> io::Result<()> {
        numbers.try_for_each(|number| self.publish(size, number))
    }
}

/// All events at once, through the broker.
///
/// # Errors
/// As [`super::burst`].
pub fn bridged_burst(arm: Arm, shape: &BurstShape, publisher: &Publisher) -> Result<Burst, MeasureError> {
    let warm = publisher.warm(arm, shape.size, shape.subscribers)?;
    emit_burst(arm, warm, shape, |_, events| publisher.publish_all(shape.size, events))
}

/// Events at a rate, through the broker. Latency counts from when an event is handed to the publisher.
///
/// # Errors
/// As [`super::burst`].
pub fn bridged_paced(arm: Arm, shape: &PacedShape, publisher: &Publisher) -> Result<Paced, MeasureError> {
    let warm = publisher.warm(arm, shape.size, shape.subscribers)?;
    emit_paced(arm, warm, shape, |_, number| publisher.publish(shape.size, number))
}

async fn connect(url: &str) -> Result<(Connection, [Channel; 2]), lapin::Error> {
    let connection = Connection::connect(url, ConnectionProperties::default()).await?;
    let channels = [connection.create_channel().await?, connection.create_channel().await?];
    let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    channels[0]
        .exchange_declare(EXCHANGE.into(), ExchangeKind::Topic, durable, FieldTable::default())
        .await?;
    channels[1].confirm_select(ConfirmSelectOptions::default()).await?;
    Ok((connection, channels))
}
