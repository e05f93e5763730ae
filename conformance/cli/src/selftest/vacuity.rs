//! `selftest --vacuity`: the suite judged by what it passes without evidence.

use std::fs;
use std::io::Write;
use std::time::Instant;

use miette::miette;
use scenarios::Library;

use super::{BAD, GOOD, SelftestArgs, bar, cannot_write};
use crate::{Failure, ended};
use conformance::exit::Exit;
use gatecheck_lab::selftest::vacuity::{Audit, Exceptions, Vacuity};

#[expect(clippy::disallowed_methods, reason = "the duration of a run is real time")]
pub(super) fn run(args: &SelftestArgs) -> Result<Exit, Failure> {
    let (library, exceptions) = match &args.scenarios {
        Some(folder) => (Library::folder(folder).map_err(Failure::usage)?, Exceptions::default()),
        None => (Library::builtin().map_err(Failure::usage)?, Exceptions::builtin()),
    };
    let wanted = |id: &str| args.filter.as_deref().is_none_or(|text| id.contains(text));
    let audit = Audit::new(library.iter().filter(|scenario| wanted(&scenario.id.0)), exceptions);
    if audit.is_empty() {
        let help = "`gatecheck list` shows all of them; those with `simulated = false` cannot be audited";
        return Err(Failure::usage(miette!(help = help, "no simulated case is selected")));
    }
    if let Some(folder) = &args.output {
        fs::create_dir_all(folder).map_err(|error| cannot_write(folder, &error))?;
    }
    let begun = Instant::now();
    let bar = bar(audit.len());
    let vacuity = audit.play(args.threads(), |case| {
        bar.set_message(case.to_string());
        bar.inc(1);
    });
    bar.finish_and_clear();
    if let Some(folder) = &args.output {
        let file = folder.join("vacuity.json");
        let json = serde_json::to_string_pretty(&vacuity).expect("the audit has string keys");
        fs::write(&file, json).map_err(|error| cannot_write(&file, &error))?;
    }
    let exit = match (vacuity.is_clean(), vacuity.broken.is_empty()) {
        (true, _) => Exit::Conformant,
        (false, true) => Exit::NotConformant,
        (false, false) => Exit::Harness,
    };
    ended(print(&vacuity, begun.elapsed().as_secs_f64()), exit)
}

fn print(vacuity: &Vacuity, seconds: f64) -> std::io::Result<()> {
    let mut out = anstream::stdout().lock();
    for why in &vacuity.broken {
        writeln!(out, "{BAD}says nothing{BAD:#}  {why}")?;
    }
    for pass in &vacuity.passes {
        writeln!(out, "{BAD}passes{BAD:#}  {pass}")?;
    }
    for stale in &vacuity.stale {
        writeln!(out, "{BAD}no exception any more{BAD:#}  {stale}")?;
    }
    for never in &vacuity.no_variant {
        let reason = never.reason.as_deref().map(|reason| format!("  ({reason})")).unwrap_or_default();
        let style = if reason.is_empty() { BAD } else { anstyle::Style::new() };
        writeln!(out, "{style}no variant{style:#}: {}  never: {}{reason}", never.case, never.never)?;
    }
    let style = if vacuity.is_clean() { GOOD } else { BAD };
    writeln!(
        out,
        "{} cases x {} steps x 4 ways: {} plays, {style}{} passes without evidence{style:#}, {} exceptions, {seconds:.1} s",
        grouped(vacuity.cases),
        grouped(vacuity.steps),
        grouped(vacuity.plays),
        vacuity.passes.len(),
        vacuity.excepted.len()
    )?;
    let (nevers, without) = (vacuity.nevers.len(), vacuity.no_variant.len());
    writeln!(out, "{nevers} nevers: {} matched by a variant, {without} without one", nevers - without)
}

/// A number with a comma before each three digits.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let groups = digits.as_bytes().rchunks(3).rev();
    groups.map(String::from_utf8_lossy).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Thousands are separated.
    #[test]
    fn thousands_are_separated() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }
}
