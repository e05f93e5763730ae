//! A broker as gateways and a publisher see it: deliveries in order, acknowledgements, redelivery of what a gateway that
//! died had not acknowledged, and outages.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use player::Recorder;
use reference_server::broker::{EventSource, SourceEvent, Tag};
use scenarios::trace::{Actor, Event, Settlements};
use tokio::sync::{mpsc, oneshot};

/// Commands that wait for the broker.
const COMMANDS: usize = 256;
/// Deliveries that may be unacknowledged at once.
const PREFETCH: usize = 256;

/// How a gateway consumes.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// Whether its deliveries wait for an acknowledgement.
    pub acknowledges: bool,
    /// How long it waits before it seeks the broker again.
    pub reconnect: Duration,
}

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
        acknowledges: bool,
        deliveries: mpsc::Sender<(u64, Bytes)>,
        accepted: oneshot::Sender<bool>,
    },
    AcknowledgeUpTo(usize, u64),
    Reject(usize, u64),
    /// Lets gateways reach the broker, or cuts them off.
    SetUp(bool, oneshot::Sender<()>),
    /// Holds deliveries back on their way, or lets them come.
    HoldBack(bool, oneshot::Sender<()>),
    /// Counts how deliveries were settled.
    Settlements(oneshot::Sender<Settlements>),
    /// Counts the ready messages once nobody consumes.
    Count(oneshot::Sender<u32>),
    /// Waits until every queue has been consumed from.
    Consumed(oneshot::Sender<()>),
}

impl Broker {
    /// A broker, and the task that it runs in. It has a queue for each gateway; each gets every event. A recorder is written
    /// each time that a gateway dials.
    pub(crate) fn new(
        gateways: usize,
        up: bool,
        recorder: Option<Recorder>,
    ) -> (Self, impl Future<Output = ()>) {
        let (commands, inbox) = mpsc::channel(COMMANDS);
        let queues = std::iter::repeat_with(Queue::default).take(gateways).collect();
        let exchange = Exchange {
            queues,
            up,
            settlements: Settlements::default(),
            recorder,
            counting: Vec::new(),
            awaiting_consumers: Vec::new(),
        };
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

    /// Holds deliveries back on their way, as a network does that brings nothing; or lets them come.
    pub(crate) async fn hold_back(&self, holds: bool) -> Result<(), Gone> {
        self.ask(|done| Command::HoldBack(holds, done)).await
    }

    /// Counts how deliveries were settled.
    pub(crate) async fn settlements(&self) -> Result<Settlements, Gone> {
        self.ask(Command::Settlements).await
    }

    /// A source for the gateway whose queue has this number, counted from 0.
    pub(crate) fn source(&self, queue: usize, terms: Terms) -> SimSource {
        SimSource { commands: self.commands.clone(), queue, terms, epoch: 0, state: State::Idle }
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
    settlements: Settlements,
    recorder: Option<Recorder>,
    counting: Vec<oneshot::Sender<u32>>,
    awaiting_consumers: Vec<oneshot::Sender<()>>,
}

/// A queue and its one consumer.
#[derive(Default)]
struct Queue {
    ready: VecDeque<Bytes>,
    unacknowledged: BTreeMap<u64, Bytes>,
    consumer: Option<mpsc::Sender<(u64, Bytes)>>,
    acknowledges: bool,
    /// What is on its way while deliveries are held back.
    held: Option<VecDeque<(u64, Bytes)>>,
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
                    Some(command) => {
                        if let (Command::Consume { .. }, Some(recorder)) = (&command, &self.recorder) {
                            recorder.record(Actor::gateway(), None, Event::BrokerDialled).await;
                        }
                        self.obey(command);
                    }
                    None => return,
                },
                at = gone => self.queues[at].requeue(),
            }
            drop(consumers);
            for queue in &mut self.queues {
                self.settlements.unasked += queue.deliver();
            }
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
            Command::Consume { queue, acknowledges, deliveries, accepted } => {
                if self.up {
                    self.queues[queue].consume(deliveries, acknowledges);
                }
                // A gateway that died meanwhile is noticed by its deliveries.
                let _ = accepted.send(self.up);
            }
            Command::AcknowledgeUpTo(queue, tag) => {
                let unacknowledged = &mut self.queues[queue].unacknowledged;
                let rest = unacknowledged.split_off(&(tag + 1));
                let settled = std::mem::replace(unacknowledged, rest);
                self.settlements.acknowledged += settled.len() as u64;
            }
            Command::Reject(queue, tag) => {
                let settled = self.queues[queue].unacknowledged.remove(&tag);
                self.settlements.rejected += u64::from(settled.is_some());
            }
            Command::HoldBack(holds, done) => {
                self.queues.iter_mut().for_each(|queue| queue.hold_back(holds));
                let _ = done.send(());
            }
            Command::Settlements(reply) => {
                let _ = reply.send(self.settlements);
            }
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
    fn consume(&mut self, deliveries: mpsc::Sender<(u64, Bytes)>, acknowledges: bool) {
        self.requeue();
        self.consumer = Some(deliveries);
        self.acknowledges = acknowledges;
        self.was_consumed = true;
    }

    fn hold_back(&mut self, holds: bool) {
        let held = std::mem::replace(&mut self.held, holds.then(VecDeque::new));
        let Some(consumer) = &self.consumer else { return };
        for delivery in held.into_iter().flatten() {
            // No more is held back than a consumer takes. One that has gone misses it; the broker puts it back.
            let _ = consumer.try_send(delivery);
        }
    }

    /// The consumer is gone: what it had not acknowledged goes back to the front, in order.
    fn requeue(&mut self) {
        self.consumer = None;
        self.held.iter_mut().for_each(VecDeque::clear);
        let back = std::mem::take(&mut self.unacknowledged);
        back.into_values().rev().for_each(|body| self.ready.push_front(body));
    }

    /// Sends what it can; returns how much of it awaits no acknowledgement.
    fn deliver(&mut self) -> u64 {
        let mut unasked = 0;
        while let Some(consumer) = &self.consumer
            && self.unacknowledged.len() < PREFETCH
            && self.held.as_ref().is_none_or(|held| held.len() < PREFETCH)
            && let Ok(permit) = consumer.try_reserve()
            && let Some(body) = self.ready.pop_front()
        {
            self.last_tag += 1;
            if self.acknowledges {
                self.unacknowledged.insert(self.last_tag, body.clone());
            } else {
                unasked += 1;
            }
            match &mut self.held {
                Some(held) => held.push_back((self.last_tag, body)),
                None => permit.send((self.last_tag, body)),
            }
        }
        unasked
    }
}

/// A gateway's end of the broker.
pub(crate) struct SimSource {
    commands: mpsc::Sender<Command>,
    queue: usize,
    terms: Terms,
    epoch: u64,
    state: State,
}

impl Default for Terms {
    fn default() -> Self {
        Self { acknowledges: true, reconnect: Duration::from_millis(200) }
    }
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
                            permit.send(Command::Consume {
                                queue: self.queue,
                                acknowledges: self.terms.acknowledges,
                                deliveries: tell,
                                accepted: accept,
                            });
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
                    tokio::time::sleep(self.terms.reconnect).await;
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
        let (broker, task) = Broker::new(1, true, None);
        let _task = tokio::spawn(task);
        let mut first = broker.source(0, Terms::default());
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
        let mut second = broker.source(0, Terms::default());
        assert_eq!(second.next().await, SourceEvent::Up);
        assert_eq!(
            (&delivery(&mut second).await.1[..], &delivery(&mut second).await.1[..]),
            (&b"c"[..], &b"d"[..])
        );
    }

    /// Gateways that are cut off hear of it, and get what they had not acknowledged when they come back; so do all.
    #[tokio::test(start_paused = true)]
    async fn an_outage_loses_nothing() {
        let (broker, task) = Broker::new(2, true, None);
        let _task = tokio::spawn(task);
        let mut sources = [broker.source(0, Terms::default()), broker.source(1, Terms::default())];
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

    /// What is held back reaches no gateway. When the gateway dies, what waits for its acknowledgement is put back; what waits for
    /// none is gone.
    #[tokio::test]
    async fn what_is_held_back_is_lost_where_none_acknowledges() {
        for (acknowledges, left) in [(true, 2), (false, 0)] {
            let (broker, task) = Broker::new(1, true, None);
            let _task = tokio::spawn(task);
            let mut source = broker.source(0, Terms { acknowledges, ..Terms::default() });
            assert_eq!(source.next().await, SourceEvent::Up);
            broker.publish("a").await.unwrap();
            let (tag, _) = delivery(&mut source).await;
            source.acknowledge_up_to(tag).await;
            broker.hold_back(true).await.unwrap();
            for body in ["b", "c"] {
                broker.publish(body).await.unwrap();
            }
            drop(source);
            assert_eq!(broker.count().await.unwrap(), left);
            let unasked = if acknowledges { 0 } else { 3 };
            let acknowledged = u64::from(acknowledges);
            let settled = Settlements { acknowledged, rejected: 0, unasked };
            assert_eq!(broker.settlements().await.unwrap(), settled);
        }
    }

    /// What was held back comes, in order, when it is let go.
    #[tokio::test]
    async fn what_was_held_back_comes() {
        let (broker, task) = Broker::new(1, true, None);
        let _task = tokio::spawn(task);
        let mut source = broker.source(0, Terms::default());
        assert_eq!(source.next().await, SourceEvent::Up);
        broker.hold_back(true).await.unwrap();
        for body in ["a", "b"] {
            broker.publish(body).await.unwrap();
        }
        broker.hold_back(false).await.unwrap();
        broker.publish("c").await.unwrap();
        for body in ["a", "b", "c"] {
            assert_eq!(delivery(&mut source).await.1, body);
        }
    }
}
