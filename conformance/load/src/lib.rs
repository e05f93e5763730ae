//! Load on any gateway that a profile describes: what it carries, what it loses, what that costs.
//!
//! ```text
//!  Workload ──► generator ──► ledger, histograms ──► Measures ──► report, thresholds
//!                                                       │
//!                                                       ├── compare: two builds, interleaved, paired
//!                                                       ├── history: stored results, change points
//!                                                       └── page: plots of a run or a history (feature `page`)
//! ```

pub mod bench;
pub mod compare;
mod crowd;
mod generator;
pub mod history;
pub mod latencies;
pub mod ledger;
pub mod marker;
pub mod measure;
pub mod merge;
#[cfg(feature = "page")]
pub mod page;
pub mod plan;
mod publisher;
pub mod quantity;
pub mod run;
pub mod show;
pub mod threshold;
pub mod workload;

pub use bench::{BenchConfig, BenchError};
pub use measure::{Better, Measure, Measures};
pub use run::Run;
pub use threshold::Threshold;
pub use workload::Workload;
