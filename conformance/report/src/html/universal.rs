//! The universal rules that were violated: each once, with the lines of the first case's trace that show it.

use maud::{Markup, html};
use scenarios::{Catalogue, Finding};

use super::case::link;
use super::prose;
use crate::About;
use conformance::result::{CaseReport, RunReport, Universal};
use conformance::words::counted;

/// Lines of the trace before and after the ones that a finding points at.
const CONTEXT: usize = 3;
/// Most lines of the trace.
const MAX_LINES: usize = 40;

pub(super) fn universal(report: &RunReport, about: &About, catalogue: &Catalogue) -> Markup {
    if report.universal.is_empty() {
        return html! {};
    }
    html! {
        section #universal {
            div.title {
                h2 { "Universal rules that were violated" }
                span.faint { "judged on the trace of every case, whatever it is about" }
            }
            div.list { @for found in &report.universal { (violated(found, report, about, catalogue)) } }
        }
    }
}

fn violated(found: &Universal, report: &RunReport, about: &About, catalogue: &Catalogue) -> Markup {
    let Universal { requirement, finding, case, cases, known } = found;
    let (class, sign) = if *known { ("known", "◐") } else { ("bad", "✗") };
    let rule = catalogue.get(requirement).map_or("", |rule| rule.text.as_str());
    html! {
        div.common.card {
            p.rule { span.badge.(class) { (sign) " " (requirement) } " " (prose(rule)) }
            dl.finding {
                dt { "expected" } dd { (finding.expected.html()) }
                dt { "seen" } dd.(class) { (finding.seen.html()) }
                dt { (counted(cases.len(), "case")) } dd.links { @for case in cases { (link(report, case)) } }
            }
            @if let Some(first) = report.case(case) { (lines(first, finding)) }
            div.repeat {
                span.faint { "Repeat the first" }
                code { (about.repeat.command(case).html()) }
                button type="button" data-copy="" { "Copy" }
            }
        }
    }
}

/// The trace around what the finding points at.
fn lines(case: &CaseReport, finding: &Finding) -> Markup {
    let observations = &case.trace.observations;
    let (Some(first), Some(last)) = (finding.at.iter().min(), finding.at.iter().max()) else {
        return html! {};
    };
    let from = first.saturating_sub(CONTEXT).min(observations.len());
    let to = (last + CONTEXT + 1).min(observations.len());
    let mark = |at: usize| if finding.at.contains(&at) { '>' } else { ' ' };
    let lines = (from..to).map(|at| format!("{} {}", mark(at), observations[at].line().html()));
    let lines: Vec<_> = lines.take(MAX_LINES).collect();
    html! {
        pre { (lines.join("\n")) }
        @if to.saturating_sub(from) > MAX_LINES { p.note.faint { "… and " (to - from - MAX_LINES) " lines more" } }
    }
}
