//! `gatecheck mutant-client`: a mutant of the reference client as a process of its own, for `selftest`.

use clap::Args;
use conformance::exit::Exit;
use gatecheck_lab::mutants::process::{self, PROCESSES};
use miette::miette;

use super::Failure;

/// Which one.
#[derive(Args)]
pub(super) struct MutantClientArgs {
    /// Its name, as `gatecheck selftest --list` has it
    id: String,
}

pub(super) fn run(args: &MutantClientArgs) -> Result<Exit, Failure> {
    let Some(mutant) = PROCESSES.iter().find(|mutant| mutant.id == args.id) else {
        let help = "`gatecheck selftest --list` shows all of them";
        return Err(Failure::usage(miette!(help = help, "no mutant is a process named `{}`", args.id)));
    };
    let harness = |error: std::io::Error| Failure::new(Exit::Harness, miette!("the mutant ended: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(harness)?;
    let served = runtime.block_on(process::serve(mutant, tokio::io::stdin(), tokio::io::stdout()));
    // Whatever waits for standard input does not keep it.
    runtime.shutdown_background();
    served.map_err(harness)?;
    Ok(Exit::Conformant)
}
