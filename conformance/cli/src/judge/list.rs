//! `--list`: what a run would play, and what it would leave out.

use std::collections::BTreeMap;
use std::io::Write;

use conformance::exit::Exit;
use conformance::runner::Plan;
use scenarios::Foreign;

use crate::{Failure, closed};

/// Prints the cases, then those that are left out by the reason for it.
pub(super) fn print(plan: &Plan) -> Result<Exit, Failure> {
    anstream::stdout().write_all(text(plan).as_bytes()).map_err(closed)?;
    Ok(Exit::Conformant)
}

fn text(plan: &Plan) -> String {
    let line = |id: &str, title: &Foreign| format!("{id:<44} {}", title.terminal());
    let mut lines: Vec<_> = plan
        .cases
        .iter()
        .map(|case| line(&case.scenario.id.0, &Foreign::from(case.scenario.title.as_str())))
        .collect();
    let mut left_out = BTreeMap::<String, Vec<_>>::new();
    for case in &plan.unplayed {
        let name = case.verdict.name();
        let why = case.verdict.reason().map(|why| format!("{name}: {}", why.terminal()));
        left_out.entry(why.unwrap_or_else(|| name.to_owned())).or_default().push(case);
    }
    for (why, cases) in left_out {
        lines.push(format!("\n{why}"));
        lines.extend(cases.iter().map(|case| format!("  {}", line(&case.id.0, &case.title))));
    }
    lines.push(format!("\ncases: {} would run, {} would not", plan.cases.len(), plan.unplayed.len()));
    lines.join("\n") + "\n"
}
