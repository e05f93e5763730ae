//! A WebSocket gateway: JWT sign-in, rooms, heartbeats, fed by RabbitMQ.
//!
//! ```text
//!  RabbitMQ ──► EventSource ──► bridge ──routed event, encoded once──► shard 1 … shard n
//!                                  ◄──acked by every shard── ack            │
//!                                                              Gateway machine (no I/O, no clock)
//!  listener ──sockets, in turn──────────────────────────────► connections ──┘
//! ```
//!
//! ```no_run
//! use std::future::pending;
//! use std::sync::Arc;
//! use std::time::UNIX_EPOCH;
//!
//! use protocol::Timestamp;
//! use reference_server::broker::NoBroker;
//! use reference_server::{Config, Server, TcpListen};
//! use tokio::net::TcpListener;
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let config = Config::with_secret("a secret of at least 32 bytes, not this one");
//! let listener = TcpListen(TcpListener::bind(config.listen).await?);
//! let clock = Arc::new(|| Timestamp::from_unix_ms(UNIX_EPOCH.elapsed().unwrap_or_default().as_millis() as i64));
//! Server::new(config, listener, NoBroker, clock).run(pending()).await?;
//! # Ok(())
//! # }
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
pub use net::{Arrival, Listen, Server, ServerError, TcpListen, TlsListen};
