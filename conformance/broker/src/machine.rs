//! The broker's state without sockets, for simulations that have a network of their own: messages in, messages out, in an order and at
//! times that the caller decides.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use amq_protocol::protocol::{AMQPClass, basic, channel, confirm, connection, exchange, queue};
use amq_protocol::types::{AMQPValue, FieldTable};
use bytes::Bytes;

use super::config::BrokerConfig;
use super::message::encode_properties;
use super::snapshot::Snapshot;
use super::state::{ConnectionId, Input, Moment, Output, State};
use super::wire::{ContentHeader, Frame};

/// The channel on which a client does everything.
const CHANNEL: u16 = 1;

/// A broker whose clients call it. After each call, [`Machine::poll`] is to be drained.
///
/// ```
/// use std::time::Duration;
///
/// use embedded_broker::{BrokerConfig, Machine, Request, Reply};
///
/// let now = Duration::ZERO;
/// let mut broker = Machine::new(BrokerConfig::default());
/// let client = broker.connect(now);
/// let name = "work".to_owned();
/// broker.ask(now, client, Request::DeclareQueue { name: name.clone(), own: false });
/// broker.ask(now, client, Request::Consume { queue: name.clone(), prefetch: 1 });
/// broker.ask(now, client, Request::Publish { exchange: String::new(), routing_key: name, body: "a".into() });
/// assert!(matches!(broker.poll(), Some(Reply::Delivery { tag: 1, .. })));
/// ```
#[derive(Debug)]
pub struct Machine {
    state: State,
    last: u64,
    /// Bodies of messages that clients publish, none of which has properties.
    properties: Bytes,
    replies: VecDeque<Reply>,
    /// Clients whose connection or channel stands.
    peers: BTreeSet<Peer>,
}

/// A client's connection, with one channel. They are never the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Peer(u64);

/// What a client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// A durable topic exchange.
    DeclareExchange {
        /// Its name.
        name: String,
    },
    /// A queue: durable and open to others, or the client's own, gone with its consumer and its connection.
    DeclareQueue {
        /// Its name.
        name: String,
        /// Whether it is the client's own.
        own: bool,
    },
    /// What of an exchange goes to a queue.
    Bind {
        /// The queue.
        queue: String,
        /// The exchange.
        exchange: String,
        /// Which routing keys.
        key: String,
    },
    /// Deliveries from a queue, so many of them unsettled at once.
    Consume {
        /// The queue.
        queue: String,
        /// How many; zero for any number.
        prefetch: u16,
    },
    /// Publishes are confirmed from now on.
    Confirm,
    /// A persistent message.
    Publish {
        /// The exchange; the default one has no name.
        exchange: String,
        /// The routing key.
        routing_key: String,
        /// The body.
        body: Bytes,
    },
    /// Settles all deliveries up to this one.
    AcknowledgeUpTo(u64),
    /// Rejects a delivery for good.
    Reject(u64),
    /// Deletes a queue; its consumers learn of it.
    DeleteQueue {
        /// Its name.
        name: String,
    },
    /// Deletes an exchange.
    DeleteExchange {
        /// Its name.
        name: String,
    },
}

/// What the broker sends to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// A message.
    Delivery {
        /// The client.
        to: Peer,
        /// What settles it.
        tag: u64,
        /// The body.
        body: Bytes,
        /// Whether it was delivered before.
        redelivered: bool,
    },
    /// All that it has published up to this number, counted from 1, is in its queues.
    Confirmed {
        /// The client.
        to: Peer,
        /// The number.
        up_to: u64,
    },
    /// Its consumer, its channel or its connection is over. What it has not settled is ready again.
    Ended {
        /// The client.
        to: Peer,
    },
}

impl Machine {
    /// A broker without clients and queues.
    pub fn new(config: BrokerConfig) -> Self {
        Self {
            state: State::new(config),
            last: 0,
            properties: encode_properties(&basic::AMQPProperties::default().with_delivery_mode(2)),
            replies: VecDeque::new(),
            peers: BTreeSet::new(),
        }
    }

    /// What it holds.
    pub fn snapshot(&self) -> Snapshot {
        self.state.snapshot()
    }

    /// How many messages no queue took.
    pub fn unroutable(&self) -> u64 {
        self.state.unroutable()
    }

    /// The next reply, until there is none.
    pub fn poll(&mut self) -> Option<Reply> {
        self.replies.pop_front()
    }

    /// A client connects as `guest`, and opens its channel. It takes note of a consumer that ends.
    pub fn connect(&mut self, now: Duration) -> Peer {
        self.last += 1;
        let peer = Peer(self.last);
        self.peers.insert(peer);
        self.give(now, Input::Connected(ConnectionId(peer.0)));
        let mut capabilities = FieldTable::default();
        capabilities.insert("consumer_cancel_notify".into(), AMQPValue::Boolean(true));
        let mut client_properties = FieldTable::default();
        client_properties.insert("capabilities".into(), AMQPValue::FieldTable(capabilities));
        let start_ok = connection::StartOk {
            client_properties,
            mechanism: "PLAIN".into(),
            response: "\0guest\0guest".into(),
            locale: "en_US".into(),
        };
        let limits = self.state.limits();
        let tune_ok =
            connection::TuneOk { channel_max: limits.channels, frame_max: limits.frame_bytes, heartbeat: 0 };
        let open = connection::Open { virtual_host: "/".into() };
        use connection::AMQPMethod as Method;
        let methods = [Method::StartOk(start_ok), Method::TuneOk(tune_ok), Method::Open(open)];
        let mut frames: Vec<_> =
            methods.into_iter().map(|method| Frame::Method(0, AMQPClass::Connection(method))).collect();
        let channel = AMQPClass::Channel(channel::AMQPMethod::Open(channel::Open {}));
        frames.push(Frame::Method(CHANNEL, channel));
        self.give(now, Input::Frames(ConnectionId(peer.0), frames));
        peer
    }

    /// A client asks for something. Nothing happens where it is not connected any more.
    pub fn ask(&mut self, now: Duration, peer: Peer, request: Request) {
        if self.peers.contains(&peer) {
            let frames = self.frames(request);
            self.give(now, Input::Frames(ConnectionId(peer.0), frames));
        }
    }

    /// A client is gone, however that came. It gets no reply.
    pub fn leave(&mut self, now: Duration, peer: Peer) {
        if self.peers.remove(&peer) {
            self.give(now, Input::Gone(ConnectionId(peer.0)));
        }
    }

    /// Ends the channels that consume, as for an acknowledgement that is overdue.
    pub fn close_consuming(&mut self, now: Duration) {
        self.give(now, Input::CloseConsuming(BTreeSet::new()));
    }

    fn frames(&self, request: Request) -> Vec<Frame> {
        use basic::AMQPMethod as Basic;
        let method = match request {
            Request::DeclareExchange { name } => {
                AMQPClass::Exchange(exchange::AMQPMethod::Declare(exchange::Declare {
                    exchange: name.into(),
                    kind: "topic".into(),
                    durable: true,
                    ..exchange::Declare::default()
                }))
            }
            Request::DeclareQueue { name, own } => {
                AMQPClass::Queue(queue::AMQPMethod::Declare(queue::Declare {
                    queue: name.into(),
                    durable: !own,
                    exclusive: own,
                    auto_delete: own,
                    ..queue::Declare::default()
                }))
            }
            Request::Bind { queue, exchange, key } => {
                AMQPClass::Queue(queue::AMQPMethod::Bind(queue::Bind {
                    queue: queue.into(),
                    exchange: exchange.into(),
                    routing_key: key.into(),
                    ..queue::Bind::default()
                }))
            }
            Request::Consume { queue, prefetch } => {
                let qos = basic::Qos { prefetch_count: prefetch, global: false };
                let consume = basic::Consume { queue: queue.into(), ..basic::Consume::default() };
                return [Basic::Qos(qos), Basic::Consume(consume)]
                    .into_iter()
                    .map(|method| Frame::Method(CHANNEL, AMQPClass::Basic(method)))
                    .collect();
            }
            Request::Confirm => {
                AMQPClass::Confirm(confirm::AMQPMethod::Select(confirm::Select { nowait: false }))
            }
            Request::Publish { exchange, routing_key, body } => {
                let publish = basic::Publish {
                    exchange: exchange.into(),
                    routing_key: routing_key.into(),
                    ..basic::Publish::default()
                };
                let header = ContentHeader {
                    body_size: body.len() as u64,
                    properties: self.properties.clone(),
                    ..ContentHeader::default()
                };
                let method = Frame::Method(CHANNEL, AMQPClass::Basic(Basic::Publish(publish)));
                let mut frames = vec![method, Frame::Header(CHANNEL, header)];
                if !body.is_empty() {
                    frames.push(Frame::Body(CHANNEL, body));
                }
                return frames;
            }
            Request::AcknowledgeUpTo(delivery_tag) => {
                AMQPClass::Basic(Basic::Ack(basic::Ack { delivery_tag, multiple: true }))
            }
            Request::Reject(delivery_tag) => {
                AMQPClass::Basic(Basic::Reject(basic::Reject { delivery_tag, requeue: false }))
            }
            Request::DeleteQueue { name } => {
                let delete = queue::Delete { queue: name.into(), ..queue::Delete::default() };
                AMQPClass::Queue(queue::AMQPMethod::Delete(delete))
            }
            Request::DeleteExchange { name } => {
                let delete = exchange::Delete { exchange: name.into(), ..exchange::Delete::default() };
                AMQPClass::Exchange(exchange::AMQPMethod::Delete(delete))
            }
        };
        vec![Frame::Method(CHANNEL, method)]
    }

    fn give(&mut self, now: Duration, input: Input) {
        let moment = Moment { elapsed: now, unix_seconds: now.as_secs() };
        self.state.handle(moment, input);
        let mut over = Vec::new();
        let mut written = BTreeMap::<ConnectionId, usize>::new();
        while let Some(output) = self.state.poll() {
            *written.entry(output.recipient()).or_default() += output.weight();
            self.reply(output, &mut over);
        }
        // There is no socket for a reply to wait for.
        for (to, weight) in written.into_iter().filter(|(_, weight)| *weight > 0) {
            self.give(now, Input::Flushed(to, weight));
        }
        for peer in over {
            if self.peers.remove(&peer) {
                self.replies.push_back(Reply::Ended { to: peer });
                self.give(now, Input::Gone(ConnectionId(peer.0)));
            }
        }
    }

    fn reply(&mut self, output: Output, over: &mut Vec<Peer>) {
        let to = Peer(output.recipient().0);
        match output {
            Output::Content {
                method: AMQPClass::Basic(basic::AMQPMethod::Deliver(deliver)),
                message,
                ..
            } => {
                self.replies.push_back(Reply::Delivery {
                    to,
                    tag: deliver.delivery_tag,
                    body: message.body.clone(),
                    redelivered: deliver.redelivered,
                });
            }
            Output::Method { method: AMQPClass::Basic(basic::AMQPMethod::Ack(ack)), .. } => {
                self.replies.push_back(Reply::Confirmed { to, up_to: ack.delivery_tag });
            }
            Output::Method {
                method:
                    AMQPClass::Basic(basic::AMQPMethod::Cancel(_))
                    | AMQPClass::Channel(channel::AMQPMethod::Close(_))
                    | AMQPClass::Connection(connection::AMQPMethod::Close(_)),
                ..
            }
            | Output::HangUp { .. }
            | Output::Abort { .. } => over.push(to),
            Output::Method { .. }
            | Output::Content { .. }
            | Output::Tuned { .. }
            | Output::Opened { .. }
            | Output::Closing { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests;
