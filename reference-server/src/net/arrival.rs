//! A connection while it is no WebSocket, as far as listeners and seats know it.

use std::cell::Cell;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use reference_gateway::HandshakeId;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::context::now;
use super::proxy::TrustedProxies;
use super::seat::Seats;

/// What is known of a connection while it is no WebSocket.
#[derive(Debug)]
pub struct Arrival {
    peer: IpAddr,
    client: Cell<IpAddr>,
    proxies: TrustedProxies,
    /// Where it gets a seat; without this it needs none.
    seats: Option<(Seats, HandshakeId)>,
    status: Cell<SeatStatus>,
    changed: Notify,
    /// Since when it waits for its seat, and how long it has waited.
    waits_since: Cell<Option<Instant>>,
    waited: Cell<Duration>,
}

/// What has become of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SeatStatus {
    /// It has sent nothing.
    Silent,
    /// It has sent something, and waits for a seat.
    Waiting,
    /// It has a seat.
    Seated,
    /// It waited in vain.
    TurnedAway,
    /// It was silent when others wanted to come in.
    EvictedSilent,
    /// Its seat went to another network.
    Evicted,
}

impl Arrival {
    pub(super) fn new(peer: IpAddr, proxies: TrustedProxies, seats: Option<(Seats, HandshakeId)>) -> Self {
        let peer = peer.to_canonical();
        Self {
            peer,
            client: Cell::new(peer),
            proxies,
            seats,
            status: Cell::new(SeatStatus::Silent),
            changed: Notify::new(),
            waits_since: Cell::new(None),
            waited: Cell::new(Duration::ZERO),
        }
    }

    /// The peer has sent something. Waits until it may be read, or, where it waited in vain, may be answered.
    pub async fn speaks(self: &Rc<Self>) {
        let Some((seats, id)) = &self.seats else { return };
        if matches!(self.status.get(), SeatStatus::Silent | SeatStatus::EvictedSilent) {
            self.status.set(SeatStatus::Waiting);
            self.waits_since.set(Some(now()));
            seats.speaks(*id, self);
        }
        self.until(|status| status != SeatStatus::Waiting).await;
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

    pub(super) fn peer(&self) -> IpAddr {
        self.peer
    }

    pub(super) fn trusts(&self, address: IpAddr) -> bool {
        self.proxies.trust(address)
    }

    /// Notes what has become of it.
    pub(super) fn set_status(&self, status: SeatStatus) {
        if let Some(since) = self.waits_since.take() {
            self.waited.set(self.waited.get() + (now() - since));
        }
        self.status.set(status);
        self.changed.notify_waiters();
    }

    /// It sends another request.
    pub(super) fn is_seated_again(&self) {
        self.waited.set(Duration::ZERO);
        self.set_status(SeatStatus::Seated);
    }

    pub(super) fn is_turned_away(&self) -> bool {
        self.status.get() == SeatStatus::TurnedAway
    }

    /// Waits until its place is lost.
    pub(super) async fn evicted(&self) {
        self.until(|status| matches!(status, SeatStatus::Evicted | SeatStatus::EvictedSilent)).await;
    }

    /// Waits until a time that does not run while it waits for its seat.
    pub(super) async fn late(&self, by: Instant) {
        loop {
            self.until(|status| status != SeatStatus::Waiting).await;
            let until = by + self.waited.get();
            if now() >= until {
                return;
            }
            tokio::time::sleep_until(until).await;
        }
    }

    async fn until(&self, is: impl Fn(SeatStatus) -> bool) {
        loop {
            // A change between the look and the wait is not missed: this takes note of it from here on.
            let changed = self.changed.notified();
            if is(self.status.get()) {
                return;
            }
            changed.await;
        }
    }
}
