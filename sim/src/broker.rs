//! A broker as gateways and a publisher see it: deliveries in order, acknowledgements, redelivery of what a gateway that
//! died had not acknowledged, and outages.

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
    /// Answered with false where gateways are cut off.
    Consume {
        queue: usize,
        deliveries: mpsc::Sender<(u64, Bytes)>,
        accepted: oneshot::Sender<bool>,
    },
    AcknowledgeUpTo(usize, u64),
    Reject(usize, u64),
    /// Lets gateways reach the broker, or cuts them off.
    SetUp(bool, oneshot::Sender<()>),
    /// Counts the ready messages once nobody consumes.
    Count(oneshot::Sender<u32>),
    /// Waits until every queue has been consumed from.
    Consumed(oneshot::Sender<()>),
}

impl Broker {
    /// A broker, and the task that it runs in. It has a queue for each gateway; each gets every event.
    pub(crate) fn new(gateways: usize, up: bool) -> (Self, impl Future<Output = ()>) {
        let (commands, inbox) = mpsc::channel(COMMANDS);
        let queues = std::iter::repeat_with(Queue::default).take(gateways).collect();
        let exchange = Exchange { queues, up, counting: Vec::new(), awaiting_consumers: Vec::new() };
        (Self { commands }, exchange.run(inbox))
    }

    /// Publishes and waits for the confirmation; first waits until every gateway has consumed, as the harness does
    /// elsewhere.
    pub(crate) async fn publish(&self, body: &str) -> Result<(), Gone> {
        self.ask(Command::Consumed).await?;
        let body = Bytes::copy_from_slice(body.as_bytes());
        self.ask(|confirmed| Command::Publish { body, confirmed }).await
    }

    /// Counts the messages that are ready once nobody consumes.
    pub(crate) async fn count(&self) -> Result<u32, Gone> {
        self.ask(Command::Count).await
    }

    /// Waits until every gateway has consumed.
    pub(crate) async fn consumed(&self) -> Result<(), Gone> {
        self.ask(Command::Consumed).await
    }

    /// Lets gateways reach the broker, or cuts them off.
    pub(crate) async fn set_up(&self, up: bool) -> Result<(), Gone> {
        self.ask(|done| Command::SetUp(up, done)).await
    }

    /// A source for the gateway whose queue has this number, counted from 0.
    pub(crate) fn source(&self, queue: usize) -> SimSource {
        SimSource { commands: self.commands.clone(), queue, epoch: 0, state: State::Idle }
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Result<T, Gone> {
        let (tell, told) = oneshot::channel();
        self.commands.send(command(tell)).await.map_err(|_| Gone)?;
        told.await.map_err(|_| Gone)
    }
}

/// What is published goes to every queue.
struct Exchange {
    queues: Vec<Queue>,
    /// Whether gateways reach it.
    up: bool,
    counting: Vec<oneshot::Sender<u32>>,
    awaiting_consumers: Vec<oneshot::Sender<()>>,
}

/// A queue and its one consumer.
#[derive(Default)]
struct Queue {
    ready: VecDeque<Bytes>,
    unacknowledged: BTreeMap<u64, Bytes>,
    consumer: Option<mpsc::Sender<(u64, Bytes)>>,
    last_tag: u64,
    was_consumed: bool,
}

impl Exchange {
    async fn run(mut self, mut inbox: mpsc::Receiver<Command>) {
        loop {
            let consumers: Vec<_> = self
                .queues
                .iter()
                .enumerate()
                .filter_map(|(at, queue)| Some((at, queue.consumer.clone()?)))
                .collect();
            let gone = async {
                let ends = consumers.iter().map(|(at, consumer)| {
                    Box::pin(async move {
                        consumer.closed().await;
                        *at
                    })
                });
                match ends.len() {
                    0 => std::future::pending().await,
                    _ => futures_util::future::select_all(ends).await.0,
                }
            };
            tokio::select! {
                biased;
                // First what the consumer said before it went.
                command = inbox.recv() => match command {
                    Some(command) => self.obey(command),
                    None => return,
                },
                at = gone => self.queues[at].requeue(),
            }
            drop(consumers);
            self.queues.iter_mut().for_each(Queue::deliver);
            self.answer();
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Publish { body, confirmed } => {
                self.queues.iter_mut().for_each(|queue| queue.ready.push_back(body.clone()));
                // A publisher that does not wait is content.
                let _ = confirmed.send(());
            }
            Command::Consume { queue, deliveries, accepted } => {
                if self.up {
                    self.queues[queue].consume(deliveries);
                }
                // A gateway that died meanwhile is noticed by its deliveries.
                let _ = accepted.send(self.up);
            }
            Command::AcknowledgeUpTo(queue, tag) => {
                let unacknowledged = &mut self.queues[queue].unacknowledged;
                *unacknowledged = unacknowledged.split_off(&(tag + 1));
            }
            Command::Reject(queue, tag) => drop(self.queues[queue].unacknowledged.remove(&tag)),
            Command::SetUp(up, done) => {
                self.up = up;
                if !up {
                    self.queues.iter_mut().for_each(Queue::requeue);
                }
                let _ = done.send(());
            }
            Command::Count(tell) => self.counting.push(tell),
            Command::Consumed(tell) => self.awaiting_consumers.push(tell),
        }
    }

    /// Tells those who waited for what is true now.
    fn answer(&mut self) {
        if self.queues.iter().all(|queue| queue.was_consumed) {
            for tell in self.awaiting_consumers.drain(..) {
                // Whoever asked may be gone.
                let _ = tell.send(());
            }
        }
        if self.queues.iter().all(|queue| queue.consumer.is_none()) {
            let ready = self.queues.iter().map(|queue| queue.ready.len()).sum::<usize>();
            for tell in self.counting.drain(..) {
                let _ = tell.send(u32::try_from(ready).unwrap_or(u32::MAX));
            }
        }
    }
}

impl Queue {
    fn consume(&mut self, deliveries: mpsc::Sender<(u64, Bytes)>) {
        self.requeue();
        self.consumer = Some(deliveries);
        self.was_consumed = true;
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
}

/// A gateway's end of the broker.
pub(crate) struct SimSource {
    commands: mpsc::Sender<Command>,
    queue: usize,
    epoch: u64,
    state: State,
}

/// How far a source has come; kept between calls, so that they can be cancelled.
enum State {
    Idle,
    Asking { accepted: oneshot::Receiver<bool>, deliveries: mpsc::Receiver<(u64, Bytes)> },
    Resting,
    Consuming(mpsc::Receiver<(u64, Bytes)>),
}

impl EventSource for SimSource {
    async fn next(&mut self) -> SourceEvent {
        loop {
            match &mut self.state {
                State::Idle => {
                    let (tell, deliveries) = mpsc::channel(PREFETCH);
                    let (accept, accepted) = oneshot::channel();
                    let permit = self.commands.reserve().await;
                    self.state = match permit {
                        Ok(permit) => {
                            let queue = self.queue;
                            permit.send(Command::Consume { queue, deliveries: tell, accepted: accept });
                            State::Asking { accepted, deliveries }
                        }
                        Err(_) => State::Resting,
                    };
                }
                State::Asking { accepted, .. } => {
                    let accepted = matches!(accepted.await, Ok(true));
                    match std::mem::replace(&mut self.state, State::Resting) {
                        State::Asking { deliveries, .. } if accepted => {
                            self.epoch += 1;
                            self.state = State::Consuming(deliveries);
                            return SourceEvent::Up;
                        }
                        _ => {}
                    }
                }
                State::Resting => {
                    tokio::time::sleep(RECONNECT).await;
                    self.state = State::Idle;
                }
                State::Consuming(deliveries) => match deliveries.recv().await {
                    Some((number, body)) => {
                        return SourceEvent::Delivery { tag: Tag { epoch: self.epoch, number }, body };
                    }
                    None => {
                        self.state = State::Resting;
                        return SourceEvent::Down;
                    }
                },
            }
        }
    }

    async fn acknowledge_up_to(&mut self, tag: Tag) {
        if tag.epoch == self.epoch {
            // A broker that is gone puts everything back by itself.
            let _ = self.commands.send(Command::AcknowledgeUpTo(self.queue, tag.number)).await;
        }
    }

    async fn reject(&mut self, tag: Tag) {
        if tag.epoch == self.epoch {
            let _ = self.commands.send(Command::Reject(self.queue, tag.number)).await;
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
        let (broker, task) = Broker::new(1, true);
        let _task = tokio::spawn(task);
        let mut first = broker.source(0);
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
        let mut second = broker.source(0);
        assert_eq!(second.next().await, SourceEvent::Up);
        assert_eq!(
            (&delivery(&mut second).await.1[..], &delivery(&mut second).await.1[..]),
            (&b"c"[..], &b"d"[..])
        );
    }

    /// Gateways that are cut off hear of it, and get what they had not acknowledged when they come back; so do all.
    #[tokio::test(start_paused = true)]
    async fn an_outage_loses_nothing() {
        let (broker, task) = Broker::new(2, true);
        let _task = tokio::spawn(task);
        let mut sources = [broker.source(0), broker.source(1)];
        for source in &mut sources {
            assert_eq!(source.next().await, SourceEvent::Up);
        }
        broker.publish("a").await.unwrap();
        delivery(&mut sources[0]).await;
        broker.set_up(false).await.unwrap();
        broker.publish("b").await.unwrap();
        assert_eq!(sources[0].next().await, SourceEvent::Down);
        broker.set_up(true).await.unwrap();
        assert_eq!(sources[0].next().await, SourceEvent::Up);
        for body in ["a", "b"] {
            assert_eq!(delivery(&mut sources[0]).await.1, body);
        }
    }
}
