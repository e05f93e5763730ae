//! What the plan's entries do to the world.

use reference_session::{Command, Token};
use scenarios::network::{Change, Conditions, Cut, Lane};
use scenarios::plan::{Act, GatewayFault, Moment, ProcessFault};
use scenarios::scenario::{BrokerAct, BrokerState, ClientAct, Forgets, NetworkAct, Publication};
use scenarios::{Actor, ClientDesign, Event, Times};
use serde_json::json;

use super::World;
use super::connection::{Far, Near};
use super::pipe::Item;

impl World<'_> {
    pub(super) fn moment(&mut self, moment: Moment) {
        let entry = &self.plan.entries[moment.entry];
        if let Act::Client(name, _) | Act::SetToken(name, _) = &entry.act {
            let client = self.client(name);
            if self.clients[client].is_asleep {
                // The application sleeps with its process.
                return self.clients[client].postponed.push_back(moment);
            }
        }
        let over = if moment.is_over { ", over" } else { "" };
        let (number, action) = (moment.entry + 1, format!("{}{over}", entry.act));
        self.recorder.note(&Actor::scenario(), None, Event::Step { number, action });
        let act = &entry.act;
        match act {
            Act::Client(name, act) => {
                let client = self.client(name);
                self.client_acts(client, act);
            }
            Act::SetToken(name, spec) => {
                let (client, unix_s) = (self.client(name), self.unix_s());
                let number = self.clients[client].mint(spec, unix_s);
                self.command(client, Command::SetToken(Token::from(format!("{client}/{number}"))));
            }
            Act::Network(name, act) => {
                let client = self.client(name);
                self.network(client, moment, act);
            }
            Act::Process(name, fault) => {
                let client = self.client(name);
                match (fault, moment.is_over) {
                    (ProcessFault::Sleeps, false) => self.clients[client].is_asleep = true,
                    (ProcessFault::Sleeps, true) => self.wake(client),
                    (ProcessFault::DoesNotRead, is_over) => {
                        self.clients[client].reads = is_over;
                        self.read_again(client);
                    }
                }
            }
            Act::Provider(name, fault) => {
                let client = self.client(name);
                self.clients[client].provider = (!moment.is_over).then_some(*fault);
            }
            Act::Publish(publication) => self.publishes(publication),
            Act::Broker(act) => self.broker_acts(act, moment.is_over),
            Act::Gateway(number, fate) => match (fate, moment.is_over) {
                (_, true) => self.start_gateway(number - 1),
                (GatewayFault::Killed, false) => self.stop_gateway(number - 1, true),
                (GatewayFault::PowerLost, false) => self.stop_gateway(number - 1, false),
                (GatewayFault::Drained, false) => self.drain_gateway(number - 1),
            },
        }
    }

    fn client(&self, name: &str) -> usize {
        self.clients.iter().position(|node| node.actor.0 == *name).expect("the plan is checked")
    }

    fn client_acts(&mut self, client: usize, act: &ClientAct) {
        match act {
            ClientAct::Connect => self.command(client, Command::Connect),
            ClientAct::Disconnect => self.command(client, Command::Disconnect),
            ClientAct::Send { kind, payload, count } => {
                for number in 1..=*count {
                    let mut payload = payload.clone();
                    if *count > 1 {
                        payload["seq"] = json!(number);
                    }
                    self.command(client, Command::Send { kind: kind.clone(), payload });
                }
            }
            ClientAct::Subscribe(target) => self.command(client, Command::Subscribe(target.clone())),
            ClientAct::Unsubscribe(target) => self.command(client, Command::Unsubscribe(target.clone())),
            _ => unreachable!("no plan has it"),
        }
    }

    fn publishes(&mut self, publication: &Publication) {
        let routing_key = publication.routing_key();
        for body in publication.bodies() {
            self.publish(&routing_key, &body);
        }
    }

    fn network(&mut self, client: usize, moment: Moment, act: &NetworkAct) {
        match act.change(&self.times()) {
            Change::Conditions(_) if matches!(act, NetworkAct::Sudden(_)) => {}
            Change::Conditions(_) => {
                let node = &mut self.clients[client];
                if moment.is_over {
                    node.shapes.remove(&moment.entry);
                } else {
                    node.shapes.insert(moment.entry);
                }
                self.shape(client);
            }
            Change::Cut(cut) => self.cut(client, cut),
            Change::Lose => {
                for connection in self.connections.iter_mut().filter(|one| one.client == client) {
                    connection.is_lost = true;
                }
            }
        }
    }

    fn times(&self) -> Times {
        Times {
            timing: self.plan.timing.clone(),
            patience: std::time::Duration::ZERO,
            slack: std::time::Duration::ZERO,
            fleet: 1,
            slow_reader: std::time::Duration::ZERO,
            design: ClientDesign::default(),
        }
    }

    /// Puts together what the entries that go on do to a client's network: the worst of each.
    fn shape(&mut self, client: usize) {
        let times = self.times();
        let shapes = self.clients[client].shapes.iter();
        let conditions = shapes.filter_map(|entry| match &self.plan.entries[*entry].act {
            Act::Network(_, act) => match act.change(&times) {
                Change::Conditions(conditions) => Some(conditions),
                Change::Cut(_) | Change::Lose => None,
            },
            _ => None,
        });
        let Conditions { to_subject, from_subject } =
            conditions.fold(Conditions::default(), |all, one| Conditions {
                to_subject: worst(all.to_subject, one.to_subject),
                from_subject: worst(all.from_subject, one.from_subject),
            });
        let node = &mut self.clients[client];
        (node.up, node.down) = (to_subject, from_subject);
        for at in 0..self.connections.len() {
            if self.connections[at].client == client {
                self.arrive_up(at);
                self.arrive_down(at);
            }
        }
    }

    /// Ends a client's connections, behind what is on its way or at once.
    fn cut(&mut self, client: usize, cut: Cut) {
        for at in 0..self.connections.len() {
            let connection = &mut self.connections[at];
            if connection.client != client {
                continue;
            }
            if cut == Cut::Reset {
                connection.up.clear();
                connection.down.clear();
            }
            let (item, is_far) = match cut {
                Cut::End => (Item::End, !matches!(connection.far, Far::Over | Far::Unknown)),
                Cut::Reset => (Item::Reset, !matches!(connection.far, Far::Over | Far::Unknown)),
            };
            let is_near = connection.near != Near::Over;
            if is_far {
                self.cut_up(at, item.clone());
            }
            if is_near {
                self.cut_down(at, item);
            }
        }
    }

    fn cut_up(&mut self, at: usize, item: Item) {
        let now_us = self.now_us;
        let arrives_us = self.connections[at].up.send(now_us, 0, &Lane::default(), item);
        self.later(arrives_us, super::Due::Up(at));
    }

    fn cut_down(&mut self, at: usize, item: Item) {
        let now_us = self.now_us;
        let arrives_us = self.connections[at].down.send(now_us, 0, &Lane::default(), item);
        self.later(arrives_us, super::Due::Down(at));
    }

    fn broker_acts(&mut self, act: &BrokerAct, is_over: bool) {
        match (act, is_over) {
            (BrokerAct::State(BrokerState::Down), false) => self.broker_down(),
            (BrokerAct::State(_), _) => self.broker.is_down = false,
            (BrokerAct::Network(_), is_over) => self.broker_silent(!is_over),
            (BrokerAct::Forgets(Forgets::Forgets), _) => self.broker_deletes(true),
            (BrokerAct::Forgets(Forgets::DeletesQueues | Forgets::DeletesOtherQueues), _) => {
                self.broker_deletes(false);
            }
            (BrokerAct::Forgets(Forgets::ClosesChannels | Forgets::ClosesOtherChannels), _) => {
                self.broker_closes_channels();
            }
        }
    }

    /// Whether each connection is open at both ends, or over at both: a token may expire as the play ends.
    pub(super) fn is_settled(&self) -> bool {
        self.connections.iter().all(|connection| match (connection.near, connection.far) {
            (Near::Open, Far::Open(_)) => connection.ours.is_none(),
            (Near::Over, Far::Over | Far::Unknown) => true,
            _ => false,
        })
    }

    /// What is seen when all is over.
    pub(super) fn end(&mut self) {
        self.report_gateways();
        self.report_broker();
        self.recorder.note(&Actor::scenario(), None, Event::StepsEnded);
        self.recorder.watch.finish();
    }
}

/// What two treatments of a direction make together.
fn worst(one: Lane, other: Lane) -> Lane {
    Lane {
        delay: one.delay.max(other.delay),
        rate: match (one.rate, other.rate) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        },
        slice: one.slice.or(other.slice),
        corrupt: one.corrupt || other.corrupt,
        black_hole: one.black_hole || other.black_hole,
    }
}
