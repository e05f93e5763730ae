//! Runs the blocks that a comparison asks for.

use super::{Block, BlockError, Comparison};
use crate::measure::Measures;

/// Two builds that can be put under load.
pub trait Builds {
    /// Why a block could not be run.
    type Error;

    /// Starts the block's build, runs the workload on it with the block's seed, and ends it. None where it was interrupted:
    /// what it had measured until then does not count, and no other block is run.
    fn run(&mut self, block: Block) -> impl Future<Output = Result<Option<Measures>, Self::Error>>;
}

/// Why a comparison ended without a verdict.
#[derive(Debug, thiserror::Error)]
pub enum DriveError<E> {
    /// A block could not be run.
    #[error("{0}")]
    Run(E),
    /// A block could be run, and its figures cannot be compared.
    #[error(transparent)]
    Block(#[from] BlockError),
}

/// Runs blocks until everything is decided, or `is_over` says so; answers whether it was interrupted. `is_over` is asked
/// before each block, so that no build is ended in the middle of its load for the time alone.
///
/// # Errors
/// When a block could not be run, or measured nothing that can be compared.
pub async fn drive<B: Builds>(
    comparison: &mut Comparison,
    builds: &mut B,
    mut is_over: impl FnMut(&Comparison) -> bool,
) -> Result<bool, DriveError<B::Error>> {
    while let Some(block) = comparison.next_block() {
        if is_over(comparison) {
            break;
        }
        match builds.run(block).await.map_err(DriveError::Run)? {
            Some(measures) => comparison.record(measures)?,
            None => return Ok(true),
        }
    }
    Ok(false)
}
