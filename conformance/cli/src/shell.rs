//! `completions` and `man`: what a package of gatecheck installs beside the program.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;
use miette::miette;

use super::{Cli, Failure, closed};
use conformance::exit::Exit;

#[derive(Args)]
pub(super) struct CompletionsArgs {
    /// The shell that is to complete
    #[arg(value_enum)]
    shell: Shell,
}

#[derive(Args)]
pub(super) struct ManArgs {
    /// A folder for a page of each command, instead of the one of `gatecheck` on standard output
    #[arg(long, short = 'o', value_name = "DIR")]
    output: Option<PathBuf>,
}

pub(super) fn completions(args: &CompletionsArgs) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "gatecheck", &mut script);
    std::io::stdout().write_all(&script).map_err(closed)?;
    Ok(Exit::Conformant)
}

pub(super) fn man(args: &ManArgs) -> Result<Exit, Failure> {
    match &args.output {
        Some(folder) => pages(folder).map_err(|error| {
            let help = "name a place that can be written to";
            Failure::usage(miette!(help = help, "cannot write to {}: {error}", folder.display()))
        })?,
        None => {
            let mut page = Vec::new();
            Man::new(Cli::command()).render(&mut page).map_err(closed)?;
            std::io::stdout().write_all(&page).map_err(closed)?;
        }
    }
    Ok(Exit::Conformant)
}

fn pages(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    clap_mangen::generate_to(Cli::command(), folder)
}
