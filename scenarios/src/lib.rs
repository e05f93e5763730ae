//! Scenarios as data, the traces they leave, and what is expected of those traces.
//!
//! ```text
//!  files ──► Scenario ──► player ──────► Trace ──► Expectation ──► Judgement
//!  (TOML)                 │  over a Stage that an executor supplies: turmoil's network, or this host's
//!                         ├─ Peer: a scripted WebSocket end, client or gateway, that can misbehave
//!                         └─ steps: they act and wait; they never judge
//! ```
//!
//! A [`Scenario`] says who does what, when, and which [`Requirement`]s it shows. A player records what happened as
//! a [`Trace`]. An [`Expectation`] reads traces and nothing else, so that a verdict means the same in a simulation,
//! for the reference pair, and for a stranger.

pub mod expect;
pub mod judge;
pub mod label;
pub mod library;
pub mod pattern;
pub mod player;
pub mod requirement;
pub mod scenario;
pub mod times;
pub mod token;
pub mod trace;
pub mod universal;
pub mod wire;

pub use expect::{Expectation, Finding, Margin, Property};
pub use judge::{Ending, Judged, Judgement, Verdicts, judge};
pub use label::Label;
pub use library::{Library, LibraryError};
pub use pattern::{Example, Pattern};
pub use requirement::{Catalogue, Level, Requirement, RequirementId, Source, SubjectKind};
pub use scenario::{Scenario, ScenarioError, ScenarioId};
pub use times::{Expr, ExprError, Times};
pub use trace::{Actor, Event, Frame, Observation, Trace};
pub use universal::Violation;
