//! The document that a comparison writes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::block::Build;
use super::verdict::{Finding, Verdict};
use crate::measure::{Measure, Measures};

/// The version of the document. It changes when a reader of the former could misunderstand it.
pub const REPORT_VERSION: u32 = 1;

/// What a comparison found, and what it rests on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// The version of this document: 1.
    pub version: u32,
    /// The version of gatecheck that wrote it.
    pub gatecheck: String,
    /// The workload's name.
    pub workload: String,
    /// The base: its command, profile or revision.
    pub base: String,
    /// The new build.
    pub new: String,
    /// The difference that does not matter, as a share.
    pub within: f64,
    /// The most that the chance is of calling equal builds slower.
    pub error_rate: f64,
    /// Where the order of blocks and the seeds of their load began.
    pub seed: u64,
    /// How long it took, in seconds.
    pub duration: f64,
    /// Whether it was interrupted.
    pub interrupted: bool,
    /// Blocks that the load generator, not the gateway, limited: their rates and latencies say little.
    pub limited_blocks: usize,
    /// What is said of the new build in all.
    pub verdict: Verdict,
    /// Each measure.
    pub findings: Vec<Finding>,
    /// What the builds did not deliver.
    pub losses: Losses,
    /// Every block, in the order in which they were run.
    pub blocks: Vec<BlockResult>,
}

/// Deliveries that were owed and did not come, in all blocks of a build.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Losses {
    /// Of the base.
    pub base: f64,
    /// Of the new build.
    pub new: f64,
}

/// What one block measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BlockResult {
    /// Which build ran.
    pub build: Build,
    /// The seed of its load.
    pub seed: u64,
    /// Its figures.
    pub measures: Measures,
}

impl Losses {
    /// The losses in these blocks.
    pub fn of(blocks: &[BlockResult]) -> Self {
        let lost = |build| {
            let of_build = blocks.iter().filter(|block| block.build == build);
            of_build.filter_map(|block| block.measures.get(&Measure::Lost)).sum()
        };
        Self { base: lost(Build::Base), new: lost(Build::New) }
    }
}

impl Report {
    /// Whether the new build lost deliveries or more of them than the base: then no figure makes up for it.
    pub fn loses_more(&self) -> bool {
        self.losses.new > self.losses.base
    }

    /// The document.
    ///
    /// # Panics
    /// Never: every key is a string.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a report has string keys") + "\n"
    }

    /// The JSON Schema of the document.
    pub fn schema() -> serde_json::Value {
        let mut schema = schemars::schema_for!(Self);
        schema.insert("title".to_owned(), "A report of `gatecheck bench compare`".into());
        schema.to_value()
    }
}
