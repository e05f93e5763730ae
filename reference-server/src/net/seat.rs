//! The seat of a connection that is no WebSocket yet (CONN-8). The seats are those of one shard, on one thread.

use std::cell::RefCell;
use std::net::IpAddr;
use std::rc::Rc;

use reference_gateway::{HandshakeState, Handshakes};

/// All seats of a shard.
#[derive(Debug, Clone)]
pub(super) struct Seats(Rc<RefCell<Handshakes>>);

/// One of them, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    seats: Seats,
    peer: IpAddr,
    state: HandshakeState,
}

impl Seats {
    pub(super) fn new(limit: usize) -> Self {
        Self(Rc::new(RefCell::new(Handshakes::new(limit))))
    }

    /// A seat for a new connection, if there is one.
    pub(super) fn take(&self, peer: IpAddr) -> Option<Seat> {
        let free = self.0.borrow_mut().begin(peer);
        free.then(|| Seat { seats: self.clone(), peer, state: HandshakeState::Active })
    }
}

impl Seat {
    /// Whose it is.
    pub(super) fn peer(&self) -> IpAddr {
        self.peer
    }

    /// Whether the connection may wait for another request.
    pub(super) fn rest(&mut self) -> bool {
        let may = self.seats.0.borrow_mut().rest(self.peer);
        if may {
            self.state = HandshakeState::Idle;
        }
        may
    }

    /// Whether the connection may send the request that it waited for.
    pub(super) fn resume(&mut self) -> bool {
        let may = self.seats.0.borrow_mut().resume(self.peer);
        if may {
            self.state = HandshakeState::Active;
        }
        may
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.seats.0.borrow_mut().end(self.peer, self.state);
    }
}
