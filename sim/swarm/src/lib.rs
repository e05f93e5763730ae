//! The swarm: plans drawn from seeds, played by a discrete-event engine, judged by invariants, and made smaller where they fail.
//!
//! ```text
//!  seed ──draw──► Plan ──play──► observations ──► scenarios::invariants ──► violations
//!                  ▲                        └──► coverage                      │
//!                  └──────────────── shrink ◄──────────────────────────────────┘
//! ```
//!
//! A [`scenarios::Plan`] is data, so the same plan gives the same trace, byte for byte, and can be written to a file, made smaller
//! and played again. What is played are the reference pair's own machines and the embedded broker's state; the engine stands where
//! their drivers stand.
//!
//! ```
//! let plan = swarm::draw(7);
//! let played = swarm::play(&plan, swarm::Options::default());
//! assert_eq!(played.violations, []);
//! ```

mod coverage;
mod defect;
mod draw;
mod engine;
pub mod planted;
mod shrink;
mod sweep;

pub use coverage::{Coverage, GOALS};
pub use defect::{Defect, DefectMaker};
pub use draw::draw;
pub use engine::{Options, Played, play};
pub use shrink::{Shrunk, shrink};
pub use sweep::{Seeds, Sweep};
