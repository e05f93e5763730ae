//! A WebSocket gateway: JWT sign-in, rooms, heartbeats, fed by RabbitMQ.
//!
//! ```text
//!  RabbitMQ ──► EventSource ──► bridge ──routed event, encoded once──► shard 1 … shard n
//!                                  ◄──acked by every shard── ack            │
//!                                                              Gateway machine (no I/O, no clock)
//!  listener ──sockets, in turn──────────────────────────────► connections ──┘
//! ```
//!
//! The command line is the feature `cli`, on by default; a library that embeds the gateway does without.
//!
//! [`reference_gateway`] decides what happens, [`net`] makes it happen on any [`net::Listen`], [`broker`] is where events come from.

pub mod auth;
pub mod broker;
#[cfg(feature = "cli")]
pub mod cli;
pub mod config;
mod dev;
pub mod metrics;
pub mod net;
mod page;
pub mod report;

pub use config::Config;
pub use net::{Listen, Server, ServerError, TcpListen, TlsListen};
