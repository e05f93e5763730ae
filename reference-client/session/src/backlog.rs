//! What one connection has been given beside the application's messages and has not written: bounded, however long the gateway
//! does not read (IN-2).

use std::mem;

use super::io::SendKind;

/// The backlog of one open connection. The application's messages are counted by the outbox.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    requests: usize,
    ping: bool,
    pong: bool,
}

impl Backlog {
    /// Whether another request may be given, within a window of so many.
    pub(super) fn takes_request(&self, window: usize) -> bool {
        self.requests < window
    }

    /// A request has been given.
    pub(super) fn add_request(&mut self) {
        self.requests += 1;
    }

    /// Whether a ping is to be given; not where one waits.
    pub(super) fn add_ping(&mut self) -> bool {
        !mem::replace(&mut self.ping, true)
    }

    /// Whether a pong is to be given; not where one waits.
    pub(super) fn add_pong(&mut self) -> bool {
        !mem::replace(&mut self.pong, true)
    }

    /// The oldest of this kind has been written to the network.
    pub(super) fn written(&mut self, kind: SendKind) {
        match kind {
            SendKind::SignIn | SendKind::Message => {}
            SendKind::Request => self.requests = self.requests.saturating_sub(1),
            SendKind::Ping => self.ping = false,
            SendKind::Pong => self.pong = false,
        }
    }
}
