//! A shard: one machine and the connections that it owns. Everything here runs on one thread.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::WriteHalf;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::task::coop::unconstrained;
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;

use super::budget::ShardOutboxes;
use super::connection::{ConnectionCommand, ConnectionEvent, Opened, open, serve_socket};
use super::context::{ReportRequest, ServerContext, ShardReport, now};
use super::listen::Listen;
use super::outbox::Outbox;
use super::seat::Seats;
use super::send_batch::SendBatch;
use crate::metrics::End;
use crate::report;
use reference_gateway::{ConnectionId, ConnectionStats, Delivery, Gateway, Input, Now, Output};

/// Signs from connections that wait for the machine; a connection that is faster waits.
const SIGNS: usize = 1024;
/// Events that the machine handles before outboxes are flushed.
const BATCH: usize = 256;

/// What reaches a shard from outside.
pub(super) enum ShardCommand<I> {
    /// A connection to serve.
    Connection(Guest<I>),
    /// Others cannot be accepted: the lobby is full, or there are no descriptors.
    MakeRoom,
    /// Events to deliver, and when the broker delivered them; `ack` fires once they are in the outboxes.
    Events { deliveries: Vec<Arc<Delivery>>, received: Instant, ack: oneshot::Sender<()> },
}

/// A connection that was accepted.
pub(super) struct Guest<I> {
    pub(super) incoming: I,
    /// Where it comes from.
    pub(super) peer: IpAddr,
    /// Its place in the lobby; while there is none, the listener accepts no more.
    pub(super) permit: OwnedSemaphorePermit,
}

/// The connections of one thread.
pub(super) struct Shard<L: Listen> {
    number: usize,
    shared: Arc<ServerContext>,
    gateway: Gateway,
    members: BTreeMap<ConnectionId, Member<L::Stream>>,
    /// Members whose outbox has something new.
    dirty: Vec<ConnectionId>,
    /// Writes to many of them at once.
    batch: SendBatch,
    outboxes: ShardOutboxes,
    /// Most bytes that waited in one outbox since it was last looked which is the fullest.
    fullest: usize,
    /// Connections that are no WebSocket yet.
    opening: JoinSet<Handshake<L::Stream>>,
    seats: Seats,
    tasks: JoinSet<()>,
    next: ConnectionId,
    origin: Instant,
    signs: mpsc::Sender<ConnectionEvent<L::Stream>>,
}

/// A handshake that is over: the connection, where it is one now.
type Handshake<S> = Option<(ConnectionId, Opened<S>)>;

struct Member<S> {
    outbox: Outbox<WriteHalf<S>>,
    /// None once it was given its order.
    orders: Option<oneshot::Sender<ConnectionCommand>>,
}

impl<L: Listen> Shard<L> {
    /// Serves until the mailbox closes, then closes every connection; returns when all are closed or the grace time is over.
    /// Must run inside a `LocalSet`.
    pub(super) async fn run(
        number: usize,
        shared: Arc<ServerContext>,
        mut mail: mpsc::Receiver<ShardCommand<L::Incoming>>,
        mut reports: mpsc::Receiver<ReportRequest>,
    ) {
        let (signs, mut signed) = mpsc::channel(SIGNS);
        let config = &shared.config;
        let seats = Seats::new(config.max_handshakes, config.connect_timeout, config.trusted_proxies.clone());
        let batch = match L::SOCKET {
            Some(_) if config.io_uring => SendBatch::of_this_thread(),
            _ => SendBatch::none(),
        };
        let mut shard = Self {
            number,
            batch,
            outboxes: ShardOutboxes::new(shared.budget.clone()),
            fullest: 0,
            gateway: Gateway::new(shared.config.gateway.clone()),
            shared,
            members: BTreeMap::new(),
            dirty: Vec::new(),
            opening: JoinSet::new(),
            seats,
            tasks: JoinSet::new(),
            next: ConnectionId(0),
            origin: now(),
            signs,
        };
        let budget = shard.shared.budget.clone();
        let mut acks = Vec::new();
        loop {
            let deadline = shard.gateway.deadline();
            tokio::select! {
                biased;
                arrived = mail.recv() => match arrived {
                    Some(ShardCommand::Connection(guest)) => shard.adopt(guest),
                    Some(ShardCommand::MakeRoom) => shard.seats.make_room(),
                    Some(ShardCommand::Events { deliveries, received, ack }) => {
                        shard.deliver(deliveries);
                        acks.push((ack, received));
                    }
                    None => break,
                },
                Some(sign) = signed.recv() => {
                    shard.take(sign);
                    for _ in 1..BATCH {
                        let Ok(sign) = signed.try_recv() else { break };
                        shard.take(sign);
                    }
                }
                () = until(shard.origin, deadline) => shard.handle(Input::Timer),
                () = budget.looked_for(number) => {}
                () = shard.seats.due() => shard.seats.settle(),
                Some(ended) = shard.opening.join_next() => shard.serve(ended),
                Some(ended) = shard.tasks.join_next() => drop(Self::check(ended)),
                Some(asked) = reports.recv() => shard.report(asked),
            }
            shard.flush().await;
            shard.keep_budget();
            for (ack, received) in acks.drain(..) {
                shard.shared.metrics.took(received.elapsed());
                // The receiver may have been dropped: the bridge may be ending.
                let _ = ack.send(());
            }
        }
        shard.drain(&mut signed, &mut reports).await;
    }

    fn adopt(&mut self, Guest { incoming, peer, permit }: Guest<L::Incoming>) {
        let id = self.next;
        self.next = ConnectionId(id.0 + 1);
        let seat = self.seats.connect(peer);
        let (shared, outboxes) = (self.shared.clone(), self.outboxes.clone());
        self.opening.spawn_local(async move {
            let opened = open::<L>(incoming, seat, &shared, outboxes).await;
            drop(permit);
            opened.map(|opened| (id, opened))
        });
    }

    /// Serves what came out of a handshake.
    fn serve(&mut self, ended: Result<Handshake<L::Stream>, JoinError>) {
        let Some((id, opened)) = Self::check(ended).flatten() else { return };
        let (shared, signs) = (self.shared.clone(), self.signs.clone());
        self.tasks.spawn_local(async move {
            let claims = opened.claims().clone();
            report::for_user(&claims, serve_socket(opened, id, &shared, &signs)).await;
        });
    }

    fn deliver(&mut self, deliveries: Vec<Arc<Delivery>>) {
        for delivery in deliveries {
            let events = delivery.events;
            // The bridge has counted its frames, once for all shards.
            let receivers = self.handle_counting(Input::Deliver(delivery), |_, frames| frames);
            self.shared.metrics.deliveries.inc_by(receivers * events);
            self.shared.metrics.messages_out.inc_by(receivers * events);
        }
    }

    fn take(&mut self, sign: ConnectionEvent<L::Stream>) {
        match sign {
            ConnectionEvent::Opened { id, claims, outbox, orders } => {
                self.members.insert(id, Member { outbox, orders: Some(orders) });
                self.handle(Input::Opened(id, claims));
            }
            ConnectionEvent::Input(input) => {
                match &input {
                    Input::Closed(id) => drop(self.members.remove(id)),
                    Input::Text(..) | Input::Binary(_) => drop(self.shared.metrics.messages_in.inc()),
                    _ => {}
                }
                self.handle(input);
            }
        }
    }

    fn handle(&mut self, input: Input) {
        // Heartbeats do not count as messages, be they frames or messages.
        let is_message = !matches!(input, Input::Timer);
        let sent = self.handle_counting(input, ShardOutboxes::hold);
        if is_message {
            self.shared.metrics.messages_out.inc_by(sent);
        }
    }

    /// Carries out the machine's outputs, and returns to how many connections something was sent.
    fn handle_counting(&mut self, input: Input, held: impl Fn(&ShardOutboxes, Bytes) -> Bytes) -> u64 {
        self.gateway.handle(self.now(), input);
        let mut sent = 0;
        while let Some(output) = self.gateway.poll() {
            match output {
                Output::Send(id, frames) => {
                    sent += 1;
                    let frames = held(&self.outboxes, frames);
                    self.append(id, frames);
                }
                Output::Close(id, code) => {
                    self.shared.metrics.end(match code {
                        code if code == self.shared.config.gateway.dialect.expiry() => End::Expired,
                        _ => End::Shutdown,
                    });
                    self.order(id, ConnectionCommand::Close(code));
                }
                Output::CutOff(id, code) => {
                    self.shared.metrics.end(End::Flood);
                    self.order(id, ConnectionCommand::CutOff(code));
                }
                Output::Shed(id) => {
                    self.shared.sheds.log(|left_out| {
                        tracing::info!(left_out, "a connection reads too slowly and is closed");
                    });
                    self.shared.metrics.end(End::Slow);
                    self.order(id, ConnectionCommand::Shed);
                    if let Some(member) = self.members.remove(&id) {
                        // At once: it frees what waits, for which others may be about to be shed.
                        member.outbox.shed();
                    }
                }
                Output::Drop(id) => {
                    self.shared.metrics.end(End::Dead);
                    // Without its orders a connection ends.
                    self.members.remove(&id);
                }
            }
        }
        sent
    }

    /// Appends to an outbox; the machine decides what becomes of a connection that lets too much pile up.
    fn append(&mut self, id: ConnectionId, frames: Bytes) {
        let Some(member) = self.members.get(&id) else { return };
        if member.outbox.append(frames) {
            self.dirty.push(id);
        } else {
            self.gateway.handle(self.now(), Input::Slow(id));
        }
    }

    fn order(&mut self, id: ConnectionId, order: ConnectionCommand) {
        if let Some(orders) = self.members.get_mut(&id).and_then(|member| member.orders.take()) {
            // It may have ended by itself.
            let _ = orders.send(order);
        }
    }

    /// One write for each connection and batch of events; where the kernel allows it, many of these writes by one system call.
    async fn flush(&mut self) {
        if self.dirty.is_empty() {
            return;
        }
        self.dirty.sort_unstable();
        self.dirty.dedup();
        // Sockets count against a task's turn, and this one writes to all of them; it awaits between batches.
        unconstrained(async {
            let members = &self.members;
            let outboxes = self.dirty.drain(..).filter_map(|id| Some(&members.get(&id)?.outbox));
            let outboxes: Vec<_> = outboxes.collect();
            self.shared.metrics.batched_writes.inc_by(self.batch.send(&outboxes));
            // What that did not write is written here.
            for outbox in outboxes {
                self.fullest = self.fullest.max(outbox.flush());
            }
        })
        .await;
    }

    /// Sheds the fullest outboxes while more is held in all outboxes of the gateway than may be (BRIDGE-12).
    fn keep_budget(&mut self) {
        let budget = self.shared.budget.clone();
        if self.outboxes.is_empty() {
            self.fullest = 0;
        }
        self.outboxes.publish(self.number);
        budget.set_fullest(self.number, self.fullest);
        if !budget.is_over() {
            return;
        }
        let waiting = self.members.iter().map(|(id, member)| (member.outbox.bytes(), *id));
        let mut waiting: Vec<_> = waiting.filter(|(bytes, _)| *bytes > 0).collect();
        waiting.sort_unstable();
        while let Some((bytes, id)) = waiting.pop() {
            self.fullest = bytes;
            budget.set_fullest(self.number, bytes);
            if budget.is_relieved() || !budget.is_fullest(bytes) {
                return;
            }
            self.shared.sheds.log(|left_out| {
                tracing::info!(left_out, "too much waits in all outboxes: the fullest is given up");
            });
            self.shared.metrics.budget_sheds.inc();
            self.handle(Input::Slow(id));
            self.outboxes.publish(self.number);
        }
        // What is held has been begun to be written, or is another shard's.
        self.fullest = 0;
        budget.set_fullest(self.number, 0);
        budget.is_fullest(0);
    }

    /// Closes every connection (CONN-6), and waits for them within the grace time.
    async fn drain(
        mut self,
        signed: &mut mpsc::Receiver<ConnectionEvent<L::Stream>>,
        reports: &mut mpsc::Receiver<ReportRequest>,
    ) {
        // A connection in its handshake, or idle between pages, has no session to close.
        self.opening.abort_all();
        self.handle(Input::Shutdown);
        self.flush().await;
        let grace = self.shared.config.shutdown_grace;
        let leave = async {
            loop {
                tokio::select! {
                    biased;
                    Some(sign) = signed.recv() => self.take(sign),
                    Some(asked) = reports.recv() => self.report(asked),
                    ended = self.tasks.join_next() => match ended {
                        Some(ended) => drop(Self::check(ended)),
                        None => return,
                    },
                }
            }
        };
        if tokio::time::timeout(grace, leave).await.is_err() {
            tracing::warn!("some connections did not go in time and are dropped");
        }
    }

    fn report(&self, ReportRequest { with_names, reply }: ReportRequest) {
        let begun = now();
        let stats = if with_names { self.gateway.stats() } else { ConnectionStats::default() };
        let (connections, room_count) = self.gateway.sizes();
        let outbox_bytes = self.members.values().map(|member| member.outbox.bytes()).sum();
        let took = now() - begun;
        // The receiver may have been dropped.
        let _ = reply.send(ShardReport { stats, connections, room_count, outbox_bytes, took });
    }

    fn now(&self) -> Now {
        Now { monotonic: now() - self.origin, wall: (self.shared.wall)() }
    }

    /// What a task came to; nothing where it was given up. One that panicked is a defect of the gateway: it must not go
    /// unnoticed.
    fn check<T>(ended: Result<T, JoinError>) -> Option<T> {
        match ended {
            Ok(ended) => Some(ended),
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => None,
        }
    }
}

async fn until(origin: Instant, deadline: Option<Duration>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(origin + deadline).await,
        None => std::future::pending().await,
    }
}
