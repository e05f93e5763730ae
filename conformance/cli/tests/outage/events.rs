//! Numbered events that flow: one after the other, without waiting for what becomes of each.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use conformance::amqp::{BrokerLink, Names};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, PublisherConfirm};
use libtest_mimic::Failed;
use serde_json::json;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{interval, timeout};

use crate::PATIENCE;
use crate::gateway::Queue;

/// Time between two events, so that a test's flow is not a flood.
const PACE: Duration = Duration::from_millis(1);
/// Events that may wait for the broker's word at once.
const UNCONFIRMED: usize = 64;

/// Publishes numbered events until it is stopped or the broker has ended.
pub(crate) struct Flow {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Flowed>,
}

/// What flowed.
#[derive(Debug)]
pub(crate) struct Flowed {
    /// What the broker has confirmed.
    pub(crate) confirmed: BTreeSet<u64>,
    /// The number that comes next.
    pub(crate) next: u64,
}

/// An exchange and a queue of the trial's own.
pub(crate) fn names(trial: &str, queue: Queue) -> Names {
    let name =
        |what: &str| format!("gatecheck.outage.{trial}.{}.{what}.{}", queue.as_str(), std::process::id());
    Names { exchange: name("exchange"), queue: name("queue") }
}

/// Removes what a trial declared.
pub(crate) async fn clean_up(url: &str, names: &Names) -> Result<(), Failed> {
    let link = BrokerLink::open(url, names.clone(), PATIENCE).await.map_err(|error| error.to_string())?;
    link.delete().await;
    link.close().await;
    Ok(())
}

/// What the queue has that is ready, and who consumes.
pub(crate) async fn queue_counts(url: &str, names: &Names) -> Result<String, lapin::Error> {
    let connection = Connection::connect(url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    let queue = channel.queue_declare(names.queue.as_str().into(), passive, FieldTable::default()).await?;
    Ok(format!("the queue has {} ready, and {} consumers", queue.message_count(), queue.consumer_count()))
}

impl Flow {
    /// Begins with this number. The exchange stands already.
    pub(crate) async fn start(url: &str, names: &Names, first: u64) -> Result<Self, Failed> {
        let open = async {
            let connection = Connection::connect(url, ConnectionProperties::default()).await?;
            let channel = connection.create_channel().await?;
            channel.confirm_select(ConfirmSelectOptions::default()).await?;
            Ok::<_, lapin::Error>((connection, channel))
        };
        let (connection, channel) = timeout(PATIENCE, open)
            .await
            .map_err(|_| "the broker does not answer")?
            .map_err(|error| error.to_string())?;
        let (stop, stopped) = oneshot::channel();
        let exchange = names.exchange.clone();
        let task = tokio::spawn(async move {
            // Holding it holds the connection open.
            let _connection = connection;
            flow(&channel, &exchange, first, stopped).await
        });
        Ok(Self { stop, task })
    }

    /// Whether it flows still.
    pub(crate) fn is_flowing(&self) -> bool {
        !self.task.is_finished()
    }

    /// Publishes no more, and waits for the broker's word on everything.
    pub(crate) async fn stop(self) -> Result<Flowed, Failed> {
        // A flow that has ended by itself need not be stopped.
        let _ = self.stop.send(());
        ended(self.task).await
    }

    /// Waits until the broker has ended.
    pub(crate) async fn end(self) -> Result<Flowed, Failed> {
        let _kept = self.stop;
        ended(self.task).await
    }
}

async fn ended(task: JoinHandle<Flowed>) -> Result<Flowed, Failed> {
    let flowed = timeout(PATIENCE, task).await.map_err(|_| "the events do not stop flowing")?;
    flowed.map_err(|error| error.to_string().into())
}

async fn flow(channel: &Channel, exchange: &str, first: u64, mut stop: oneshot::Receiver<()>) -> Flowed {
    let mut flowed = Flowed { confirmed: BTreeSet::new(), next: first };
    let mut unconfirmed: VecDeque<(u64, PublisherConfirm)> = VecDeque::new();
    let mut pace = interval(PACE);
    loop {
        tokio::select! {
            biased;
            _ = &mut stop => break,
            _ = pace.tick() => {}
        }
        let Ok(confirm) = publish(channel, exchange, flowed.next).await else { break };
        unconfirmed.push_back((flowed.next, confirm));
        flowed.next += 1;
        if unconfirmed.len() < UNCONFIRMED {
            continue;
        }
        let Some((number, confirm)) = unconfirmed.pop_front() else { continue };
        match outcome(confirm).await {
            Outcome::Taken => drop(flowed.confirmed.insert(number)),
            Outcome::Returned => {}
            Outcome::Unknown => break,
        }
    }
    // If the broker has ended, no more confirms will come.
    for (number, confirm) in unconfirmed {
        if outcome(confirm).await == Outcome::Taken {
            flowed.confirmed.insert(number);
        }
    }
    flowed
}

async fn publish(channel: &Channel, exchange: &str, number: u64) -> Result<PublisherConfirm, lapin::Error> {
    let body = json!({ "type": "payment:created", "data": { "seq": number } }).to_string();
    let persistent = BasicProperties::default().with_delivery_mode(2);
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    channel
        .basic_publish(exchange.into(), "payment.created".into(), options, body.as_bytes(), persistent)
        .await
}

/// What a broker says of an event.
#[derive(PartialEq, Eq)]
enum Outcome {
    /// It has it in a queue.
    Taken,
    /// It confirms it, and has no queue for it: one that has just started again may not have its bindings yet.
    Returned,
    /// Nothing, or nothing good.
    Unknown,
}

async fn outcome(confirm: PublisherConfirm) -> Outcome {
    match timeout(PATIENCE, confirm).await {
        Ok(Ok(Confirmation::Ack(None))) => Outcome::Taken,
        Ok(Ok(Confirmation::Ack(Some(_)))) => Outcome::Returned,
        _ => Outcome::Unknown,
    }
}
