//! The gateway without I/O: whom it admits, sessions, rooms, routing, heartbeats, what is acknowledged.
//!
//! ```text
//!  request ──► Head ──► Resource, decide ◄── Admission          delivery ──► Bridge ──Broadcast──► each shard
//!                         │ Upgrade                                            ▲                      │
//!                         ▼                                                    └────── accepted ──────┤
//!                      Gateway (sessions, rooms, heartbeats) ◄──────────────────── Input::Deliver ────┘
//!                         │ Output::Send
//!                         ▼
//!                      Backlog, one for each connection ──► socket
//! ```
//!
//! Feed it with [`Gateway::handle`], then drain [`Gateway::poll`] to the end. Time comes in as `now`; come back with
//! [`Input::Timer`] when [`Gateway::deadline`] has passed. Each shard has its own machine and knows its own connections only.

mod admission;
mod backlog;
mod bridge;
mod delivery;
mod event;
mod expiry;
mod frame;
mod handshakes;
mod heartbeat;
mod http;
mod io;
mod machine;
mod rate;
mod rooms;
mod routing;
mod sign_in;
mod stats;

#[cfg(test)]
mod tests;

pub use admission::{Admission, ConnectionLimits, Full};
pub use backlog::Backlog;
pub use bridge::{Bridge, Broadcast, Joined};
pub use delivery::{Deliveries, Delivery};
pub use event::{Event, EventError};
pub use frame::{binary_frame, close_frame, ping_frame, text_frame};
pub use handshakes::{HandshakeState, Handshakes};
pub use http::{
    Handshake, Head, HeadError, Refused, Reply, Resource, Site, Status, Upgrade, UpgradeError, UpgradeRules,
    decide, shake,
};
pub use io::{ConnectionId, Input, Now, Output};
pub use machine::{Gateway, GatewayConfig};
pub use rate::RateLimit;
pub use routing::{Route, RouteError, Routed, RoutingTable};
pub use sign_in::{Denied, FirstMessage, sign_in};
pub use stats::ConnectionStats;
