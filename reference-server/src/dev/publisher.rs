//! One event to the broker that the gateway consumes from, confirmed.

use std::time::Duration;

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Confirmation, Connection, ConnectionProperties};

use crate::broker::RabbitMqConfig;

/// Longest time for the whole.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longest time for the goodbye; by then the event is the broker's.
const GOODBYE: Duration = Duration::from_secs(1);

/// Why the broker did not take an event.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PublishError {
    /// The broker refuses, or is unreachable.
    #[error("the broker does not take it: {0}")]
    Broker(#[from] lapin::Error),
    /// It gave no confirmation.
    #[error("the broker did not confirm it")]
    Unconfirmed,
    /// No queue is bound for it, so it was not delivered.
    #[error("no queue is bound that takes it")]
    Unrouted,
    /// It does not answer.
    #[error("the broker does not answer")]
    Silent,
}

/// Publishes to the exchange that the gateway's queue is bound to, over a new connection: manual publishing is rare, and
/// its latency does not matter.
pub(super) async fn publish(
    config: &RabbitMqConfig,
    routing_key: &str,
    body: &[u8],
) -> Result<(), PublishError> {
    let exchange = async {
        let connection = Connection::connect(&config.url, ConnectionProperties::default()).await?;
        let confirmation = send(&connection, &config.exchange, routing_key, body).await;
        // The event is confirmed or is not; how the connection ends changes nothing.
        let _ = tokio::time::timeout(GOODBYE, connection.close(200, "done".into())).await;
        confirmation
    };
    match tokio::time::timeout(PATIENCE, exchange).await {
        Ok(Ok(Confirmation::Ack(None))) => Ok(()),
        Ok(Ok(Confirmation::Ack(Some(_)))) => Err(PublishError::Unrouted),
        Ok(Ok(Confirmation::Nack(_) | Confirmation::NotRequested)) => Err(PublishError::Unconfirmed),
        Ok(Err(error)) => Err(error.into()),
        Err(_) => Err(PublishError::Silent),
    }
}

async fn send(
    connection: &Connection,
    exchange: &str,
    routing_key: &str,
    body: &[u8],
) -> Result<Confirmation, lapin::Error> {
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    let properties =
        BasicProperties::default().with_content_type("application/json".into()).with_delivery_mode(2);
    channel.basic_publish(exchange.into(), routing_key.into(), options, body, properties).await?.await
}
