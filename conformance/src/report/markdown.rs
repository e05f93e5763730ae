//! The summary for a pull request or a job's page, in Markdown.

use std::fmt::Write as _;

use scenarios::{Catalogue, RequirementId};

use super::About;
use super::visible::visible;
use crate::result::{RunReport, Standing, Verdict};

/// Most rows of one table; a job's page has room for about a megabyte.
const MAX_ROWS: usize = 200;
/// Most characters of one cell.
const MAX_CELL_CHARS: usize = 300;

/// The summary: the verdict, the figures, and a row for each requirement that does not hold.
pub fn markdown(report: &RunReport, about: &About) -> String {
    let catalogue = Catalogue::builtin();
    let mut text = String::new();
    let subjects: Vec<_> = about.subjects.iter().map(ToString::to_string).collect();
    let (mark, verdict) = report.sentence();
    push(&mut text, format_args!("## {mark} Gatecheck: {verdict}\n"));
    let passed = report.cases.iter().filter(|case| case.verdict == Verdict::Pass).count();
    push(
        &mut text,
        format_args!(
            "{} of {} requirements shown ({}, level {}); {passed} of {} cases passed in {:.1} s\n",
            report.count(Standing::Shown),
            report.requirements.len(),
            subjects.join(" and "),
            about.level,
            report.cases.len(),
            report.took.as_secs_f64(),
        ),
    );
    for expired in &report.expired {
        push(&mut text, format_args!("> {}\n", cell(expired)));
    }
    let failed: Vec<_> = report.standing(Standing::Failed).collect();
    if !failed.is_empty() {
        text.push_str("### Requirements that do not hold\n\n");
        text.push_str("| requirement | rule | seen | cases |\n|---|---|---|---|\n");
        for id in failed.iter().take(MAX_ROWS) {
            let rule = catalogue.get(id).map_or("", |rule| rule.text.as_str());
            let (seen, cases) = findings(report, id);
            push(
                &mut text,
                format_args!("| **{id}** | {} | {} | {} |", cell(rule), cell(&seen), cases.join("<br>")),
            );
        }
        more(&mut text, failed.len());
    }
    let others: Vec<_> = report
        .cases
        .iter()
        .filter(|case| case.verdict.is_trouble() && case.verdict != Verdict::Fail)
        .collect();
    if !others.is_empty() {
        text.push_str("### Cases that say nothing, or too much\n\n| case | verdict | why |\n|---|---|---|\n");
        for case in others.iter().take(MAX_ROWS) {
            let why = case.verdict.reason().unwrap_or_default();
            push(&mut text, format_args!("| `{}` | {} | {} |", case.id, case.verdict.name(), cell(&why)));
        }
        more(&mut text, others.len());
    }
    for (standing, words) in [
        (Standing::KnownFailure, "known failures"),
        (Standing::Undecided, "undecided"),
        (Standing::NotClaimed, "not claimed"),
        (Standing::NotShown, "not run"),
    ] {
        let names: Vec<_> = report.standing(standing).map(ToString::to_string).collect();
        if !names.is_empty() {
            push(&mut text, format_args!("- {} {words}: {}", names.len(), names.join(", ")));
        }
    }
    text
}

/// What was seen first, and the cases that saw it.
fn findings(report: &RunReport, id: &RequirementId) -> (String, Vec<String>) {
    let found = report.cases.iter().flat_map(|case| {
        case.findings().filter(|(requirement, _)| *requirement == id).map(move |(_, finding)| (case, finding))
    });
    let mut seen = String::new();
    let mut cases: Vec<String> = Vec::new();
    for (case, finding) in found {
        if seen.is_empty() {
            seen = format!("expected {}: {}", finding.expected, finding.seen);
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

/// Text of a stranger in a cell: no markup, no end of the row.
fn cell(text: &str) -> String {
    let mut cell = String::new();
    for (index, character) in visible(text).chars().enumerate() {
        if index == MAX_CELL_CHARS {
            cell.push('…');
            break;
        }
        match character {
            '<' => cell.push_str("&lt;"),
            '>' => cell.push_str("&gt;"),
            '&' => cell.push_str("&amp;"),
            '|' | '\\' | '`' | '*' | '_' | '[' | ']' | '!' | '#' | '~' | '@' => {
                cell.push('\\');
                cell.push(character);
            }
            character if character.is_control() => cell.push(' '),
            character => cell.push(character),
        }
    }
    cell
}

fn push(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    /// The table names what does not hold, and a gateway's data is neither markup nor the end of a row.
    #[test]
    fn what_does_not_hold_is_told() {
        let (report, about) = sample::run();
        let text = markdown(&report, &about);
        assert!(text.starts_with("## ❌ Gatecheck: the harness failed"), "{text}");
        assert!(!text.contains('\u{202e}'), "{text}");
        assert!(text.contains("| **ROOM-3** |") && text.contains("`gateway/rooms/private`"), "{text}");
        assert!(!text.contains("<script") && text.contains("&lt;script&gt;"), "{text}");
        assert!(text.lines().filter(|line| line.starts_with("| **")).all(|line| line.ends_with(" |")));
        assert_eq!(cell("a|b\nc"), r"a\|b c");
    }
}
