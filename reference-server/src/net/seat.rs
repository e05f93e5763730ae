//! The seat of a connection that is no WebSocket yet (CONN-8). The seats are those of one shard, on one thread.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use reference_gateway::{HandshakeId, HandshakeOutput, Handshakes, Network};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::context::now;
use super::proxy::TrustedProxies;

/// All seats of a shard.
#[derive(Debug, Clone)]
pub(super) struct Seats(Rc<SeatsInner>);

#[derive(Debug)]
struct SeatsInner {
    handshakes: RefCell<Handshakes>,
    /// Those who sit.
    arrivals: RefCell<BTreeMap<HandshakeId, Rc<Arrival>>>,
    proxies: TrustedProxies,
    origin: Instant,
}

/// What is known of a connection while it is no WebSocket.
#[derive(Debug)]
pub struct Arrival {
    client: Cell<IpAddr>,
    proxies: TrustedProxies,
    /// Where it is noted that the peer has sent something.
    seat: Option<(Seats, Cell<HandshakeId>)>,
    has_spoken: Cell<bool>,
    eviction: Cell<Option<Eviction>>,
    evicted: Notify,
}

/// Why a seat was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Eviction {
    /// The peer had sent nothing.
    Silent,
    /// Another network had less than its share.
    Share,
}

/// One of them, given back when it is dropped.
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
        Self(Rc::new(SeatsInner { handshakes, arrivals: RefCell::default(), proxies, origin: now() }))
    }

    /// A new connection, which waits for a seat.
    pub(super) fn arrive(&self, peer: IpAddr) -> HandshakeId {
        self.0.handshakes.borrow_mut().arrive(self.at(), self.network(peer))
    }

    /// The seat of a connection that has been admitted.
    pub(super) fn seat(&self, id: HandshakeId, peer: IpAddr) -> Seat {
        let seat = Some((self.clone(), Cell::new(id)));
        let arrival = Rc::new(Arrival { seat, ..Arrival::new(peer, self.0.proxies.clone()) });
        self.0.arrivals.borrow_mut().insert(id, arrival.clone());
        Seat { seats: self.clone(), arrival, network: self.network(peer), id: Some(id) }
    }

    /// What is known of a connection that is turned away.
    pub(super) fn without_seat(&self, peer: IpAddr) -> Arrival {
        Arrival::new(peer, self.0.proxies.clone())
    }

    /// The next that is to be served, or turned away; those who lost their seat learn it here.
    pub(super) fn poll(&self) -> Option<HandshakeOutput> {
        let output = self.0.handshakes.borrow_mut().poll()?;
        match output {
            HandshakeOutput::EvictSilent(id) => self.evict(id, Eviction::Silent),
            HandshakeOutput::Evict(id) => self.evict(id, Eviction::Share),
            HandshakeOutput::Admit(_) | HandshakeOutput::TurnAway(_) => {}
        }
        Some(output)
    }

    /// Looks again who can have a seat.
    pub(super) fn settle(&self) {
        self.0.handshakes.borrow_mut().settle(self.at());
    }

    /// Waits until [`Seats::settle`] is due.
    pub(super) async fn due(&self) {
        let deadline = self.0.handshakes.borrow().deadline();
        match deadline {
            Some(deadline) => tokio::time::sleep_until(self.0.origin + deadline).await,
            None => std::future::pending().await,
        }
    }

    fn evict(&self, id: HandshakeId, eviction: Eviction) {
        if let Some(arrival) = self.0.arrivals.borrow_mut().remove(&id) {
            arrival.eviction.set(Some(eviction));
            arrival.evicted.notify_one();
        }
    }

    /// A trusted proxy speaks for many networks.
    fn network(&self, peer: IpAddr) -> Option<Network> {
        (!self.0.proxies.trust(peer)).then(|| Network::of(peer))
    }

    fn at(&self) -> Duration {
        now() - self.0.origin
    }
}

impl Arrival {
    pub(super) fn new(peer: IpAddr, proxies: TrustedProxies) -> Self {
        Self {
            client: Cell::new(peer.to_canonical()),
            proxies,
            seat: None,
            has_spoken: Cell::new(false),
            eviction: Cell::new(None),
            evicted: Notify::new(),
        }
    }

    /// The peer has sent something: it no longer is among the first to lose their seats.
    pub fn speaks(&self) {
        self.has_spoken.set(true);
        if let Some((seats, id)) = &self.seat {
            seats.0.handshakes.borrow_mut().speaks(id.get());
        }
    }

    /// Whether the peer is a proxy that is trusted to say whom it speaks for.
    pub fn is_from_proxy(&self) -> bool {
        self.trusts(self.client.get())
    }

    /// The peer speaks for this client.
    pub fn is_for(&self, client: IpAddr) {
        self.client.set(client.to_canonical());
    }

    /// Whose the connection is, as far as is known.
    pub fn client(&self) -> IpAddr {
        self.client.get()
    }

    pub(super) fn trusts(&self, address: IpAddr) -> bool {
        self.proxies.trust(address)
    }

    /// Waits until the seat is lost for good: a peer that was taken for silent, and has spoken, is not concerned.
    pub(super) async fn evicted(&self) {
        loop {
            match self.eviction.get() {
                Some(Eviction::Share) => return,
                Some(Eviction::Silent) if !self.has_spoken.get() => return,
                Some(Eviction::Silent) | None => self.evicted.notified().await,
            }
        }
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
        let may = self.seats.0.handshakes.borrow_mut().rest(self.seats.at(), id, self.network);
        if may {
            self.seats.0.arrivals.borrow_mut().remove(&id);
            self.id = None;
        }
        may
    }

    /// Whether the connection may send the request that it waited for.
    pub(super) fn resume(&mut self) -> bool {
        if self.id.is_none() {
            self.id = self.seats.0.handshakes.borrow_mut().resume(self.seats.at(), self.network);
        }
        if let (Some(id), Some((_, own))) = (self.id, &self.arrival.seat) {
            own.set(id);
            self.arrival.eviction.set(None);
            self.seats.0.arrivals.borrow_mut().insert(id, self.arrival.clone());
        }
        self.id.is_some()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut handshakes = self.seats.0.handshakes.borrow_mut();
        match self.id {
            Some(id) => {
                self.seats.0.arrivals.borrow_mut().remove(&id);
                handshakes.leave(self.seats.at(), id);
            }
            None => handshakes.leave_idle(self.network),
        }
    }
}
