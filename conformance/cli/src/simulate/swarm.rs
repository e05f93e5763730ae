//! `sim swarm`: plans drawn from seeds, and what they find.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use conformance::exit::Exit;
use conformance::suite::Shard;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use miette::miette;
use scenarios::Plan;
use scenarios::invariants::Violation;
use swarm::planted::{self, Planted};
use swarm::{Coverage, GOALS, Seeds, Sweep, draw, shrink};

use super::super::{Failure, closed, ended};
use super::replay::line_of_seed;

/// Violations that are made smaller and shown.
const SHOWN: usize = 10;
/// Seeds from one sweep of planted defects to the next.
const SWEEP_SEEDS: u64 = 1_000_000;

#[derive(Args)]
pub(super) struct SwarmArgs {
    /// How many seeds are played
    #[arg(long, value_name = "N", default_value_t = 1000)]
    seeds: u64,
    /// The first seed
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    first: u64,
    /// How many at once; by default as many as this host has processors
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// Play one of several equal parts of the seeds, such as 1/4
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
    /// Write each violation, made smaller, as a scenario file to this folder
    #[arg(long, short, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Judge the swarm instead: how many seeds until each planted defect is found, and how small its plan becomes
    #[arg(long)]
    planted: bool,
    /// How often each planted defect is sought, with other seeds each time
    #[arg(long, value_name = "N", default_value_t = 5, requires = "planted")]
    sweeps: u64,
    /// Planted defects whose name contains this text
    #[arg(long, value_name = "TEXT", requires = "planted")]
    filter: Option<String>,
}

impl SwarmArgs {
    fn seeds(&self) -> Seeds {
        let jobs = self.jobs.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
        let (part, parts) = self.shard.map_or((0, 1), Shard::part);
        let shard = (part as u64, parts as u64);
        Seeds { jobs, shard, ..Seeds::new(self.first, self.seeds) }
    }
}

pub(super) fn run(args: &SwarmArgs) -> Result<Exit, Failure> {
    if args.seeds == 0 || args.jobs == Some(0) {
        return Err(Failure::usage(miette!(help = "give at least 1", "no seed is played")));
    }
    if let Some(folder) = &args.output {
        fs::create_dir_all(folder).map_err(|error| cannot_write(folder, &error))?;
    }
    if args.planted { judge_swarm(args) } else { sweep(args) }
}

#[expect(clippy::disallowed_methods, reason = "the duration of a sweep is real time")]
fn sweep(args: &SwarmArgs) -> Result<Exit, Failure> {
    let begun = Instant::now();
    let seeds = args.seeds();
    let bar = bar(args.seeds / seeds.shard.1);
    let sweep = seeds.play(|sweep| {
        bar.set_position(sweep.seeds);
        let rate = sweep.seeds as f64 / begun.elapsed().as_secs_f64().max(0.001);
        let (hours, found) = (sweep.simulated.as_secs() / 3600, sweep.found.len());
        bar.set_message(format!("{rate:.0} seeds/s, {hours} simulated hours, {found} found"));
    });
    bar.finish_and_clear();
    let elapsed_s = begun.elapsed().as_secs_f64();
    let mut files = Vec::new();
    for (seed, violation) in sweep.found.iter().take(SHOWN) {
        let small = shrink(&draw(*seed), violation.requirement, None);
        let plan = named(small.plan, *seed, violation);
        if let Some(folder) = &args.output {
            let file = folder.join(format!("seed-{seed}.toml"));
            fs::write(&file, plan.to_toml()).map_err(|error| cannot_write(&file, &error))?;
        }
        files.push(plan);
    }
    let exit = if sweep.found.is_empty() { Exit::Conformant } else { Exit::NotConformant };
    ended(print(&sweep, &files, seeds.jobs, elapsed_s), exit)
}

/// The plan under a name that says what it shows.
fn named(plan: Plan, seed: u64, violation: &Violation) -> Plan {
    let title = format!("Seed {seed} breaks {}", violation.requirement);
    Plan { title, about: violation.detail.clone(), ..plan }
}

fn print(sweep: &Sweep, files: &[Plan], jobs: usize, elapsed_s: f64) -> std::io::Result<()> {
    let mut out = anstream::stdout().lock();
    table(&mut out, &sweep.coverage)?;
    for ((seed, violation), plan) in sweep.found.iter().zip(files) {
        let Violation { requirement, at, detail } = violation;
        writeln!(out, "\n{requirement} at {:.3} s: {detail}", at.as_secs_f64())?;
        writeln!(out, "  gatecheck sim replay '{}'", line_of_seed(*seed))?;
        for line in plan.to_string().lines() {
            writeln!(out, "  {line}")?;
        }
    }
    if sweep.found.len() > files.len() {
        writeln!(out, "\n… and {} more", sweep.found.len() - files.len())?;
    }
    let hours = sweep.simulated.as_secs_f64() / 3600.0;
    let (per_s, per_core_hour) = (sweep.seeds as f64 / elapsed_s, hours / (elapsed_s * jobs as f64 / 3600.0));
    writeln!(
        out,
        "\n{} seeds, {} violations; {hours:.0} simulated hours in {elapsed_s:.1} s: {per_s:.0} seeds/s, {per_core_hour:.0} simulated \
         hours an hour of each core",
        sweep.seeds,
        sweep.found.len(),
    )
}

/// What was reached, and what was not.
fn table(out: &mut impl Write, coverage: &Coverage) -> std::io::Result<()> {
    writeln!(out, "faults")?;
    for (kind, count) in &coverage.faults {
        let statuses: Vec<_> = coverage
            .pairs
            .iter()
            .filter(|((_, fault), _)| fault == kind)
            .map(|((status, _), count)| format!("{status} {count}"))
            .collect();
        writeln!(out, "  {kind:<20} {count:>8}  {}", statuses.join(", "))?;
    }
    writeln!(out, "operations")?;
    for (kind, count) in &coverage.operations {
        writeln!(out, "  {kind:<20} {count:>8}")?;
    }
    writeln!(out, "transitions")?;
    for (change, count) in &coverage.transitions {
        // The arrow has three bytes and one column.
        writeln!(out, "  {change:<30} {count:>8}")?;
    }
    writeln!(out, "sometimes")?;
    for goal in GOALS {
        match coverage.goals.get(goal) {
            Some(count) => writeln!(out, "  {goal:<40} {count:>8}")?,
            None => writeln!(out, "  {goal:<40}    never: no seed has reached it")?,
        }
    }
    Ok(())
}

/// What became of a planted defect.
struct Kills {
    planted: Planted,
    /// Of each sweep: seeds until it was found, in the name of which requirement, and how large the plan was before and after.
    found: Vec<(u64, &'static str, usize, usize)>,
    sweeps: u64,
}

fn judge_swarm(args: &SwarmArgs) -> Result<Exit, Failure> {
    let wanted = |planted: &Planted| args.filter.as_deref().is_none_or(|text| planted.id.contains(text));
    let planted: Vec<_> = planted::all().into_iter().filter(wanted).collect();
    if planted.is_empty() {
        let help = "`gatecheck sim swarm --planted --seeds 1` shows all of them";
        return Err(Failure::usage(miette!(help = help, "no planted defect is selected")));
    }
    let bar = bar(planted.len() as u64 * args.sweeps);
    let mut all = Vec::new();
    for planted in planted {
        let mut kills = Kills { planted, found: Vec::new(), sweeps: args.sweeps };
        for sweep in 0..args.sweeps {
            // One thread: which seed is the first must not depend on threads.
            let first = args.first + sweep * SWEEP_SEEDS;
            let seeds = Seeds { defect: Some(planted.make), stops: true, ..Seeds::new(first, args.seeds) };
            if let Some((seed, violation)) = seeds.play(|_| {}).found.first() {
                let plan = draw(*seed);
                let small = shrink(&plan, violation.requirement, Some(planted.make)).plan;
                let sizes = (plan.entries.len(), small.entries.len());
                kills.found.push((seed - first + 1, violation.requirement, sizes.0, sizes.1));
            }
            bar.set_message(planted.id);
            bar.inc(1);
        }
        all.push(kills);
    }
    bar.finish_and_clear();
    let survives = |kills: &Kills| kills.found.len() as u64 != kills.sweeps;
    let exit = if all.iter().any(survives) { Exit::NotConformant } else { Exit::Conformant };
    ended(print_kills(&all).map_err(closed).map_or_else(|_| Ok(()), Ok), exit)
}

fn print_kills(all: &[Kills]) -> std::io::Result<()> {
    let mut out = anstream::stdout().lock();
    writeln!(out, "{:<70} {:>8} {:>8} {:>14}  found as", "planted defect", "seeds", "found", "entries")?;
    let mut sizes = Vec::new();
    for Kills { planted, found, sweeps } in all {
        let seeds = median(found.iter().map(|kill| kill.0));
        let [before, after] =
            [median(found.iter().map(|kill| kill.2)), median(found.iter().map(|kill| kill.3))];
        sizes.extend(found.iter().map(|kill| kill.3));
        let mut names: Vec<_> = found.iter().map(|kill| kill.1).collect();
        names.sort_unstable();
        names.dedup();
        let [seeds, before, after] = [seeds.map(|seeds| seeds as usize), before, after]
            .map(|value| value.map_or("-".to_owned(), |value| value.to_string()));
        let (id, found, names) = (planted.id, found.len(), names.join(", "));
        writeln!(out, "{id:<70} {seeds:>8} {found:>6}/{sweeps} {before:>6} → {after:>5}  {names}")?;
    }
    let survived = all.iter().filter(|kills| kills.found.len() as u64 != kills.sweeps).count();
    let size = median(sizes).map_or("-".to_owned(), |size| size.to_string());
    writeln!(
        out,
        "{} of {} found in every sweep; median plan: {size} entries",
        all.len() - survived,
        all.len()
    )
}

fn median<T: Ord + Copy>(values: impl IntoIterator<Item = T>) -> Option<T> {
    let mut values: Vec<_> = values.into_iter().collect();
    values.sort_unstable();
    values.get(values.len() / 2).copied()
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Failure {
    Failure::usage(miette!(
        help = "give `--output` a folder that can be written to",
        "cannot write {}: {error}",
        path.display()
    ))
}

fn bar(length: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len}  {msg}");
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
