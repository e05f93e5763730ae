//! The broker, and a gateway's end of it, which seeks and consumes as `reference_server::broker::RabbitMq` does.

use std::collections::VecDeque;
use std::time::Duration;

use embedded_broker::{BrokerConfig, Machine, Peer, Reply, Request};
use protocol::Backoff;
use reference_gateway::Input;
use scenarios::{Actor, Event, Plan};
use serde_json::{Value, json};

use super::{Due, World, micros};

const EXCHANGE: &str = "payments_events";
const QUEUE: &str = "ws_events";
/// Deliveries that may be unsettled at once.
const PREFETCH: u16 = 1024;
/// Delays between attempts to reach the broker.
const BACKOFF: Backoff =
    Backoff { initial: Duration::from_millis(200), max: Duration::from_secs(10), jitter: 0.2 };
/// Longest time for one attempt.
const CONNECT_TIMEOUT_US: u64 = 10_000_000;
/// How long it takes from a gateway to the broker, and back.
const LATENCY_US: u64 = 1000;

/// The broker.
pub(crate) struct BrokerNode {
    machine: Machine,
    publisher: Option<Peer>,
    /// What is published and not confirmed.
    unconfirmed: VecDeque<(String, Value)>,
    pub(crate) is_down: bool,
    /// Whether what it says is held back.
    is_silent: bool,
    held: Vec<(usize, Reply)>,
    /// Whether each gateway has a queue of its own.
    has_many: bool,
}

/// A gateway's end.
#[derive(Debug)]
pub(crate) struct Link {
    /// Which attempt this is, of all.
    epoch: u64,
    attempt: u32,
    peer: Option<Peer>,
    jitter: fastrand::Rng,
}

impl Link {
    pub(crate) fn new(seed: u64) -> Self {
        Self { epoch: 0, attempt: 0, peer: None, jitter: fastrand::Rng::with_seed(seed) }
    }
}

impl BrokerNode {
    pub(crate) fn new(plan: &Plan) -> Self {
        Self {
            machine: Machine::new(BrokerConfig::default()),
            publisher: None,
            unconfirmed: VecDeque::new(),
            is_down: false,
            is_silent: false,
            held: Vec::new(),
            has_many: plan.gateways > 1,
        }
    }

    pub(crate) fn begin(&mut self) {
        self.publisher(Duration::ZERO);
    }

    /// Services publish where the exchange stands.
    fn publisher(&mut self, now: Duration) -> Peer {
        if let Some(peer) = self.publisher {
            return peer;
        }
        let peer = self.machine.connect(now);
        self.machine.ask(now, peer, Request::Confirm);
        self.machine.ask(now, peer, Request::DeclareExchange { name: EXCHANGE.to_owned() });
        self.publisher = Some(peer);
        peer
    }

    fn queue(&self, gateway: usize, epoch: u64) -> String {
        if self.has_many { format!("{QUEUE}.{gateway}.{epoch}") } else { QUEUE.to_owned() }
    }
}

impl World<'_> {
    fn now(&self) -> Duration {
        Duration::from_micros(self.now_us)
    }

    /// A gateway seeks its broker after a delay.
    pub(super) fn seek_broker(&mut self, gateway: usize, delay: Duration) {
        let link = &mut self.gateways[gateway].link;
        link.epoch += 1;
        link.peer = None;
        let epoch = link.epoch;
        self.later(self.now_us + micros(delay), Due::SeekBroker(gateway, epoch));
    }

    fn seek_again(&mut self, gateway: usize) {
        let link = &mut self.gateways[gateway].link;
        let delay = BACKOFF.delay(link.attempt, link.jitter.f64());
        link.attempt = link.attempt.saturating_add(1);
        self.seek_broker(gateway, delay);
    }

    pub(super) fn reach_broker(&mut self, gateway: usize, epoch: u64) {
        let node = &self.gateways[gateway];
        if !node.is_up || node.link.epoch != epoch {
            return;
        }
        self.recorder.note(&self.gateways[gateway].actor, None, Event::BrokerDialled);
        if self.broker.is_down {
            return self.seek_again(gateway);
        }
        if self.broker.is_silent {
            return self.later(self.now_us + CONNECT_TIMEOUT_US, Due::BrokerTimeout(gateway, epoch));
        }
        let (now, queue) = (self.now(), self.broker.queue(gateway, epoch));
        let peer = self.broker.machine.connect(now);
        self.gateways[gateway].link.peer = Some(peer);
        self.gateways[gateway].link.attempt = 0;
        let exchange = EXCHANGE.to_owned();
        let requests = [
            Request::DeclareExchange { name: exchange.clone() },
            Request::DeclareQueue { name: queue.clone(), own: self.broker.has_many },
            Request::Bind { queue: queue.clone(), exchange, key: "#".to_owned() },
            Request::Consume { queue, prefetch: PREFETCH },
        ];
        for request in requests {
            for request in self.gateways[gateway].asks(request) {
                self.broker.machine.ask(now, peer, request);
            }
        }
        self.hear_broker();
    }

    pub(super) fn broker_timeout(&mut self, gateway: usize, epoch: u64) {
        let node = &self.gateways[gateway];
        if node.is_up && node.link.epoch == epoch && node.link.peer.is_none() {
            self.seek_again(gateway);
        }
    }

    /// The gateway's connection to the broker is over.
    pub(super) fn leave_broker(&mut self, gateway: usize) {
        let link = &mut self.gateways[gateway].link;
        link.epoch += 1;
        link.attempt = 0;
        if let Some(peer) = link.peer.take() {
            let now = self.now();
            self.broker.machine.leave(now, peer);
            self.hear_broker();
        }
    }

    pub(super) fn at_broker(&mut self, gateway: usize, epoch: u64, request: Request) {
        let link = &self.gateways[gateway].link;
        let Some(peer) = link.peer.filter(|_| link.epoch == epoch) else { return };
        let now = self.now();
        self.broker.machine.ask(now, peer, request);
        self.hear_broker();
    }

    fn ask_broker(&mut self, gateway: usize, request: Request) {
        let requests = self.gateways[gateway].asks(request);
        let epoch = self.gateways[gateway].link.epoch;
        for request in requests {
            self.later(self.now_us + LATENCY_US, Due::AtBroker(gateway, epoch, request));
        }
    }

    /// Sends on what the broker says.
    fn hear_broker(&mut self) {
        while let Some(reply) = self.broker.machine.poll() {
            let (Reply::Delivery { to, .. } | Reply::Confirmed { to, .. } | Reply::Ended { to }) = &reply;
            if Some(*to) == self.broker.publisher {
                self.reply_to_publisher(&reply);
            } else if let Some(gateway) = self.gateways.iter().position(|node| node.link.peer == Some(*to)) {
                self.later(self.now_us + LATENCY_US, Due::FromBroker(gateway, reply));
            }
        }
    }

    fn reply_to_publisher(&mut self, reply: &Reply) {
        match reply {
            // Each publish is confirmed before the next one: the broker answers at once.
            Reply::Confirmed { .. } => {
                while let Some((routing_key, body)) = self.broker.unconfirmed.pop_front() {
                    let event = Event::Published { routing_key, body, queues: None, as_sent: None };
                    self.recorder.note(&Actor::broker(), None, event);
                }
            }
            Reply::Ended { .. } => {
                self.broker.publisher = None;
                self.unrouted();
            }
            Reply::Delivery { .. } => {}
        }
    }

    fn unrouted(&mut self) {
        while let Some((routing_key, _)) = self.broker.unconfirmed.pop_front() {
            let exchange = EXCHANGE.to_owned();
            let event = Event::Unrouted { exchange, routing_key, bindings: Vec::new() };
            self.recorder.note(&Actor::broker(), None, event);
        }
    }

    /// A service publishes.
    pub(super) fn publish(&mut self, routing_key: &str, body: &str) {
        let now = self.now();
        let peer = self.broker.publisher(now);
        let value = serde_json::from_str(body).unwrap_or(Value::Null);
        self.broker.unconfirmed.push_back((routing_key.to_owned(), value));
        let before = self.broker.machine.unroutable();
        let request = Request::Publish {
            exchange: EXCHANGE.to_owned(),
            routing_key: routing_key.to_owned(),
            body: body.to_owned().into(),
        };
        self.broker.machine.ask(now, peer, request);
        if self.broker.machine.unroutable() > before {
            self.unrouted();
        }
        self.hear_broker();
    }

    pub(super) fn at_gateway(&mut self, gateway: usize, reply: Reply) {
        let (Reply::Delivery { to, .. } | Reply::Confirmed { to, .. } | Reply::Ended { to }) = &reply;
        if self.gateways[gateway].link.peer != Some(*to) {
            return;
        }
        if self.broker.is_silent {
            self.broker.held.push((gateway, reply));
            return;
        }
        match reply {
            Reply::Delivery { tag, body, .. } => self.deliver(gateway, tag, &body),
            Reply::Ended { .. } => {
                self.gateways[gateway].link.attempt = 0;
                self.seek_again(gateway);
            }
            Reply::Confirmed { .. } => {}
        }
    }

    fn deliver(&mut self, gateway: usize, tag: u64, body: &[u8]) {
        let wall = self.wall();
        if self.gateways[gateway].bridge.take(tag, body, wall).is_err() {
            return self.ask_broker(gateway, Request::Reject(tag));
        }
        let Some(broadcast) = self.gateways[gateway].bridge.broadcast() else { return };
        for delivery in broadcast.deliveries {
            self.tell_gateway(gateway, Input::Deliver(delivery));
        }
        if let Some(last) = self.gateways[gateway].bridge.accepted(0) {
            self.ask_broker(gateway, Request::AcknowledgeUpTo(last));
        }
    }

    /// The broker is away: connections end, and there are no new ones.
    pub(super) fn broker_down(&mut self) {
        self.broker.is_down = true;
        let now = self.now();
        for gateway in 0..self.gateways.len() {
            if let Some(peer) = self.gateways[gateway].link.peer {
                self.broker.machine.leave(now, peer);
                self.later(self.now_us + LATENCY_US, Due::FromBroker(gateway, Reply::Ended { to: peer }));
            }
        }
        self.hear_broker();
    }

    /// The broker's network holds back what it says, or does so no more.
    pub(super) fn broker_silent(&mut self, is_silent: bool) {
        self.broker.is_silent = is_silent;
        if !is_silent {
            for (gateway, reply) in std::mem::take(&mut self.broker.held) {
                self.at_gateway(gateway, reply);
            }
        }
    }

    /// The broker deletes the queues that gateways consume, and the exchange with them where it forgets all.
    pub(super) fn broker_deletes(&mut self, exchange: bool) {
        let now = self.now();
        let admin = self.broker.machine.connect(now);
        for gateway in 0..self.gateways.len() {
            let link = &self.gateways[gateway].link;
            if link.peer.is_some() {
                let name = self.broker.queue(gateway, link.epoch);
                self.broker.machine.ask(now, admin, Request::DeleteQueue { name });
            }
        }
        if exchange {
            self.broker.machine.ask(now, admin, Request::DeleteExchange { name: EXCHANGE.to_owned() });
        }
        self.broker.machine.leave(now, admin);
        self.hear_broker();
    }

    pub(super) fn broker_closes_channels(&mut self) {
        let now = self.now();
        self.broker.machine.close_consuming(now);
        self.hear_broker();
    }

    /// What the broker says of its queues at the end.
    pub(super) fn report_broker(&mut self) {
        let snapshot = self.broker.machine.snapshot();
        let queues = snapshot.queues.iter().map(|(name, queue)| {
            (
                name.clone(),
                json!({ "ready": queue.ready, "unacked": queue.unacked, "consumers": queue.consumers }),
            )
        });
        let body = Value::Object(queues.collect()).to_string();
        let event = Event::Answered { path: "/queues".to_owned(), status: 200, body };
        self.recorder.note(&Actor::broker(), None, event);
    }
}
