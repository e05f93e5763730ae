//! Runs the blocks that a comparison asks for.

use super::{Block, BlockError, Comparison};
use crate::measure::Measures;

/// Two builds that can be put under load.
pub trait Builds {
    /// Why a block could not be run.
    type Error;

    /// Starts the block's build, runs the workload on it with the block's seed, and ends it.
    ///
    /// # Errors
    /// When the build could not be started, or died.
    fn run(&mut self, block: Block) -> Result<Measures, Self::Error>;
}

/// Why a comparison ended without a verdict.
#[derive(Debug, thiserror::Error)]
pub enum DriveError<E> {
    /// A block could not be run.
    #[error(transparent)]
    Run(E),
    /// A block could be run, and its figures cannot be compared.
    #[error(transparent)]
    Block(#[from] BlockError),
}

/// Runs blocks until everything is decided, or `is_over` says so. It is asked before each block, so that a build is never
/// ended in the middle of its load for the time alone.
///
/// # Errors
/// When a block could not be run, or measured nothing that can be compared.
pub fn drive<B: Builds>(
    comparison: &mut Comparison,
    builds: &mut B,
    mut is_over: impl FnMut(&Comparison) -> bool,
) -> Result<(), DriveError<B::Error>> {
    while let Some(block) = comparison.next_block() {
        if is_over(comparison) {
            break;
        }
        let measures = builds.run(block).map_err(DriveError::Run)?;
        comparison.record(measures)?;
    }
    Ok(())
}
