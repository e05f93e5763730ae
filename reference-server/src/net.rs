//! Makes happen what the machine decides, on sockets that a [`Listen`] supplies.

mod admin;
mod admission;
mod answer;
mod arrival;
mod body;
mod bridge;
mod budget;
mod connection;
mod context;
mod dev;
mod echo;
mod head;
mod listen;
mod log_sample;
mod outbox;
mod proxy;
mod routes;
mod seat;
mod send_batch;
mod server;
mod shard;
mod sign_in;
mod socket;
mod tap;
mod tls;
mod upgrade;

pub use arrival::Arrival;
pub use echo::EchoServer;
pub use head::{ReadHeadError, read_head};
pub use listen::{Listen, TcpListen};
pub use proxy::{RangeError, TrustedProxies};
pub use server::{Server, ServerError};
pub use tls::{TlsError, TlsIdentity, TlsListen};
pub use upgrade::switching_protocols;

/// The wall clock that messages are stamped and tokens are checked with.
pub type WallClock = std::sync::Arc<dyn Fn() -> protocol::Timestamp + Send + Sync>;
