//! A WebSocket client as a state machine without I/O: status, backoff, offline queue, subscriptions, heartbeat.
//!
//! Feed it with [`Session::handle`], then drain [`Session::poll`] to the end: mutate once, then drain fully. Time comes in as
//! `now`, the time since any fixed origin; call [`Session::deadline`] after draining and come back with [`Input::Timer`]
//! when it has passed. An early timer does nothing.

mod backlog;
mod heartbeat;
mod machine;
mod outbox;
mod reconnect;
mod signal;
mod status;
mod subscriptions;
mod token;

#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod tests;

pub use machine::{QueueFull, Session, SessionConfig};
pub use signal::{Command, ConnectionId, DialFailure, Input, Now, Output, SendKind};
pub use status::Status;
pub use token::Token;
