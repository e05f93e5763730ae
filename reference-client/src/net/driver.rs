//! The task that owns the machine.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use super::WallClock;
use super::connection::{self, ConnectionCommand};
use super::dial::Dial;
use super::route::Route;
use super::secrets::Secrets;
use super::token::TokenProvider;
use crate::config::ClientConfig;
use reference_session::{
    Command, ConnectionId, Input, Now, Output, QueueFull, Session, SessionConfig, Status,
};

/// Inputs that may wait for the driver; when the channel is full the connection waits.
const SIGNS: usize = 256;
/// Requests for subscriptions that wait for a connection to write them.
const REQUESTS: usize = 256;
/// Commands that wait for a connection beside messages and requests: the dial, the first message, a ping, a pong, and the close.
const OTHER_COMMANDS: usize = 5;

/// A command, and where its outcome is sent once the machine has handled it and its reports are delivered.
pub(crate) struct ClientCommand {
    pub(crate) command: Command,
    pub(crate) done: oneshot::Sender<Result<(), QueueFull>>,
}

/// What the client reports to the application, in order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Report {
    Redial(Redial),
    /// Why; it holds no secret, nor does a line of the log (TOKEN-3).
    DialFailed(String),
    Status {
        old: Status,
        new: Status,
    },
    Emit {
        name: String,
        payload: Value,
    },
    /// What a listener sent and the queue refused.
    Refused(QueueFull),
    Log(String),
}

/// The redial that a `reconnecting` client waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Redial {
    /// The how manieth since the last stable connection, from 1.
    pub attempt: u32,
    /// How long it was put off (BACKOFF-1).
    pub delay: Duration,
    /// When it is due, by the clock of the client's runtime.
    pub at: Instant,
}

/// Runs a session until every command sender is dropped.
pub(crate) struct Driver<D: Dial, F> {
    session: Session,
    config: ClientConfig,
    route: Route<D>,
    secrets: Secrets,
    wall: WallClock,
    origin: Instant,
    report: F,
    connections: BTreeMap<ConnectionId, Running>,
    signs: mpsc::Sender<Input>,
    /// What listeners ask for.
    reactions: mpsc::Receiver<Command>,
}

struct Running {
    commands: mpsc::Sender<ConnectionCommand>,
    _task: AbortOnDropHandle<()>,
    /// When a closing handshake that does not end is cut short.
    drop_at: Option<Duration>,
}

impl Running {
    /// Gives a command. Where the connection has ended, its end is on the way to the machine.
    fn give(&self, command: ConnectionCommand) {
        if let Err(TrySendError::Full(_)) = self.commands.try_send(command) {
            unreachable!("the machine bounds what waits for a connection");
        }
    }
}

impl<D: Dial, F: FnMut(Report) + Send> Driver<D, F> {
    /// Runs until every command sender is dropped and the connection has ended.
    pub(crate) async fn run(
        config: ClientConfig,
        dial: D,
        wall: WallClock,
        (mut orders, reactions): (mpsc::Receiver<ClientCommand>, mpsc::Receiver<Command>),
        report: F,
    ) {
        let session = Session::new(SessionConfig {
            timing: config.timing.clone(),
            dialect: config.dialect.clone(),
            auto_reconnect: config.auto_reconnect,
            queue_capacity: config.queue_capacity,
            request_window: REQUESTS,
            token: config.token.clone().into(),
            asks_for_token: config.token_provider.is_some(),
            seed: config.seed,
        });
        let (signs, mut signed) = mpsc::channel(SIGNS);
        let origin = now();
        let mut driver = Self {
            session,
            route: Route::new(&config, dial),
            secrets: Secrets::default(),
            config,
            wall,
            origin,
            report,
            connections: BTreeMap::new(),
            signs,
            reactions,
        };
        let mut leaving = false;
        let mut batch = Vec::with_capacity(SIGNS);
        while !leaving || !driver.connections.is_empty() {
            let (origin, deadline) = (driver.origin, driver.deadline());
            let timer = async {
                match deadline {
                    Some(deadline) => tokio::time::sleep_until(origin + deadline).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                order = orders.recv(), if !leaving => match order {
                    Some(ClientCommand { command, done }) => {
                        let outcome = driver.handle(Input::Command(command));
                        // The caller may have dropped its future.
                        let _ = done.send(outcome);
                    }
                    None => {
                        leaving = true;
                        driver.take(Input::Command(Command::Disconnect));
                    }
                },
                Some(command) = driver.reactions.recv() => driver.obey(command),
                _ = signed.recv_many(&mut batch, SIGNS) => {
                    batch.drain(..).for_each(|sign| driver.take(sign));
                    // A gateway that is never silent puts off no ping and no end (PING-1, PING-3).
                    driver.pass_time();
                }
                () = timer => driver.pass_time(),
            }
        }
    }

    /// Only orders can be refused; signs and timers cannot.
    fn take(&mut self, input: Input) {
        self.handle(input).expect("only a send is refused");
    }

    fn handle(&mut self, input: Input) -> Result<(), QueueFull> {
        if let Input::Closed(id, _) | Input::DialFailed(id, _) | Input::Token(id, Err(_)) = &input {
            self.connections.remove(id);
        }
        let outcome = self.session.handle(self.now(), input);
        self.drain();
        self.react();
        outcome
    }

    /// Does what listeners have asked for (IN-3). What they ask for meanwhile comes next: listeners that answer each other do not keep
    /// the client from its commands.
    fn react(&mut self) {
        for _ in 0..self.reactions.len() {
            let Ok(command) = self.reactions.try_recv() else { return };
            self.obey(command);
        }
    }

    fn obey(&mut self, command: Command) {
        let outcome = self.session.handle(self.now(), Input::Command(command));
        self.drain();
        if let Err(refused) = outcome {
            (self.report)(Report::Refused(refused));
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.session.poll() {
            self.act(output);
        }
    }

    /// Carries out an output of the machine. Outputs for an ended connection are dropped.
    fn act(&mut self, output: Output) {
        match output {
            Output::AskToken { connection } => {
                let provider = self.config.token_provider.clone();
                self.start(connection, provider);
            }
            Output::Dial { connection, token } => {
                self.secrets.learn(&token);
                self.running(connection).give(ConnectionCommand::Dial(token));
            }
            Output::Send { connection, text, kind } => {
                if let Some(running) = self.connections.get(&connection) {
                    running.give(ConnectionCommand::Send { text, kind });
                }
            }
            Output::Close { connection, code } => {
                let drop_at = self.now().monotonic + self.config.timing.connect_timeout;
                if let Some(running) = self.connections.get_mut(&connection) {
                    running.drop_at = Some(drop_at);
                    running.give(ConnectionCommand::Close(code));
                }
            }
            Output::Drop(connection) => drop(self.connections.remove(&connection)),
            Output::Redial { attempt, delay } => {
                let at = now() + delay;
                (self.report)(Report::Redial(Redial { attempt, delay, at }));
            }
            Output::Status { old, new } => (self.report)(Report::Status { old, new }),
            Output::Emit { name, payload } => (self.report)(Report::Emit { name, payload }),
            Output::DialFailed(failure) => {
                let reason = self.secrets.redact(failure.to_string());
                (self.report)(Report::DialFailed(reason));
            }
            Output::Log(line) => {
                let line = self.secrets.redact(line);
                (self.report)(Report::Log(line));
            }
        }
    }

    /// The connection of this dial. It has begun where it was asked for its token first; otherwise it begins here.
    fn running(&mut self, id: ConnectionId) -> &Running {
        if !self.connections.contains_key(&id) {
            self.start(id, None);
        }
        &self.connections[&id]
    }

    fn start(&mut self, id: ConnectionId, provider: Option<Arc<dyn TokenProvider>>) {
        let capacity = self.config.queue_capacity + REQUESTS + OTHER_COMMANDS;
        let (commands, inbox) = mpsc::channel(capacity);
        let life = connection::live(id, self.route.clone(), provider, inbox, self.signs.clone());
        self.connections.insert(
            id,
            Running { commands, _task: AbortOnDropHandle::new(tokio::spawn(life)), drop_at: None },
        );
    }

    fn deadline(&self) -> Option<Duration> {
        let cuts = self.connections.values().filter_map(|running| running.drop_at);
        self.session.deadline().into_iter().chain(cuts).min()
    }

    /// Does what is due.
    fn pass_time(&mut self) {
        if self.deadline().is_some_and(|deadline| deadline <= self.now().monotonic) {
            self.cut_short();
            self.take(Input::Timer);
        }
    }

    /// Drops connections whose closing handshake took too long.
    fn cut_short(&mut self) {
        let now = self.now().monotonic;
        self.connections.retain(|_, running| running.drop_at.is_none_or(|at| now < at));
    }

    fn now(&self) -> Now {
        Now { monotonic: now() - self.origin, wall: (self.wall)() }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the driver is where the clock is; tokio's is virtual in simulations"
)]
fn now() -> Instant {
    Instant::now()
}
