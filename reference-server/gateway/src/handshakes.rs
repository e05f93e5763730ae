//! How many connections of a shard may be no WebSocket yet: in their request, or idle between requests for pages (CONN-8).
//!
//! ```text
//!  begin ──► active ──end──► (a WebSocket, or the end)
//!              │ ▲
//!         rest ▼ │ resume
//!             idle ──end──► (the end)
//! ```

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::admission::give_back;

/// One address may hold one handshake in so many, and one idle connection in so many, so that it cannot lock out other addresses.
const SHARES: usize = 4;
/// Connections that may be idle between requests for pages, apart from handshakes: enough for some scrapers.
const MAX_IDLE: usize = 64;

/// Counts the connections.
#[derive(Debug)]
pub struct Handshakes {
    active: Seats,
    idle: Seats,
}

/// What a connection does that is no WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandshakeState {
    /// It sends a request, or is answered.
    Active,
    /// It may send another request.
    Idle,
}

#[derive(Debug)]
struct Seats {
    limit: usize,
    taken: usize,
    from: BTreeMap<IpAddr, usize>,
}

impl Handshakes {
    /// At most so many at once.
    pub fn new(limit: usize) -> Self {
        Self { active: Seats::new(limit), idle: Seats::new(MAX_IDLE) }
    }

    /// Whether a new connection may send its request. Pending handshakes are dropped at their timeout, which frees the capacity.
    #[must_use]
    pub fn begin(&mut self, peer: IpAddr) -> bool {
        self.active.take(peer)
    }

    /// Whether an active connection may wait for another request.
    #[must_use]
    pub fn rest(&mut self, peer: IpAddr) -> bool {
        let may = self.idle.take(peer);
        if may {
            self.active.give_back(peer);
        }
        may
    }

    /// Whether an idle connection may send its request.
    #[must_use]
    pub fn resume(&mut self, peer: IpAddr) -> bool {
        let may = self.active.take(peer);
        if may {
            self.idle.give_back(peer);
        }
        may
    }

    /// A connection in this state has ended, or is a WebSocket.
    pub fn end(&mut self, peer: IpAddr, state: HandshakeState) {
        match state {
            HandshakeState::Active => self.active.give_back(peer),
            HandshakeState::Idle => self.idle.give_back(peer),
        }
    }
}

impl Seats {
    fn new(limit: usize) -> Self {
        Self { limit, taken: 0, from: BTreeMap::new() }
    }

    fn take(&mut self, peer: IpAddr) -> bool {
        let from = self.from.get(&peer).copied().unwrap_or_default();
        let free = self.taken < self.limit && from < self.limit.div_ceil(SHARES);
        if free {
            self.taken += 1;
            *self.from.entry(peer).or_default() += 1;
        }
        free
    }

    fn give_back(&mut self, peer: IpAddr) {
        self.taken -= 1;
        give_back(&mut self.from, &peer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([127, 0, 0, last])
    }

    /// One address gets a quarter, all together get the whole, and what has ended is free again.
    #[test]
    fn one_address_gets_its_share() {
        let mut handshakes = Handshakes::new(7);
        let begun: Vec<_> =
            (0..5).flat_map(|peer| [peer; 3]).map(|peer| handshakes.begin(address(peer))).collect();
        let pairs = [true, true, false];
        let (last, none) = ([true, false, false], [false; 3]);
        assert_eq!(begun, [pairs, pairs, pairs, last, none].concat());
        handshakes.end(address(0), HandshakeState::Active);
        assert!(handshakes.begin(address(4)));
    }

    /// Idle connections take no place from handshakes and are limited themselves; one that asks again needs a free place.
    #[test]
    fn idle_connections_are_apart() {
        let (one, other) = (address(1), address(2));
        let mut handshakes = Handshakes::new(1);
        for _ in 0..MAX_IDLE / SHARES {
            assert!(handshakes.begin(one) && handshakes.rest(one));
        }
        assert!(handshakes.begin(one) && !handshakes.rest(one), "its share is taken");
        assert!(!handshakes.resume(one) && !handshakes.begin(other), "the one place is taken");
        handshakes.end(one, HandshakeState::Active);
        assert!(handshakes.resume(one));
        handshakes.end(one, HandshakeState::Active);
        assert!(handshakes.begin(other) && handshakes.rest(other));
        for _ in 1..MAX_IDLE / SHARES {
            handshakes.end(one, HandshakeState::Idle);
        }
        handshakes.end(other, HandshakeState::Idle);
        assert!(handshakes.idle.from.is_empty() && handshakes.active.from.is_empty());
        assert_eq!((handshakes.idle.taken, handshakes.active.taken), (0, 0));
    }
}
