//! The gateway as a state machine without I/O: sessions, rooms, routing, heartbeats.
//!
//! Feed it with [`Gateway::handle`], then drain [`Gateway::poll`] to the end. Time comes in as `now`; come back with
//! [`Input::Timer`] when [`Gateway::deadline`] has passed. Each shard has its own machine and knows its own connections only.

mod event;
mod frame;
mod heartbeat;
mod machine;
mod rooms;
mod routing;
mod signal;

#[cfg(test)]
mod tests;

pub use event::{Event, EventError};
pub use frame::{close_frame, ping_frame, text_frame};
pub use machine::{Gateway, GatewayConfig};
pub use routing::{Route, RouteError, Routed, RoutingTable};
pub use signal::{ConnectionId, Input, Now, Output};
