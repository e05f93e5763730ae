//! Makes happen what the machine decides, on sockets that a [`Listen`] supplies.

mod admission;
mod answer;
mod body;
mod bridge;
mod connection;
mod context;
mod dev;
mod echo;
mod handshake;
mod head;
mod listen;
mod outbox;
mod routes;
mod server;
mod shard;
mod socket;
mod tls;
mod upgrade;

pub use admission::ConnectionLimits;
pub use answer::Answer;
pub use echo::EchoServer;
pub use handshake::Handshake;
pub use head::{Head, HeadError};
pub use listen::{Listen, TcpListen};
pub use server::{Server, ServerError};
pub use tls::{TlsError, TlsIdentity, TlsListen};

/// The wall clock that messages are stamped and tokens are checked with.
pub type WallClock = std::sync::Arc<dyn Fn() -> protocol::Timestamp + Send + Sync>;
