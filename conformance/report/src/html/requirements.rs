//! The rules in words, with how each stands and the cases that say so.

use maud::{Markup, html};
use scenarios::{Catalogue, Guidance, RequirementId};

use super::case::link;
use super::{class_of, prose, sign, word};
use conformance::result::{RequirementReport, RequirementStatus, RunReport};

/// Most reasons that are given for one requirement.
const MAX_REASONS: usize = 3;

pub(super) fn rules(report: &RunReport, catalogue: &Catalogue) -> Markup {
    let unjudged: Vec<_> = report.unjudged().map(|found| &found.id).collect();
    html! {
        section #rules {
            div.title { h2 { "The rules in words" } }
            div.card.scroll {
                table.rules {
                    thead { tr { th { "rule" } th { "stands" } th { "text" } th { "cases" } } }
                    tbody {
                        @for found @ RequirementReport { id, standing, reasons, .. } in &report.requirements {
                            @if let Some(rule) = catalogue.get(id) {
                                tr id={ "rule-" (id) } {
                                    th scope="row" { (id) }
                                    td { span.badge.(class_of(*standing)) { (sign(*standing)) " " (word(*standing)) } }
                                    td {
                                        (prose(&rule.text)) " " span.tag { (rule.level) } " " span.tag { (origin(rule.source)) }
                                        @if let Some(Guidance { why, fix, .. }) = advice(*standing, id) {
                                            p.note { b { "Why it matters. " } (prose(why)) }
                                            p.note { b { "How to fix it. " } (prose(fix)) }
                                        }
                                        @for reason in reasons.iter().take(MAX_REASONS) {
                                            p.callout.doubt { (reason.text().html()) }
                                        }
                                        @if reasons.len() > MAX_REASONS {
                                            p.note.faint { "… and " (reasons.len() - MAX_REASONS) " more" }
                                        }
                                        @if *standing == RequirementStatus::ShownInPart {
                                            p.note.faint { (found.part().html()) }
                                        }
                                        @if unjudged.contains(&id) {
                                            p.callout.doubt { "not judged: " (found.remedy().html()) }
                                        }
                                    }
                                    td.links {
                                        @for case in report.cases.iter().filter(|case| case.requirements.contains(id)) {
                                            (link(report, &case.id))
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// What is said to those for whom it does not hold.
fn advice(standing: RequirementStatus, id: &RequirementId) -> Option<&'static Guidance> {
    Guidance::of(id).filter(|_| standing == RequirementStatus::Failed)
}

/// Where a rule comes from, in a word or two.
pub(super) fn origin(source: scenarios::Source) -> &'static str {
    match source {
        scenarios::Source::Seed => "stated",
        scenarios::Source::Decided => "decided",
    }
}
