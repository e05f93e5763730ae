//! `diff`: what changed between two reports.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use gatecheck_report::{Difference, EarlierReport};

use super::{Failure, ended};
use conformance::exit::Exit;

#[derive(Args)]
pub(super) struct DiffArgs {
    /// The report of before: a `report.json`, or the folder that `--output` named
    old: PathBuf,
    /// The report of now
    new: PathBuf,
}

pub(super) fn run(args: &DiffArgs) -> Result<Exit, Failure> {
    let old = EarlierReport::read(&args.old).map_err(Failure::usage)?;
    let new = EarlierReport::read(&args.new).map_err(Failure::usage)?;
    let found = Difference::between(&old, &new);
    let exit = if found.is_worse() { Exit::NotConformant } else { Exit::Conformant };
    ended(anstream::stdout().write_all(found.text().as_bytes()), exit)
}
