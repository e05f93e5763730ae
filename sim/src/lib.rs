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
//!
//! ```
//! use protocol::{Dialect, Timing};
//! use scenarios::Library;
//! use sim::Options;
//!
//! let library = Library::builtin()?;
//! let scenario = library.iter().find(|scenario| scenario.id.0 == "gateway/rooms/private").expect("it is built in");
//! let options = Options { seed: 1, timing: Timing::default(), dialect: Dialect::default() };
//! let played = sim::play(scenario, &options)?;
//! assert!(played.play.outcome.is_ok());
//! assert_eq!(sim::play(scenario, &options)?.play.trace, played.play.trace, "the same seed, the same trace");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod amqp;
pub mod boundary;
mod broker;
mod client;
mod context;
mod failing;
mod gateway;
mod log;
mod network;
mod source;
mod world;

pub use context::EPOCH_MS;
pub use world::{Options, Played, SECRET, SimError, play, play_through};
