//! A broker with one queue, as a gateway and a publisher see it: deliveries in order, acknowledgements, redelivery of what a
//! gateway that died had not acknowledged.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use reference_server::broker::{EventSource, SourceEvent, Tag};
use tokio::sync::{mpsc, oneshot};

/// Commands that wait for the broker.
const COMMANDS: usize = 256;
/// Deliveries that may be unacknowledged at once.
const PREFETCH: usize = 256;
/// How long a gateway waits before it seeks the broker again.
const RECONNECT: Duration = Duration::from_millis(200);

/// A running broker.
#[derive(Clone)]
pub(crate) struct Broker {
    commands: mpsc::Sender<Command>,
}

/// The broker is gone: the simulation is ending.
#[derive(Debug, thiserror::Error)]
#[error("the simulated broker is gone")]
pub(crate) struct Gone;

enum Command {
    Publish {
        body: Bytes,
        confirmed: oneshot::Sender<()>,
    },
    Consume {
        deliveries: mpsc::Sender<(u64, Bytes)>,
    },
    AcknowledgeUpTo(u64),
    Reject(u64),
    /// Counts the ready messages once nobody consumes.
    Count(oneshot::Sender<u32>),
    /// Waits until somebody consumes.
    Consumed(oneshot::Sender<()>),
}

impl Broker {
    /// A broker, and the task that it runs in.
    pub(crate) fn new() -> (Self, impl Future<Output = ()>) {
        let (commands, inbox) = mpsc::channel(COMMANDS);
        (Self { commands }, Queue::default().run(inbox))
    }

    /// Publishes and waits for the confirmation; first waits until somebody consumes, as the harness does elsewhere.
    pub(crate) async fn publish(&self, body: &str) -> Result<(), Gone> {
        self.ask(Command::Consumed).await?;
        let body = Bytes::copy_from_slice(body.as_bytes());
        self.ask(|confirmed| Command::Publish { body, confirmed }).await
    }

    /// Counts the messages that are ready once nobody consumes.
    pub(crate) async fn count(&self) -> Result<u32, Gone> {
        self.ask(Command::Count).await
    }

    /// Waits until somebody consumes.
    pub(crate) async fn consumed(&self) -> Result<(), Gone> {
        self.ask(Command::Consumed).await
    }

    /// A source for a gateway.
    pub(crate) fn source(&self) -> SimSource {
        SimSource { commands: self.commands.clone(), epoch: 0, deliveries: None }
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Result<T, Gone> {
        let (tell, told) = oneshot::channel();
        self.commands.send(command(tell)).await.map_err(|_| Gone)?;
        told.await.map_err(|_| Gone)
    }
}

/// The queue and its one consumer.
#[derive(Default)]
struct Queue {
    ready: VecDeque<Bytes>,
    unacknowledged: BTreeMap<u64, Bytes>,
    consumer: Option<mpsc::Sender<(u64, Bytes)>>,
    last_tag: u64,
    counting: Vec<oneshot::Sender<u32>>,
    awaiting_consumer: Vec<oneshot::Sender<()>>,
}

impl Queue {
    async fn run(mut self, mut inbox: mpsc::Receiver<Command>) {
        loop {
            let consumer = self.consumer.clone();
            let gone = async {
                match &consumer {
                    Some(consumer) => consumer.closed().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                // First what the consumer said before it went.
                command = inbox.recv() => match command {
                    Some(command) => self.obey(command),
                    None => return,
                },
                () = gone => self.requeue(),
            }
            drop(consumer);
            self.deliver();
            self.answer();
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Publish { body, confirmed } => {
                self.ready.push_back(body);
                // A publisher that does not wait is content.
                let _ = confirmed.send(());
            }
            Command::Consume { deliveries } => {
                self.requeue();
                self.consumer = Some(deliveries);
            }
            Command::AcknowledgeUpTo(tag) => self.unacknowledged = self.unacknowledged.split_off(&(tag + 1)),
            Command::Reject(tag) => drop(self.unacknowledged.remove(&tag)),
            Command::Count(tell) => self.counting.push(tell),
            Command::Consumed(tell) => self.awaiting_consumer.push(tell),
        }
    }

    /// The consumer is gone: what it had not acknowledged goes back to the front, in order.
    fn requeue(&mut self) {
        self.consumer = None;
        let back = std::mem::take(&mut self.unacknowledged);
        back.into_values().rev().for_each(|body| self.ready.push_front(body));
    }

    fn deliver(&mut self) {
        while let Some(consumer) = &self.consumer
            && self.unacknowledged.len() < PREFETCH
            && let Ok(permit) = consumer.try_reserve()
            && let Some(body) = self.ready.pop_front()
        {
            self.last_tag += 1;
            self.unacknowledged.insert(self.last_tag, body.clone());
            permit.send((self.last_tag, body));
        }
    }

    /// Tells those who waited for what is true now.
    fn answer(&mut self) {
        if self.consumer.is_some() {
            for tell in self.awaiting_consumer.drain(..) {
                // Whoever asked may be gone.
                let _ = tell.send(());
            }
        } else {
            let ready = u32::try_from(self.ready.len()).unwrap_or(u32::MAX);
            for tell in self.counting.drain(..) {
                let _ = tell.send(ready);
            }
        }
    }
}

/// A gateway's end of the broker.
pub(crate) struct SimSource {
    commands: mpsc::Sender<Command>,
    epoch: u64,
    deliveries: Option<mpsc::Receiver<(u64, Bytes)>>,
}

impl EventSource for SimSource {
    async fn next(&mut self) -> SourceEvent {
        loop {
            match &mut self.deliveries {
                Some(deliveries) => match deliveries.recv().await {
                    Some((number, body)) => {
                        return SourceEvent::Delivery { tag: Tag { epoch: self.epoch, number }, body };
                    }
                    None => {
                        self.deliveries = None;
                        return SourceEvent::Down;
                    }
                },
                None => {
                    let (deliveries, receiver) = mpsc::channel(PREFETCH);
                    if self.commands.send(Command::Consume { deliveries }).await.is_ok() {
                        self.epoch += 1;
                        self.deliveries = Some(receiver);
                        return SourceEvent::Up;
                    }
                    tokio::time::sleep(RECONNECT).await;
                }
            }
        }
    }

    async fn acknowledge_up_to(&mut self, tag: Tag) {
        if tag.epoch == self.epoch {
            // A broker that is gone puts everything back by itself.
            let _ = self.commands.send(Command::AcknowledgeUpTo(tag.number)).await;
        }
    }

    async fn reject(&mut self, tag: Tag) {
        if tag.epoch == self.epoch {
            let _ = self.commands.send(Command::Reject(tag.number)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn delivery(source: &mut SimSource) -> (Tag, Bytes) {
        match source.next().await {
            SourceEvent::Delivery { tag, body } => (tag, body),
            other => panic!("a delivery, not {other:?}"),
        }
    }

    /// What a gateway that died had not settled is delivered again, in order, before what came later; the rest is not.
    #[tokio::test]
    async fn the_unsettled_is_delivered_again() {
        let (broker, task) = Broker::new();
        let _task = tokio::spawn(task);
        let mut first = broker.source();
        assert_eq!(first.next().await, SourceEvent::Up);
        for body in ["a", "b", "c", "d"] {
            broker.publish(body).await.unwrap();
        }
        let (acknowledged, _) = delivery(&mut first).await;
        let (rejected, _) = delivery(&mut first).await;
        delivery(&mut first).await;
        first.acknowledge_up_to(acknowledged).await;
        first.reject(rejected).await;
        drop(first);
        assert_eq!(broker.count().await.unwrap(), 2);
        let mut second = broker.source();
        assert_eq!(second.next().await, SourceEvent::Up);
        assert_eq!(
            (&delivery(&mut second).await.1[..], &delivery(&mut second).await.1[..]),
            (&b"c"[..], &b"d"[..])
        );
    }
}
