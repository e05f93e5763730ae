//! One case on the page: what it shows, how that turned out, and what happened.

use std::collections::BTreeSet;

use maud::{Markup, html};
use scenarios::trace::{Event, Observation};
use scenarios::{Catalogue, Foreign, Judgement, RequirementId, ScenarioId, SubjectKind};

use super::drawing::drawing;
use super::prose;
use super::requirements::origin;
use crate::About;
use crate::diagram::Diagram;
use crate::folder::trace_file;
use crate::words::without_signatures;
use conformance::result::{CaseReport, Check, RunReport, Verdict};

/// Most rows of the diagram of a case that did not pass.
const MAX_ROWS: usize = 90;
/// Most rows of the diagram of one that did.
const MAX_ROWS_PASSED: usize = 36;
/// Most lines of a trace on the page.
const MAX_LINES: usize = 400;
/// Most findings of one case on the page.
const MAX_FINDINGS: usize = 40;
/// Most bytes of the page: cases that come later have no diagram and no trace on it.
pub(super) const MAX_PAGE_BYTES: usize = 6 * 1024 * 1024;

/// Every case, those that did not pass first.
pub(super) struct Cases<'a> {
    report: &'a RunReport,
    about: &'a About,
    catalogue: &'a Catalogue,
}

impl<'a> Cases<'a> {
    pub(super) fn new(report: &'a RunReport, about: &'a About, catalogue: &'a Catalogue) -> Self {
        Self { report, about, catalogue }
    }

    pub(super) fn markup(&self) -> Markup {
        let mut cases: Vec<&CaseReport> = self.report.cases.iter().collect();
        cases.sort_by_key(|case| rank(&case.verdict));
        let mut names: Vec<(&str, &str, usize)> = Vec::new();
        for case in &cases {
            let name = case.verdict.name();
            match names.iter_mut().find(|(found, ..)| *found == name) {
                Some((.., count)) => *count += 1,
                None => names.push((name, class_of(&case.verdict), 1)),
            }
        }
        let mut bytes = 0;
        let mut parts = Vec::new();
        for case in cases {
            let part = self.case(case, bytes < MAX_PAGE_BYTES);
            bytes += part.0.len();
            parts.push(part);
        }
        html! {
            section #cases {
                div.title {
                    h2 { "Cases" }
                    div.filters data-filters="cases" role="group" aria-label="Show cases that are" {
                        button type="button" data-show="" aria-pressed="true" { "All " b { (self.report.cases.len()) } }
                        @for (name, class, count) in names {
                            button type="button" data-show=(name) aria-pressed="false" {
                                span.dot.(class) {} (name) " " b { (count) }
                            }
                        }
                    }
                    input #search type="search" placeholder="case or requirement" aria-label="Search the cases";
                }
                p #narrowed hidden {}
                div.list { @for part in parts { (part) } }
                p #nothing hidden { "No case is like that." }
            }
        }
    }

    fn case(&self, case: &CaseReport, has_room: bool) -> Markup {
        let class = class_of(&case.verdict);
        let is_open = case.verdict.is_trouble() || matches!(case.verdict, Verdict::KnownFailure { .. });
        let is_pass = matches!(case.verdict, Verdict::Pass | Verdict::UnexpectedPass { .. });
        let requirements: Vec<_> = case.requirements.iter().map(ToString::to_string).collect();
        html! {
            details.case.card id=(anchor(case)) open[is_open] data-verdict=(case.verdict.name())
                data-requirements=(requirements.join(" ")) {
                summary {
                    span.badge.(class) { (case.verdict.name()) }
                    span.what { b { (case.title.html()) } code { (case.id) } }
                    span.ids.faint { @for id in &requirements { span { (id) } } }
                    span.took.faint { (format!("{:.2} s", case.duration_ms as f64 / 1000.0)) }
                }
                @if let Some(reason) = case.verdict.reason() { p.callout.(class) { (reason.html()) } }
                @if !case.outcomes.is_empty() {
                    p.faint {
                        "Of its runs "
                        @for (at, (name, count)) in case.outcomes.iter().enumerate() {
                            @if at > 0 { ", " } (count) " " (name)
                        }
                        ". Shown is the gravest."
                    }
                }
                (self.checks(case))
                @if !case.universal.is_empty() {
                    p.note { "Its trace violates " @for found in &case.universal {
                        a href={ "#rule-" (found.requirement) } { (found.requirement) } " "
                    } }
                }
                @if has_room {
                    (self.diagram(case, if is_pass { MAX_ROWS_PASSED } else { MAX_ROWS }))
                    @if !is_pass { (trace(case)) }
                } @else if !case.trace.observations.is_empty() {
                    p.note.faint { "Not drawn: the page is long enough. " code { (trace_file(&case.id.0)) } " has its trace." }
                }
                @if !case.output.is_empty() {
                    details.raw {
                        summary { "What the " (case.subject) " printed last " span.faint { (case.output.len()) " lines" } }
                        pre { (case.output.iter().map(Foreign::html).collect::<Vec<_>>().join("\n")) }
                    }
                }
                div.repeat {
                    span.faint { "Repeat it" }
                    code { (self.about.repeat.command(&case.id).html()) }
                    button type="button" data-copy="" { "Copy" }
                }
            }
        }
    }

    /// Each requirement with its rule, and under it what was expected and seen.
    fn checks(&self, case: &CaseReport) -> Markup {
        html! {
            ul.checks {
                @for id in &case.requirements {
                    @let checks: Vec<&Check> = case.checks_on(id).collect();
                    @let (class, sign, says) = judged(&checks, case);
                    li {
                        p.rule {
                            span.badge.(class) title=(says) { (sign) " " (id) }
                            " " (self.rule(id))
                        }
                        @for check in checks.iter().take(MAX_FINDINGS) {
                            @match &check.judgement {
                                Judgement::Failed(finding) => dl.finding {
                                    @if let Some(half) = finding.half { dt { "about" } dd { (half) } }
                                    dt { "expected" } dd { (finding.expected.html()) }
                                    dt { "seen" } dd.(class) { (finding.seen.html()) }
                                    @if let Some(missed) = finding.missed_by_us {
                                        dt { "missed by" } dd { (format!("{:.1} ms", missed as f64 / 1000.0)) }
                                    }
                                },
                                Judgement::Blocked { by, detail } => dl.finding {
                                    dt { "blocked by" } dd { (by) ": " (detail.html()) }
                                },
                                Judgement::Undecided { why } => dl.finding {
                                    dt { "undecided" } dd { (why.html()) }
                                },
                                Judgement::Passed => {},
                            }
                        }
                        @if checks.len() > MAX_FINDINGS { p.note.faint { "… and " (checks.len() - MAX_FINDINGS) " more" } }
                    }
                }
            }
        }
    }

    fn rule(&self, id: &RequirementId) -> Markup {
        let Some(rule) = self.catalogue.get(id) else { return html! {} };
        html! { (prose(&rule.text)) " " span.tag { (rule.level) } " " span.tag { (origin(rule.source)) } }
    }

    fn diagram(&self, case: &CaseReport, max_rows: usize) -> Markup {
        if case.trace.observations.is_empty() {
            return html! {};
        }
        let hits: BTreeSet<usize> =
            case.findings().flat_map(|(_, finding)| finding.at.iter().copied()).collect();
        let diagram = Diagram::new(&case.trace, &hits, max_rows);
        let is_pair = case.subject == SubjectKind::Pair;
        let diagram = if is_pair { diagram.with_broker() } else { diagram };
        html! {
            figure {
                div.scroll { (drawing(&diagram, case.subject)) }
                @if diagram.shown < diagram.total {
                    figcaption.note.faint {
                        (diagram.shown) " of " (diagram.total) " observations are drawn. "
                        code { (trace_file(&case.id.0)) } " has them all, where the report was written to a folder."
                    }
                }
            }
        }
    }
}

/// The trace in words, on demand.
fn trace(case: &CaseReport) -> Markup {
    let observations = &case.trace.observations;
    if observations.is_empty() {
        return html! {};
    }
    let lines: Vec<_> = observations.iter().take(MAX_LINES).map(line).collect();
    html! {
        details.raw {
            summary { "Raw trace " span.faint { (observations.len()) " observations" } }
            pre { (lines.join("\n")) }
            @if observations.len() > MAX_LINES {
                p.note.faint { "The first " (MAX_LINES) " of them; " code { (trace_file(&case.id.0)) } " has them all." }
            }
        }
    }
}

/// One observation; a handshake as it was, without signatures of tokens.
fn line(seen: &Observation) -> String {
    let mut line = seen.line().html();
    if let Event::Handshake { request, answer } = &seen.event {
        for (sign, text) in [('>', without_signatures(request)), ('<', answer.clone())] {
            for said in text.lines() {
                line += &format!("\n{:>12} {sign} {}", "", Foreign::from(said).html());
            }
        }
    }
    line
}

/// The class, sign and word of a requirement in a case.
fn judged(checks: &[&Check], case: &CaseReport) -> (&'static str, &'static str, &'static str) {
    let any = |fits: &dyn Fn(&Check) -> bool| checks.iter().any(|check| fits(check));
    let failed = |check: &Check| matches!(check.judgement, Judgement::Failed(_));
    if matches!(case.verdict, Verdict::Inconclusive { .. }) {
        ("doubt", "?", "inconclusive")
    } else if any(&|check| failed(check) && !check.known) {
        ("bad", "✗", "fails")
    } else if any(&failed) {
        ("known", "◐", "known failure")
    } else if any(&|check| matches!(check.judgement, Judgement::Blocked { .. })) {
        ("doubt", "?", "blocked")
    } else if any(&|check| matches!(check.judgement, Judgement::Undecided { .. })) {
        ("doubt", "?", "undecided")
    } else if checks.is_empty() {
        ("none", "○", "no verdict")
    } else {
        ("good", "✓", "holds")
    }
}

fn class_of(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "good",
        Verdict::Fail
        | Verdict::UnexpectedPass { .. }
        | Verdict::SubjectError { .. }
        | Verdict::HarnessError { .. } => "bad",
        Verdict::KnownFailure { .. } => "known",
        Verdict::Blocked { .. } | Verdict::Inconclusive { .. } => "doubt",
        Verdict::NotClaimed { .. } | Verdict::NotRun { .. } => "none",
    }
}

/// What a reader wants to see first.
fn rank(verdict: &Verdict) -> u8 {
    match verdict {
        Verdict::HarnessError { .. } => 0,
        Verdict::SubjectError { .. } => 1,
        Verdict::Fail => 2,
        Verdict::UnexpectedPass { .. } => 3,
        Verdict::Blocked { .. } => 4,
        Verdict::Inconclusive { .. } => 5,
        Verdict::KnownFailure { .. } => 6,
        Verdict::NotRun { .. } => 7,
        Verdict::Pass => 8,
        Verdict::NotClaimed { .. } => 9,
    }
}

/// A link to a case, where it is on the page.
pub(super) fn link(report: &RunReport, id: &ScenarioId) -> Markup {
    html! {
        @match report.case(id) {
            Some(case) => a href={ "#" (anchor(case)) } title=(case.title.html()) { (id) },
            None => (id),
        }
        " "
    }
}

/// Where a case stands on the page. Ids of scenarios are paths, which may hold anything a file's name may.
pub(super) fn anchor(case: &CaseReport) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_/".contains(c) { c } else { '_' };
    format!("case-{}", case.id.0.chars().map(plain).collect::<String>())
}
