//! A shard: one machine, its connections, and nobody else's. Everything here runs on one thread.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use protocol::{Claims, CloseCode};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::WallClock;
use super::connection::{Order, serve_stream};
use super::listen::Listen;
use super::outbox::Outbox;
use crate::auth::Verifier;
use crate::config::Config;
use crate::gateway::{ConnectionId, Gateway, Input, Now, Output, Routed};

/// Signs from connections that wait for the machine; a connection that is faster waits.
const SIGNS: usize = 1024;
/// Signs that the machine takes in before outboxes are flushed.
const BATCH: usize = 256;

/// What all shards share, and none changes.
pub(super) struct Shared {
    pub(super) config: Config,
    pub(super) verifier: Verifier,
    pub(super) wall: WallClock,
    /// Whether the broker is consumed from.
    pub(super) ready: Arc<AtomicBool>,
}

/// What reaches a shard from outside.
pub(super) enum Mail<I> {
    /// A connection to serve.
    Connection(I),
    /// Events to deliver; `taken` is told once they are in the outboxes.
    Events { events: Vec<Arc<Routed>>, taken: oneshot::Sender<()> },
}

/// What reaches a shard from its connections.
pub(super) enum Sign {
    /// A connection is signed in.
    Opened { id: ConnectionId, claims: Claims, outbox: Outbox, orders: mpsc::Sender<Order> },
    /// Something for the machine.
    Input(Input),
}

/// The connections of one thread.
pub(super) struct Shard<L: Listen> {
    shared: Arc<Shared>,
    gateway: Gateway,
    members: BTreeMap<ConnectionId, Member>,
    /// Members whose outbox has something new.
    dirty: Vec<ConnectionId>,
    tasks: JoinSet<()>,
    next: ConnectionId,
    origin: Instant,
    signs: mpsc::Sender<Sign>,
    listen: std::marker::PhantomData<L>,
}

struct Member {
    outbox: Outbox,
    orders: mpsc::Sender<Order>,
}

impl<L: Listen> Shard<L> {
    /// Serves until the mail ends, then tells everybody to go, and ends when they are gone or the grace time is over.
    /// Must run inside a `LocalSet`.
    pub(super) async fn run(shared: Arc<Shared>, mut mail: mpsc::Receiver<Mail<L::Incoming>>) {
        let (signs, mut signed) = mpsc::channel(SIGNS);
        let mut shard = Self {
            gateway: Gateway::new(shared.config.gateway.clone()),
            shared,
            members: BTreeMap::new(),
            dirty: Vec::new(),
            tasks: JoinSet::new(),
            next: ConnectionId(0),
            origin: now(),
            signs,
            listen: std::marker::PhantomData,
        };
        let mut taken = Vec::new();
        loop {
            let deadline = shard.gateway.deadline();
            tokio::select! {
                biased;
                arrived = mail.recv() => match arrived {
                    Some(Mail::Connection(incoming)) => shard.adopt(incoming),
                    Some(Mail::Events { events, taken: tell }) => {
                        shard.deliver(events);
                        taken.push(tell);
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
                Some(ended) = shard.tasks.join_next() => Self::check(ended),
            }
            shard.flush();
            for tell in taken.drain(..) {
                // The bridge that waits for it may be ending.
                let _ = tell.send(());
            }
        }
        shard.drain(&mut signed).await;
    }

    fn adopt(&mut self, incoming: L::Incoming) {
        let stream = match L::adopt(incoming) {
            Ok(stream) => stream,
            Err(error) => return tracing::debug!("a connection broke before it was served: {error}"),
        };
        let id = self.next;
        self.next = ConnectionId(id.0 + 1);
        let (shared, signs) = (self.shared.clone(), self.signs.clone());
        self.tasks.spawn_local(async move { serve_stream(stream, id, &shared, &signs).await });
    }

    fn deliver(&mut self, events: Vec<Arc<Routed>>) {
        for event in events {
            self.handle(Input::Event(event));
        }
    }

    fn take(&mut self, sign: Sign) {
        match sign {
            Sign::Opened { id, claims, outbox, orders } => {
                self.members.insert(id, Member { outbox, orders });
                self.handle(Input::Opened(id, claims));
            }
            Sign::Input(input) => {
                if let Input::Closed(id) = input {
                    self.members.remove(&id);
                }
                self.handle(input);
            }
        }
    }

    fn handle(&mut self, input: Input) {
        let now = Now { monotonic: now() - self.origin, wall: (self.shared.wall)() };
        self.gateway.handle(now, input);
        while let Some(output) = self.gateway.poll() {
            match output {
                Output::Send(id, frame) => self.append(id, frame),
                Output::Close(id, code) => self.order(id, Order::Close(code)),
                // Without its orders a connection ends.
                Output::Drop(id) => drop(self.members.remove(&id)),
            }
        }
    }

    /// Appends to an outbox; a member that lets too much pile up is shed (BRIDGE-12).
    fn append(&mut self, id: ConnectionId, frame: bytes::Bytes) {
        let Some(member) = self.members.get(&id) else { return };
        if member.outbox.append(frame) <= self.shared.config.outbox_bytes {
            self.dirty.push(id);
            return;
        }
        tracing::info!("a connection reads too slowly and is closed");
        self.order(id, Order::Shed(CloseCode::TRY_AGAIN_LATER));
        self.members.remove(&id);
        self.gateway
            .handle(Now { monotonic: now() - self.origin, wall: (self.shared.wall)() }, Input::Closed(id));
    }

    fn order(&self, id: ConnectionId, order: Order) {
        if let Some(member) = self.members.get(&id) {
            // It ends by its first order; a second one changes nothing.
            let _ = member.orders.try_send(order);
        }
    }

    /// One wake, and so one write, for each connection and batch.
    fn flush(&mut self) {
        self.dirty.sort_unstable();
        self.dirty.dedup();
        for id in self.dirty.drain(..) {
            if let Some(member) = self.members.get(&id) {
                member.outbox.flush();
            }
        }
    }

    /// Tells everybody to go (CONN-6), and waits for them within the grace time.
    async fn drain(mut self, signed: &mut mpsc::Receiver<Sign>) {
        self.handle(Input::Shutdown);
        self.flush();
        let leave = async {
            loop {
                tokio::select! {
                    biased;
                    Some(sign) = signed.recv() => {
                        // Whoever arrives now is told to go as well.
                        if let Sign::Opened { orders, .. } = sign {
                            let _ = orders.try_send(Order::Close(CloseCode::GOING_AWAY));
                        }
                    }
                    ended = self.tasks.join_next() => match ended {
                        Some(ended) => Self::check(ended),
                        None => return,
                    },
                }
            }
        };
        if tokio::time::timeout(self.shared.config.shutdown_grace, leave).await.is_err() {
            tracing::warn!("some connections did not go in time and are dropped");
        }
    }

    /// A connection that panicked is a defect of the gateway: it must not go unnoticed.
    fn check(ended: Result<(), tokio::task::JoinError>) {
        if let Err(error) = ended
            && error.is_panic()
        {
            std::panic::resume_unwind(error.into_panic());
        }
    }
}

async fn until(origin: Instant, deadline: Option<Duration>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(origin + deadline).await,
        None => std::future::pending().await,
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the driver is where the clock is; tokio's is virtual in simulations"
)]
fn now() -> Instant {
    Instant::now()
}
