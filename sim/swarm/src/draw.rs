//! A plan from a seed. Each seed leaves out kinds of faults and operations at random, so that rare combinations are not drowned by
//! frequent ones (swarm testing: Groce et al., ISSTA 2012).

use std::collections::BTreeMap;
use std::time::Duration;

use fastrand::Rng;
use protocol::{Role, Target, Timing};
use scenarios::plan::{
    Act, Entry, GatewayFault, MAX_CLIENTS, Participant, Plan, ProcessFault, ProviderFault,
};
use scenarios::scenario::{
    BrokerAct, BrokerState, ClientAct, Forgets, LaneSpec, NetworkAct, Publication, Shape, Sudden,
};
use scenarios::token::TokenSpec;
use scenarios::{Expr, ScenarioId};
use serde_json::json;

/// Names of clients, in order; further ones have numbers.
const NAMES: [&str; 6] = ["ada", "bob", "cleo", "dan", "eve", "fay"];
/// Rooms that only their subscribers are in.
const ROOMS: [&str; 3] = ["catalog:changed", "catalog:priced", "stock:low"];
/// How long clients and services are at work, at least and at most.
const WORK_S: std::ops::RangeInclusive<u64> = 30..=240;
/// Longest time that one fault lasts.
const MAX_FAULT_MS: u64 = 60_000;
/// Messages of one client at most: a client that flushes more at once than its gateway takes in a second (MSG-6) loses its subscriptions,
/// as `regressions/flush-over-the-rate` shows.
const MAX_MESSAGES: u32 = 80;

/// What can go wrong.
const FAULTS: [Fault; 20] = [
    Fault::Partition,
    Fault::OneWay(true),
    Fault::OneWay(false),
    Fault::Latency,
    Fault::SlowLink,
    Fault::Corruption,
    Fault::Sudden(Sudden::End),
    Fault::Sudden(Sudden::Reset),
    Fault::Sudden(Sudden::Lose),
    Fault::Process(ProcessFault::Sleeps),
    Fault::Process(ProcessFault::DoesNotRead),
    Fault::Provider,
    Fault::BadToken,
    Fault::BrokerDown,
    Fault::BrokerSilent,
    Fault::Forgets(Forgets::DeletesQueues),
    Fault::Forgets(Forgets::ClosesChannels),
    Fault::Gateway(GatewayFault::Killed),
    Fault::Gateway(GatewayFault::PowerLost),
    Fault::Gateway(GatewayFault::Drained),
];

#[derive(Debug, Clone, Copy)]
enum Fault {
    Partition,
    /// Whether it is towards the client.
    OneWay(bool),
    Latency,
    SlowLink,
    Corruption,
    Sudden(Sudden),
    Process(ProcessFault),
    Provider,
    BadToken,
    BrokerDown,
    BrokerSilent,
    Forgets(Forgets),
    Gateway(GatewayFault),
}

#[derive(Debug, Clone, Copy)]
enum Operation {
    Send,
    Burst,
    Subscribe,
    Unsubscribe,
    NewToken,
    Leave,
    Publish,
    PublishMany,
}

const OPERATIONS: [Operation; 8] = [
    Operation::Send,
    Operation::Burst,
    Operation::Subscribe,
    Operation::Unsubscribe,
    Operation::NewToken,
    Operation::Leave,
    Operation::Publish,
    Operation::PublishMany,
];

/// Draws a plan. The same seed gives the same plan.
pub fn draw(seed: u64) -> Plan {
    let mut draw = Draw::new(seed);
    draw.clients();
    draw.operations();
    draw.faults();
    draw.finish()
}

/// Usual times for most seeds; for the others each may be another one.
fn timing(rng: &mut Rng) -> Timing {
    let usual = Timing::default();
    if rng.f64() < 0.5 {
        return usual;
    }
    let seconds = Duration::from_secs;
    Timing {
        reconnect_delay: *of(rng, &[usual.reconnect_delay, Duration::from_millis(50), seconds(3)]),
        max_reconnect_delay: *of(rng, &[usual.max_reconnect_delay, seconds(5)]),
        max_reconnect_attempts: *of(rng, &[usual.max_reconnect_attempts, 3]),
        jitter: *of(rng, &[usual.jitter, 0.0, 1.0]),
        ping_interval: *of(rng, &[usual.ping_interval, seconds(10)]),
        pong_timeout: *of(rng, &[usual.pong_timeout, seconds(25), seconds(3)]),
        connect_timeout: *of(rng, &[usual.connect_timeout, seconds(2)]),
        stable_after: *of(rng, &[usual.stable_after, seconds(30), Duration::ZERO]),
    }
}

fn of<'a, T>(rng: &mut Rng, all: &'a [T]) -> &'a T {
    &all[rng.usize(..all.len())]
}

struct Draw {
    rng: Rng,
    plan: Plan,
    work_ms: u64,
    marks: u32,
    /// Messages that each client has to send.
    messages: BTreeMap<String, u32>,
    /// What was subscribed to: when, by whom, to what.
    subscribed: Vec<(u64, String, Target)>,
    /// When what affects the same thing goes on: faults of one kind do not overlap there.
    busy: BTreeMap<String, Vec<(u64, u64)>>,
}

impl Draw {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let gateways = if rng.f64() < 0.7 { 1 } else { rng.usize(2..=3) };
        let timing = timing(&mut rng);
        let work_ms = rng.u64(WORK_S) * 1000;
        let latency = Duration::from_millis([1, 5, 40, 120][rng.usize(0..4)]);
        let plan = Plan {
            id: ScenarioId(format!("seed/{seed}")),
            title: format!("Drawn from seed {seed}"),
            about: String::new(),
            seed,
            gateways,
            latency,
            timing,
            clients: BTreeMap::new(),
            entries: Vec::new(),
        };
        Self {
            rng,
            plan,
            work_ms,
            marks: 0,
            messages: BTreeMap::new(),
            subscribed: Vec::new(),
            busy: BTreeMap::new(),
        }
    }

    fn clients(&mut self) {
        let count = match self.rng.f64() {
            share if share < 0.5 => self.rng.usize(1..=2),
            share if share < 0.96 => self.rng.usize(1..=NAMES.len()),
            _ => self.rng.usize(NAMES.len()..=MAX_CLIENTS),
        };
        for number in 0..count {
            let name = NAMES.get(number).map_or_else(|| format!("user-{number}"), |name| (*name).to_owned());
            let provider = self.rng.f64() < 0.3;
            let is_short = self.rng.f64() < 0.25;
            let expires_in = is_short.then(|| self.rng.i64(15..120));
            let spec = Participant {
                role: if self.rng.f64() < 0.25 { Role::Admin } else { Role::Customer },
                gateway: self.rng.usize(1..=self.plan.gateways),
                queue: if self.rng.f64() < 0.3 { self.rng.usize(1..=10) } else { 1000 },
                provider,
                token: TokenSpec { expires_in, ..TokenSpec::default() },
            };
            self.plan.clients.insert(name.clone(), spec);
            let at_ms = self.rng.u64(0..3000);
            self.add(at_ms, None, Act::Client(name, ClientAct::Connect));
        }
    }

    fn add(&mut self, at_ms: u64, lasts_ms: Option<u64>, act: Act) {
        let (at, lasts) = (Duration::from_millis(at_ms), lasts_ms.map(Duration::from_millis));
        self.plan.entries.push(Entry { at, lasts, act });
    }

    fn client(&mut self) -> String {
        let names: Vec<_> = self.plan.clients.keys().cloned().collect();
        names[self.rng.usize(..names.len())].clone()
    }

    fn mark(&mut self) -> serde_json::Value {
        self.marks += 1;
        json!({ "mark": self.marks })
    }

    fn at_ms(&mut self) -> u64 {
        self.rng.u64(0..self.work_ms)
    }

    /// Some of them, none of which is left out by this seed.
    fn some<T: Copy>(&mut self, all: &[T]) -> Vec<T> {
        all.iter().copied().filter(|_| self.rng.bool()).collect()
    }

    fn operations(&mut self) {
        let kinds = self.some(&OPERATIONS);
        if kinds.is_empty() {
            return;
        }
        for _ in 0..self.rng.usize(0..=30) {
            let kind = kinds[self.rng.usize(..kinds.len())];
            self.operation(kind);
        }
    }

    fn operation(&mut self, kind: Operation) {
        let (at_ms, client) = (self.at_ms(), self.client());
        let room = || Target::EventType(ROOMS[0].to_owned());
        match kind {
            Operation::Send | Operation::Burst => {
                let most = if matches!(kind, Operation::Burst) { 60 } else { 5 };
                let (payload, count) = (self.mark(), self.rng.u32(1..=most));
                let messages = self.messages.entry(client.clone()).or_default();
                if *messages + count > MAX_MESSAGES {
                    return;
                }
                *messages += count;
                self.add(
                    at_ms,
                    None,
                    Act::Client(client, ClientAct::Send { kind: "note".to_owned(), payload, count }),
                );
            }
            Operation::Subscribe | Operation::Unsubscribe => {
                let target = match self.rng.usize(..=ROOMS.len()) {
                    at if at < ROOMS.len() => Target::EventType(ROOMS[at].to_owned()),
                    _ => room(),
                };
                if matches!(kind, Operation::Subscribe) {
                    self.subscribed.push((at_ms, client.clone(), target.clone()));
                    return self.add(at_ms, None, Act::Client(client, ClientAct::Subscribe(target)));
                }
                // Most of what is ended has begun.
                let begun = (self.rng.f64() < 0.8 && !self.subscribed.is_empty())
                    .then(|| self.subscribed[self.rng.usize(..self.subscribed.len())].clone());
                let (at_ms, client, target) = match begun {
                    Some((from_ms, client, target)) => (from_ms + self.rng.u64(1..60_000), client, target),
                    None => (at_ms, client, target),
                };
                self.add(at_ms, None, Act::Client(client, ClientAct::Unsubscribe(target)));
            }
            Operation::NewToken => {
                let expires_in = (self.rng.f64() < 0.3).then(|| self.rng.i64(15..120));
                self.add(
                    at_ms,
                    None,
                    Act::SetToken(client, TokenSpec { expires_in, ..TokenSpec::default() }),
                );
            }
            Operation::Leave => {
                self.add(at_ms, None, Act::Client(client.clone(), ClientAct::Disconnect));
                if self.rng.f64() < 0.8 {
                    let back_ms =
                        at_ms + if self.rng.bool() { self.rng.u64(0..50) } else { self.rng.u64(0..20_000) };
                    self.add(back_ms, None, Act::Client(client, ClientAct::Connect));
                }
            }
            Operation::Publish | Operation::PublishMany => {
                let most = if matches!(kind, Operation::PublishMany) { 200 } else { 3 };
                let count = self.rng.u32(1..=most);
                let mut data = self.mark();
                data["userId"] = json!(client);
                let kinds = ["payment:created", "payment:updated", "profile:updated", "admin:note"];
                let kind = match self.rng.usize(..kinds.len() + ROOMS.len()) {
                    at if at < kinds.len() => kinds[at],
                    at => ROOMS[at - kinds.len()],
                };
                self.add(
                    at_ms,
                    None,
                    Act::Publish(Publication::Events { kind: kind.to_owned(), data, count }),
                );
            }
        }
    }

    fn faults(&mut self) {
        let kinds = self.some(&FAULTS);
        if kinds.is_empty() {
            return;
        }
        for _ in 0..self.rng.usize(0..=8) {
            let kind = kinds[self.rng.usize(..kinds.len())];
            self.fault(kind);
        }
    }

    fn fault(&mut self, kind: Fault) {
        let (at_ms, client) = (self.at_ms(), self.client());
        // Short ones and long ones are about as frequent: most timeouts lie between.
        let lasts_ms = match self.rng.usize(..3) {
            0 => self.rng.u64(1..500),
            1 => self.rng.u64(500..8000),
            _ => self.rng.u64(8000..MAX_FAULT_MS),
        };
        let hole = LaneSpec { black_hole: true, ..LaneSpec::default() };
        let lane = |lane: LaneSpec| NetworkAct::Shape(Shape { both: lane, ..Shape::default() });
        let act = match kind {
            Fault::Partition => Act::Network(client, lane(hole)),
            Fault::OneWay(true) => {
                let shape = Shape { from_subject: Some(hole), ..Shape::default() };
                Act::Network(client, NetworkAct::Shape(shape))
            }
            Fault::OneWay(false) => {
                let shape = Shape { to_subject: Some(hole), ..Shape::default() };
                Act::Network(client, NetworkAct::Shape(shape))
            }
            Fault::Latency => {
                let delay = Expr::parse(&format!("{}ms", self.rng.u64(10..8000))).expect("it is a duration");
                Act::Network(client, lane(LaneSpec { delay: Some(delay), ..LaneSpec::default() }))
            }
            Fault::SlowLink => {
                let rate = std::num::NonZeroU32::new(self.rng.u32(1000..20_000));
                Act::Network(client, lane(LaneSpec { rate, ..LaneSpec::default() }))
            }
            Fault::Corruption => {
                Act::Network(client, lane(LaneSpec { corrupt: true, ..LaneSpec::default() }))
            }
            Fault::Sudden(sudden) => Act::Network(client, NetworkAct::Sudden(sudden)),
            Fault::Process(fault) => Act::Process(client, fault),
            Fault::Provider if !self.plan.clients[&client].provider => return,
            Fault::Provider => {
                let fault = if self.rng.bool() { ProviderFault::Fails } else { ProviderFault::Hangs };
                Act::Provider(client, fault)
            }
            Fault::BadToken => {
                let bad = TokenSpec { wrong_secret: true, ..TokenSpec::default() };
                self.add(at_ms, None, Act::SetToken(client.clone(), bad));
                let good_ms = at_ms + self.rng.u64(1..20_000);
                return self.add(good_ms, None, Act::SetToken(client, TokenSpec::default()));
            }
            Fault::BrokerDown => Act::Broker(BrokerAct::State(BrokerState::Down)),
            Fault::BrokerSilent => {
                let shape = Shape { to_subject: Some(hole), ..Shape::default() };
                Act::Broker(BrokerAct::Network(NetworkAct::Shape(shape)))
            }
            Fault::Forgets(forgets) => Act::Broker(BrokerAct::Forgets(forgets)),
            Fault::Gateway(fate) => Act::Gateway(self.rng.usize(1..=self.plan.gateways), fate),
        };
        let lasts_ms = act.lasts().then_some(lasts_ms);
        let target = match &act {
            Act::Gateway(number, _) => format!("gateway {number}"),
            act => format!("{} {}", act.client().unwrap_or_default(), act.fault().unwrap_or_default()),
        };
        let (from, to) = (at_ms, at_ms + lasts_ms.unwrap_or_default());
        let busy = self.busy.entry(target).or_default();
        if busy.iter().any(|(begins, ends)| from <= *ends && *begins <= to) {
            return;
        }
        busy.push((from, to));
        self.add(at_ms, lasts_ms, act);
    }

    fn finish(mut self) -> Plan {
        self.plan.entries.sort_by_key(|entry| entry.at);
        self.plan
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A drawn plan is a plan: it is written to a file and read from it. The same seed gives the same one.
    #[test]
    fn drawn_plans_are_plans() {
        for seed in 0..300 {
            let plan = draw(seed);
            let read = Plan::parse(plan.id.clone(), &plan.to_toml());
            let read = read.unwrap_or_else(|error| panic!("{seed}: {error}\n{}", plan.to_toml()));
            assert_eq!(read, plan, "{seed}");
            assert_eq!(draw(seed), plan, "{seed}");
        }
    }

    /// Seeds leave out different kinds: no two of the first hundred have the same ones, or nearly so.
    #[test]
    fn seeds_leave_out_kinds() {
        let kinds = |seed| {
            let plan = draw(seed);
            let kinds = plan.entries.iter().filter_map(|entry| entry.act.fault());
            kinds.collect::<std::collections::BTreeSet<_>>()
        };
        let different: std::collections::BTreeSet<_> = (0..100).map(kinds).collect();
        assert!(different.len() > 60, "{}", different.len());
    }
}
