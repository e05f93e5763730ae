//! The whole gateway over loopback: real sockets, a scripted broker, and no sleep where something can be awaited.
//!
//! ```text
//!  script ──deliveries──► gateway under test ◄──frames──► client (tokio-tungstenite), wire (byte by byte)
//!    ▲                          │
//!    └───── what was settled ───┘
//! ```

#![expect(clippy::unwrap_used, reason = "a test that cannot go on is a test that has failed")]

mod admission;
mod batched_writes;
mod client;
mod delivery;
mod echo;
mod framing;
mod heartbeat;
mod huge_event;
mod kept_connections;
mod limits;
mod live_page;
mod overload;
mod running;
mod script;
mod shutdown;
mod signing_in;
mod status_pages;
mod tls;
mod wire;
