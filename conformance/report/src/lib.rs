//! What people and programs read of a run.
//!
//! ```text
//!  RunReport, About ──► Console          as it goes on, and a summary
//!                   ├─► Document         report.json, and its schema
//!                   ├─► junit            junit.xml
//!                   ├─► markdown         summary.md
//!                   └─► html             report.html: the matrix, and a sequence diagram for each case
//!  report.json      ──► EarlierReport ──► Difference, or the cases that are to be run again
//! ```
//!
//! ```no_run
//! use std::path::Path;
//!
//! use conformance::result::RunReport;
//! use gatecheck_report::{About, Folder, WriteError, markdown};
//!
//! /// Every file in one folder, and the summary on standard output.
//! fn publish(report: &RunReport, about: &About) -> Result<(), WriteError> {
//!     Folder::create(Path::new("target/gatecheck"))?.write(report, about)?;
//!     println!("{}", markdown(report, about));
//!     Ok(())
//! }
//! ```

mod console;
mod diagram;
mod difference;
mod earlier;
mod folder;
mod html;
mod json;
mod junit;
mod markdown;
mod noise_note;
pub mod page;
mod repeat;
#[cfg(test)]
mod sample;
mod undecided;
pub(crate) mod words;

pub use conformance::result::shape::{MAX_OBSERVATIONS, MAX_TEXT_CHARS};
pub use console::{Console, Detail};
pub use difference::Difference;
pub use earlier::{CaseOutcome, EarlierReport, EarlierReportError};
pub use folder::{Folder, WriteError, append_summary};
pub use json::{BrokerUsed, Document, REPORT_VERSION};
pub use junit::junit;
pub use markdown::markdown;
pub use repeat::Repeat;

use scenarios::{Level, SubjectKind, Times};

/// What a report contains about a run beside its results.
#[derive(Debug, Clone)]
pub struct About {
    /// When it began, in UTC (RFC 3339).
    pub began: String,
    /// What was judged.
    pub subjects: Vec<SubjectKind>,
    /// How much was judged.
    pub level: Level,
    /// The broker that fed the gateway, where one was judged.
    pub broker: Option<BrokerUsed>,
    /// What the symbolic times meant.
    pub times: Times,
    /// Where randomness began.
    pub seed: u64,
    /// The command that repeats a case.
    pub repeat: Repeat,
}
