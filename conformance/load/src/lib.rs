//! Load on any gateway that a profile describes: what it carries, what it loses, what that costs.
//!
//! ```
//! use conformance::profile::Profile;
//! use gatecheck_load::workload::Overrides;
//! use gatecheck_load::{BenchConfig, Workload, bench};
//!
//! let overrides = Overrides { clients: Some(50), ..Overrides::default() };
//! let workload = Workload::find("paced", &overrides)?;
//! assert_eq!(workload.clients, 50);
//!
//! # async fn measure(workload: Workload) -> Result<(), Box<dyn std::error::Error>> {
//! let profile = Profile::read("gatecheck.toml".as_ref())?;
//! let run = bench::run(BenchConfig::new(workload, profile), std::future::pending(), |_| {}).await?;
//! assert_eq!(run.broken().count(), 0, "{}", run.to_json());
//! # Ok(()) }
//! # Ok::<(), gatecheck_load::workload::WorkloadError>(())
//! ```
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
