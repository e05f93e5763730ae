//! A client: its machine, and what its driver does.

mod socket;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use protocol::Dialect;
use reference_gateway::Backlog;
use reference_session::{Command, ConnectionId, Input, Output, Session, SessionConfig, Token};
use scenarios::network::Lane;
use scenarios::plan::{Moment, Participant, ProviderFault};
use scenarios::token::TokenSpec;
use scenarios::{Actor, Event, Plan};

use super::connection::{Connection, Far, Near, Waiting};
use super::pipe::{Item, Pipe};
use super::{Due, World, micros};
use crate::defect::{Defect, DefectMaker};

/// How long a token provider takes.
const PROVIDER_US: u64 = 20_000;
/// As many requests as the driver lets wait.
const REQUEST_WINDOW: usize = 256;
/// Seconds that a token is good for where its recipe does not say.
const HOUR_S: i64 = 3600;

/// A client.
pub(crate) struct ClientNode {
    pub(crate) actor: Actor,
    pub(crate) gateway: usize,
    spec: Participant,
    session: Session,
    defect: Option<Box<dyn Defect>>,
    /// For which time its timer is due already.
    armed_us: Option<u64>,
    /// Its connections that are not over, as the driver has them.
    pub(crate) live: BTreeMap<ConnectionId, usize>,
    numbers: u32,
    /// How its network treats each direction.
    pub(crate) up: Lane,
    pub(crate) down: Lane,
    /// Entries of the plan that treat it so.
    pub(crate) shapes: BTreeSet<usize>,
    pub(crate) is_asleep: bool,
    pub(crate) reads: bool,
    pub(crate) provider: Option<ProviderFault>,
    /// Entries of the plan by which it acts, and which wait for it to wake up.
    pub(crate) postponed: VecDeque<Moment>,
    /// Its tokens: when each expires, and whether it is genuine.
    pub(crate) tokens: Vec<(u64, bool)>,
}

impl ClientNode {
    pub(crate) fn new(
        number: usize,
        name: &str,
        spec: &Participant,
        plan: &Plan,
        dialect: &Dialect,
        defect: Option<DefectMaker>,
    ) -> Self {
        let mut node = Self {
            actor: Actor(name.to_owned()),
            gateway: spec.gateway - 1,
            spec: spec.clone(),
            session: Session::new(SessionConfig {
                timing: plan.timing.clone(),
                dialect: dialect.clone(),
                auto_reconnect: true,
                queue_capacity: spec.queue,
                request_window: REQUEST_WINDOW,
                token: format!("{number}/0").into(),
                asks_for_token: spec.provider,
                seed: plan.seed.wrapping_mul(0x9e37_79b9).wrapping_add(number as u64),
            }),
            defect: defect.map(|make| make()),
            armed_us: None,
            live: BTreeMap::new(),
            numbers: 0,
            up: Lane::default(),
            down: Lane::default(),
            shapes: BTreeSet::new(),
            is_asleep: false,
            reads: true,
            provider: None,
            postponed: VecDeque::new(),
            tokens: Vec::new(),
        };
        node.mint(&spec.token, u64::try_from(super::EPOCH_MS / 1000).unwrap_or_default());
        node
    }

    /// Makes a token; its name is `CLIENT/NUMBER`.
    pub(crate) fn mint(&mut self, spec: &TokenSpec, unix_s: u64) -> usize {
        let expires_at = unix_s.saturating_add_signed(spec.expires_in.unwrap_or(HOUR_S));
        self.tokens.push((expires_at, !spec.wrong_secret));
        self.tokens.len() - 1
    }

    /// Adds what its machine hears of what happens.
    fn hears(&mut self, now: reference_session::Now, input: Input, inputs: &mut VecDeque<Input>) {
        match &mut self.defect {
            Some(defect) => inputs.extend(defect.session_input(now, input)),
            None => inputs.push_back(input),
        }
    }

    /// Its user's role.
    pub(crate) fn role(&self) -> protocol::Role {
        self.spec.role
    }
}

impl World<'_> {
    /// The application asks for something.
    pub(super) fn command(&mut self, client: usize, command: Command) {
        self.tell_client(client, Input::Command(command));
    }

    pub(super) fn client_timer(&mut self, client: usize) {
        let node = &mut self.clients[client];
        node.armed_us = None;
        if node.is_asleep {
            return;
        }
        match node.session.deadline() {
            Some(deadline) if micros(deadline) <= self.now_us => self.tell_client(client, Input::Timer),
            Some(_) => self.arm_client(client),
            None => {}
        }
    }

    /// The process goes on: what has arrived meanwhile comes first, as a driver reads before it looks at its clock.
    pub(super) fn wake(&mut self, client: usize) {
        self.clients[client].is_asleep = false;
        self.read_again(client);
        self.tell_client(client, Input::Timer);
        while let Some(moment) = self.clients[client].postponed.pop_front() {
            self.moment(moment);
        }
    }

    /// Reads what has arrived and was not read.
    pub(super) fn read_again(&mut self, client: usize) {
        for connection in 0..self.connections.len() {
            if self.connections[connection].client == client {
                self.arrive_down(connection);
            }
        }
    }

    fn arm_client(&mut self, client: usize) {
        let node = &mut self.clients[client];
        let Some(deadline) = node.session.deadline() else { return };
        let at_us = micros(deadline);
        if node.armed_us.is_none_or(|armed| at_us < armed || armed < self.now_us) {
            node.armed_us = Some(at_us);
            self.later(at_us, Due::Client(client));
        }
    }

    /// Gives the machine an input, and does all that follows from it.
    pub(super) fn tell_client(&mut self, client: usize, input: Input) {
        let now = self.of_session();
        let mut inputs = VecDeque::new();
        self.clients[client].hears(now, input, &mut inputs);
        while let Some(input) = inputs.pop_front() {
            let node = &mut self.clients[client];
            if let Err(full) = node.session.handle(now, input) {
                let (op, error) = ("send".to_owned(), full.to_string());
                self.recorder.note(&node.actor, None, Event::RequestFailed { op, error });
            }
            while let Some(output) = self.clients[client].session.poll() {
                let outputs = match &mut self.clients[client].defect {
                    Some(defect) => defect.session_output(now, output),
                    None => vec![output],
                };
                for output in outputs {
                    self.do_for_client(client, output);
                }
            }
            let open: Vec<_> = self.clients[client].live.iter().map(|(dial, at)| (*dial, *at)).collect();
            for (dial, connection) in open {
                while let Some(kind) = self.write(connection) {
                    if let Some(kind) = kind {
                        self.clients[client].hears(now, Input::Written(dial, kind), &mut inputs);
                    }
                }
            }
        }
        self.arm_client(client);
    }

    fn do_for_client(&mut self, client: usize, output: Output) {
        match output {
            Output::AskToken { connection } => {
                self.recorder.note(&self.clients[client].actor, None, Event::TokenWanted);
                if self.clients[client].provider != Some(ProviderFault::Hangs) {
                    self.later(self.now_us + PROVIDER_US, Due::Token(client, connection));
                }
            }
            Output::Dial { connection, token } => self.dial(client, connection, &token),
            Output::Send { connection, text, kind } => {
                if let Some(at) = self.clients[client].live.get(&connection) {
                    self.connections[*at].waiting.push_back(Waiting::Text(text, kind));
                }
            }
            Output::Close { connection, code } => {
                let Some(at) = self.clients[client].live.get(&connection).copied() else { return };
                match self.connections[at].near {
                    Near::Dialling => self.later(self.now_us, Due::GivenUp(at)),
                    _ => {
                        self.connections[at].waiting.push_back(Waiting::Close(code));
                        let until = self.now_us + micros(self.plan.timing.connect_timeout);
                        self.later(until, Due::CutShort(at));
                    }
                }
            }
            Output::Drop(connection) => {
                if let Some(at) = self.clients[client].live.get(&connection).copied() {
                    self.drop_near(at, "given up");
                }
            }
            Output::Status { old, new } => {
                let event = Event::Status { old: old.to_string(), new: new.to_string() };
                self.recorder.note(&self.clients[client].actor, None, event);
            }
            Output::Emit { name, payload } => {
                let event = Event::Emitted { name, payload, listener: "app".to_owned() };
                self.recorder.note(&self.clients[client].actor, None, event);
            }
            Output::Redial { .. } | Output::DialFailed(_) | Output::Log(_) => {}
        }
    }

    fn dial(&mut self, client: usize, dial: ConnectionId, token: &Token) {
        let node = &mut self.clients[client];
        let (number, gateway) = (node.numbers, node.gateway);
        node.numbers += 1;
        let at = self.connections.len();
        node.live.insert(dial, at);
        let query = vec![("token".to_owned(), token.reveal().to_owned())];
        let event = Event::Dialled { path: "/ws".to_owned(), query, token_in: None };
        self.recorder.note(&node.actor, Some(number), event);
        self.connections.push(Connection {
            client,
            dial,
            number,
            gateway,
            up: Pipe::default(),
            down: Pipe::default(),
            is_lost: false,
            near: Near::Dialling,
            waiting: VecDeque::new(),
            ours: None,
            far: Far::Unknown,
            backlog: Backlog::new(super::gateway::OUTBOX_BYTES, protocol::CloseCode::TRY_AGAIN_LATER),
        });
        self.send_up(at, Item::Upgrade(token.reveal().to_owned()));
    }

    pub(super) fn answer_token(&mut self, client: usize, dial: ConnectionId) {
        let unix_s = self.unix_s();
        let node = &mut self.clients[client];
        let answer = match node.provider {
            Some(ProviderFault::Hangs) => return,
            Some(ProviderFault::Fails) => Err("the provider fails".to_owned()),
            None => {
                let spec = node.spec.token.clone();
                let number = node.mint(&spec, unix_s);
                Ok(Token::from(format!("{client}/{number}")))
            }
        };
        self.tell_client(client, Input::Token(dial, answer));
    }
}
