//! `sim replay`: one run again, exactly.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use conformance::exit::Exit;
use miette::miette;
use scenarios::{Plan, ScenarioId};
use swarm::planted::{self, Planted};
use swarm::{Options, draw, play, shrink};

use super::super::{Failure, closed, ended};

/// The one engine that plays plans.
const ENGINE: &str = "event";

#[derive(Args)]
pub(super) struct ReplayArgs {
    /// What `sim swarm` printed, such as `seed=7 engine=event version=0.1.0`, or a scenario file with `subject = "system"`
    #[arg(required = true, value_name = "LINE")]
    line: Vec<String>,
    /// Print the trace, one JSON object a line, instead of the verdict
    #[arg(long)]
    trace: bool,
    /// Print the plan as a file, made as small as it can be where it breaks a rule
    #[arg(long, conflicts_with = "trace")]
    shrink: bool,
}

/// The line that repeats a seed.
pub(super) fn line_of_seed(seed: u64) -> String {
    format!("seed={seed} engine={ENGINE} version={}", env!("CARGO_PKG_VERSION"))
}

/// What is played.
struct Run {
    plan: Plan,
    defect: Option<Planted>,
}

pub(super) fn run(args: &ReplayArgs) -> Result<Exit, Failure> {
    let Run { plan, defect } = read(&args.line.join(" "))?;
    let defect = defect.map(|planted| planted.make);
    let played = play(&plan, Options { defect, keeps_trace: args.trace, goes_on: args.trace });
    let exit = if played.violations.is_empty() { Exit::Conformant } else { Exit::NotConformant };
    if let Some(trace) = &played.trace {
        let mut out = std::io::stdout().lock();
        out.write_all(trace.to_json_lines().as_bytes()).map_err(closed)?;
        return Ok(exit);
    }
    let mut out = anstream::stdout().lock();
    if args.shrink {
        let plan = match played.violations.first() {
            Some(violation) => shrink(&plan, violation.requirement, defect).plan,
            None => plan,
        };
        return ended(write!(out, "{}", plan.to_toml()), exit);
    }
    let print = || {
        writeln!(out, "{plan}")?;
        for violation in &played.violations {
            let at_s = violation.at.as_secs_f64();
            writeln!(out, "{} at {at_s:.3} s: {}", violation.requirement, violation.detail)?;
        }
        let simulated_s = played.simulated.as_secs_f64();
        writeln!(out, "{} violations in {simulated_s:.0} simulated seconds", played.violations.len())
    };
    let mut print = print;
    ended(print(), exit)
}

/// Reads a line, or a file.
fn read(line: &str) -> Result<Run, Failure> {
    let help = "write `seed=7`, or the path of a scenario file with `subject = \"system\"`";
    let wrong = |what: String| Failure::usage(miette!(help = help, "{what}"));
    let mut run = (None, None);
    for word in line.split_whitespace() {
        match word.split_once('=') {
            Some(("seed", seed)) => {
                let seed = seed.parse().map_err(|_| wrong(format!("`{seed}` is no seed")))?;
                run.0 = Some(draw(seed));
            }
            Some(("file", path)) => run.0 = Some(file(path)?),
            Some(("engine", ENGINE)) => {}
            Some(("engine", engine)) => return Err(wrong(format!("there is no engine `{engine}`"))),
            Some(("version", version)) if version != env!("CARGO_PKG_VERSION") => {
                let here = env!("CARGO_PKG_VERSION");
                return Err(wrong(format!(
                    "the line is of version {version}, and this is {here}: they may draw other plans"
                )));
            }
            Some(("version", _)) => {}
            Some(("defect", id)) => {
                run.1 = Some(planted::named(id).ok_or_else(|| wrong(format!("there is no defect `{id}`")))?);
            }
            Some((key, _)) => return Err(wrong(format!("`{key}` means nothing here"))),
            None => run.0 = Some(file(word)?),
        }
    }
    let plan = run.0.ok_or_else(|| wrong("the line names no seed and no file".to_owned()))?;
    Ok(Run { plan, defect: run.1 })
}

fn file(path: &str) -> Result<Plan, Failure> {
    let path = PathBuf::from(path);
    let text = fs::read_to_string(&path).map_err(|error| {
        let help = "give the path of a scenario file with `subject = \"system\"`";
        Failure::usage(miette!(help = help, "cannot read {}: {error}", path.display()))
    })?;
    let id = ScenarioId(path.with_extension("").to_string_lossy().into_owned());
    Plan::parse(id, &text).map_err(Failure::usage)
}
