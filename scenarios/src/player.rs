//! Plays a scenario on a stage, and keeps the trace.
//!
//! ```text
//!             ┌───────────── player: steps, one after the other ─────────────┐
//!             │                                                              │
//!  gateway case: Probe × n ══ Stage::dial ══► gateway under test ◄── broker  │
//!  client case:  adapter lines ──► client under test ══► ScriptedGateway     │
//!             │                                                              │
//!             └── Recorder ──► Journal ──► Trace ◄───────────────────────────┘
//! ```
//!
//! Everything here runs on tokio's clock and on streams that a stage supplies, so that the same code plays on real
//! sockets and inside a simulation.

mod adapter;
mod behind;
mod client;
mod gateway;
mod journal;
mod peer;
mod probe;
mod script;
mod stage;

pub use client::play as play_client;
pub use gateway::play as play_gateway;
pub use journal::{Clock, Journal, Recorder, journal};
pub use stage::{Accept, ClientStage, GatewayStage, Play, PlayError, Setting, StageError, TopologyReport};
