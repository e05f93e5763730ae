//! The end of the report for people: the figures, what does not hold, what is undecided and why, and the verdict.

use anstyle::Style;
use scenarios::{Catalogue, Foreign, RequirementId, SubjectKind};

use super::{BAD, DOUBT, FAINT, GOOD, STRONG, push};
use crate::noise_note::noise_note;
use crate::undecided::Undecided;
use crate::words::shortened;
use conformance::exit::Exit;
use conformance::result::{RequirementStatus, RunReport};

/// Most characters of a rule on its line.
const MAX_RULE_CHARS: usize = 90;
/// Most characters of a reason.
const MAX_REASON_CHARS: usize = 200;

pub(super) fn write(text: &mut String, report: &RunReport, catalogue: &Catalogue) {
    let passed = report.passed("cases");
    push(text, format_args!("\n{passed} in {:.1} s", report.took.as_secs_f64()));
    for subject in [SubjectKind::Gateway, SubjectKind::Client, SubjectKind::Pair] {
        requirements(text, report, catalogue, subject);
    }
    for line in &report.design {
        push(text, format_args!("{FAINT}declared {}{FAINT:#}", line.terminal()));
    }
    for expired in &report.expired {
        push(text, format_args!("{BAD}expired{BAD:#}: {}", expired.terminal()));
    }
    if let Some(note) = noise_note(report) {
        push(text, format_args!("{FAINT}{note}{FAINT:#}"));
    }
    let exit = report.exit();
    let style = match exit {
        Exit::Conformant => GOOD.bold(),
        Exit::Inconclusive | Exit::Incomplete => DOUBT.bold(),
        Exit::NotConformant | Exit::Usage | Exit::Subject | Exit::Harness | Exit::Interrupted => BAD,
    };
    let (_, verdict) = report.sentence();
    push(text, format_args!("{style}{verdict}{style:#} {FAINT}(exit code {}){FAINT:#}", exit.code()));
}

fn requirements(text: &mut String, report: &RunReport, catalogue: &Catalogue, subject: SubjectKind) {
    let of_subject = |id: &&RequirementId| catalogue.get(id).is_some_and(|rule| rule.subject == subject);
    let total = report.requirements.iter().filter(|found| of_subject(&&found.id)).count();
    if total == 0 {
        return;
    }
    let shown = report.standing(RequirementStatus::Shown).filter(of_subject).count();
    push(text, format_args!("{STRONG}{subject} requirements{STRONG:#}: {shown} of {total} shown"));
    let failed: Vec<_> = report.standing(RequirementStatus::Failed).filter(of_subject).collect();
    if !failed.is_empty() {
        let words = if failed.len() == 1 { "does not hold" } else { "do not hold" };
        push(text, format_args!("  {BAD}{} {words}{BAD:#}:", failed.len()));
    }
    let first = failed.first().copied();
    for id in failed {
        let rule = catalogue.get(id).map_or("", |rule| rule.text.as_str());
        push(text, format_args!("    {BAD}{id:<10}{BAD:#} {}", shortened(rule, MAX_RULE_CHARS)));
    }
    if let Some(id) = first {
        push(
            text,
            format_args!("    {FAINT}why it matters, and how to fix it: gatecheck explain {id}{FAINT:#}"),
        );
    }
    undecided(text, report, |id| of_subject(&id));
    unplayed(text, report, |id| of_subject(&id));
    for (standing, style, words) in [
        (RequirementStatus::KnownFailure, FAINT, "known failures"),
        (RequirementStatus::NotClaimed, FAINT, "not claimed"),
        (RequirementStatus::NotShown, FAINT, "not shown by this run"),
    ] {
        let unjudged: Vec<_> = report.unjudged().map(|found| &found.id).collect();
        let names = report.standing(standing).filter(of_subject).filter(|id| !unjudged.contains(id));
        let names: Vec<_> = names.map(ToString::to_string).collect();
        if !names.is_empty() {
            push(text, format_args!("  {style}{} {words}{style:#}: {}", names.len(), names.join(", ")));
        }
    }
}

/// What is not judged that must be, and what is shown in part, a line each.
fn unplayed(text: &mut String, report: &RunReport, of_subject: impl Fn(&RequirementId) -> bool) {
    let mut list = |style: Style, words: &str, lines: Vec<(&RequirementId, Foreign)>| {
        if !lines.is_empty() {
            push(text, format_args!("  {style}{} {words}{style:#}:", lines.len()));
        }
        for (id, line) in lines {
            push(text, format_args!("    {style}{id:<10}{style:#} {}", line.terminal()));
        }
    };
    let unjudged = report.unjudged().filter(|found| of_subject(&found.id));
    list(DOUBT, "of the core level not judged", unjudged.map(|found| (&found.id, found.remedy())).collect());
    let in_part = report.requirements.iter().filter(|found| found.standing == RequirementStatus::ShownInPart);
    let in_part = in_part.filter(|found| of_subject(&found.id));
    list(FAINT, "shown in part", in_part.map(|found| (&found.id, found.part())).collect());
}

/// Each undecided requirement with its reason; those that have one in common are named together.
fn undecided(text: &mut String, report: &RunReport, of_subject: impl Fn(&RequirementId) -> bool) {
    let groups = Undecided::of(report, of_subject);
    let count: usize = groups.iter().map(|group| group.requirements.len()).sum();
    if count > 0 {
        push(text, format_args!("  {DOUBT}{count} undecided{DOUBT:#}:"));
    }
    for group in groups {
        let names: Vec<_> = group.requirements.iter().map(ToString::to_string).collect();
        let reason = shortened(&group.text().terminal(), MAX_REASON_CHARS);
        match names.as_slice() {
            [name] => push(text, format_args!("    {DOUBT}{name:<10}{DOUBT:#} {reason}")),
            names => {
                push(text, format_args!("    {DOUBT}{}{DOUBT:#}", names.join(", ")));
                push(text, format_args!("               {reason}"));
            }
        }
    }
}
