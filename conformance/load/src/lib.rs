//! Load on any gateway that a profile describes: what it carries, what it loses, what that costs.
//!
//! ```text
//!  Workload ──► generator ──► ledger, histograms ──► Measures ──► report, thresholds
//!                                                       │
//!                                                       ├── compare: two builds, interleaved, paired
//!                                                       └── history: stored results, change points
//! ```

pub mod compare;
pub mod history;
pub mod measure;
#[cfg(feature = "page")]
pub mod page;
pub mod run;

pub use measure::{Better, Measure, Measures};
pub use run::Run;
