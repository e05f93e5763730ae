//! Whether a new build costs more than the base, told on a host whose noise is larger than the difference.
//!
//! ```text
//!  Comparison::next ──► Block { build, seed } ──► a gateway of that build, started for this block ──► Measures
//!         ▲                                                                                             │
//!         └──────── A B B A or B A A B, by a coin ◄──── one log ratio per four blocks ◄──── record ─────┘
//!                                                          │
//!                          a look at 9, 12, 16, 24, 32 … of them, and one when the time is over
//!                                                          │
//!                                       faster · slower · same within x % · too noisy to say
//! ```
//!
//! Four blocks make one observation, the logarithm of new over base. A drift that is linear over the four cancels, and
//! both builds get equal seeds. Which build begins is decided by a coin for each four, so where the builds are equal, an
//! observation is as likely to have either sign *whatever the host does*: drift, bursts of other load and heavy tails are no
//! assumption of the test. The coin makes it exact.
//!
//! The interval is the one of Wilcoxon's signed-rank test (Hodges and Lehmann 1963), over all 2ⁿ assignments of signs: what a
//! bootstrap of signs would sample is computed, without resampling noise. A bootstrap of the values is right only for many
//! observations: at the nine of the first look, it calls equal builds different several times as often as it says
//! (`tests/gate` shows it). A mean also follows the outliers that stolen time makes; the pseudomedian does not.
//!
//! Looking often finds something often. [`Looks`] divides an error of 1 % over all looks (union bound, so nothing is
//! assumed about how they depend on each other), and over the measures compared: equal builds are called *slower* in at most
//! 1 of 100 comparisons, *faster* in at most 1, and builds that differ by more than x % *same within x %* in at most 1.
//!
//! Each block starts its gateway anew. Where two processes live through the whole comparison, the accident of where their
//! memory lies, which is worth several per cent, counts as a difference of the builds; among restarts it is noise.

mod block;
mod drive;
mod looks;
mod report;
mod signed_rank;
mod text;
mod verdict;

pub use block::{Block, BlockError, Build};
pub use drive::{Builds, DriveError, drive};
pub use looks::{ERROR_RATE, Looks, MAX_QUADS};
pub use report::{BlockResult, Losses, REPORT_VERSION, Report};
pub use signed_rank::{Interval, interval};
pub use verdict::{Finding, Verdict};

use std::collections::BTreeMap;

use crate::measure::{Measure, Measures};

/// What is compared, and how closely.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The measures; the promised error is shared by them, so each one more makes the others a little harder to decide.
    pub measures: Vec<Measure>,
    /// The difference that does not matter, as a share: 0.03 is 3 %.
    pub within: f64,
    /// Where the order of blocks, and the seeds of their load, begin.
    pub seed: u64,
}

/// A comparison under way: it says which block to run next, and decides. It has no clock and runs nothing.
#[derive(Debug)]
pub struct Comparison {
    settings: Settings,
    looks: Looks,
    rng: fastrand::Rng,
    /// The four blocks under way; those that have been run have measures.
    quad: Vec<(Block, Option<Measures>)>,
    /// One log ratio for each four blocks, by measure.
    ratios: BTreeMap<Measure, Vec<f64>>,
    quads: usize,
    blocks: Vec<BlockResult>,
    decided: BTreeMap<Measure, Finding>,
}

impl Comparison {
    /// A comparison of which no block has been run.
    ///
    /// # Panics
    /// When there is no measure to compare, or `within` is not positive.
    pub fn new(mut settings: Settings) -> Self {
        settings.measures.sort_unstable();
        settings.measures.dedup();
        assert!(!settings.measures.is_empty(), "something must be compared");
        assert!(settings.within > 0.0, "no two builds are the same within nothing");
        Self {
            looks: Looks::new(settings.measures.len()),
            rng: fastrand::Rng::with_seed(settings.seed),
            settings,
            quad: Vec::new(),
            ratios: BTreeMap::new(),
            quads: 0,
            blocks: Vec::new(),
            decided: BTreeMap::new(),
        }
    }

    /// The block to run next; none once every measure is decided, or [`MAX_QUADS`] have been run. Asking again
    /// before [`record`](Self::record) gives the same.
    pub fn next_block(&mut self) -> Option<Block> {
        if self.quad.is_empty() {
            if self.decided.len() == self.settings.measures.len() || self.quads == MAX_QUADS {
                return None;
            }
            self.quad = block::quad(&mut self.rng).map(|block| (block, None)).into();
        }
        self.quad.iter().find(|(_, measures)| measures.is_none()).map(|(block, _)| *block)
    }

    /// What the block that [`next_block`](Self::next_block) named has measured.
    ///
    /// # Errors
    /// When it lacks a measure that is compared, or a figure of which no ratio can be taken. The comparison cannot go on.
    ///
    /// # Panics
    /// When no block is under way.
    pub fn record(&mut self, measures: Measures) -> Result<(), BlockError> {
        let (block, result) =
            self.quad.iter_mut().find(|(_, measures)| measures.is_none()).expect("a block is under way");
        for &measure in &self.settings.measures {
            block::positive(measure, block.build, &measures)?;
        }
        self.blocks.push(BlockResult { build: block.build, seed: block.seed, measures: measures.clone() });
        *result = Some(measures);
        if self.quad.iter().all(|(_, measures)| measures.is_some()) {
            self.close_quad();
        }
        Ok(())
    }

    /// How many blocks have been run.
    pub fn blocks_run(&self) -> usize {
        self.blocks.len()
    }

    /// What is known now about each measure, for progress; undecided measures have no verdict yet.
    pub fn standing(&self) -> Vec<(Measure, Option<Verdict>, Option<Interval>)> {
        let one = |&measure: &Measure| match self.decided.get(&measure) {
            Some(found) => (measure, Some(found.verdict), found.log_interval()),
            None => {
                let level = self.looks.last();
                (measure, None, self.ratios.get(&measure).and_then(|ratios| interval(ratios, level)))
            }
        };
        self.settings.measures.iter().map(one).collect()
    }

    /// The verdicts. Measures that are undecided get the last look that was kept for this; four blocks that are not complete
    /// count for nothing.
    pub fn finish(mut self) -> (Vec<Finding>, Vec<BlockResult>) {
        let level = self.looks.last();
        for measure in self.settings.measures.clone() {
            if !self.decided.contains_key(&measure) {
                let found = self.look(measure, level);
                self.decided.insert(measure, found);
            }
        }
        (self.decided.into_values().collect(), self.blocks)
    }

    fn close_quad(&mut self) {
        let quad = std::mem::take(&mut self.quad);
        for &measure in &self.settings.measures {
            let ratio = block::log_ratio(measure, &quad);
            self.ratios.entry(measure).or_default().push(ratio);
        }
        self.quads += 1;
        let Some(level) = self.looks.at(self.quads) else { return };
        for measure in self.settings.measures.clone() {
            if self.decided.contains_key(&measure) {
                continue;
            }
            let found = self.look(measure, level);
            if found.verdict != Verdict::TooNoisy {
                self.decided.insert(measure, found);
            }
        }
    }

    /// What one look, at this level, says.
    fn look(&self, measure: Measure, level: f64) -> Finding {
        let ratios = self.ratios.get(&measure).map_or(&[][..], Vec::as_slice);
        let values = |build| {
            let of_build = self.blocks.iter().filter(move |block| block.build == build);
            of_build.filter_map(|block| block.measures.get(&measure).copied()).collect::<Vec<f64>>()
        };
        Finding::new(
            measure,
            self.settings.within,
            interval(ratios, level),
            self.quads,
            (&values(Build::Base), &values(Build::New)),
        )
    }
}

#[cfg(test)]
mod tests;
