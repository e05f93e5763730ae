//! Makes happen what the machine decides, on sockets that a [`Listen`] supplies.

mod bridge;
mod connection;
mod head;
mod listen;
mod outbox;
mod server;
mod shard;
mod upgrade;

pub use listen::{Listen, TcpListen};
pub use server::{Server, ServerError};

/// The wall clock that messages are stamped and tokens are checked with.
pub type WallClock = std::sync::Arc<dyn Fn() -> protocol::Timestamp + Send + Sync>;
