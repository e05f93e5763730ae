//! What a broker is started with.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// How to start a [`Broker`](super::Broker). The defaults are RabbitMQ's where it has one.
#[derive(Clone, Debug)]
pub struct BrokerConfig {
    /// Where to listen. Default: loopback, on a port that the system chooses.
    pub listen: SocketAddr,
    /// Who may log in. Default: `guest` with password `guest`.
    pub users: Users,
    /// The heartbeat proposed to clients, in whole seconds; zero proposes none. Default: 60 s.
    pub heartbeat: Duration,
    /// How long a client may take from dialling to an open connection, and to answer a close. Default: 10 s.
    pub handshake_timeout: Duration,
    /// Seeds the names that the broker makes up, which are unique whatever the seed. Default: 0.
    pub seed: u64,
    /// Bounds on everything that a client could make grow.
    pub limits: Limits,
}

impl Default for BrokerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            users: Users::default(),
            heartbeat: Duration::from_secs(60),
            handshake_timeout: Duration::from_secs(10),
            seed: 0,
            limits: Limits::default(),
        }
    }
}

/// Names and passwords, at least one of each. Every user may do everything.
#[derive(Clone, PartialEq, Eq)]
pub struct Users {
    first: String,
    passwords: BTreeMap<String, String>,
}

impl Users {
    /// One user, whose name and password [`Broker::url`](super::Broker::url) carries.
    pub fn new(name: impl Into<String>, password: impl Into<String>) -> Self {
        let first = name.into();
        Self { passwords: BTreeMap::from([(first.clone(), password.into())]), first }
    }

    /// One user more; a name that is known gets this password.
    #[must_use]
    pub fn and(mut self, name: impl Into<String>, password: impl Into<String>) -> Self {
        self.passwords.insert(name.into(), password.into());
        self
    }

    /// Name and password of the first user.
    pub(crate) fn first(&self) -> (&str, &str) {
        (&self.first, &self.passwords[&self.first])
    }

    /// Whether a user of that name has that password.
    pub(crate) fn accept(&self, name: &[u8], password: &[u8]) -> bool {
        let known = std::str::from_utf8(name).ok().and_then(|name| self.passwords.get(name));
        known.is_some_and(|known| known.as_bytes() == password)
    }
}

impl Default for Users {
    fn default() -> Self {
        Self::new("guest", "guest")
    }
}

impl std::fmt::Debug for Users {
    /// Passwords are left out.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.passwords.keys()).finish()
    }
}

/// Every bound of a broker, and what happens at it.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections at once; one more is accepted and closed. Default: 4096.
    pub connections: usize,
    /// Channels of a connection, as negotiated; one more closes the connection with 530. Default: 2047.
    pub channels: u16,
    /// Bytes of a frame, as negotiated; a larger one closes the connection with 501. Default: 131072.
    pub frame_bytes: u32,
    /// Bytes of a message body; a larger one closes the channel with 406. Default: 128 MiB.
    pub message_bytes: usize,
    /// Exchanges; one more closes the connection with 506. Default: 10,000.
    pub exchanges: usize,
    /// Queues; one more closes the connection with 506. Default: 10,000.
    pub queues: usize,
    /// Bindings; one more closes the connection with 506. Default: 100,000.
    pub bindings: usize,
    /// Consumers; one more closes the connection with 506. Default: 100,000.
    pub consumers: usize,
    /// Messages in a queue, acknowledged ones excepted; one more is refused: its publisher gets a nack, and without
    /// confirms it is lost, and counted either way. Default: 1,000,000.
    pub queue_messages: usize,
    /// Bytes in a queue; past them messages are refused likewise. Default: 1 GiB.
    pub queue_bytes: usize,
    /// Bytes in all queues together, a message counted in each; past them messages are refused likewise. Default: no limit.
    pub held_bytes: usize,
    /// Bytes that all bodies may have together of which parts are to come; one more closes its channel with 406. Default: no limit.
    pub unfinished_bytes: usize,
    /// Bytes queued and not yet written to a client's socket, past which its consumers get nothing more until it
    /// reads. Default: 1 MiB.
    pub outbox_bytes: usize,
    /// Bytes queued and not yet written, past which a client that sends requests and never reads is cut off. Default:
    /// 256 MiB, which lets the largest message through.
    pub outbox_max_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4096,
            channels: 2047,
            frame_bytes: 131_072,
            message_bytes: 128 << 20,
            exchanges: 10_000,
            queues: 10_000,
            bindings: 100_000,
            consumers: 100_000,
            queue_messages: 1_000_000,
            queue_bytes: 1 << 30,
            held_bytes: usize::MAX,
            unfinished_bytes: usize::MAX,
            outbox_bytes: 1 << 20,
            outbox_max_bytes: 256 << 20,
        }
    }
}
