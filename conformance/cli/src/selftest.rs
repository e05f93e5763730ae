//! `selftest`: the suite judged by mutants.

mod vacuity;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anstyle::{AnsiColor, Style};
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use miette::miette;
use scenarios::{Library, Scenario};

use super::judge::interrupted;
use super::{Failure, closed, ended};
use conformance::executor::{BrokerChoice, Executor};
use conformance::exit::Exit;
use conformance::profile::Profile;
use gatecheck_lab::mutants::{self, CommandMutant, Mutant, process};
use gatecheck_lab::selftest::{self, Matrix, Trial, Trials};

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();

#[derive(Args)]
pub(super) struct SelftestArgs {
    /// Only mutants whose name or requirement holds this text, and no controls
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// List the mutants
    #[arg(long)]
    list: bool,
    /// Look for cases that pass without evidence instead, and for `never`s that nothing can match;
    /// `--filter` is then about the names of cases
    #[arg(long, conflicts_with = "list")]
    vacuity: bool,
    /// A folder of scenarios, instead of those that are built in
    #[arg(long, value_name = "DIR", requires = "vacuity")]
    scenarios: Option<PathBuf>,
    /// Trials in parallel [default: the number of cores]
    #[arg(long, short = 'j', value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// A folder for `selftest.json` and `selftest.html`, or for `vacuity.json`
    #[arg(long, short = 'o', value_name = "DIR")]
    output: Option<PathBuf>,
}

impl SelftestArgs {
    fn threads(&self) -> usize {
        self.jobs.map_or_else(|| std::thread::available_parallelism().map_or(1, usize::from), usize::from)
    }
}

#[expect(clippy::disallowed_methods, reason = "the duration of a run is real time")]
pub(super) fn run(args: &SelftestArgs) -> Result<Exit, Failure> {
    if args.vacuity {
        return vacuity::run(args);
    }
    let wanted = |id: &str, requirement: &str| {
        args.filter.as_deref().is_none_or(|text| id.contains(text) || requirement == text)
    };
    let mutants: Vec<_> =
        mutants::all().into_iter().filter(|mutant| wanted(mutant.id, mutant.requirement)).collect();
    let commands: Vec<_> =
        mutants::COMMANDS.iter().filter(|mutant| wanted(mutant.id, mutant.requirement)).collect();
    let processes: Vec<_> =
        process::PROCESSES.iter().filter(|mutant| wanted(mutant.id, mutant.requirement)).collect();
    if mutants.is_empty() && commands.is_empty() && processes.is_empty() {
        let help = "`gatecheck selftest --list` shows all of them";
        return Err(Failure::usage(miette!(help = help, "no mutant is selected")));
    }
    if args.list {
        return list(&mutants, &commands, &processes).map_err(closed);
    }
    if let Some(folder) = &args.output {
        fs::create_dir_all(folder).map_err(|error| cannot_write(folder, &error))?;
    }
    let library = Library::builtin().map_err(Failure::usage)?;
    let scenarios = library.select(&[]).map_err(Failure::usage)?;
    let mut trials = Trials::new(mutants, &scenarios);
    if args.filter.is_some() {
        trials.controls.clear();
    }
    let begun = Instant::now();
    let threads = args.threads();
    let bar = bar(trials.len() + commands.len() + processes.len());
    let mut matrix = trials.play(threads, |trial| {
        if let Trial::Mutant(_, fate) = trial {
            bar.set_message(fate.mutant.clone());
        }
        bar.inc(1);
    });
    matrix.mutants.extend(on_sockets(&commands, &processes, &scenarios, &bar)?);
    bar.finish_and_clear();
    if let Some(folder) = &args.output {
        write(folder, &matrix)?;
    }
    let exit = if matrix.is_clean() { Exit::Conformant } else { Exit::NotConformant };
    ended(print(&matrix, begun.elapsed().as_secs_f64()), exit)
}

/// Plays the mutants that are processes of their own.
fn on_sockets(
    commands: &[&CommandMutant],
    processes: &[&Mutant],
    scenarios: &[&Scenario],
    bar: &ProgressBar,
) -> Result<Vec<selftest::MutantOutcome>, Failure> {
    let harness = |what: &str, error: &dyn ToString| {
        Failure::new(Exit::Harness, miette!("{what}: {}", error.to_string()))
    };
    let program =
        std::env::current_exe().map_err(|error| harness("cannot tell where this program is", &error))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| harness("cannot start a runtime", &error))?;
    let executor = Executor::new(Profile::reference(), BrokerChoice::Embedded, program, 1);
    runtime.block_on(async {
        let trials = async {
            let mut fates = Vec::new();
            for mutant in commands {
                fates.push(selftest::try_command(mutant, &executor, scenarios).await);
                bar.inc(1);
            }
            for mutant in processes {
                fates.push(selftest::try_process(mutant, &executor, scenarios).await);
                bar.inc(1);
            }
            fates
        };
        tokio::select! {
            biased;
            // Whatever was running is killed when its future is dropped.
            () = interrupted() => Err(Failure { exit: Exit::Interrupted, report: None }),
            fates = trials => Ok(fates),
        }
    })
}

fn list(mutants: &[Mutant], commands: &[&CommandMutant], processes: &[&Mutant]) -> std::io::Result<Exit> {
    let mut out = anstream::stdout().lock();
    let played = mutants.iter().chain(processes.iter().copied());
    let simulated = played.map(|mutant| (mutant.id, mutant.requirement, mutant.about));
    let on_sockets = commands.iter().map(|mutant| (mutant.id, mutant.requirement, mutant.about));
    for (id, requirement, about) in simulated.chain(on_sockets) {
        writeln!(out, "{requirement:<10} {id:<44} {about}")?;
    }
    Ok(Exit::Conformant)
}

fn print(matrix: &Matrix, seconds: f64) -> std::io::Result<()> {
    let mut out = anstream::stdout().lock();
    for (id, verdict) in &matrix.controls_failed {
        writeln!(out, "{BAD}not clean{BAD:#}  {id}  {verdict}")?;
    }
    for fate in matrix.survivors() {
        writeln!(out, "{BAD}survived{BAD:#}   {}  {}  {}", fate.requirement, fate.mutant, fate.about)?;
        for (id, verdict) in &fate.survived {
            writeln!(out, "             {id}  {verdict}")?;
        }
    }
    let (all, survivors) = (matrix.mutants.len(), matrix.survivors().count());
    let style = if matrix.is_clean() { GOOD } else { BAD };
    let controls = matrix.controls_passed + matrix.controls_failed.len();
    writeln!(
        out,
        "{style}{} of {all} mutants killed{style:#}, {} of {controls} cases clean without one, in {seconds:.1} s",
        all - survivors,
        matrix.controls_passed
    )
}

fn write(folder: &Path, matrix: &Matrix) -> Result<(), Failure> {
    let json = serde_json::to_string_pretty(matrix).expect("the matrix has string keys");
    for (name, text) in [("selftest.json", json), ("selftest.html", selftest::page(matrix))] {
        let file = folder.join(name);
        fs::write(&file, text).map_err(|error| cannot_write(&file, &error))?;
    }
    Ok(())
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Failure {
    Failure::usage(miette!(
        help = "give `--output` a folder that can be written to",
        "cannot write {}: {error}",
        path.display()
    ))
}

fn bar(trials: usize) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(u64::try_from(trials).ok(), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len}  {msg}");
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
