//! Runs a [`Session`](reference_session::Session) over streams: one task that owns the machine, one for each connection.
//!
//! ```text
//!            inputs                       frames
//!  Driver ◄─────────── connection ◄──────────────────── gateway
//!  Session ───────────►  Socket  ───► WriteBuffer ─────►
//!           commands              one text, one pong
//! ```
//!
//! A connection's socket is read whether or not it can be written (IN-2).

mod connection;
mod dial;
mod driver;
mod proxy;
mod request;
mod route;
mod secrets;
mod socket;
mod token;
mod trust;
mod write_buffer;

pub use dial::{Dial, TcpDial};
pub use driver::Redial;
pub(crate) use driver::{ClientCommand, Driver, Report};
pub use token::{TokenError, TokenProvider};
pub use trust::{Trust, TrustError};

/// The wall clock that messages are stamped with.
pub type WallClock = std::sync::Arc<dyn Fn() -> protocol::Timestamp + Send + Sync>;
