//! The one task that owns the state: it accepts sockets, feeds the machine, and hands out what the machine answers.

use super::config::BrokerConfig;
use super::listen::Listen;
use super::snapshot::Snapshot;
use super::socket::{Socket, SocketCommand};
use super::state::{ConnectionId, Input, Moment, Output, State};
use super::wire::{put_content, put_method};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Inputs that may wait for the owner. Past it, sockets are not read, and so their clients wait.
const INPUT_QUEUE: usize = 256;
/// Inputs handled before their outputs are written.
const INPUT_BATCH: usize = 64;
/// How long to wait after the system refused to accept a connection, usually for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long clients have to take note of a shutdown.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(1);

/// What a snapshot is looked at for.
pub(super) type Predicate = Box<dyn Fn(&Snapshot) -> bool + Send>;

/// What the handle asks.
pub(super) enum Request {
    Snapshot(oneshot::Sender<Snapshot>),
    /// Answered as soon as a snapshot suits.
    Until(Predicate, oneshot::Sender<Snapshot>),
    DropConnections(oneshot::Sender<()>),
    CloseConsuming(BTreeSet<String>, oneshot::Sender<()>),
    DeleteQueues(BTreeSet<String>, oneshot::Sender<()>),
    Refuse(bool, oneshot::Sender<()>),
    Stall(bool, oneshot::Sender<()>),
    Shutdown(oneshot::Sender<()>),
}

/// State, listener and sockets.
pub(super) struct Owner<L> {
    config: BrokerConfig,
    state: State,
    listener: L,
    started: Instant,
    outboxes: BTreeMap<ConnectionId, Outbox>,
    /// Outboxes with bytes to hand over.
    dirty: BTreeSet<ConnectionId>,
    tasks: JoinSet<()>,
    inputs: mpsc::Receiver<Input>,
    to_inputs: mpsc::Sender<Input>,
    stalled: watch::Sender<bool>,
    refusing: bool,
    /// Requests for a snapshot that suits.
    waiting: Vec<(Predicate, oneshot::Sender<Snapshot>)>,
    /// When connections are accepted again, after the system refused to.
    accept_from: Option<Instant>,
    next_connection: u64,
}

/// Which sources were served since the others had their turn.
#[derive(Clone, Copy, Debug, Default)]
struct Round {
    requests: bool,
    inputs: bool,
    accepted: bool,
}

impl Round {
    fn has_begun(self) -> bool {
        self.requests || self.inputs || self.accepted
    }
}

/// What is on its way to one socket's task.
#[derive(Debug)]
struct Outbox {
    /// Bounded by the machine: it counts what was emitted and not flushed, and cuts off a client that lets it grow.
    orders: mpsc::UnboundedSender<SocketCommand>,
    abort: oneshot::Sender<()>,
    bytes: Vec<u8>,
    weight: usize,
    frame_max: u32,
}

impl<L: Listen> Owner<L> {
    #[expect(clippy::disallowed_methods, reason = "the driver has the clock")]
    pub(super) fn new(config: BrokerConfig, listener: L) -> Self {
        let (to_inputs, inputs) = mpsc::channel(INPUT_QUEUE);
        Self {
            state: State::new(config.clone()),
            config,
            listener,
            started: Instant::now(),
            outboxes: BTreeMap::new(),
            dirty: BTreeSet::new(),
            tasks: JoinSet::new(),
            inputs,
            to_inputs,
            stalled: watch::Sender::new(false),
            refusing: false,
            waiting: Vec::new(),
            accept_from: None,
            next_connection: 0,
        }
    }

    /// Runs until the handle is dropped or requests a shutdown.
    ///
    /// Sources are served in a fixed order, so that a simulation repeats, and in rounds, so that none starves another: a
    /// source that was served waits until every other one that is ready has been, too. Timers and tasks that ended
    /// need no round: each comes once.
    pub(super) async fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        let mut batch = Vec::with_capacity(INPUT_BATCH);
        let mut round = Round::default();
        loop {
            let deadline = self.state.deadline().map(|elapsed| self.started + elapsed);
            tokio::select! {
                biased;
                () = sleep_until(deadline) => self.handle(Input::Tick),
                Some(ended) = self.tasks.join_next() => {
                    if let Err(error) = ended {
                        std::panic::resume_unwind(error.into_panic());
                    }
                }
                request = requests.recv(), if !round.requests => match request {
                    None => return,
                    Some(Request::Shutdown(done)) => {
                        self.shut_down().await;
                        // The receiver may have been dropped.
                        let _ = done.send(());
                        return;
                    }
                    Some(request) => {
                        round.requests = true;
                        self.answer(request);
                    }
                },
                _ = self.inputs.recv_many(&mut batch, INPUT_BATCH), if !round.inputs => {
                    round.inputs = true;
                    for input in batch.drain(..) {
                        self.handle(input);
                    }
                }
                () = sleep_until(self.accept_from), if self.accept_from.is_some() => self.accept_from = None,
                accepted = self.listener.accept(), if !round.accepted && self.accept_from.is_none() => {
                    round.accepted = true;
                    match accepted {
                        Ok((stream, peer)) => self.admit(stream, peer),
                        Err(error) => {
                            tracing::warn!(%error, "cannot accept a connection");
                            self.accept_from = Some(self.started + self.now().elapsed + ACCEPT_PAUSE);
                        }
                    }
                }
                // Nothing else is ready.
                () = std::future::ready(()), if round.has_begun() => round = Round::default(),
            }
            self.flush();
            self.answer_waiting();
        }
    }

    /// Answers the requests for which the state suits now.
    fn answer_waiting(&mut self) {
        self.waiting.retain(|(_, reply)| !reply.is_closed());
        if self.waiting.is_empty() {
            return;
        }
        let snapshot = self.state.snapshot();
        for (_, reply) in self.waiting.extract_if(.., |(suits, _)| suits(&snapshot)) {
            // The receiver may have been dropped.
            let _ = reply.send(snapshot.clone());
        }
    }

    fn answer(&mut self, request: Request) {
        // The receiver may have been dropped, which is no reason to stop serving.
        match request {
            Request::Snapshot(answer) => {
                let _ = answer.send(self.state.snapshot());
            }
            Request::Until(suits, reply) => self.waiting.push((suits, reply)),
            Request::DropConnections(done) => {
                for (id, outbox) in std::mem::take(&mut self.outboxes) {
                    let _ = outbox.abort.send(());
                    self.handle(Input::Gone(id));
                }
                let _ = done.send(());
            }
            Request::CloseConsuming(spared, done) => {
                self.handle(Input::CloseConsuming(spared));
                let _ = done.send(());
            }
            Request::DeleteQueues(names, done) => {
                self.handle(Input::DeleteQueues(names));
                let _ = done.send(());
            }
            Request::Refuse(refuse, done) => {
                self.refusing = refuse;
                let _ = done.send(());
            }
            Request::Stall(stalled, done) => {
                self.stalled.send_replace(stalled);
                let _ = done.send(());
            }
            Request::Shutdown(_) => unreachable!("the loop ends with this one"),
        }
    }

    fn admit(&mut self, stream: L::Stream, peer: std::net::SocketAddr) {
        if self.refusing || self.tasks.len() >= self.config.limits.connections {
            tracing::debug!(%peer, refusing = self.refusing, "connection refused");
            // Dropping the socket refuses it; without this its client would see an end and not a reset.
            L::reset(stream);
            return;
        }
        let id = ConnectionId(self.next_connection);
        self.next_connection += 1;
        let (orders, inbox) = mpsc::unbounded_channel();
        let (abort, aborted) = oneshot::channel();
        let frame_max = self.config.limits.frame_bytes;
        let outbox = Outbox { orders, abort, bytes: Vec::new(), weight: 0, frame_max };
        self.outboxes.insert(id, outbox);
        let socket = Socket {
            id,
            peer,
            frame_max,
            handshake_timeout: self.config.handshake_timeout,
            inputs: self.to_inputs.clone(),
            stalled: self.stalled.subscribe(),
        };
        self.tasks.spawn(socket.serve::<L>(stream, inbox, aborted));
    }

    fn handle(&mut self, input: Input) {
        if let Input::Gone(id) = input {
            self.outboxes.remove(&id);
        }
        self.state.handle(self.now(), input);
        while let Some(output) = self.state.poll() {
            self.dispatch(output);
        }
    }

    fn dispatch(&mut self, output: Output) {
        let id = output.recipient();
        let weight = output.weight();
        let Some(outbox) = self.outboxes.get_mut(&id) else {
            return;
        };
        outbox.weight += weight;
        match output {
            Output::Method { channel, method, .. } => {
                put_method(&mut outbox.bytes, channel, method);
                self.dirty.insert(id);
            }
            Output::Content { channel, method, message, .. } => {
                put_method(&mut outbox.bytes, channel, method);
                put_content(&mut outbox.bytes, channel, &message, outbox.frame_max);
                self.dirty.insert(id);
            }
            Output::Tuned { frame_max, heartbeat, .. } => {
                outbox.frame_max = frame_max;
                let heartbeat = Duration::from_secs(heartbeat.into());
                outbox.order(SocketCommand::Tuned { frame_max, heartbeat });
            }
            Output::Opened { .. } => outbox.order(SocketCommand::Opened),
            Output::Closing { .. } => outbox.order(SocketCommand::Closing),
            Output::HangUp { .. } => {
                outbox.flush();
                // The task hangs up when no more orders can come.
                self.outboxes.remove(&id);
            }
            Output::Abort { .. } => {
                if let Some(outbox) = self.outboxes.remove(&id) {
                    let _ = outbox.abort.send(());
                }
            }
        }
    }

    fn flush(&mut self) {
        while let Some(id) = self.dirty.pop_first() {
            if let Some(outbox) = self.outboxes.get_mut(&id) {
                outbox.flush();
            }
        }
    }

    async fn shut_down(&mut self) {
        self.stalled.send_replace(false);
        self.handle(Input::Shutdown);
        self.flush();
        let all_gone = async {
            while !self.tasks.is_empty() {
                tokio::select! {
                    biased;
                    // There are only so many tasks; their clients may go on sending.
                    _ = self.tasks.join_next() => {}
                    Some(input) = self.inputs.recv() => {
                        if let Input::Gone(id) = input {
                            self.outboxes.remove(&id);
                        }
                        self.state.handle(Moment::default(), input);
                        while let Some(output) = self.state.poll() {
                            if let Output::HangUp { to } = output {
                                self.outboxes.remove(&to);
                            }
                        }
                    }
                }
            }
        };
        if tokio::time::timeout(SHUTDOWN_GRACE, all_gone).await.is_err() {
            tracing::debug!("some clients did not take note of the shutdown");
        }
        self.tasks.shutdown().await;
    }

    #[expect(clippy::disallowed_methods, reason = "the driver has the clocks")]
    fn now(&self) -> Moment {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Moment { elapsed: self.started.elapsed(), unix_seconds: since_1970.as_secs() }
    }
}

impl Outbox {
    /// Hands over what has been written so far.
    fn flush(&mut self) {
        if !self.bytes.is_empty() {
            let bytes = std::mem::take(&mut self.bytes);
            let weight = std::mem::take(&mut self.weight);
            self.order(SocketCommand::Write { bytes, weight });
        }
    }

    fn order(&mut self, order: SocketCommand) {
        if !matches!(order, SocketCommand::Write { .. }) {
            self.flush();
        }
        // A closed socket reports itself by `Input::Gone`.
        let _ = self.orders.send(order);
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
