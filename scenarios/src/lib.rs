//! Scenarios as data, the traces they leave, and what is expected of those traces. No I/O, no clock.
//!
//! ```text
//!  files ──► Scenario ──► [player] ────► Trace ──► Expectation, universal rules ──► Judgement
//!  (TOML)                 over a stage that an executor supplies: turmoil's network, or this host's
//! ```
//!
//! A [`Scenario`] says who does what, when, and which [`Requirement`]s it shows. A player (the crate `player`, in this folder)
//! records what happened as a [`Trace`]. An [`Expectation`] reads traces and nothing else, so that a verdict means the same
//! in a simulation, for the reference pair, and for a third-party implementation.
//!
//! ```
//! use scenarios::Library;
//!
//! let library = Library::builtin()?;
//! let ids: Vec<&str> = library.iter().map(|scenario| scenario.id.0.as_str()).collect();
//! assert!(ids.contains(&"gateway/rooms/private"));
//! # Ok::<(), scenarios::LibraryError>(())
//! ```

mod audience;
pub mod design;
pub mod expect;
pub mod foreign;
pub mod frame;
mod gap;
mod guidance;
mod identity;
pub mod invariants;
pub mod judge;
pub mod label;
pub mod library;
mod nearest;
pub mod network;
pub mod pages;
pub mod pattern;
pub mod plan;
pub mod request;
pub mod requirement;
mod room_names;
pub mod scenario;
pub mod stats;
pub mod text_file;
pub mod times;
pub mod token;
pub mod trace;
pub mod universal;

pub use audience::{Audience, Audiences};
pub use design::ClientDesign;
pub use expect::{Expectation, Finding, Margin, Property};
pub use foreign::Foreign;
pub use gap::{Gap, NotPlayed};
pub use guidance::Guidance;
pub use identity::{RoleNames, UserIds};
pub use judge::{Ending, Judged, Judgement, Verdicts, judge};
pub use label::Label;
pub use library::{Library, LibraryError};
pub use pattern::{Example, Pattern};
pub use plan::Plan;
pub use requirement::{Catalogue, Level, Requirement, RequirementId, Source, SubjectKind};
pub use room_names::{FreeRooms, RoomKind, RoomName, RoomNames};
pub use scenario::{Scenario, ScenarioError, ScenarioId};
pub use times::{Expr, ExprError, Times};
pub use trace::{Actor, Event, Frame, Observation, Trace};
pub use universal::Violation;
