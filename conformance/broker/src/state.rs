//! The broker as a machine: frames in, frames out, no socket and no clock.
//!
//! Give [`State::handle`] one input, then drain [`State::poll`] to the end. Whatever an input makes possible (a
//! delivery, an expiry, a dead letter) has happened when `handle` returns.

mod channel;
mod connection;
mod consume;
mod content;
mod dead_letter;
mod deliver;
mod expire;
mod handshake;
mod methods;
mod publish;
mod reply_to;
mod report;
mod settle;
#[cfg(test)]
mod tests;

use super::config::BrokerConfig;
use super::fault::Fault;
use super::message::Message;
use super::topology::{Queue, QueueId, Topology};
use super::wire::Frame;
use amq_protocol::protocol::{AMQPClass, AMQPHardError};
use amq_protocol::types::ShortString;
use connection::Connection;
use consume::Consumer;
use dead_letter::Death;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// What a method weighs in an outbox, in bytes: about the size of the usual ones.
const METHOD_BYTES: usize = 64;

/// Identifies a connection. Ids grow and are never reused, so late events of a dead socket match no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ConnectionId(pub(crate) u64);

/// Names a consumer, likewise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ConsumerId(u64);

/// When an input arrives.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Moment {
    /// Since the broker started. Never steps back.
    pub(crate) elapsed: Duration,
    /// Seconds since 1970, for the `time` of dead letters.
    pub(crate) unix_seconds: u64,
}

/// The machine's inputs.
#[derive(Debug)]
pub(crate) enum Input {
    /// A client has dialled and sent the protocol header.
    Connected(ConnectionId),
    /// Frames of one client, in their order.
    Frames(ConnectionId, Vec<Frame>),
    /// A client sent what cannot be read. Nothing more is read from it.
    Malformed(ConnectionId, Fault),
    /// Outputs of this weight have been written to a client's socket.
    Flushed(ConnectionId, usize),
    /// A client's socket has closed.
    Gone(ConnectionId),
    /// The deadline has passed.
    Tick,
    /// All channels that consume are to be closed, as for an acknowledgement that is overdue, apart from those that consume one of
    /// these queues.
    CloseConsuming(BTreeSet<String>),
    /// Queues of these names are to be deleted, whoever they belong to.
    DeleteQueues(BTreeSet<String>),
    /// All connections are to be closed with a reason.
    Shutdown,
}

/// What the machine wants done, in this order.
#[derive(Debug)]
pub(crate) enum Output {
    /// Write a method.
    Method { to: ConnectionId, channel: u16, method: AMQPClass },
    /// Write a method and the content that belongs to it.
    Content { to: ConnectionId, channel: u16, method: AMQPClass, message: Arc<Message> },
    /// The two sides have agreed on a frame size and a heartbeat in seconds (zero for none).
    Tuned { to: ConnectionId, frame_max: u32, heartbeat: u16 },
    /// The client may now take its time.
    Opened { to: ConnectionId },
    /// A close was sent to the client, which should answer before the handshake timeout.
    Closing { to: ConnectionId },
    /// Write out what is pending, then close the socket.
    HangUp { to: ConnectionId },
    /// Close the socket at once.
    Abort { to: ConnectionId },
}

impl Output {
    /// Whom it is for.
    pub(crate) fn recipient(&self) -> ConnectionId {
        match *self {
            Self::Method { to, .. }
            | Self::Content { to, .. }
            | Self::Tuned { to, .. }
            | Self::Opened { to }
            | Self::Closing { to }
            | Self::HangUp { to }
            | Self::Abort { to } => to,
        }
    }

    /// What it weighs, in bytes; to be reported by [`Input::Flushed`] once written.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::Method { .. } => METHOD_BYTES,
            Self::Content { message, .. } => METHOD_BYTES + message.weight(),
            Self::Tuned { .. }
            | Self::Opened { .. }
            | Self::Closing { .. }
            | Self::HangUp { .. }
            | Self::Abort { .. } => 0,
        }
    }
}

/// All that a broker knows.
#[derive(Debug)]
pub(crate) struct State {
    config: BrokerConfig,
    now: Moment,
    names: fastrand::Rng,
    topology: Topology,
    connections: BTreeMap<ConnectionId, Connection>,
    consumers: BTreeMap<ConsumerId, Consumer>,
    next_consumer: u64,
    /// Queues that may have something to deliver or to drop.
    dirty: BTreeSet<QueueId>,
    /// Queues that may hold messages that expire.
    expiring: BTreeSet<QueueId>,
    /// Queues that are deleted when they are not used for a while.
    expirable: BTreeSet<QueueId>,
    /// Where replies go, by the made-up name of their queue.
    reply_channels: BTreeMap<ShortString, (ConnectionId, u16)>,
    /// Arguments that were accepted and change nothing here, and how often.
    ignored_arguments: BTreeMap<String, u64>,
    refused_logins: BTreeMap<String, u64>,
    /// Messages that died and have not been dead-lettered yet.
    dead: VecDeque<Death>,
    /// Channels with confirms to send.
    unconfirmed: BTreeSet<(ConnectionId, u16)>,
    /// Connections that let too much pile up.
    overflowing: BTreeSet<ConnectionId>,
    outputs: VecDeque<Output>,
    published: u64,
    unroutable: u64,
    refused: u64,
    acknowledged: u64,
    rejected: u64,
    unasked: u64,
}

impl State {
    pub(crate) fn new(config: BrokerConfig) -> Self {
        Self {
            now: Moment::default(),
            names: fastrand::Rng::with_seed(config.seed),
            topology: Topology::new(config.limits.clone()),
            connections: BTreeMap::new(),
            consumers: BTreeMap::new(),
            next_consumer: 0,
            dirty: BTreeSet::new(),
            expiring: BTreeSet::new(),
            expirable: BTreeSet::new(),
            reply_channels: BTreeMap::new(),
            ignored_arguments: BTreeMap::new(),
            refused_logins: BTreeMap::new(),
            dead: VecDeque::new(),
            unconfirmed: BTreeSet::new(),
            overflowing: BTreeSet::new(),
            outputs: VecDeque::new(),
            published: 0,
            unroutable: 0,
            refused: 0,
            acknowledged: 0,
            rejected: 0,
            unasked: 0,
            config,
        }
    }

    /// Takes one input and does everything that follows from it.
    pub(crate) fn handle(&mut self, now: Moment, input: Input) {
        self.now = now;
        match input {
            Input::Connected(id) => self.greet(id),
            Input::Frames(id, frames) => {
                for frame in frames {
                    self.on_frame(id, frame);
                    self.settle_queues();
                }
                self.send_confirms();
            }
            Input::Malformed(id, fault) => self.close_connection(id, &fault, (0, 0)),
            Input::Flushed(id, weight) => self.on_flushed(id, weight),
            Input::Gone(id) => self.forget_connection(id),
            Input::Tick => {}
            Input::CloseConsuming(spared) => {
                let mut channels = BTreeMap::<_, bool>::new();
                for consumer in self.consumers.values() {
                    let queue = self.topology.queues().find(|(id, _)| *id == consumer.queue);
                    let is_spared = queue.is_some_and(|(_, queue)| spared.contains(queue.name.as_str()));
                    *channels.entry((consumer.connection, consumer.channel)).or_default() |= is_spared;
                }
                for ((id, number), _) in channels.into_iter().filter(|(_, is_spared)| !is_spared) {
                    let detail = format!("delivery acknowledgement on channel {number} timed out");
                    self.fail(id, number, &Fault::precondition(detail), (0, 0));
                }
            }
            Input::DeleteQueues(names) => {
                let is_named = |queue: &Queue| names.contains(queue.name.as_str());
                let queues = self.topology.queues().filter(|(_, queue)| is_named(queue));
                for id in queues.map(|(id, _)| id).collect::<Vec<_>>() {
                    self.delete_queue(id);
                }
            }
            Input::Shutdown => {
                let fault = Fault::hard(
                    AMQPHardError::CONNECTIONFORCED,
                    "broker forced connection closure with reason 'shutdown'",
                );
                for id in self.connections.keys().copied().collect::<Vec<_>>() {
                    self.close_connection(id, &fault, (0, 0));
                }
            }
        }
        self.expire();
        self.settle_queues();
        self.cut_off_overflowing();
    }

    /// The bounds that it keeps.
    pub(crate) fn limits(&self) -> &super::config::Limits {
        &self.config.limits
    }

    /// How many messages no queue took.
    pub(crate) fn unroutable(&self) -> u64 {
        self.unroutable
    }

    /// The next thing to do, until there is none.
    pub(crate) fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to send [`Input::Tick`], if nothing else happens before. It may change with every input; an early tick
    /// does nothing.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        let messages = self.expiring.iter().filter_map(|id| self.topology.queue(*id).head_expiry());
        let queues = self.expirable.iter().filter_map(|id| self.topology.queue(*id).expiry());
        messages.chain(queues).min()
    }

    /// Queues an output, and counts it against its recipient.
    fn emit(&mut self, output: Output) {
        let to = output.recipient();
        if let Some(connection) = self.connections.get_mut(&to) {
            connection.unflushed += output.weight();
            if connection.unflushed > self.config.limits.outbox_max_bytes {
                self.overflowing.insert(to);
            }
        }
        self.outputs.push_back(output);
    }

    fn send(&mut self, to: ConnectionId, channel: u16, method: AMQPClass) {
        self.emit(Output::Method { to, channel, method });
    }

    /// Delivers, trims and dead-letters until nothing more can move.
    fn settle_queues(&mut self) {
        loop {
            if let Some(queue) = self.dirty.pop_first() {
                self.deliver_from(queue);
                self.trim(queue);
            } else if let Some(death) = self.dead.pop_front() {
                self.dead_letter(&death);
            } else {
                return;
            }
        }
    }

    fn cut_off_overflowing(&mut self) {
        while let Some(id) = self.overflowing.pop_first() {
            if self.connections.contains_key(&id) {
                self.emit(Output::Abort { to: id });
                self.forget_connection(id);
                self.settle_queues();
            }
        }
    }

    /// An unused name, in RabbitMQ's form.
    fn make_up_name(&mut self, prefix: &str) -> String {
        const LETTERS: usize = 22;
        let letters = std::iter::repeat_with(|| self.names.alphanumeric()).take(LETTERS);
        format!("{prefix}{}", letters.collect::<String>())
    }
}
