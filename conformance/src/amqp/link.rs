//! Publishes events as a backend service would.

use std::collections::VecDeque;
use std::time::Duration;

use lapin::options::{
    BasicPublishOptions, ConfirmSelectOptions, ExchangeDeleteOptions, QueueDeleteOptions, QueuePurgeOptions,
};
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, ErrorKind, PublisherConfirm,
};
use player::StageError;
use scenarios::RequirementId;

use super::{Feed, Outgoing, Queues};
use crate::limits::HostLimit;

/// How often the broker is asked again while something is awaited that AMQP does not announce.
pub(super) const ASK_AGAIN: Duration = Duration::from_millis(20);

/// An open connection to the broker.
pub struct BrokerLink {
    pub(super) connection: Connection,
    pub(super) feed: Feed,
    pub(super) patience: Duration,
    /// What the first event waits for.
    awaits: Awaits,
    /// The requirement by which a gateway that can be published to consumes.
    awaited_for: &'static str,
    /// A channel in confirm mode on which the gateway's exchanges are known to stand; opened at the first event.
    publisher: Option<Channel>,
    /// What was posted and is not confirmed yet, the oldest first.
    unconfirmed: VecDeque<PublisherConfirm>,
}

/// Posted messages that may be unconfirmed: more would only fill this process's memory while the broker is behind.
const MOST_UNCONFIRMED: usize = 4096;

/// What must be there before the first event is published, which would be lost otherwise.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Awaits {
    /// A consumer of each named queue; where they have no names, a queue that takes the event.
    Fed,
    /// Nothing.
    Nothing,
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

    /// Whether the broker refused user or password (AMQP 0-9-1, 403 `access-refused`).
    pub fn is_login_refused(&self) -> bool {
        const ACCESS_REFUSED: u16 = 403;
        matches!(self.0.kind(), ErrorKind::ProtocolError(error) if error.get_id() == ACCESS_REFUSED)
    }
}

impl BrokerLink {
    /// Connects.
    ///
    /// # Errors
    /// When the broker does not take the connection.
    pub async fn open(url: &str, feed: impl Into<Feed>, patience: Duration) -> Result<Self, LinkError> {
        let connection = Connection::connect(url, ConnectionProperties::default()).await?;
        Ok(Self {
            connection,
            feed: feed.into(),
            patience,
            awaits: Awaits::Fed,
            awaited_for: "BRIDGE-1",
            publisher: None,
            unconfirmed: VecDeque::new(),
        })
    }

    /// The same, but publishes whether or not the gateway's queues have consumers: for gateways with a queue each, whose own
    /// readiness check must suffice, and for an existing queue, which keeps the messages.
    pub fn publishing_unconsumed(self) -> Self {
        Self { awaits: Awaits::Nothing, ..self }
    }

    /// Empties the gateway's queues where they stand already, so that a case does not see what an earlier one left. Those
    /// without names are the gateway's own, and go with it.
    ///
    /// # Errors
    /// When the connection to the broker is lost.
    pub async fn purge(&self) -> Result<(), LinkError> {
        for queue in self.feed.queues.named() {
            let channel = self.connection.create_channel().await?;
            // A queue that does not stand yet is as empty as can be.
            let _ = channel.queue_purge(queue.as_str().into(), QueuePurgeOptions::default()).await;
        }
        Ok(())
    }

    /// Publishes bodies through the gateway's own exchange: see [`Self::publish_all`].
    ///
    /// # Errors
    /// As [`Self::publish_all`].
    pub async fn publish(&mut self, bodies: &[String], routing_key: &str) -> Result<(), StageError> {
        let outgoing = |body: &String| Outgoing {
            exchange: self.feed.exchange.clone(),
            routing_key: routing_key.to_owned(),
            body: body.clone(),
        };
        let messages: Vec<_> = bodies.iter().map(outgoing).collect();
        self.publish_all(&messages).await
    }

    /// Publishes messages in one burst, and waits until the broker has confirmed each. The first time it waits until the
    /// gateway consumes, since what is published before is lost to it.
    ///
    /// # Errors
    /// When the gateway's queues or exchanges are not as they should be, or the broker refuses.
    pub async fn publish_all(&mut self, messages: &[Outgoing]) -> Result<(), StageError> {
        let mut messages = messages;
        if self.publisher.is_none() {
            if self.awaits == Awaits::Fed {
                self.await_consumers().await?;
            }
            let channel = self.publishing_channel().await?;
            if self.awaits == Awaits::Fed
                && self.feed.queues == Queues::Any
                && let Some((first, others)) = messages.split_first()
            {
                self.publish_once_routed(&channel, first).await?;
                messages = others;
            }
            self.publisher = Some(channel);
        }
        let Some(channel) = &self.publisher else { return Err(failed(&"no channel")) };
        let mut confirmations = Vec::new();
        for message in messages {
            let published = publish(channel, message, BasicPublishOptions::default());
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

    /// Publishes a message without waiting for its confirmation, unless too many wait for theirs. Something must have been
    /// published before, so that the gateway is known to consume.
    ///
    /// # Errors
    /// When the broker refuses this message, or one before it.
    pub async fn post(&mut self, message: &Outgoing) -> Result<(), StageError> {
        let channel = self.publisher.as_ref().ok_or_else(|| failed(&"nothing was published before"))?;
        let published = publish(channel, message, BasicPublishOptions::default());
        self.unconfirmed.push_back(published.await.map_err(|error| failed(&error))?);
        self.confirm_down_to(MOST_UNCONFIRMED).await
    }

    /// Waits until the broker has confirmed all that was posted.
    ///
    /// # Errors
    /// When it does not.
    pub async fn confirm(&mut self) -> Result<(), StageError> {
        self.confirm_down_to(0).await
    }

    async fn confirm_down_to(&mut self, most: usize) -> Result<(), StageError> {
        while self.unconfirmed.len() > most {
            let Some(oldest) = self.unconfirmed.pop_front() else { return Ok(()) };
            if !matches!(oldest.await.map_err(|error| failed(&error))?, Confirmation::Ack(_)) {
                return Err(failed(&"the broker did not confirm"));
            }
        }
        Ok(())
    }

    /// Publishes a message again and again until a queue takes it: the broker returns one that it cannot route (AMQP 0-9-1,
    /// `basic.publish`, mandatory). No other sign of a queue without a name can be seen from outside.
    async fn publish_once_routed(&self, channel: &Channel, message: &Outgoing) -> Result<(), StageError> {
        let mandatory = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let routed = async {
            loop {
                let confirmation = publish(channel, message, mandatory).await?.await?;
                match confirmation {
                    Confirmation::Ack(None) => return Ok::<_, lapin::Error>(()),
                    _ => tokio::time::sleep(ASK_AGAIN).await,
                }
            }
        };
        match tokio::time::timeout(self.patience, routed).await {
            Ok(routed) => routed.map_err(|error| failed(&error)),
            Err(_) => Err(self.unfed(format!(
                "no queue takes what is published to the exchange `{}` with the routing key `{}`",
                message.exchange, message.routing_key
            ))),
        }
    }

    /// Deletes these queues, as far as the broker lets others than their owners do so.
    pub async fn delete_queues(&self, queues: impl IntoIterator<Item = &String>) {
        for queue in queues {
            // A channel ends with the first refusal, such as that of another connection's queue (AMQP 0-9-1, `queue.delete`).
            if let Ok(channel) = self.connection.create_channel().await {
                // What does not stand need not be deleted.
                let _ = channel.queue_delete(queue.as_str().into(), QueueDeleteOptions::default()).await;
            }
        }
    }

    /// Deletes exchanges and queues that have names, which no other case uses.
    pub async fn delete(&self) {
        self.delete_queues(self.feed.queues.named()).await;
        self.delete_exchanges().await;
    }

    /// Deletes the exchanges.
    pub async fn delete_exchanges(&self) {
        if let Ok(channel) = self.connection.create_channel().await {
            for exchange in &self.feed.exchanges {
                let name = exchange.name.as_str().into();
                let _ = channel.exchange_delete(name, ExchangeDeleteOptions::default()).await;
            }
        }
    }

    /// The next event waits until the gateway consumes again, as this requirement says. A queue that ends with its consumer would not
    /// have kept it.
    pub(crate) fn awaits_consumers_again(&mut self, requirement: &'static str) {
        self.publisher = None;
        self.now_awaits(requirement);
    }

    /// From now on, that the gateway consumes is owed by this requirement.
    pub(crate) fn now_awaits(&mut self, requirement: &'static str) {
        self.awaited_for = requirement;
    }

    /// Closes the connection. lapin's close can fail to end where channels have just been dropped, so it has its limit.
    pub async fn close(self) {
        let goodbye = self.connection.close(200, "the case is over".into());
        // The connection may be lost already, and a broker that does not answer is not waited for.
        let _ = tokio::time::timeout(self.patience, goodbye).await;
    }

    /// The gateway does not consume, and how long that was waited for.
    pub(crate) fn unfed(&self, detail: String) -> StageError {
        StageError::Precondition { requires: self.required(), detail, waited: self.patience }
    }

    fn required(&self) -> RequirementId {
        self.awaited_for.parse().expect("a requirement")
    }

    async fn publishing_channel(&self) -> Result<Channel, StageError> {
        for exchange in &self.feed.exchanges {
            self.exchange(exchange, false).await.map_err(|error| StageError::Precondition {
                requires: self.required(),
                detail: format!("the exchange `{}` cannot be published to: {error}", exchange.name),
                waited: Duration::ZERO,
            })?;
        }
        let channel = self.connection.create_channel().await.map_err(|error| failed(&error))?;
        channel.confirm_select(ConfirmSelectOptions::default()).await.map_err(|error| failed(&error))?;
        Ok(channel)
    }
}

async fn publish(
    channel: &Channel,
    message: &Outgoing,
    options: BasicPublishOptions,
) -> Result<PublisherConfirm, lapin::Error> {
    let properties =
        BasicProperties::default().with_content_type("application/json".into()).with_delivery_mode(2);
    let (exchange, key) = (message.exchange.as_str().into(), message.routing_key.as_str().into());
    channel.basic_publish(exchange, key, options, message.body.as_bytes(), properties).await
}

pub(super) fn failed(error: &dyn ToString) -> StageError {
    StageError::Failed(format!("the broker: {}", error.to_string()))
}
