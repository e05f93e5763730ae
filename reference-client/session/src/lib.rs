//! A WebSocket client as a state machine without I/O: status, backoff, offline queue, subscriptions, heartbeat.
//!
//! Feed it with [`Session::handle`], then drain [`Session::poll`] to the end: mutate once, then drain fully. Time comes in as
//! `now`, the time since any fixed origin; call [`Session::deadline`] after draining and come back with [`Input::Timer`]
//! when it has passed. An early timer does nothing.
//!
//! ```
//! use std::time::Duration;
//!
//! use protocol::{Dialect, Timestamp, Timing};
//! use reference_session::{Command, Input, Now, Output, Session, SessionConfig, Status};
//!
//! let mut session = Session::new(SessionConfig {
//!     timing: Timing::default(),
//!     dialect: Dialect::default(),
//!     auto_reconnect: true,
//!     queue_capacity: 100,
//!     request_window: 16,
//!     token: "a token".into(),
//!     asks_for_token: false,
//!     seed: 1,
//! });
//! let now = Now { monotonic: Duration::ZERO, wall: Timestamp::EPOCH };
//! session.handle(now, Input::Command(Command::Connect))?;
//! assert_eq!(session.poll(), Some(Output::Status { old: Status::Disconnected, new: Status::Connecting }));
//! assert!(matches!(session.poll(), Some(Output::Dial { .. })));
//! assert_eq!(session.poll(), None);
//! assert_eq!(session.deadline(), Some(Timing::default().connect_timeout));
//! # Ok::<(), reference_session::QueueFull>(())
//! ```

mod backlog;
mod config;
mod heartbeat;
mod io;
mod machine;
mod outbox;
mod reconnect;
mod status;
mod subscriptions;
mod token;

#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod tests;

pub use config::SessionConfig;
pub use io::{Command, ConnectionId, DialFailure, Input, Now, Output, SendKind};
pub use machine::Session;
pub use outbox::QueueFull;
pub use status::Status;
pub use token::Token;
