//! `bench merge`: the parts of a divided load as one result.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use miette::miette;

use super::super::Failure;
use super::OutputArgs;
use conformance::exit::Exit;
use gatecheck_load::{Run, merge};

#[derive(Args)]
pub(super) struct MergeArgs {
    /// The results of all parts, as `--save` or `--format json` writes them
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    output: OutputArgs,
}

pub(super) fn run(args: &MergeArgs) -> Result<Exit, Failure> {
    args.output.check()?;
    let parts = args.files.iter().map(|file| read(file)).collect::<Result<Vec<_>, _>>()?;
    let help = "run each part with `--shard I/N --start-at TIME`, and give all results";
    let whole = merge::merge(parts).map_err(|error| Failure::usage(miette!(help = help, "{error}")))?;
    args.output.show(&whole)
}

/// Reads a stored result.
pub(super) fn read(file: &Path) -> Result<Run, Failure> {
    let wrong = |error: &dyn std::fmt::Display| Failure::usage(miette!("{}: {error}", file.display()));
    let text = fs::read_to_string(file).map_err(|error| wrong(&error))?;
    Run::from_json(&text).map_err(|error| wrong(&error))
}
