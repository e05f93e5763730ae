//! Asks the broker what became of exchanges, queues and messages.

use lapin::options::{ExchangeDeclareOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{ExchangeKind, Queue};
use player::{StageError, TopologyReport};

use super::link::{ASK_AGAIN, failed};
use super::{BrokerLink, Exchange, ExchangeType};

impl BrokerLink {
    /// Whether exchanges and named queues stand as BRIDGE-1 says.
    ///
    /// # Errors
    /// When the connection to the broker is lost.
    pub async fn topology(&self) -> Result<TopologyReport, StageError> {
        let unmet = self.await_consumers().await.err().map(|error| error.to_string());
        let mut report = TopologyReport { exchange: Ok(()), queue: unmet.map_or(Ok(()), Err) };
        for exchange in &self.feed.exchanges {
            let stands = match self.exchange(exchange, true).await {
                Ok(()) => self.exchange(exchange, false).await,
                missing => missing,
            };
            report.exchange = report.exchange.and(stands.map_err(|error| error.to_string()));
        }
        for queue in self.feed.queues.named() {
            let stands = match self.queue(queue, true).await {
                Ok(_) => self.queue(queue, false).await.map(|_| ()),
                Err(missing) => Err(missing),
            };
            match stands.map_err(|error| error.to_string()) {
                // Arguments such as a dead-letter exchange are the gateway's own affair.
                Err(error) if error.contains("inequivalent arg 'x-") => {}
                Err(error) => report.queue = Err(error),
                Ok(()) => {}
            }
        }
        Ok(report)
    }

    /// Counts the messages that are ready in the named queues once those have no consumers: they include all that a killed
    /// gateway had not acknowledged.
    ///
    /// # Errors
    /// When a queue keeps its consumers, or the connection to the broker is lost.
    pub async fn ready_when_unconsumed(&self) -> Result<u32, StageError> {
        let mut ready = 0;
        for name in self.feed.queues.named() {
            let is_left = |queue: &Queue| (queue.consumer_count() == 0).then(|| queue.message_count());
            let counted = self.ask_until(name, is_left).await?;
            ready += counted.ok_or_else(|| failed(&format!("the queue {name} still has a consumer")))?;
        }
        Ok(ready)
    }

    /// Counts what is ready in the queues that the profile names.
    ///
    /// # Errors
    /// When one of them does not stand, or the connection to the broker is lost.
    pub async fn ready(&self) -> Result<u32, StageError> {
        let mut ready = 0;
        for name in self.feed.queues.named() {
            ready +=
                self.queue(name, true).await.map_err(|error| failed(&error.to_string()))?.message_count();
        }
        Ok(ready)
    }

    pub(super) async fn await_consumers(&self) -> Result<(), StageError> {
        for name in self.feed.queues.named() {
            let consumed = self.ask_until(name, |queue| (queue.consumer_count() > 0).then_some(())).await?;
            consumed.ok_or_else(|| self.unfed(format!("no consumer on the queue `{name}`")))?;
        }
        Ok(())
    }

    /// Asks for a queue until the answer suits; nothing when it never did.
    async fn ask_until<T>(
        &self,
        name: &str,
        suits: impl Fn(&Queue) -> Option<T>,
    ) -> Result<Option<T>, StageError> {
        let ask = async {
            loop {
                if let Ok(queue) = self.queue(name, true).await {
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

    /// Declares an exchange as described, or only looks whether it stands. An error closes the channel, so each question has
    /// its own.
    pub(super) async fn exchange(&self, exchange: &Exchange, passive: bool) -> Result<(), lapin::Error> {
        let channel = self.connection.create_channel().await?;
        let options = ExchangeDeclareOptions { passive, durable: true, ..ExchangeDeclareOptions::default() };
        let kind = match exchange.kind {
            ExchangeType::Topic => ExchangeKind::Topic,
            ExchangeType::Direct => ExchangeKind::Direct,
            ExchangeType::Fanout => ExchangeKind::Fanout,
        };
        channel.exchange_declare(exchange.name.as_str().into(), kind, options, FieldTable::default()).await?;
        // A channel that does not close is no harm; the connection ends with the case.
        let _ = channel.close(200, "".into()).await;
        Ok(())
    }

    async fn queue(&self, name: &str, passive: bool) -> Result<Queue, lapin::Error> {
        let channel = self.connection.create_channel().await?;
        let options = QueueDeclareOptions { passive, durable: true, ..QueueDeclareOptions::default() };
        let queue = channel.queue_declare(name.into(), options, FieldTable::default()).await?;
        let _ = channel.close(200, "".into()).await;
        Ok(queue)
    }
}
