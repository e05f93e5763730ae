//! Plays a scenario on a stage, and keeps the trace.
//!
//! ```text
//!             ┌───────────── player: steps, one after the other ─────────────┐
//!             │                                                              │
//!  gateway case: clients × n ══ Stage::dial ══► gateway under test ◄── broker │
//!  client case:  adapter lines ──► client under test ══► ScriptedGateway     │
//!  pair case:    adapter lines ──► client ══► Tap ══► gateway ◄── broker     │
//!             │                                                              │
//!             └── Recorder ──► Journal ──► Trace ◄───────────────────────────┘
//! ```
//!
//! Everything here runs on tokio's clock and on streams that a stage supplies, so that the same code plays on real
//! sockets and inside a simulation.
//!
//! ```
//! use player::{Clock, GatewayStage, Play, Setting, journal, play_gateway};
//! use scenarios::Scenario;
//! use scenarios::scenario::GatewayScript;
//!
//! /// Plays on any stage; what it returns is judged by `scenarios::judge`.
//! async fn play(
//!     scenario: &Scenario,
//!     script: &GatewayScript,
//!     setting: &Setting,
//!     stage: &mut impl GatewayStage,
//!     clock: Clock,
//! ) -> Play {
//!     let (recorder, journal) = journal(clock);
//!     play_gateway(scenario, script, setting, stage, &recorder, journal).await
//! }
//! ```

mod adapter;
mod adapters;
mod budget;
mod churn;
mod client;
mod compression;
mod faulty_listener;
mod fragments;
mod gateway;
mod journal;
pub mod lines;
mod masks;
mod opening;
mod pair;
mod peer;
mod rest;
mod script;
mod scripted_client;
mod sign_in;
mod stage;
mod tap;

use std::time::Duration;

pub use client::play as play_client;
pub use gateway::play as play_gateway;
pub use journal::{Clock, Journal, Recorder, journal};
pub use pair::{Dial, PairEnds, play as play_pair};
pub use stage::{
    Accept, ClientStage, Consumers, GatewayStage, Play, PlayError, QueueNames, Setting, StageError,
    TopologyReport,
};

/// How long after the last step the death of the subject still belongs to the case.
pub const SETTLING: Duration = Duration::from_millis(150);
/// Most bytes of a log that are looked at after the steps.
const LOG_BYTES: usize = 64 * 1024;

/// The end of a log.
fn log_tail(log: &str) -> String {
    let from = log.len().saturating_sub(LOG_BYTES);
    let start = (from..log.len()).find(|at| log.is_char_boundary(*at)).unwrap_or(log.len());
    log[start..].to_owned()
}
