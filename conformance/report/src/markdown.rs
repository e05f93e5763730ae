//! The summary for a pull request or a job's page, in Markdown.

use std::fmt::Write as _;

use scenarios::{Catalogue, Finding, Foreign, RequirementId, ScenarioId};

use super::About;
use super::noise_note::noise_note;
use super::undecided::Undecided;
use conformance::result::{Death, RequirementStatus, RunReport, Universal, Verdict};
use conformance::words::counted;

/// Most rows of one table; a job's page has room for about a megabyte.
const MAX_ROWS: usize = 200;
/// Most characters of one cell.
const MAX_CELL_CHARS: usize = 300;
/// Most cases in one cell.
const MAX_CASES: usize = 30;

/// The summary: the verdict, the figures, and a row for each requirement that does not hold, for each universal rule that was
/// violated, and for each cause of death.
pub fn markdown(report: &RunReport, about: &About) -> String {
    let catalogue = Catalogue::builtin();
    let mut text = String::new();
    let subjects: Vec<_> = about.subjects.iter().map(ToString::to_string).collect();
    let (mark, verdict) = report.sentence();
    push(&mut text, format_args!("## {mark} Gatecheck: {verdict}\n"));
    push(
        &mut text,
        format_args!(
            "{} of {} requirements shown ({}, level {}); {} in {:.1} s\n",
            report.count(RequirementStatus::Shown),
            report.requirements.len(),
            subjects.join(" and "),
            about.level,
            report.passed("cases"),
            report.took.as_secs_f64(),
        ),
    );
    if let Some(signal) = report.interrupted {
        push(&mut text, format_args!("> *interrupted* by {signal}: what had ended by then is reported\n"));
    }
    for line in &report.design {
        push(&mut text, format_args!("> declared {}\n", cell(line)));
    }
    for expired in &report.expired {
        push(&mut text, format_args!("> {}\n", cell(expired)));
    }
    if let Some(note) = noise_note(report) {
        push(&mut text, format_args!("> {note}\n"));
    }
    // What a universal rule alone found has a table of its own.
    let has_case = |id: &&RequirementId| !findings(report, id).1.is_empty();
    let failed: Vec<_> = report.standing(RequirementStatus::Failed).filter(has_case).collect();
    if !failed.is_empty() {
        text.push_str("### Requirements that do not hold\n\n");
        text.push_str("| requirement | rule | seen | cases |\n|---|---|---|---|\n");
        for id in failed.iter().take(MAX_ROWS) {
            let rule = rule(&catalogue, id);
            let (seen, cases) = findings(report, id);
            push(&mut text, format_args!("| **{id}** | {rule} | {} | {} |", cell(&seen), cases.join("<br>")));
        }
        more(&mut text, failed.len());
    }
    universal(&mut text, report, &catalogue);
    deaths(&mut text, report);
    let is_shown_above = |verdict: &Verdict| matches!(verdict, Verdict::Fail | Verdict::SubjectError { .. });
    let others: Vec<_> = report
        .cases
        .iter()
        .filter(|case| case.verdict.is_trouble() && !is_shown_above(&case.verdict))
        .collect();
    if !others.is_empty() {
        text.push_str("### Cases that say nothing, or too much\n\n| case | verdict | why |\n|---|---|---|\n");
        for case in others.iter().take(MAX_ROWS) {
            let why = case.verdict.reason().unwrap_or_default();
            push(&mut text, format_args!("| `{}` | {} | {} |", case.id, case.verdict.name(), cell(&why)));
        }
        more(&mut text, others.len());
    }
    for found in report.unjudged() {
        push(&mut text, format_args!("- **{}** not judged: {}", found.id, cell(&found.remedy())));
    }
    for found in report.requirements.iter().filter(|found| found.standing == RequirementStatus::ShownInPart) {
        push(&mut text, format_args!("- {} shown in part: {}", found.id, cell(&found.part())));
    }
    for (standing, words) in [
        (RequirementStatus::KnownFailure, "known failures"),
        (RequirementStatus::NotClaimed, "not claimed"),
        (RequirementStatus::NotShown, "not run"),
    ] {
        let names: Vec<_> = report.standing(standing).map(ToString::to_string).collect();
        if !names.is_empty() {
            push(&mut text, format_args!("- {} {words}: {}", names.len(), names.join(", ")));
        }
    }
    for group in Undecided::of(report, |_| true) {
        let names: Vec<_> = group.requirements.iter().map(ToString::to_string).collect();
        push(&mut text, format_args!("- undecided: {}: {}", names.join(", "), cell(&group.text())));
    }
    text
}

fn universal(text: &mut String, report: &RunReport, catalogue: &Catalogue) {
    let violated: Vec<_> = report.universal.iter().filter(|found| !found.known).collect();
    if violated.is_empty() {
        return;
    }
    text.push_str("### Universal rules that were violated\n\n");
    text.push_str("| rule | text | seen first | cases |\n|---|---|---|---|\n");
    for Universal { requirement, finding, cases, .. } in violated {
        let rule = rule(catalogue, requirement);
        let seen = cell(&sentence(finding));
        push(text, format_args!("| **{requirement}** | {rule} | {seen} | {} |", listed(cases)));
    }
    text.push('\n');
}

fn deaths(text: &mut String, report: &RunReport) {
    if report.deaths.is_empty() {
        return;
    }
    let cases = report.deaths.iter().map(|death| death.cases.len()).sum();
    push(text, format_args!("### Died in {}\n", counted(cases, "case")));
    text.push_str("| cause | place | cases |\n|---|---|---|\n");
    for Death { cause, frame, cases } in report.deaths.iter().take(MAX_ROWS) {
        let frame = frame.as_ref().map(cell).unwrap_or_default();
        push(text, format_args!("| {} | {frame} | {} |", cell(cause), listed(cases)));
    }
    more(text, report.deaths.len());
}

/// The first cases, and how many more there are.
fn listed(cases: &[ScenarioId]) -> String {
    let mut names: Vec<_> = cases.iter().take(MAX_CASES).map(|case| format!("`{case}`")).collect();
    if cases.len() > MAX_CASES {
        names.push(format!("… and {} more", cases.len() - MAX_CASES));
    }
    names.join("<br>")
}

/// What was seen first, and the cases that saw it.
fn findings(report: &RunReport, id: &RequirementId) -> (Foreign, Vec<String>) {
    let found = report.cases.iter().flat_map(|case| {
        case.findings().filter(|(requirement, _)| *requirement == id).map(move |(_, finding)| (case, finding))
    });
    let mut seen = Foreign::default();
    let mut cases: Vec<String> = Vec::new();
    for (case, finding) in found {
        if seen.is_empty() {
            seen = sentence(finding);
        }
        let name = format!("`{}`", case.id);
        if cases.last() != Some(&name) {
            cases.push(name);
        }
    }
    (seen, cases)
}

fn more(text: &mut String, rows: usize) {
    match rows.checked_sub(MAX_ROWS) {
        None | Some(0) => text.push('\n'),
        Some(more) => push(text, format_args!("\n… and {more} more: `report.html` has all\n")),
    }
}

/// The text of a table's cell, or of a line.
fn cell(text: &Foreign) -> String {
    text.shortened(MAX_CELL_CHARS).markdown()
}

/// A rule, as a cell.
fn rule(catalogue: &Catalogue, id: &RequirementId) -> String {
    catalogue.get(id).map(|rule| cell(&rule.text.as_str().into())).unwrap_or_default()
}

/// What was expected and what was seen, in a sentence.
fn sentence(finding: &Finding) -> Foreign {
    format!("expected {}: {}", finding.expected.raw(), finding.seen.raw()).into()
}

fn push(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    /// The table names what does not hold, and a gateway's data is neither markup nor the end of a row.
    #[test]
    fn what_does_not_hold_is_shown() {
        let (report, about) = sample::run();
        let text = markdown(&report, &about);
        assert!(text.starts_with("## ❌ Gatecheck: interrupted by SIGTERM: "), "{text}");
        assert!(text.contains("> *interrupted* by SIGTERM"), "{text}");
        assert!(text.contains("### Universal rules that were violated"), "{text}");
        assert_eq!(text.matches("| **MSG-1** |").count(), 1, "in the table of universal rules alone: {text}");
        assert!(text.contains("### Died in 1 case\n"), "{text}");
        assert!(text.contains("- undecided: CONN-3"), "{text}");
        assert!(!text.contains('\u{202e}'), "{text}");
        assert!(text.contains("| **ROOM-3** |") && text.contains("`gateway/rooms/private`"), "{text}");
        assert!(!text.contains("<script") && text.contains("&lt;script&gt;"), "{text}");
        assert!(text.lines().filter(|line| line.starts_with("| **")).all(|line| line.ends_with(" |")));
    }
}
