//! What came of a run: verdicts on cases, and what they say of requirements.
//!
//! ```text
//!  CaseReport ─┬─ Verdict, Check ──► RequirementReport: its standing, and the reasons where it is undecided
//!              ├─ UniversalFinding ─► Universal: one for each universal rule that is violated
//!              └─ output ───────────► Death: one for each cause
//!                                        └──► RunReport ──► Exit
//! ```

mod bounds;
mod case;
mod death;
mod run;
#[cfg(any(test, feature = "sample"))]
pub mod sample;
mod secrecy;
pub mod shape;
mod status;
mod universal;
mod unplayed;
mod verdict;

pub use case::{CaseReport, Check};
pub use death::Death;
pub use run::{RunReport, Scope};
pub use status::{Reason, RequirementReport, RequirementStatus, Why};
pub use universal::{Universal, UniversalFinding, is_universal};
pub use unplayed::Unplayed;
pub use verdict::Verdict;
