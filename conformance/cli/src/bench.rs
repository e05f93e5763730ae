//! `bench`: load on a gateway.

mod compare;
mod history;
mod merge;
mod play;
mod progress;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use miette::miette;

use super::{Failure, closed, ended};
use conformance::exit::Exit;
use gatecheck_load::{Run, page, show};

const HELP: &str = "Workloads:\n  \
    burst    events as fast as the gateway takes them: what it carries at most\n  \
    paced    events at a fixed rate; latency counts from when an event was due\n  \
    ramp     a rate that rises until a bound breaks or an event is lost: how many events it carries\n  \
    idle     connections without events: memory for each, and what heartbeats cost\n  \
    connect  sign-ins per second; all clients are cut at once, and the time until all are back\n  \
    rooms    many rooms with few members, beside one with all clients\n  \
    mixed    events for several audiences, clients that come and go, pings, subscriptions\n\n\
    `--print paced > mine.toml` writes one to copy and edit; `gatecheck bench mine.toml` runs it.\n\n\
    A threshold is a measure, a comparison and a bound: `p99 < 50ms`, `lost == 0`, `memory_per_connection < 40KiB`, \
    `deliveries_per_second >= 100000`. A measure that cannot be taken breaks its threshold.\n\n\
    Exit codes:\n  \
    0    every threshold holds\n  \
    1    a threshold broke\n  \
    2    wrong usage, workload or profile\n  \
    3    inconclusive: a rate or latency broke its threshold, and the load generator limited the run\n  \
    4    the gateway could not be started, did not let every client in, got no events, or died\n  \
    5    the harness failed\n  \
    130  interrupted; what was measured until then is printed";

#[derive(Args)]
#[command(after_help = HELP, args_conflicts_with_subcommands = true)]
pub(super) struct BenchArgs {
    #[command(subcommand)]
    command: Option<BenchCommand>,
    #[command(flatten)]
    play: play::PlayArgs,
}

#[derive(Subcommand)]
enum BenchCommand {
    /// Add the results of the parts of a divided load (`--shard`)
    Merge(merge::MergeArgs),
    /// Compare two builds on a noisy host: faster, slower, the same, or too noisy to say
    Compare(compare::CompareArgs),
    /// Draw stored results over time, and mark where a measure changed
    History(history::HistoryArgs),
}

pub(super) fn run(args: BenchArgs) -> Result<ExitCode, Failure> {
    match args.command {
        Some(BenchCommand::Merge(args)) => merge::run(&args).map(ExitCode::from),
        Some(BenchCommand::Compare(args)) => compare::run(&args).map(ExitCode::from),
        Some(BenchCommand::History(args)) => history::run(&args).map(ExitCode::from),
        None => play::run(args.play).map(ExitCode::from),
    }
}

/// What is made of a result.
#[derive(Args)]
struct OutputArgs {
    /// What is printed on standard output
    #[arg(long, value_enum, default_value_t = Format::Console)]
    format: Format,
    /// Write the result as JSON to a file, too: for `merge`, and to keep
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Write a page with plots: one file, readable without a network
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// A file to append the Markdown summary to, such as $GITHUB_STEP_SUMMARY
    #[arg(long, value_name = "FILE")]
    summary: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Console,
    /// For programs: `gatecheck schema bench` describes a result, `gatecheck schema compare` a comparison
    Json,
    /// A summary for a job's page
    Markdown,
}

impl OutputArgs {
    /// Finds out early that a file cannot be written: a run is long.
    fn check(&self) -> Result<(), Failure> {
        check_writable(self.save.iter().chain(&self.html).chain(&self.summary))
    }

    /// Prints a result and writes the files; says how the program ends.
    fn show(&self, run: &Run) -> Result<Exit, Failure> {
        if let Some(file) = &self.save {
            fs::write(file, run.to_json() + "\n").map_err(|error| cannot_write(file, &error))?;
        }
        if let Some(file) = &self.html {
            fs::write(file, page::run(run)).map_err(|error| cannot_write(file, &error))?;
        }
        if let Some(file) = &self.summary {
            append(file, &show::markdown(run))?;
        }
        let text = match self.format {
            Format::Console => show::console(run),
            Format::Json => run.to_json() + "\n",
            Format::Markdown => show::markdown(run),
        };
        ended(anstream::stdout().write_all(text.as_bytes()), show::exit(run))
    }
}

/// Finds out early that a file cannot be written.
fn check_writable<'a>(files: impl IntoIterator<Item = &'a PathBuf>) -> Result<(), Failure> {
    files.into_iter().try_for_each(|file| append(file, ""))
}

fn append(file: &Path, text: &str) -> Result<(), Failure> {
    let opened = fs::OpenOptions::new().create(true).append(true).open(file);
    let written = opened.and_then(|mut opened| opened.write_all(text.as_bytes()));
    written.map_err(|error| cannot_write(file, &error))
}

fn cannot_write(file: &Path, error: &std::io::Error) -> Failure {
    Failure::usage(miette!(
        help = "name a file in a folder that there is",
        "cannot write {}: {error}",
        file.display()
    ))
}

/// Prints a workload's file.
fn print(name: &str) -> Result<Exit, Failure> {
    use gatecheck_load::workload::BuiltinWorkload;
    let known = BuiltinWorkload::find(name).ok_or_else(|| {
        let help = format!("there are {}", BuiltinWorkload::names());
        Failure::usage(miette!(help = help, "there is no built-in workload `{name}`"))
    })?;
    std::io::stdout().write_all(known.text.as_bytes()).map_err(closed)?;
    Ok(Exit::Conformant)
}
