//! Runs a [`Session`](crate::session::Session) over streams: one task that owns the machine, one for each connection.

mod connection;
mod dial;
mod driver;
mod request;

pub use dial::{Dial, TcpDial};
pub(crate) use driver::{Driver, Order, Report};

/// The wall clock that messages are stamped with.
pub type WallClock = std::sync::Arc<dyn Fn() -> protocol::Timestamp + Send + Sync>;
