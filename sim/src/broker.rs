//! The broker of a simulation: the embedded one, at the end of lines that can be cut, or bring a gateway nothing.
//!
//! ```text
//!  gateway (SimSource) ══ line ══► [Passage] ══ line ══► ┌────────────────┐
//!                                                        │ embedded Broker │
//!  publisher (Stage) ══════════════════════════ line ══► └────────────────┘
//! ```

use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use embedded_broker::{BrokerConfig, Ended, Listen, Snapshot};
use player::{Consumers, QueueNames, Recorder, StageError, TopologyReport};
use reference_server::broker::{Declaration, QueueKind, RabbitMqConfig, Topology};
use scenarios::trace::{Actor, Event, Settlements};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, copy, duplex, split};
use tokio::sync::{mpsc, watch};

use crate::amqp::{Link, LinkError};

/// Connections that wait to be accepted.
const BACKLOG: usize = 16;
/// Bytes that a line holds.
const LINE_BYTES: usize = 64 * 1024;
const EXCHANGE: &str = "events";
const QUEUE: &str = "ws_events";

/// What the gateway with this number, counted from 0, declares: one of several has a queue of its own, so that each gets every
/// event (BRIDGE-11).
pub(crate) fn topology(gateway: usize, gateways: usize) -> Topology {
    let config = RabbitMqConfig {
        url: String::new(),
        exchange: EXCHANGE.to_owned(),
        queue: QUEUE.to_owned(),
        queue_kind: if gateways > 1 { QueueKind::PerInstance } else { QueueKind::Shared },
        binding: "#".to_owned(),
        prefetch: 0,
        max_event_bytes: 1024 * 1024,
        dead_letter_exchange: None,
    };
    Topology::new(&config, gateway as u64)
}

/// Reaches the broker from a gateway's host.
#[derive(Clone)]
pub(crate) struct Dial(mpsc::Sender<DuplexStream>);

/// Where gateways' lines arrive; to be handed to [`Broker::start`].
pub(crate) struct Exchange(mpsc::Receiver<DuplexStream>);

/// A way to the broker that does not exist yet, and its other end.
pub(crate) fn lines() -> (Dial, Exchange) {
    let (dial, arriving) = mpsc::channel(BACKLOG);
    (Dial(dial), Exchange(arriving))
}

impl Dial {
    /// Opens a line. Where gateways are cut off it ends at once.
    pub(crate) async fn dial(&self) -> io::Result<DuplexStream> {
        let (near, far) = duplex(LINE_BYTES);
        self.0.send(far).await.map_err(|_| io::Error::from(io::ErrorKind::ConnectionRefused))?;
        Ok(near)
    }
}

/// A running broker, and a publisher's connection to it.
pub(crate) struct Broker {
    broker: embedded_broker::Broker,
    link: Link<DuplexStream>,
    passage: watch::Sender<Passage>,
    gateways: usize,
    publisher: Option<Publisher>,
}

/// What the lines of gateways let through.
#[derive(Clone, Copy)]
struct Passage {
    /// Whether gateways reach the broker.
    is_up: bool,
    /// Whether what the broker says is held back on its way.
    holds_back: bool,
    /// How often the lines that there were have been lost.
    losses: u64,
}

/// A channel whose publishes are confirmed.
struct Publisher {
    channel: u16,
    published: u64,
}

/// How deliveries were settled.
fn settlements(snapshot: &Snapshot) -> Settlements {
    let Snapshot { acknowledged, rejected, unasked, .. } = *snapshot;
    Settlements { acknowledged, rejected, unasked }
}

/// Connections from within the simulation.
struct Lines(mpsc::Receiver<DuplexStream>);

impl Listen for Lines {
    type Stream = DuplexStream;

    async fn accept(&mut self) -> io::Result<(DuplexStream, SocketAddr)> {
        match self.0.recv().await {
            Some(stream) => Ok((stream, nowhere())),
            None => std::future::pending().await,
        }
    }

    fn reset(stream: DuplexStream) {
        drop(stream);
    }
}

/// Lines have no addresses.
fn nowhere() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))
}

impl Broker {
    /// Starts a broker on the current host, which `gateways` reach while it is `up`. A recorder is written each time that a gateway
    /// dials.
    pub(crate) async fn start(
        exchange: Exchange,
        gateways: usize,
        up: bool,
        recorder: Option<Recorder>,
        (heartbeat, seed): (Duration, u64),
    ) -> Result<Self, BrokerError> {
        let (to_broker, arriving) = mpsc::channel(BACKLOG);
        let config = BrokerConfig { seed, heartbeat, ..BrokerConfig::default() };
        let broker = embedded_broker::Broker::serve(Lines(arriving), nowhere(), config);
        let link = Link::open(Dial(to_broker.clone()).dial().await?, false).await?;
        let passage = watch::Sender::new(Passage { is_up: up, holds_back: false, losses: 0 });
        tokio::spawn(exchange.connect(Dial(to_broker), passage.subscribe(), recorder));
        Ok(Self { broker, link, passage, gateways, publisher: None })
    }

    /// Publishes and waits for the confirmations. The first time it waits until every gateway consumes, as the harness does
    /// elsewhere, since what is published before is lost to it.
    pub(crate) async fn publish(&mut self, bodies: &[String], routing_key: &str) -> Result<(), BrokerError> {
        if self.publisher.is_none() {
            self.consumed().await?;
            let channel = self.link.channel().await?;
            self.link.confirm(channel).await?;
            self.publisher = Some(Publisher { channel, published: 0 });
        }
        let Some(publisher) = &mut self.publisher else { return Ok(()) };
        for body in bodies {
            self.link.publish(publisher.channel, EXCHANGE, routing_key, body).await?;
            publisher.published += 1;
        }
        Ok(self.link.confirmed(publisher.channel, publisher.published).await?)
    }

    /// Waits until every gateway consumes.
    pub(crate) async fn consumed(&self) -> Result<(), BrokerError> {
        let gateways = self.gateways;
        self.broker.until(move |snapshot| consumers(snapshot) >= gateways).await?;
        Ok(())
    }

    /// Counts the messages that are ready once nothing consumes: whatever a gateway had not acknowledged is among them.
    pub(crate) async fn ready_when_unconsumed(&self) -> Result<u32, BrokerError> {
        Ok(ready(&self.broker.until(|snapshot| consumers(snapshot) == 0).await?))
    }

    /// Counts the messages that are ready now.
    pub(crate) async fn ready(&self) -> Result<u32, BrokerError> {
        Ok(ready(&self.broker.snapshot().await?))
    }

    /// Lets gateways reach the broker, or cuts them off; in that case it has noticed when this returns.
    pub(crate) async fn set_up(&self, up: bool) -> Result<(), BrokerError> {
        self.passage.send_modify(|passage| passage.is_up = up);
        if !up {
            // The publisher's connection is left.
            self.broker.until(|snapshot| snapshot.connections <= 1 && consumers(snapshot) == 0).await?;
        }
        Ok(())
    }

    /// Holds back on its way what the broker says to gateways, as a network does that brings nothing; or lets it come.
    pub(crate) fn hold_back(&self, holds_back: bool) {
        self.passage.send_modify(|passage| passage.holds_back = holds_back);
    }

    /// Has the lines that there are carry nothing any more, and neither end learn of it.
    pub(crate) fn lose(&self) {
        self.passage.send_modify(|passage| passage.losses += 1);
    }

    /// Deletes the gateways' queues under their consumers. The next event waits until they are consumed again.
    pub(crate) async fn delete_queues(&mut self) -> Result<(), BrokerError> {
        let channel = self.link.channel().await?;
        for gateway in 0..self.gateways {
            self.link.delete_queue(channel, &topology(gateway, self.gateways).queue).await?;
        }
        self.publisher = None;
        Ok(())
    }

    /// Closes the channels that gateways consume on.
    pub(crate) async fn close_channels(&self) -> Result<(), BrokerError> {
        Ok(self.broker.close_consuming_channels(BTreeSet::new()).await?)
    }

    /// What consumers may have unsettled, and the queues of those without a limit.
    pub(crate) async fn consumers(&self) -> Result<Consumers, BrokerError> {
        let consumers = self.broker.snapshot().await?.consumers;
        let (limited, unlimited): (Vec<_>, Vec<_>) =
            consumers.into_iter().partition(|consumer| consumer.acknowledges && consumer.prefetch > 0);
        let limited = limited.into_iter().map(|consumer| (consumer.queue, consumer.prefetch));
        Ok((limited.collect(), unlimited.into_iter().map(|consumer| consumer.queue).collect()))
    }

    /// The queues that there are, and those without a consumer.
    pub(crate) async fn queues(&self) -> Result<QueueNames, BrokerError> {
        let queues = self.broker.snapshot().await?.queues;
        let unconsumed = queues.iter().filter(|(_, queue)| queue.consumers == 0);
        let unconsumed = unconsumed.map(|(name, _)| name.clone()).collect();
        Ok((queues.into_keys().collect(), unconsumed))
    }

    /// Counts how deliveries were settled.
    pub(crate) async fn settlements(&self) -> Result<Settlements, BrokerError> {
        Ok(settlements(&self.broker.snapshot().await?))
    }

    /// Waits until more deliveries than this are settled, and counts them then.
    pub(crate) async fn settled_beyond(&self, count: u64) -> Result<Settlements, BrokerError> {
        let settled = self.broker.until(move |snapshot| settlements(snapshot).total() > count).await?;
        Ok(settlements(&settled))
    }

    /// How many queues are consumed.
    pub(crate) async fn consumed_queues(&self) -> Option<usize> {
        let snapshot = self.broker.snapshot().await.ok()?;
        Some(snapshot.queues.values().filter(|queue| queue.consumers > 0).count())
    }

    /// Whether exchange and queue stand as BRIDGE-1 says, by what the broker answers to the same declarations.
    pub(crate) async fn topology(&mut self) -> Result<TopologyReport, BrokerError> {
        self.consumed().await?;
        let exchange = Declaration::Exchange { name: EXCHANGE.to_owned() };
        let queue = Declaration::Queue {
            name: QUEUE.to_owned(),
            kind: QueueKind::Shared,
            dead_letter_exchange: None,
        };
        Ok(TopologyReport { exchange: self.stands(&exchange).await?, queue: self.stands(&queue).await? })
    }

    async fn stands(&mut self, declaration: &Declaration) -> Result<Result<(), String>, BrokerError> {
        let channel = self.link.channel().await?;
        let mut answer = self.link.look_for(channel, declaration).await;
        if answer.is_ok() {
            answer = self.link.declare(channel, declaration).await;
        }
        match answer {
            Err(LinkError::Refused { text, .. }) => Ok(Err(text)),
            answer => Ok(Ok(answer?)),
        }
    }

    /// Deletes exchange and queues under gateways that are to declare them anew (BRIDGE-9). The next event waits until they have.
    pub(crate) async fn forget(&mut self) -> Result<(), BrokerError> {
        self.delete_queues().await?;
        let channel = self.link.channel().await?;
        Ok(self.link.delete_exchange(channel, EXCHANGE).await?)
    }
}

impl Exchange {
    /// Connects each line to the broker for as long as gateways reach it.
    async fn connect(
        mut self,
        to_broker: Dial,
        passage: watch::Receiver<Passage>,
        recorder: Option<Recorder>,
    ) {
        while let Some(gateway) = self.0.recv().await {
            if let Some(recorder) = &recorder {
                recorder.record(Actor::gateway(), None, Event::BrokerDialled).await;
            }
            if !passage.borrow().is_up {
                continue;
            }
            let Ok(broker) = to_broker.dial().await else { return };
            tokio::spawn(join(gateway, broker, passage.clone()));
        }
    }
}

/// Carries what a gateway and the broker say, until one of them ends or they are cut off. While what the broker
/// says is held back, the gateway's end is noticed, and the broker's is not.
async fn join(gateway: DuplexStream, broker: DuplexStream, mut passage: watch::Receiver<Passage>) {
    let (mut from_gateway, to_gateway) = split(gateway);
    let (from_broker, mut to_broker) = split(broker);
    let down = bring(from_broker, to_gateway, passage.clone());
    let (mut network, mut cut) = (passage.clone(), passage.clone());
    let losses = network.borrow().losses;
    tokio::select! {
        biased;
        () = becomes(&mut passage, |passage| !passage.is_up) => {}
        // Both ends stay open: neither learns of it.
        () = becomes(&mut network, |passage| passage.losses > losses) => {
            becomes(&mut cut, |passage| !passage.is_up).await;
        }
        // Either end may end.
        _ = copy(&mut from_gateway, &mut to_broker) => {}
        _ = down => {}
    }
}

/// Waits until the lines are so, or are no more.
async fn becomes(passage: &mut watch::Receiver<Passage>, suits: impl FnMut(&Passage) -> bool) {
    let _ = passage.wait_for(suits).await;
}

/// Brings a gateway what the broker says, unless that is held back.
async fn bring(
    mut broker: ReadHalf<DuplexStream>,
    mut gateway: WriteHalf<DuplexStream>,
    mut passage: watch::Receiver<Passage>,
) -> io::Result<()> {
    let mut said = Vec::with_capacity(LINE_BYTES);
    loop {
        if passage.wait_for(|passage| !passage.holds_back).await.is_err() {
            return Ok(());
        }
        let read = tokio::select! {
            biased;
            _ = passage.wait_for(|passage| passage.holds_back) => continue,
            read = broker.read_buf(&mut said) => read?,
        };
        if read == 0 {
            return Ok(());
        }
        gateway.write_all(&said).await?;
        said.clear();
    }
}

fn ready(snapshot: &Snapshot) -> u32 {
    let ready = snapshot.queues.values().map(|queue| queue.ready).sum::<usize>();
    u32::try_from(ready).unwrap_or(u32::MAX)
}

fn consumers(snapshot: &Snapshot) -> usize {
    snapshot.queues.values().map(|queue| queue.consumers).sum()
}

/// Why the broker of a simulation does not do what it is asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BrokerError {
    #[error("the broker: {0}")]
    Link(#[from] LinkError),
    #[error("the broker: {0}")]
    Line(#[from] io::Error),
    #[error("the simulated broker is gone: {0}")]
    Ended(#[from] Ended),
}

impl From<BrokerError> for StageError {
    fn from(error: BrokerError) -> Self {
        Self::Failed(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{SimSource, Terms};
    use reference_server::broker::{EventSource, SourceEvent, Tag};
    use tokio::time::timeout;

    async fn broker(gateways: usize) -> (Broker, Vec<SimSource>) {
        broker_on(Terms::default(), gateways).await
    }

    async fn broker_on(terms: Terms, gateways: usize) -> (Broker, Vec<SimSource>) {
        let (dial, exchange) = lines();
        let broker = Broker::start(exchange, gateways, true, None, (Duration::ZERO, 1)).await.unwrap();
        let sources = (0..gateways).map(|at| SimSource::new(dial.clone(), topology(at, gateways), terms));
        (broker, sources.collect())
    }

    async fn delivery(source: &mut SimSource) -> (Tag, String) {
        match source.next().await {
            SourceEvent::Delivery { tag, body } => (tag, String::from_utf8(body.to_vec()).unwrap()),
            other => panic!("a delivery, not {other:?}"),
        }
    }

    fn bodies(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    /// What a gateway that died had not settled is delivered again, in order, before what came later; the rest is not.
    #[tokio::test(start_paused = true)]
    async fn the_unsettled_is_delivered_again() {
        let (mut broker, mut sources) = broker(1).await;
        let mut first = sources.remove(0);
        assert_eq!(first.next().await, SourceEvent::Up);
        broker.publish(&bodies(&["a", "b", "c", "d"]), "key").await.unwrap();
        let (acknowledged, _) = delivery(&mut first).await;
        let (rejected, _) = delivery(&mut first).await;
        delivery(&mut first).await;
        first.acknowledge_up_to(acknowledged).await;
        first.reject(rejected).await;
        let dial = first.dial();
        drop(first);
        assert_eq!(broker.ready_when_unconsumed().await.unwrap(), 2);
        let mut second = SimSource::new(dial, topology(0, 1), Terms::default());
        assert_eq!(second.next().await, SourceEvent::Up);
        assert_eq!([delivery(&mut second).await.1, delivery(&mut second).await.1], ["c", "d"]);
    }

    /// A gateway that is cut off sees it, and gets what it had not acknowledged, and what came meanwhile, when it is back.
    #[tokio::test(start_paused = true)]
    async fn an_outage_loses_nothing() {
        let (mut broker, mut sources) = broker(1).await;
        let source = &mut sources[0];
        assert_eq!(source.next().await, SourceEvent::Up);
        broker.publish(&bodies(&["a"]), "key").await.unwrap();
        let (old, _) = delivery(source).await;
        broker.set_up(false).await.unwrap();
        assert_eq!(source.next().await, SourceEvent::Down);
        broker.publish(&bodies(&["b"]), "key").await.unwrap();
        broker.set_up(true).await.unwrap();
        assert_eq!(source.next().await, SourceEvent::Up);
        source.acknowledge_up_to(old).await;
        assert_eq!([delivery(source).await.1, delivery(source).await.1], ["a", "b"]);
    }

    /// Each of several gateways gets every event.
    #[tokio::test(start_paused = true)]
    async fn every_gateway_has_a_queue() {
        let (mut broker, mut sources) = broker(2).await;
        for source in &mut sources {
            assert_eq!(source.next().await, SourceEvent::Up);
        }
        broker.publish(&bodies(&["a"]), "key").await.unwrap();
        for source in &mut sources {
            assert_eq!(delivery(source).await.1, "a");
        }
        assert_eq!(broker.consumed_queues().await, Some(2));
    }

    /// A broker that has lost everything finds it declared again; until then its topology is not as it should be.
    #[tokio::test(start_paused = true)]
    async fn what_is_forgotten_is_declared_again() {
        let (mut broker, mut sources) = broker(1).await;
        assert_eq!(sources[0].next().await, SourceEvent::Up);
        let sound = TopologyReport { exchange: Ok(()), queue: Ok(()) };
        assert_eq!(broker.topology().await.unwrap(), sound);
        broker.set_up(false).await.unwrap();
        broker.forget().await.unwrap();
        let exchange = Declaration::Exchange { name: EXCHANGE.to_owned() };
        let lost = broker.stands(&exchange).await.unwrap();
        assert_eq!(lost, Err(format!("NOT_FOUND - no exchange '{EXCHANGE}' in vhost '/'")));
        broker.set_up(true).await.unwrap();
        assert_eq!(sources[0].next().await, SourceEvent::Down);
        assert_eq!(sources[0].next().await, SourceEvent::Up);
        assert_eq!(broker.topology().await.unwrap(), sound);
    }
    /// What is held back reaches no gateway. When the gateway dies, what waits for its acknowledgement is put back; what waits for
    /// none is gone.
    #[tokio::test(start_paused = true)]
    async fn what_is_held_back_is_lost_where_none_acknowledges() {
        for (acknowledges, left) in [(true, 2), (false, 0)] {
            let (mut broker, mut sources) = broker_on(Terms { acknowledges, ..Terms::default() }, 1).await;
            let mut source = sources.remove(0);
            assert_eq!(source.next().await, SourceEvent::Up);
            broker.publish(&bodies(&["a"]), "key").await.unwrap();
            let (tag, _) = delivery(&mut source).await;
            source.acknowledge_up_to(tag).await;
            broker.hold_back(true);
            broker.publish(&bodies(&["b", "c"]), "key").await.unwrap();
            assert!(timeout(Duration::from_secs(1), source.next()).await.is_err(), "nothing comes");
            drop(source);
            assert_eq!(broker.ready_when_unconsumed().await.unwrap(), left);
            let unasked = if acknowledges { 0 } else { 3 };
            let acknowledged = u64::from(acknowledges);
            let settled = Settlements { acknowledged, rejected: 0, unasked };
            assert_eq!(broker.settlements().await.unwrap(), settled);
        }
    }

    /// What was held back comes, in order, when it is let go.
    #[tokio::test(start_paused = true)]
    async fn what_was_held_back_comes() {
        let (mut broker, mut sources) = broker(1).await;
        let source = &mut sources[0];
        assert_eq!(source.next().await, SourceEvent::Up);
        broker.hold_back(true);
        broker.publish(&bodies(&["a", "b"]), "key").await.unwrap();
        assert!(timeout(Duration::from_secs(1), source.next()).await.is_err(), "nothing comes");
        broker.hold_back(false);
        broker.publish(&bodies(&["c"]), "key").await.unwrap();
        for body in ["a", "b", "c"] {
            assert_eq!(delivery(source).await.1, body);
        }
    }
}
