//! A gateway's end of the broker: reached, declared and consumed from as `reference_server::broker::RabbitMq` does it.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use reference_server::broker::{Declaration, EventSource, SourceEvent, Tag, Topology};
use tokio::io::DuplexStream;
use tokio::time::Sleep;

use crate::amqp::{Assembly, Link, LinkError};
use crate::broker::Dial;

/// Deliveries that may be unacknowledged at once.
const PREFETCH: u16 = 256;

/// How a gateway consumes.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// Whether its deliveries wait for an acknowledgement.
    pub acknowledges: bool,
    /// How long it waits before it seeks the broker again.
    pub reconnect: Duration,
    /// Deliveries that may be unacknowledged at once; zero for any number.
    pub prefetch: u16,
    /// Whether it takes the heartbeat that the broker proposes, and notices by that when it falls silent.
    pub beats: bool,
    /// Whether it consumes again where the broker ends its consumer or its channel, and the connection lives.
    pub recovers: bool,
    /// Whether it makes a durable queue of another name each time that it connects.
    pub queues_anew: bool,
}

/// A source of events for one gateway.
pub(crate) struct SimSource {
    dial: Dial,
    topology: Topology,
    terms: Terms,
    epoch: u64,
    state: State,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            acknowledges: true,
            reconnect: Duration::from_millis(200),
            prefetch: PREFETCH,
            beats: true,
            recovers: true,
            queues_anew: false,
        }
    }
}

/// How far a source has come; kept between calls, so that they can be cancelled.
enum State {
    Idle,
    Connecting(Pin<Box<dyn Future<Output = Result<Consuming, LinkError>> + Send>>),
    Resting(Pin<Box<Sleep>>),
    Consuming(Box<Consuming>),
}

struct Consuming {
    link: Link<DuplexStream>,
    channel: u16,
    assembly: Assembly,
}

impl State {
    fn resting(terms: Terms) -> Self {
        Self::Resting(Box::pin(tokio::time::sleep(terms.reconnect)))
    }
}

impl SimSource {
    /// A source that begins to seek its broker at the first [`EventSource::next`].
    pub(crate) fn new(dial: Dial, topology: Topology, terms: Terms) -> Self {
        Self { dial, topology, terms, epoch: 0, state: State::Idle }
    }

    /// How it reaches the broker.
    #[cfg(test)]
    pub(crate) fn dial(&self) -> Dial {
        self.dial.clone()
    }

    /// What deliveries of this epoch are settled on, where they are.
    fn consuming(&mut self, tag: Tag) -> Option<&mut Consuming> {
        match &mut self.state {
            State::Consuming(consuming) if tag.epoch == self.epoch && self.terms.acknowledges => {
                Some(consuming)
            }
            State::Idle | State::Connecting(_) | State::Resting(_) | State::Consuming(_) => None,
        }
    }
}

impl Consuming {
    /// Connects, declares what must stand, and begins to consume.
    async fn begin(dial: Dial, topology: Topology, terms: Terms) -> Result<Self, LinkError> {
        let mut link = Link::open(dial.dial().await?, terms.beats).await?;
        let channel = link.channel().await?;
        for declaration in &topology.declarations {
            link.declare(channel, declaration).await?;
        }
        link.consume(channel, &topology.queue, terms.prefetch, terms.acknowledges).await?;
        Ok(Self { link, channel, assembly: Assembly::default() })
    }
}

impl EventSource for SimSource {
    async fn next(&mut self) -> SourceEvent {
        loop {
            match &mut self.state {
                State::Idle => {
                    let topology = match self.terms.queues_anew {
                        true => renamed(&self.topology, self.epoch),
                        false => self.topology.clone(),
                    };
                    let begin = Consuming::begin(self.dial.clone(), topology, self.terms);
                    self.state = State::Connecting(Box::pin(begin));
                }
                State::Connecting(begun) => match begun.await {
                    Ok(consuming) => {
                        self.epoch += 1;
                        self.state = State::Consuming(Box::new(consuming));
                        return SourceEvent::Up;
                    }
                    Err(error) => {
                        tracing::debug!("the broker cannot be consumed from: {error}");
                        self.state = State::resting(self.terms);
                    }
                },
                State::Resting(rest) => {
                    rest.await;
                    self.state = State::Idle;
                }
                State::Consuming(consuming) => match consuming.link.delivery(&mut consuming.assembly).await {
                    Ok(delivery) => {
                        let tag = Tag { epoch: self.epoch, number: delivery.tag };
                        return SourceEvent::Delivery { tag, body: delivery.body.into() };
                    }
                    Err(LinkError::Unexpected(_)) if !self.terms.recovers => std::future::pending().await,
                    Err(error) => {
                        tracing::debug!("the broker is gone: {error}");
                        self.state = State::resting(self.terms);
                        return SourceEvent::Down;
                    }
                },
            }
        }
    }

    // A broker that is gone puts everything back by itself, and `next` will see that it is.

    async fn acknowledge_up_to(&mut self, tag: Tag) {
        if let Some(consuming) = self.consuming(tag) {
            let _ = consuming.link.acknowledge(consuming.channel, tag.number, true).await;
        }
    }

    async fn reject(&mut self, tag: Tag) {
        if let Some(consuming) = self.consuming(tag) {
            let _ = consuming.link.reject(consuming.channel, tag.number).await;
        }
    }
}

/// The topology with another queue.
fn renamed(topology: &Topology, number: u64) -> Topology {
    let queue = format!("{}.{number}", topology.queue);
    let declarations = topology.declarations.iter().cloned().map(|declaration| match declaration {
        Declaration::Queue { kind, dead_letter_exchange, .. } => {
            Declaration::Queue { name: queue.clone(), kind, dead_letter_exchange }
        }
        Declaration::Binding { exchange, key, .. } => {
            Declaration::Binding { queue: queue.clone(), exchange, key }
        }
        declaration @ Declaration::Exchange { .. } => declaration,
    });
    Topology { declarations: declarations.collect(), queue }
}
