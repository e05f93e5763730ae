//! Publishes events as a backend service would, and asks the broker what became of them.

use std::time::Duration;

use lapin::options::{
    BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions, ExchangeDeleteOptions,
    QueueDeclareOptions, QueueDeleteOptions, QueuePurgeOptions,
};
use lapin::types::FieldTable;
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, ErrorKind, ExchangeKind, Queue,
};
use player::{StageError, TopologyReport};
use scenarios::RequirementId;

use crate::limits::HostLimit;

/// How often the broker is asked again while something is awaited that AMQP does not announce.
const ASK_AGAIN: Duration = Duration::from_millis(20);

/// What the gateway's exchange and queue are called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// The exchange.
    pub exchange: String,
    /// The queue.
    pub queue: String,
}

/// An open connection to the broker.
pub struct BrokerLink {
    connection: Connection,
    names: Names,
    patience: Duration,
    /// Whether the first event waits until the queue of that name has a consumer.
    awaits_consumer: bool,
    /// The requirement by which a gateway that can be published to consumes.
    awaited_for: &'static str,
    /// A channel in confirm mode on which the gateway's exchange is known to stand; opened at the first event.
    publisher: Option<Channel>,
}

/// The broker refused, or the connection to it is lost.
#[derive(Debug, thiserror::Error)]
#[error("the broker: {0}")]
pub struct LinkError(#[from] lapin::Error);

impl LinkError {
    /// The limit of this host that kept the harness from the broker, where it was one.
    pub fn limit(&self) -> Option<HostLimit> {
        match self.0.kind() {
            ErrorKind::IOError(error) => HostLimit::of("cannot dial the broker", error),
            _ => None,
        }
    }
}

impl BrokerLink {
    /// Connects.
    ///
    /// # Errors
    /// When the broker does not take the connection.
    pub async fn open(url: &str, names: Names, patience: Duration) -> Result<Self, LinkError> {
        let connection = Connection::connect(url, ConnectionProperties::default()).await?;
        Ok(Self {
            connection,
            names,
            patience,
            awaits_consumer: true,
            awaited_for: "BRIDGE-1",
            publisher: None,
        })
    }

    /// The same, but publishes whether or not the queue of that name has a consumer: for gateways with a queue each, whose own
    /// readiness check must suffice, and for an existing queue, which keeps the messages.
    pub fn publishing_unconsumed(self) -> Self {
        Self { awaits_consumer: false, ..self }
    }

    /// Empties the gateway's queue where it stands already, so that a case does not see what an earlier one left.
    ///
    /// # Errors
    /// When the connection to the broker is lost.
    pub async fn purge(&self) -> Result<(), LinkError> {
        let channel = self.connection.create_channel().await?;
        // A queue that does not stand yet is as empty as can be.
        let _ = channel.queue_purge(self.names.queue.as_str().into(), QueuePurgeOptions::default()).await;
        Ok(())
    }

    /// Publishes bodies in one burst, and waits until the broker has confirmed each. The first time it waits until the gateway
    /// consumes, since what is published before is lost to it.
    ///
    /// # Errors
    /// When the gateway's queue or exchange is not as it should be, or the broker refuses.
    pub async fn publish(&mut self, bodies: &[String], routing_key: &str) -> Result<(), StageError> {
        if self.publisher.is_none() {
            if self.awaits_consumer {
                self.await_consumer().await?;
            }
            self.publisher = Some(self.publishing_channel().await?);
        }
        let Some(channel) = &self.publisher else { return Err(failed(&"no channel")) };
        let mut confirmations = Vec::new();
        for body in bodies {
            let published = channel.basic_publish(
                self.names.exchange.as_str().into(),
                routing_key.into(),
                BasicPublishOptions::default(),
                body.as_bytes(),
                BasicProperties::default().with_content_type("application/json".into()).with_delivery_mode(2),
            );
            confirmations.push(published.await.map_err(|error| failed(&error))?);
        }
        for confirmation in confirmations {
            match confirmation.await.map_err(|error| failed(&error))? {
                Confirmation::Ack(_) => {}
                Confirmation::Nack(_) | Confirmation::NotRequested => {
                    return Err(failed(&"the broker did not confirm"));
                }
            }
        }
        Ok(())
    }

    /// Whether exchange and queue stand as BRIDGE-1 says.
    ///
    /// # Errors
    /// When the connection to the broker is lost.
    pub async fn topology(&self) -> Result<TopologyReport, StageError> {
        let consumer = self.await_consumer().await;
        let exchange = match self.exchange(true).await {
            Ok(()) => self.exchange(false).await,
            missing => missing,
        };
        let queue = match self.queue(true).await {
            Ok(_) => self.queue(false).await.map(|_| ()),
            Err(missing) => Err(missing),
        };
        let unmet = consumer.err().map(|error| error.to_string());
        Ok(TopologyReport {
            exchange: exchange.map_err(|error| error.to_string()),
            queue: match queue {
                // Arguments such as a dead-letter exchange are the gateway's own affair.
                Err(error) if error.to_string().contains("inequivalent arg 'x-") => unmet.map_or(Ok(()), Err),
                Err(error) => Err(error.to_string()),
                Ok(()) => unmet.map_or(Ok(()), Err),
            },
        })
    }

    /// Counts the messages that are ready once the queue has no consumers: they include all that a killed gateway had not
    /// acknowledged.
    ///
    /// # Errors
    /// When the connection to the broker is lost.
    pub async fn ready_when_unconsumed(&self) -> Result<u32, StageError> {
        let counted =
            self.ask_until(|queue| (queue.consumer_count() == 0).then(|| queue.message_count())).await?;
        counted.ok_or_else(|| failed(&format!("the queue {} still has a consumer", self.names.queue)))
    }

    /// Deletes exchange and queue under a running gateway, which must redeclare them (BRIDGE-9). The next event waits for that.
    pub async fn forget(&mut self) {
        self.delete().await;
        self.publisher = None;
        self.awaited_for = "BRIDGE-9";
    }

    /// Deletes exchange and queue, which no other case uses.
    pub async fn delete(&self) {
        if let Ok(channel) = self.connection.create_channel().await {
            let queue = self.names.queue.as_str().into();
            let exchange = self.names.exchange.as_str().into();
            // What does not stand need not be deleted.
            let _ = channel.queue_delete(queue, QueueDeleteOptions::default()).await;
            let _ = channel.exchange_delete(exchange, ExchangeDeleteOptions::default()).await;
        }
    }

    /// Closes the connection. lapin's close can fail to end where channels have just been dropped, so it has its limit.
    pub async fn close(self) {
        let goodbye = self.connection.close(200, "the case is over".into());
        // The connection may be lost already, and a broker that does not answer is not waited for.
        let _ = tokio::time::timeout(self.patience, goodbye).await;
    }

    fn required(&self) -> RequirementId {
        self.awaited_for.parse().expect("a requirement")
    }

    async fn await_consumer(&self) -> Result<(), StageError> {
        let consumed = self.ask_until(|queue| (queue.consumer_count() > 0).then_some(())).await?;
        consumed.ok_or_else(|| StageError::Precondition {
            requires: self.required(),
            detail: format!("no consumer on the queue `{}`", self.names.queue),
            waited: self.patience,
        })
    }

    /// Asks for the queue until the answer suits; nothing when it never did.
    async fn ask_until<T>(&self, suits: impl Fn(&Queue) -> Option<T>) -> Result<Option<T>, StageError> {
        let ask = async {
            loop {
                if let Ok(queue) = self.queue(true).await {
                    if let Some(answer) = suits(&queue) {
                        return Ok(answer);
                    }
                } else if !self.connection.status().connected() {
                    return Err(failed(&"the connection is gone"));
                }
                tokio::time::sleep(ASK_AGAIN).await;
            }
        };
        tokio::time::timeout(self.patience, ask).await.ok().transpose()
    }

    async fn publishing_channel(&self) -> Result<Channel, StageError> {
        self.exchange(false).await.map_err(|error| StageError::Precondition {
            requires: self.required(),
            detail: format!("the exchange `{}` cannot be published to: {error}", self.names.exchange),
            waited: Duration::ZERO,
        })?;
        let channel = self.connection.create_channel().await.map_err(|error| failed(&error))?;
        channel.confirm_select(ConfirmSelectOptions::default()).await.map_err(|error| failed(&error))?;
        Ok(channel)
    }

    /// Declares the exchange as specified, or only looks whether it stands. An error closes the channel, so each question
    /// has its own.
    async fn exchange(&self, passive: bool) -> Result<(), lapin::Error> {
        let channel = self.connection.create_channel().await?;
        let options = ExchangeDeclareOptions { passive, durable: true, ..ExchangeDeclareOptions::default() };
        let name = self.names.exchange.as_str().into();
        channel.exchange_declare(name, ExchangeKind::Topic, options, FieldTable::default()).await?;
        // A channel that does not close is no harm; the connection ends with the case.
        let _ = channel.close(200, "".into()).await;
        Ok(())
    }

    async fn queue(&self, passive: bool) -> Result<Queue, lapin::Error> {
        let channel = self.connection.create_channel().await?;
        let options = QueueDeclareOptions { passive, durable: true, ..QueueDeclareOptions::default() };
        let queue =
            channel.queue_declare(self.names.queue.as_str().into(), options, FieldTable::default()).await?;
        let _ = channel.close(200, "".into()).await;
        Ok(queue)
    }
}

fn failed(error: &dyn ToString) -> StageError {
    StageError::Failed(format!("the broker: {}", error.to_string()))
}
