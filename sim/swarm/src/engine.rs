//! The event engine: both machines of the reference pair and the broker's state, with a network of messages between them. It jumps
//! from one thing that is due to the next; nothing ticks, and nothing has a socket.
//!
//! ```text
//!  plan ──► moments ─┐                       ┌── Session ◄══ Pipe, Pipe ══► Gateway, Bridge ◄── 1 ms ──► Machine (broker)
//!                    ├──► what is due next ──┤      │                          │
//!  timers, arrivals ─┘                       └──────┴────────► Recorder ◄──────┘
//! ```
//!
//! It stands where the drivers stand: sockets that fill up, closing handshakes, redials of the broker are here as the drivers have them.

mod broker;
mod client;
mod connection;
mod gateway;
mod moment;
mod pipe;
mod recorder;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use protocol::{Dialect, Timestamp};
use scenarios::invariants::{Violation, Watch};
use scenarios::plan::Moment;
use scenarios::{Plan, Trace};

use self::broker::BrokerNode;
use self::client::ClientNode;
use self::connection::Connection;
use self::gateway::GatewayNode;
use self::recorder::Recorder;
use crate::coverage::Coverage;
use crate::defect::DefectMaker;

/// The wall clock when a play begins: 2027-01-15, as in `sim`.
const EPOCH_MS: i64 = 1_800_000_000_000;
/// Things that happen in one play, past which it is given up: no plan has as many, unless something answers itself for ever.
const MAX_DUE: u64 = 5_000_000;

/// How long the end of a play waits, and how often, for connections that one end has closed already.
const SETTLING_US: u64 = 1_000_000;
const MAX_SETTLING: u32 = 10;

/// How a plan is played.
#[derive(Clone, Copy, Default)]
pub struct Options {
    /// What is wrong with the pair.
    pub defect: Option<DefectMaker>,
    /// Whether the trace is kept.
    pub keeps_trace: bool,
    /// Whether the play goes on after a violation.
    pub goes_on: bool,
}

/// What came of a play.
#[derive(Debug)]
pub struct Played {
    /// What was observed, where it was kept.
    pub trace: Option<Trace>,
    /// What broke a rule, in the order of its appearance.
    pub violations: Vec<Violation>,
    /// What was reached.
    pub coverage: Coverage,
    /// The time that passed inside.
    pub simulated: Duration,
    /// How much was observed.
    pub observed: u64,
}

/// What is due.
#[derive(Debug, Clone)]
pub(crate) enum Due {
    /// An entry of the plan begins, or is over.
    Moment(Moment),
    /// A client's timer.
    Client(usize),
    /// A gateway's timer.
    Gateway(usize),
    /// Something arrives at the gateway's end of a connection.
    Up(usize),
    /// Something arrives at the client's end.
    Down(usize),
    /// A client has waited long enough for the gateway to end a connection that both have closed.
    Finish(usize),
    /// A client has waited long enough for the answer to its close.
    CutShort(usize),
    /// A gateway has waited long enough for the answer to its close.
    Linger(usize),
    /// A dial that was given up is over.
    GivenUp(usize),
    /// A token provider answers.
    Token(usize, reference_session::ConnectionId),
    /// A gateway seeks its broker.
    SeekBroker(usize, u64),
    /// An attempt to reach the broker has taken too long.
    BrokerTimeout(usize, u64),
    /// A gateway's request arrives at the broker.
    AtBroker(usize, u64, embedded_broker::Request),
    /// What the broker says arrives at a gateway.
    FromBroker(usize, embedded_broker::Reply),
    /// A gateway that drains has had its time.
    Drained(usize, u64),
    /// The play is over.
    End,
}

/// Everything in one play.
pub(crate) struct World<'a> {
    plan: &'a Plan,
    dialect: Dialect,
    now_us: u64,
    due: BinaryHeap<Reverse<(u64, u64, DueAt)>>,
    order: u64,
    clients: Vec<ClientNode>,
    gateways: Vec<GatewayNode>,
    broker: BrokerNode,
    connections: Vec<Connection>,
    recorder: Recorder<'a>,
}

/// A thing that is due, in a heap that looks at its time and its number alone.
#[derive(Debug)]
struct DueAt(Due);

impl PartialEq for DueAt {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for DueAt {}

impl PartialOrd for DueAt {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for DueAt {
    fn cmp(&self, _: &Self) -> std::cmp::Ordering {
        std::cmp::Ordering::Equal
    }
}

/// Plays a plan to its end, or to the first violation.
pub fn play(plan: &Plan, options: Options) -> Played {
    let mut world = World::new(plan, options);
    world.begin();
    let (mut left, mut patience) = (MAX_DUE, MAX_SETTLING);
    while let Some(Reverse((at_us, _, DueAt(due)))) = world.due.pop() {
        world.now_us = at_us;
        world.recorder.now_us = at_us;
        left -= 1;
        assert!(left > 0, "{} does not end", plan.id);
        if matches!(due, Due::End) {
            if patience > 0 && !world.is_settled() {
                patience -= 1;
                world.later(at_us + SETTLING_US, Due::End);
                continue;
            }
            world.end();
            break;
        }
        world.happens(due);
        if !options.goes_on && world.recorder.watch.has_found() {
            break;
        }
    }
    let Recorder { watch, coverage, trace, observed, .. } = world.recorder;
    let simulated = Duration::from_micros(world.now_us);
    Played { trace, violations: watch.into_violations(), coverage, simulated, observed }
}

impl<'a> World<'a> {
    fn new(plan: &'a Plan, options: Options) -> Self {
        let dialect = Dialect::default();
        let clients = plan.clients.iter().enumerate();
        let clients = clients.map(|(number, (name, spec))| {
            ClientNode::new(number, name, spec, plan, &dialect, options.defect)
        });
        let clients: Vec<_> = clients.collect();
        let gateways =
            (1..=plan.gateways).map(|number| GatewayNode::new(number, plan, &dialect, options.defect));
        Self {
            dialect: dialect.clone(),
            now_us: 0,
            due: BinaryHeap::new(),
            order: 0,
            clients,
            gateways: gateways.collect(),
            broker: BrokerNode::new(plan),
            connections: Vec::new(),
            recorder: Recorder {
                now_us: 0,
                watch: Watch::new(plan),
                coverage: Coverage::new(plan),
                trace: options.keeps_trace.then(Trace::default),
                observed: 0,
            },
            plan,
        }
    }

    fn begin(&mut self) {
        self.broker.begin();
        for gateway in 0..self.gateways.len() {
            self.seek_broker(gateway, Duration::ZERO);
        }
        for moment in self.plan.moments() {
            self.later(micros(moment.at), Due::Moment(moment));
        }
        self.later(micros(self.plan.last_moment() + self.plan.recovery()), Due::End);
    }

    fn happens(&mut self, due: Due) {
        match due {
            Due::Moment(moment) => self.moment(moment),
            Due::Client(client) => self.client_timer(client),
            Due::Gateway(gateway) => self.gateway_timer(gateway),
            Due::Up(connection) => self.arrive_up(connection),
            Due::Down(connection) => self.arrive_down(connection),
            Due::Finish(connection) => self.finish_near(connection),
            Due::CutShort(connection) => self.cut_short(connection),
            Due::Linger(connection) => self.end_far(connection),
            Due::GivenUp(connection) => self.given_up(connection),
            Due::Token(client, dial) => self.answer_token(client, dial),
            Due::SeekBroker(gateway, epoch) => self.reach_broker(gateway, epoch),
            Due::BrokerTimeout(gateway, epoch) => self.broker_timeout(gateway, epoch),
            Due::AtBroker(gateway, epoch, request) => self.at_broker(gateway, epoch, request),
            Due::FromBroker(gateway, told) => self.at_gateway(gateway, told),
            Due::Drained(gateway, boot) => self.drained(gateway, boot),
            Due::End => {}
        }
    }

    /// Has something happen at a time.
    fn later(&mut self, at_us: u64, due: Due) {
        self.order += 1;
        self.due.push(Reverse((at_us.max(self.now_us), self.order, DueAt(due))));
    }

    fn latency_us(&self) -> u64 {
        micros(self.plan.latency)
    }

    fn wall(&self) -> Timestamp {
        Timestamp::from_unix_ms(EPOCH_MS + i64::try_from(self.now_us / 1000).unwrap_or(i64::MAX))
    }

    fn of_session(&self) -> reference_session::Now {
        reference_session::Now { monotonic: Duration::from_micros(self.now_us), wall: self.wall() }
    }

    fn of_gateway(&self) -> reference_gateway::Now {
        reference_gateway::Now { monotonic: Duration::from_micros(self.now_us), wall: self.wall() }
    }

    /// Seconds since 1970.
    fn unix_s(&self) -> u64 {
        u64::try_from(self.wall().unix_ms() / 1000).unwrap_or_default()
    }
}

/// A time in microseconds, rounded up, so that a timer is not early.
pub(crate) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_nanos().div_ceil(1000)).unwrap_or(u64::MAX)
}
