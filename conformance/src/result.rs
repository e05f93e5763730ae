//! What came of a run: verdicts on cases, and what they say of requirements.
//!
//! ```text
//!  CaseReport ─┬─ Verdict, Check ──► RequirementReport: its standing, and the reasons where it is undecided
//!              ├─ UniversalFinding ─► Universal: one for each universal rule that is violated
//!              └─ output ───────────► Death: one for each cause
//!                                        └──► RunReport ──► Exit
//! ```

mod case;
mod death;
mod run;
#[cfg(test)]
pub(crate) mod sample;
mod standing;
mod universal;
mod verdict;

pub use case::{CaseReport, Check};
pub use death::Death;
pub use run::{RunReport, Scope};
pub use standing::{Reason, RequirementReport, Standing, Why};
pub(crate) use universal::is_universal;
pub use universal::{Universal, UniversalFinding};
pub use verdict::Verdict;
