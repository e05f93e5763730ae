//! A gateway: its machine, its bridge, and what their drivers do.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use embedded_broker::Request;
use protocol::{Claims, CloseCode, Dialect, UserId};
use reference_gateway::{
    Bridge, ConnectionId, Gateway, GatewayConfig, Input, Output, RateLimit, RoutingTable, close_frame,
};
use scenarios::{Actor, Event, Plan};

use super::broker::Link;
use super::connection::{Connection, Far};
use super::pipe::Item;
use super::{Due, World, micros};
use crate::defect::{Defect, DefectMaker};

/// Bytes that may wait for one connection (BRIDGE-12): few, so that a slow reader is soon one.
pub(crate) const OUTBOX_BYTES: usize = 16 * 1024;
/// Longest time that a closing handshake, or the last bytes of a connection, may take, as the driver has it.
const CLOSING_US: u64 = 5_000_000;
/// How long a gateway that drains may take (CONN-6).
const GRACE_US: u64 = 10_000_000;
/// Rooms of one connection.
const MAX_ROOMS: usize = 100;
/// Messages that a client may send each second.
const MESSAGE_RATE: RateLimit = RateLimit { per_second: 100 };

/// A gateway.
pub(crate) struct GatewayNode {
    pub(crate) actor: Actor,
    config: GatewayConfig,
    machine: Gateway,
    pub(crate) bridge: Bridge<u64>,
    pub(crate) link: Link,
    pub(crate) defect: Option<Box<dyn Defect>>,
    /// Its connections, as its machine knows them.
    open: BTreeMap<ConnectionId, usize>,
    last: u64,
    armed_us: Option<u64>,
    pub(crate) is_up: bool,
    has_power: bool,
    drains: bool,
    /// How often it was started again.
    boot: u64,
    make_defect: Option<DefectMaker>,
}

impl GatewayNode {
    pub(crate) fn new(number: usize, plan: &Plan, dialect: &Dialect, defect: Option<DefectMaker>) -> Self {
        let config = GatewayConfig {
            dialect: dialect.clone(),
            ping_interval: plan.timing.ping_interval,
            pong_timeout: plan.timing.pong_timeout,
            max_rooms: MAX_ROOMS,
            message_rate: MESSAGE_RATE,
            leeway_s: 0,
        };
        let jitter = plan.seed.wrapping_mul(31).wrapping_add(number as u64);
        Self {
            actor: Plan::gateway_actor(number),
            machine: Gateway::new(config.clone()),
            bridge: Bridge::new(RoutingTable::default(), dialect.clone(), 1),
            config,
            link: Link::new(jitter),
            defect: defect.map(|make| make()),
            open: BTreeMap::new(),
            last: 0,
            armed_us: None,
            is_up: true,
            has_power: true,
            drains: false,
            boot: 0,
            make_defect: defect,
        }
    }

    /// What it asks its broker for.
    pub(crate) fn asks(&mut self, request: Request) -> Vec<Request> {
        match &mut self.defect {
            Some(defect) => defect.broker_request(request),
            None => vec![request],
        }
    }
}

impl World<'_> {
    pub(super) fn gateway_timer(&mut self, gateway: usize) {
        let node = &mut self.gateways[gateway];
        node.armed_us = None;
        if node.is_up {
            self.tell_gateway(gateway, Input::Timer);
        }
    }

    fn arm_gateway(&mut self, gateway: usize) {
        let node = &mut self.gateways[gateway];
        let Some(deadline) = node.machine.deadline() else { return };
        let at_us = micros(deadline).max(self.now_us + 1);
        if node.armed_us.is_none_or(|armed| at_us < armed || armed < self.now_us) {
            node.armed_us = Some(at_us);
            self.later(at_us, Due::Gateway(gateway));
        }
    }

    /// Gives the machine an input, and does all that follows from it.
    pub(super) fn tell_gateway(&mut self, gateway: usize, input: Input) {
        let now = self.of_gateway();
        let mut inputs = VecDeque::new();
        match &mut self.gateways[gateway].defect {
            Some(defect) => inputs.extend(defect.gateway_input(now, input)),
            None => inputs.push_back(input),
        }
        while let Some(input) = inputs.pop_front() {
            self.gateways[gateway].machine.handle(now, input);
            let mut dirty = BTreeSet::new();
            while let Some(output) = self.gateways[gateway].machine.poll() {
                let outputs = match &mut self.gateways[gateway].defect {
                    Some(defect) => defect.gateway_output(now, output),
                    None => vec![output],
                };
                for output in outputs {
                    dirty.extend(self.do_for_gateway(gateway, output));
                }
            }
            for at in dirty {
                self.write_down(at);
                let Connection { far, backlog, .. } = &self.connections[at];
                if let Far::Open(id) = far
                    && backlog.is_over()
                {
                    inputs.push_back(Input::Slow(*id));
                }
            }
        }
        self.arm_gateway(gateway);
    }

    /// Does something, and says which connection has something to write.
    fn do_for_gateway(&mut self, gateway: usize, output: Output) -> Option<usize> {
        let (Output::Send(id, _)
        | Output::Close(id, _)
        | Output::CutOff(id, _)
        | Output::Shed(id)
        | Output::Drop(id)) = &output;
        let at = *self.gateways[gateway].open.get(id)?;
        match output {
            Output::Send(_, bytes) => self.connections[at].backlog.append(bytes),
            Output::Close(id, code) | Output::CutOff(id, code) => {
                self.connections[at].backlog.append(close_frame(code));
                self.ends(gateway, id, at, Far::Closing);
            }
            Output::Shed(id) => {
                self.connections[at].backlog.shed();
                self.ends(gateway, id, at, Far::Flushing);
            }
            Output::Drop(id) => {
                self.gateways[gateway].open.remove(&id);
                self.over_far(at);
                self.send_down(at, Item::Reset);
                return None;
            }
        }
        Some(at)
    }

    fn ends(&mut self, gateway: usize, id: ConnectionId, at: usize, far: Far) {
        self.gateways[gateway].open.remove(&id);
        self.connections[at].far = far;
        self.later(self.now_us + CLOSING_US, Due::Linger(at));
    }

    pub(super) fn write_down(&mut self, at: usize) {
        while let Some(piece) = self.connections[at].next_piece() {
            self.send_down(at, Item::Frames(piece));
        }
        let connection = &self.connections[at];
        if connection.far == Far::Flushing && connection.backlog.pieces() == 0 {
            self.end_far(at);
        }
    }

    fn send_down(&mut self, at: usize, item: Item) {
        let (now_us, latency_us) = (self.now_us, self.latency_us());
        let connection = &mut self.connections[at];
        let lane = &self.clients[connection.client].down;
        let arrives_us = connection.down.send(now_us, latency_us, lane, item);
        self.later(arrives_us, Due::Down(at));
    }

    /// What has arrived at the gateway's end is read.
    pub(super) fn arrive_up(&mut self, at: usize) {
        loop {
            let now_us = self.now_us;
            let connection = &mut self.connections[at];
            if connection.is_lost || self.clients[connection.client].up.black_hole {
                return;
            }
            let Some(item) = connection.up.receive(now_us) else { return };
            let node = &self.gateways[connection.gateway];
            if !node.has_power {
                continue;
            }
            if node.is_up {
                self.take_up(at, item);
            } else if !matches!(item, Item::End | Item::Reset) {
                self.send_down(at, Item::NoOne);
            }
            self.write_up(at);
        }
    }

    fn take_up(&mut self, at: usize, item: Item) {
        let Connection { far, gateway, .. } = self.connections[at];
        match (far, item) {
            (Far::Unknown, Item::Upgrade(token)) => self.upgrade(at, &token),
            (Far::Unknown, Item::Garbage) => {
                self.connections[at].far = Far::Over;
                self.send_down(at, Item::Refused(400));
            }
            (Far::Unknown, _) => self.connections[at].far = Far::Over,
            (Far::Open(id), Item::Text(text)) => self.tell_gateway(gateway, Input::Text(id, text)),
            (Far::Open(id), Item::Pong) => self.tell_gateway(gateway, Input::Pong(id)),
            (Far::Open(id), Item::Close(code)) => self.closed_by_peer(at, id, code),
            (Far::Open(id), Item::Garbage) => self.closed_by_peer(at, id, CloseCode::PROTOCOL_ERROR),
            (Far::Open(id), _) => {
                self.gateways[gateway].open.remove(&id);
                self.end_far(at);
                self.tell_gateway(gateway, Input::Closed(id));
            }
            (Far::Closing, Item::Close(_)) => {
                self.connections[at].far = Far::Flushing;
                self.write_down(at);
            }
            (Far::Closing | Far::Flushing, Item::End | Item::Reset | Item::Garbage) => self.end_far(at),
            (Far::Closing | Far::Flushing, _) => {}
            (Far::Over, Item::End | Item::Reset) => {}
            (Far::Over, _) => self.send_down(at, Item::Reset),
        }
    }

    fn closed_by_peer(&mut self, at: usize, id: ConnectionId, code: CloseCode) {
        let gateway = self.connections[at].gateway;
        self.connections[at].backlog.append(close_frame(code));
        self.ends(gateway, id, at, Far::Flushing);
        self.tell_gateway(gateway, Input::Closed(id));
        self.write_down(at);
    }

    fn upgrade(&mut self, at: usize, token: &str) {
        let unix_s = self.unix_s();
        let connection = &mut self.connections[at];
        let (client, gateway) = (&self.clients[connection.client], connection.gateway);
        let node = &mut self.gateways[gateway];
        let known =
            token.split_once('/').and_then(|(_, number)| client.tokens.get(number.parse::<usize>().ok()?));
        let expires_at =
            known.filter(|(expires_at, good)| *good && unix_s < *expires_at).map(|known| known.0);
        let status = match expires_at {
            None => Some(401),
            Some(_) if node.drains => Some(503),
            Some(_) => None,
        };
        let (Some(expires_at), None) = (expires_at, status) else {
            connection.far = Far::Over;
            return self.send_down(at, Item::Refused(status.unwrap_or(401)));
        };
        node.last += 1;
        let id = ConnectionId(node.last);
        node.open.insert(id, at);
        connection.far = Far::Open(id);
        let claims = Claims {
            user_id: UserId::new(client.actor.0.clone()),
            email: format!("{}@example.org", client.actor),
            role: client.role(),
            expires_at,
            not_before: None,
        };
        self.send_down(at, Item::Granted);
        self.tell_gateway(gateway, Input::Opened(id, claims));
    }

    /// The gateway ends its end, as far as it is not over.
    pub(super) fn end_far(&mut self, at: usize) {
        if self.connections[at].far != Far::Over {
            self.over_far(at);
            self.send_down(at, Item::End);
        }
    }

    fn over_far(&mut self, at: usize) {
        let connection = &mut self.connections[at];
        connection.far = Far::Over;
        connection.backlog.shed();
        while let Some(length) = connection.backlog.front().map(bytes::Bytes::len) {
            connection.backlog.written(length);
        }
        let actor = &self.clients[connection.client].actor;
        self.recorder.note(actor, Some(connection.number), Event::GatewayClosed);
    }

    /// The process ends. Where its host has power, the kernel ends its connections.
    pub(super) fn stop_gateway(&mut self, gateway: usize, has_power: bool) {
        let node = &mut self.gateways[gateway];
        node.is_up = false;
        node.has_power = has_power;
        node.open.clear();
        for at in 0..self.connections.len() {
            let connection = &self.connections[at];
            if connection.gateway != gateway || connection.far == Far::Over {
                continue;
            }
            if connection.far == Far::Unknown {
                continue;
            }
            self.over_far(at);
            if has_power {
                self.send_down(at, Item::End);
            }
        }
        self.leave_broker(gateway);
    }

    /// A gateway is started where one has ended.
    pub(super) fn start_gateway(&mut self, gateway: usize) {
        if self.gateways[gateway].is_up {
            self.stop_gateway(gateway, true);
        }
        let node = &mut self.gateways[gateway];
        node.machine = Gateway::new(node.config.clone());
        node.bridge = Bridge::new(RoutingTable::default(), node.config.dialect.clone(), 1);
        node.defect = node.make_defect.map(|make| make());
        node.armed_us = None;
        (node.is_up, node.has_power, node.drains) = (true, true, false);
        node.boot += 1;
        self.seek_broker(gateway, std::time::Duration::ZERO);
    }

    pub(super) fn drain_gateway(&mut self, gateway: usize) {
        if !self.gateways[gateway].is_up {
            return;
        }
        self.gateways[gateway].drains = true;
        self.leave_broker(gateway);
        self.tell_gateway(gateway, Input::Shutdown);
        let boot = self.gateways[gateway].boot;
        self.later(self.now_us + GRACE_US, Due::Drained(gateway, boot));
    }

    pub(super) fn drained(&mut self, gateway: usize, boot: u64) {
        let node = &self.gateways[gateway];
        if node.boot == boot && node.is_up {
            self.stop_gateway(gateway, true);
        }
    }

    /// What a gateway says of itself at the end.
    pub(super) fn report_gateways(&mut self) {
        for node in self.gateways.iter().filter(|node| node.is_up) {
            let body = serde_json::to_string(&node.machine.stats()).expect("stats have string keys");
            let event = Event::Answered { path: "/stats".to_owned(), status: 200, body };
            self.recorder.note(&node.actor, None, event);
        }
    }
}
