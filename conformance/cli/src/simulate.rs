//! `sim`: scenarios and plans in the simulation.

mod audit;
mod replay;
mod swarm;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use clap::{Args, Subcommand};
use miette::miette;
use scenarios::{Level, Scenario, SubjectKind};
use sim::{Options, Played, SimError};

use super::catalogue::Selection;
use super::{Failure, LevelArg, closed, ended};
use conformance::executor::times_of;
use conformance::exit::Exit;
use conformance::profile::Profile;
use conformance::result::{CaseReport, RunReport, Scope, Universal, Verdict};
use conformance::runner::{self, Case, HostNoise, Plan};
use gatecheck_report::{Console, Repeat};

#[derive(Args)]
pub(super) struct SimArgs {
    #[command(subcommand)]
    command: SimCommand,
}

#[derive(Subcommand)]
enum SimCommand {
    /// Play scenarios against the reference pair, in virtual time: the same seed, the same trace
    Run(SimRunArgs),
    /// Draw plans from seeds, play them, and hold every invariant against them; what fails is made smaller
    Swarm(swarm::SwarmArgs),
    /// Play one plan again, exactly: a seed's, or a file's
    Replay(replay::ReplayArgs),
    /// Play seeds twice, in two processes, and compare the traces byte for byte
    Audit(audit::AuditArgs),
}

#[derive(Args)]
struct SimRunArgs {
    #[command(flatten)]
    selection: Selection,
    /// Which requirements are judged
    #[arg(long, value_enum, default_value_t = LevelArg::Hardened)]
    level: LevelArg,
    /// The seed that latencies, jitter and masks are drawn from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print each trace, one JSON object per line, instead of the report
    #[arg(long)]
    trace: bool,
}

pub(super) fn run(args: &SimArgs) -> Result<Exit, Failure> {
    match &args.command {
        SimCommand::Run(args) => run_scenarios(args),
        SimCommand::Swarm(args) => swarm::run(args),
        SimCommand::Replay(args) => replay::run(args),
        SimCommand::Audit(args) => audit::run(args),
    }
}

fn run_scenarios(args: &SimRunArgs) -> Result<Exit, Failure> {
    let library = args.selection.library()?;
    let chosen = library.select(&args.selection.filter).map_err(Failure::usage)?;
    let level: Level = args.level.into();
    // The simulation plays the reference pair, whose design is the usual one.
    let times = times_of(&Profile::reference());
    // So is its dialect, but for cases about what that does not have.
    let mut plan = Plan { cases: Vec::new(), unplayed: Vec::new() };
    for scenario in chosen {
        let dialect = scenario.own_dialect().unwrap_or_default();
        let one = Plan::new(vec![scenario], level, &BTreeSet::new(), &BTreeMap::new(), &dialect, &times);
        plan.cases.extend(one.cases);
        plan.unplayed.extend(one.unplayed);
    }
    let (cases, elsewhere): (Vec<_>, Vec<_>) = plan.cases.iter().partition(|case| case.scenario.simulated);
    if cases.is_empty() {
        let help = "scenarios with `simulated = false` need real sockets: `gatecheck run` plays them";
        return Err(Failure::usage(miette!(help = help, "no scenario for the simulation is selected")));
    }
    let options = Options { seed: args.seed, ..Options::default() };
    if args.trace {
        return print_traces(&cases, &options);
    }
    report(args, &plan, &cases, &elsewhere, &options)
}

#[expect(clippy::disallowed_methods, reason = "the duration of a run is real time")]
fn report(
    args: &SimRunArgs,
    plan: &Plan,
    cases: &[&Case],
    elsewhere: &[&Case],
    options: &Options,
) -> Result<Exit, Failure> {
    let begun = Instant::now();
    let mut console = Console::new(plan.len(), Repeat::of(std::env::args().skip(1)));
    let mut reports = Vec::new();
    for case in elsewhere {
        let why = "needs real sockets".into();
        reports.push(CaseReport::without_play(
            &case.scenario,
            Verdict::NotRun { why, gap: scenarios::Gap::Run, audiences: Vec::new() },
        ));
    }
    for case in cases {
        let report = simulate(case, options);
        console.case(&report);
        reports.push(report);
    }
    let selected = (!args.selection.filter.is_empty()).then(|| plan.requirements());
    let scope = Scope {
        subjects: &[SubjectKind::Gateway, SubjectKind::Client],
        level: args.level.into(),
        without: &BTreeSet::new(),
        selected: selected.as_ref(),
    };
    let universal = Universal::collected(&reports, &scope);
    let report = RunReport::of(reports, universal, &scope, begun.elapsed());
    ended(console.finish(&report, None), report.exit())
}

#[expect(clippy::disallowed_methods, reason = "the duration of a case is real time")]
fn simulate(case: &Case, options: &Options) -> CaseReport {
    let begun = Instant::now();
    let mut report = match sim::play(&case.scenario, options) {
        // Nothing stalls in virtual time.
        Ok(Played { scenario, play, times }) => {
            runner::judged(&scenario, &case.judged, play, &times, HostNoise::NONE)
        }
        Err(error) => CaseReport::without_play(
            &case.scenario,
            Verdict::HarnessError { detail: error.to_string().into() },
        ),
    };
    report.duration_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    report.runs = 1;
    report
}

fn print_traces(cases: &[&Case], options: &Options) -> Result<Exit, Failure> {
    use std::io::Write;
    let failed = |scenario: &Scenario, error: SimError| {
        Failure::new(Exit::Harness, miette!("{}: {error}", scenario.id))
    };
    let mut out = std::io::stdout().lock();
    for case in cases {
        let played = sim::play(&case.scenario, options).map_err(|error| failed(&case.scenario, error))?;
        out.write_all(played.play.trace.to_json_lines().as_bytes()).map_err(closed)?;
    }
    Ok(Exit::Conformant)
}
