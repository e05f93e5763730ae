//! The seat of a connection that is no WebSocket yet (CONN-8). The seats are those of one shard, on one thread.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use reference_gateway::{HandshakeId, HandshakeOutput, Handshakes, Network};
use tokio::time::Instant;

use super::arrival::{Arrival, SeatStatus};
use super::context::now;
use super::proxy::TrustedProxies;

/// All seats of a shard.
#[derive(Debug, Clone)]
pub(super) struct Seats(Rc<Inner>);

#[derive(Debug)]
struct Inner {
    handshakes: RefCell<Handshakes>,
    arrivals: RefCell<BTreeMap<HandshakeId, Rc<Arrival>>>,
    proxies: TrustedProxies,
    origin: Instant,
}

/// The seat of one connection, or its place in the lobby; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    seats: Seats,
    arrival: Rc<Arrival>,
    network: Option<Network>,
    /// None while the connection is idle between requests.
    id: Option<HandshakeId>,
}

impl Seats {
    /// So many; who waits for one waits no longer than `patience`.
    pub(super) fn new(limit: usize, patience: Duration, proxies: TrustedProxies) -> Self {
        let handshakes = RefCell::new(Handshakes::new(limit, patience));
        Self(Rc::new(Inner { handshakes, arrivals: RefCell::default(), proxies, origin: now() }))
    }

    /// A new connection, which waits in the lobby until it speaks.
    pub(super) fn connect(&self, peer: IpAddr) -> Seat {
        let id = self.change(Handshakes::connect);
        let arrival = Rc::new(Arrival::new(peer, self.0.proxies.clone(), Some((self.clone(), id))));
        self.0.arrivals.borrow_mut().insert(id, arrival.clone());
        Seat { seats: self.clone(), arrival, network: self.network(peer), id: Some(id) }
    }

    /// A connection has spoken, and waits for a seat.
    pub(super) fn speaks(&self, id: HandshakeId, arrival: &Rc<Arrival>) {
        // It may have been among those that were to make room.
        self.0.arrivals.borrow_mut().insert(id, arrival.clone());
        let network = self.network(arrival.peer());
        self.change(|handshakes, at| handshakes.speaks(at, id, network));
    }

    /// The lobby is full.
    pub(super) fn make_room(&self) {
        self.change(Handshakes::make_room);
    }

    /// Looks again who can have a seat.
    pub(super) fn settle(&self) {
        self.change(Handshakes::settle);
    }

    /// Waits until [`Seats::settle`] is due.
    pub(super) async fn due(&self) {
        let deadline = self.0.handshakes.borrow().deadline();
        match deadline {
            Some(deadline) => tokio::time::sleep_until(self.0.origin + deadline).await,
            None => std::future::pending().await,
        }
    }

    /// Changes the machine, and tells each connection what has become of it.
    fn change<T>(&self, change: impl FnOnce(&mut Handshakes, Duration) -> T) -> T {
        let mut handshakes = self.0.handshakes.borrow_mut();
        let changed = change(&mut handshakes, now() - self.0.origin);
        while let Some(output) = handshakes.poll() {
            let (id, status) = match output {
                HandshakeOutput::Admit(id) => (id, SeatStatus::Seated),
                HandshakeOutput::TurnAway(id) => (id, SeatStatus::TurnedAway),
                HandshakeOutput::EvictSilent(id) => (id, SeatStatus::EvictedSilent),
                HandshakeOutput::Evict(id) => (id, SeatStatus::Evicted),
            };
            if let Some(arrival) = self.0.arrivals.borrow().get(&id) {
                arrival.set_status(status);
            }
        }
        changed
    }

    /// A trusted proxy speaks for many networks.
    fn network(&self, peer: IpAddr) -> Option<Network> {
        (!self.0.proxies.trust(peer)).then(|| Network::of(peer))
    }
}

impl Seat {
    /// What is known of the connection.
    pub(super) fn arrival(&self) -> Rc<Arrival> {
        self.arrival.clone()
    }

    /// Whether the connection may wait for another request.
    pub(super) fn rest(&mut self) -> bool {
        let Some(id) = self.id else { return true };
        let may = self.seats.change(|handshakes, at| handshakes.rest(at, id, self.network));
        if may {
            self.seats.0.arrivals.borrow_mut().remove(&id);
            self.id = None;
        }
        may
    }

    /// Whether the connection may send the request that it waited for.
    pub(super) fn resume(&mut self) -> bool {
        if self.id.is_none() {
            self.id = self.seats.change(|handshakes, at| handshakes.resume(at, self.network));
            if let Some(id) = self.id {
                self.arrival.is_seated_again();
                self.seats.0.arrivals.borrow_mut().insert(id, self.arrival.clone());
            }
        }
        self.id.is_some()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        match self.id {
            Some(id) => {
                self.seats.0.arrivals.borrow_mut().remove(&id);
                self.seats.change(|handshakes, at| handshakes.leave(at, id));
            }
            None => self.seats.change(|handshakes, _| handshakes.leave_idle(self.network)),
        }
    }
}
