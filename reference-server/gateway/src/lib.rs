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
//!
//! ```
//! use std::time::Duration;
//!
//! use protocol::{Claims, Dialect, Role, Timestamp, UserId};
//! use reference_gateway::{ConnectionId, Gateway, GatewayConfig, Input, Now, Output, RateLimit};
//!
//! let mut gateway = Gateway::new(GatewayConfig {
//!     dialect: Dialect::default(),
//!     ping_interval: Duration::from_secs(30),
//!     pong_timeout: Duration::from_secs(10),
//!     max_rooms: 100,
//!     message_rate: RateLimit { per_second: 100 },
//!     leeway_s: 0,
//! });
//! let ada = ConnectionId(1);
//! let (user_id, email) = (UserId::new("ada"), "ada@example.org".to_owned());
//! let claims = Claims { user_id, email, role: Role::Customer, expires_at: 3600, not_before: None };
//! let now = Now { monotonic: Duration::ZERO, wall: Timestamp::EPOCH };
//! gateway.handle(now, Input::Opened(ada, claims));
//! assert!(matches!(gateway.poll(), Some(Output::Send(to, _welcome)) if to == ada));
//! assert_eq!(gateway.poll(), None);
//! assert_eq!(gateway.deadline(), Some(Duration::from_secs(30)), "the first ping");
//! ```

mod admission;
mod backlog;
mod bridge;
mod delivery;
mod event;
mod expiry;
mod frame;
mod frame_meter;
mod handshakes;
mod heartbeat;
mod http;
mod io;
mod machine;
mod network;
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
pub use frame_meter::FrameMeter;
pub use handshakes::{HandshakeId, HandshakeOutput, Handshakes};
pub use http::{
    Handshake, Head, HeadError, Refused, Reply, Resource, Site, Status, Upgrade, UpgradeError, UpgradeRules,
    decide, shake,
};
pub use io::{ConnectionId, Input, Now, Output};
pub use machine::{Gateway, GatewayConfig};
pub use network::Network;
pub use rate::RateLimit;
pub use routing::{Route, RouteError, Routed, RoutingTable};
pub use sign_in::{Denied, FirstMessage, sign_in};
pub use stats::{ConnectionStats, MAX_LISTED};
