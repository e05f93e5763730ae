//! One block: a build under load for a few seconds.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::measure::{Measure, Measures};

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Build {
    /// What there was.
    Base,
    /// What is judged.
    New,
}

impl Build {
    /// The other one.
    pub fn other(self) -> Self {
        match self {
            Self::Base => Self::New,
            Self::New => Self::Base,
        }
    }
}

impl fmt::Display for Build {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Base => "base",
            Self::New => "new",
        })
    }
}

/// A build to put under load, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// Which one.
    pub build: Build,
    /// The seed of its load. Both builds get the same seeds.
    pub seed: u64,
}

/// The figures of a block cannot be compared.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum BlockError {
    /// The workload does not have the measure, or this host cannot take it.
    #[error("the workload does not measure `{measure}` here; it measures {}", names(.has))]
    Missing {
        /// What was to be compared.
        measure: Measure,
        /// What there is.
        has: Vec<Measure>,
    },
    /// Of nothing there is no ratio.
    #[error("a block of the {build} build has {measure} = {value}, of which no ratio can be taken")]
    NotPositive {
        /// What was to be compared.
        measure: Measure,
        /// Which build.
        build: Build,
        /// Its figure.
        value: f64,
    },
}

/// A B B A, or B A A B, by a coin.
pub(super) fn quad(rng: &mut fastrand::Rng) -> [Block; 4] {
    let first = if rng.bool() { Build::Base } else { Build::New };
    let seeds = [rng.u64(..), rng.u64(..)];
    let block = |build, seed| Block { build, seed };
    [
        block(first, seeds[0]),
        block(first.other(), seeds[0]),
        block(first.other(), seeds[1]),
        block(first, seeds[1]),
    ]
}

/// The measure's figure, where a ratio can be taken of it.
pub(super) fn positive(measure: Measure, build: Build, measures: &Measures) -> Result<f64, BlockError> {
    match measures.get(&measure) {
        None => {
            let has = measures.iter().filter(|(_, value)| **value > 0.0).map(|(&measure, _)| measure);
            Err(BlockError::Missing { measure, has: has.collect() })
        }
        Some(&value) if value > 0.0 && value.is_finite() => Ok(value),
        Some(&value) => Err(BlockError::NotPositive { measure, build, value }),
    }
}

/// The logarithm of new over base, over four blocks.
pub(super) fn log_ratio(measure: Measure, quad: &[(Block, Option<Measures>)]) -> f64 {
    let signed = quad.iter().map(|(block, measures)| {
        let value =
            measures.as_ref().and_then(|measures| measures.get(&measure)).map_or(0.0, |value| value.ln());
        match block.build {
            Build::Base => -value,
            Build::New => value,
        }
    });
    signed.sum::<f64>() / 2.0
}

fn names(measures: &[Measure]) -> String {
    match measures {
        [] => "nothing".to_owned(),
        measures => measures.iter().map(|measure| measure.name()).collect::<Vec<_>>().join(", "),
    }
}
