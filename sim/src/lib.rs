//! Scenarios in a deterministic simulation: the reference pair's real drivers over turmoil's network, in virtual time.
//!
//! ```text
//!  a gateway is judged:  host "stage" (player, scripted clients) ══ simulated TCP ══ host "gateway" (Server, one shard)
//!                                   └── embedded broker ◄── in-process AMQP ─────────────┘
//!  a client is judged:   host "stage" (player, scripted gateway) ══ simulated TCP ══ host "client" (adapter)
//!                                   └── adapter lines ── in-process pipes ──────────────┘
//! ```
//!
//! A fleet of clients shares one host, each with pipes of its own.
//!
//! The same seed gives the same trace, byte for byte. What is in-process, the broker and the adapter's pipes, takes no
//! part in the network's latency.

mod amqp;
pub mod boundary;
mod broker;
mod client;
mod failing;
mod gateway;
mod log;
mod network;
mod source;
mod world;

pub use world::{EPOCH_MS, Options, Played, SECRET, SimError, play, play_through};
