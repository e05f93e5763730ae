//! A WebSocket client as a state machine without I/O: status, backoff, offline queue, subscriptions, heartbeat.
//!
//! Feed it with [`Session::handle`], then drain [`Session::poll`] to the end: mutate once, then drain fully. Time comes in as
//! `now`, the time since any fixed origin; call [`Session::deadline`] after draining and come back with [`Input::Timer`]
//! when it has passed. An early timer does nothing.

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
