//! The gateway as a state machine without I/O: sessions, rooms, routing, heartbeats.
//!
//! Feed it with [`Gateway::handle`], then drain [`Gateway::poll`] to the end. Time comes in as `now`; come back with
//! [`Input::Timer`] when [`Gateway::deadline`] has passed. Each shard has its own machine and knows its own connections only.

mod delivery;
mod event;
mod expiry;
mod frame;
mod heartbeat;
mod io;
mod machine;
mod rate;
mod rooms;
mod routing;
mod stats;

#[cfg(test)]
mod tests;

pub use delivery::{Deliveries, Delivery};
pub use event::{Event, EventError};
pub use frame::{binary_frame, close_frame, ping_frame, text_frame};
pub use io::{ConnectionId, Input, Now, Output};
pub use machine::{Gateway, GatewayConfig};
pub use rate::RateLimit;
pub use routing::{Route, RouteError, Routed, RoutingTable};
pub use stats::ConnectionStats;
