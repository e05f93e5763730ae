//! The report as a page.
//!
//! Whatever a gateway or client said is text on this page: `maud` escapes all that it is given, and the page's own policy lets
//! no script and no style run but the two that it carries.

mod case;
mod deaths;
mod drawing;
mod matrix;
mod requirements;
mod universal;

use maud::{Markup, html};
use scenarios::{Catalogue, Foreign};

use self::case::Cases;
use super::About;
use super::noise_note::noise_note;
use super::page::Page;
use conformance::exit::Exit;
use conformance::result::{RequirementStatus, RunReport, Verdict};
use conformance::words::counted;

const STYLE: &str = include_str!("html/page.css");
const SCRIPT: &str = include_str!("html/page.js");

/// The page.
pub(super) fn page(report: &RunReport, about: &About) -> String {
    let catalogue = Catalogue::builtin();
    let (_, verdict) = report.sentence();
    let page = Page {
        title: &verdict,
        kind: "conformance report",
        links: &[("Matrix", "matrix"), ("Cases", "cases"), ("Rules", "rules")],
        style: STYLE,
        script: SCRIPT,
        body: html! {
            (head(report, about))
            (matrix::matrix(report, &catalogue))
            (universal::universal(report, about, &catalogue))
            (deaths::deaths(report))
            (Cases::new(report, about, &catalogue).markup())
            (requirements::rules(report, &catalogue))
        },
        footer: html! { "For programs: " code { "report.json" } " and " code { "junit.xml" } " beside this page." },
    };
    page.into_string()
}

fn head(report: &RunReport, about: &About) -> Markup {
    let total = report.requirements.len();
    let passed = report.cases.iter().filter(|case| case.verdict == Verdict::Pass).count();
    let subjects: Vec<_> = about.subjects.iter().map(ToString::to_string).collect();
    let class = match report.exit() {
        Exit::Conformant => "good",
        Exit::Inconclusive | Exit::Incomplete => "doubt",
        Exit::NotConformant | Exit::Usage | Exit::Subject | Exit::Harness | Exit::Interrupted => "bad",
    };
    html! {
        section.verdict.(class) {
            p.eyebrow { (subjects.join(" and ")) " · level " (about.level) }
            h1 { (heading(report)) }
            p.lead { (lead(report)) }
            @if let Some(signal) = report.interrupted {
                p.callout.bad { "Interrupted by " (signal) ": what had ended by then is reported." }
            }
            @for expired in &report.expired { p.callout.bad { (expired.html()) } }
            (proportions(report))
            dl.figures {
                @for standing in STANDINGS {
                    @let count = report.count(standing);
                    @if count > 0 || standing == RequirementStatus::Shown {
                        div { dt { span.dot.(class_of(standing)) {} (word(standing)) }
                              dd { (count) @if standing == RequirementStatus::Shown { small { " of " (total) } } } }
                    }
                }
                div { dt { "cases passed" } dd { (passed) small { " of " (report.cases.len()) } } }
                div { dt { "took" } dd { (format!("{:.1}", report.took.as_secs_f64())) small { " s" } } }
            }
            p.facts.faint {
                (day(&about.began)) " UTC · "
                @if let Some(broker) = &about.broker {
                    (Foreign::from(broker.identity.product.as_str()).html()) " " (Foreign::from(broker.identity.version.as_str()).html())
                    @match &broker.url { Some(url) => { " at " (Foreign::from(url.as_str()).html()) } None => { ", embedded" } }
                    " · "
                }
                "seed " (about.seed)
                @for line in &report.design { br; "declared " (line.html()) }
                @if let Some(note) = noise_note(report) { br; (note) }
            }
        }
    }
}

/// The verdict in as few words as there are. A selection says what it selected.
fn heading(report: &RunReport) -> String {
    let words = match report.exit() {
        Exit::Interrupted => "Interrupted",
        Exit::Harness => "The harness failed",
        Exit::Usage => "Nothing was judged",
        _ if report.is_selection => return report.passed("selected cases"),
        Exit::Conformant if report.count(RequirementStatus::Undecided) > 0 => "Nothing failed",
        Exit::Conformant => "Conformant",
        Exit::NotConformant | Exit::Subject => "Not conformant",
        Exit::Inconclusive => "Inconclusive",
        Exit::Incomplete => "Incomplete",
    };
    words.to_owned()
}

/// Why, in a sentence.
fn lead(report: &RunReport) -> String {
    let cases =
        |fits: &dyn Fn(&Verdict) -> bool| report.cases.iter().filter(|case| fits(&case.verdict)).count();
    let failed = report.count(RequirementStatus::Failed);
    let unjudged = if report.is_selection { 0 } else { report.unjudged().count() };
    let reasons = [
        (failed, "requirement", if failed == 1 { "does not hold" } else { "do not hold" }),
        (
            cases(&|verdict| matches!(verdict, Verdict::SubjectError { .. })),
            "case",
            "ended with a subject that died",
        ),
        (cases(&|verdict| matches!(verdict, Verdict::Blocked { .. })), "case", "could not get far enough"),
        (cases(&|verdict| matches!(verdict, Verdict::UnexpectedPass { .. })), "case", "passed unexpectedly"),
        (
            cases(&|verdict| matches!(verdict, Verdict::Inconclusive { .. })),
            "case",
            "said nothing, for this host was too busy",
        ),
        (
            cases(&|verdict| matches!(verdict, Verdict::HarnessError { .. })),
            "case",
            "failed by the harness's own fault",
        ),
        (
            report.count(RequirementStatus::Undecided),
            "requirement",
            if report.count(RequirementStatus::Undecided) == 1 { "is undecided" } else { "are undecided" },
        ),
        (unjudged, "core requirement", if unjudged == 1 { "is not judged" } else { "are not judged" }),
    ];
    let reasons: Vec<_> = reasons
        .iter()
        .filter(|(count, ..)| *count > 0)
        .map(|(count, noun, verb)| format!("{} {verb}", counted(*count, noun)))
        .collect();
    match reasons.as_slice() {
        [] if report.count(RequirementStatus::KnownFailure) > 0 => {
            "Nothing fails but what is known to.".to_owned()
        }
        [] if report.interrupted.is_some() => "Nothing had failed by then.".to_owned(),
        [] => "Every requirement that was judged holds.".to_owned(),
        reasons => format!("{}.", reasons.join("; ")),
    }
}

/// The requirements as one bar, by how they stand.
fn proportions(report: &RunReport) -> Markup {
    let total = report.requirements.len().max(1);
    let mut from = 0;
    let parts = STANDINGS.map(|standing| {
        let (begin, width) = (from, report.count(standing) * 1000 / total);
        from += width;
        (class_of(standing), begin, width)
    });
    html! {
        svg.proportions viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true" {
            @for (class, begin, width) in parts.iter().filter(|(.., width)| *width > 0) {
                rect.(class) x=(begin) y="0" width=(width.saturating_sub(3)) height="10" {}
            }
        }
    }
}

/// The requirement statuses, in the order in which they are shown.
const STANDINGS: [RequirementStatus; 7] = [
    RequirementStatus::Shown,
    RequirementStatus::ShownInPart,
    RequirementStatus::Failed,
    RequirementStatus::KnownFailure,
    RequirementStatus::Undecided,
    RequirementStatus::NotClaimed,
    RequirementStatus::NotShown,
];

fn word(standing: RequirementStatus) -> &'static str {
    match standing {
        RequirementStatus::Shown => "pass",
        RequirementStatus::ShownInPart => "in part",
        RequirementStatus::Failed => "fail",
        RequirementStatus::KnownFailure => "known failure",
        RequirementStatus::Undecided => "undecided",
        RequirementStatus::NotClaimed => "not claimed",
        RequirementStatus::NotShown => "not run",
    }
}

/// Colour is never alone: each standing has a sign, too.
fn sign(standing: RequirementStatus) -> &'static str {
    match standing {
        RequirementStatus::Shown => "✓",
        RequirementStatus::ShownInPart => "◔",
        RequirementStatus::Failed => "✗",
        RequirementStatus::KnownFailure => "◐",
        RequirementStatus::Undecided => "?",
        RequirementStatus::NotClaimed => "–",
        RequirementStatus::NotShown => "○",
    }
}

fn class_of(standing: RequirementStatus) -> &'static str {
    match standing {
        RequirementStatus::Shown => "good",
        RequirementStatus::ShownInPart => "part",
        RequirementStatus::Failed => "bad",
        RequirementStatus::KnownFailure => "known",
        RequirementStatus::Undecided => "doubt",
        RequirementStatus::NotClaimed | RequirementStatus::NotShown => "none",
    }
}

/// A rule's text; what stands between backticks is code.
fn prose(text: &str) -> Markup {
    html! {
        @for (at, part) in text.split('`').enumerate() {
            @if at % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

/// `2026-11-23T13:46:41.5Z` as `2026-11-23 13:46`.
fn day(began: &str) -> String {
    began.chars().take(16).map(|c| if c == 'T' { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests;
