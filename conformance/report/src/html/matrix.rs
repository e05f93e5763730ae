//! The matrix: areas by level, and in each cell its requirements by how they stand.

use std::collections::BTreeSet;

use maud::{Markup, html};
use scenarios::{Catalogue, Level, Requirement, RequirementId, SubjectKind};

use super::{STANDINGS, class_of, sign, word};
use conformance::result::{RequirementStatus, RunReport};

pub(super) fn matrix(report: &RunReport, catalogue: &Catalogue) -> Markup {
    let subjects: BTreeSet<SubjectKind> = report
        .requirements
        .iter()
        .filter_map(|found| catalogue.get(&found.id).map(|rule| rule.subject))
        .collect();
    html! {
        section #matrix {
            div.title {
                h2 { "Requirements" }
                div.filters data-filters="matrix" role="group" aria-label="Show requirements that are" {
                    button type="button" data-show="" aria-pressed="true" { "All " b { (report.requirements.len()) } }
                    @for standing in STANDINGS {
                        @let count = report.count(standing);
                        @if count > 0 {
                            button type="button" data-show=(word(standing)) aria-pressed="false" {
                                span.dot.(class_of(standing)) {} (word(standing)) " " b { (count) }
                            }
                        }
                    }
                }
            }
            div.cards {
                @for subject in subjects { (of_subject(report, catalogue, subject)) }
            }
        }
    }
}

fn of_subject(report: &RunReport, catalogue: &Catalogue, subject: SubjectKind) -> Markup {
    let rules: Vec<(&Requirement, RequirementStatus)> = report
        .requirements
        .iter()
        .filter_map(|found| catalogue.get(&found.id).map(|rule| (rule, found.standing)))
        .filter(|(rule, _)| rule.subject == subject)
        .collect();
    let mut areas: Vec<(String, &str)> = Vec::new();
    for (rule, _) in &rules {
        let name = area(&rule.id);
        if !areas.iter().any(|(known, _)| *known == name) {
            areas.push((name, catalogue.about(&rule.id).unwrap_or_default()));
        }
    }
    let levels: BTreeSet<Level> = rules.iter().map(|(rule, _)| rule.level).collect();
    html! {
        div.card {
            table.matrix {
                caption { (subject) }
                thead { tr {
                    th scope="col" { "area" }
                    @for level in &levels { th scope="col" { (level) } }
                } }
                tbody {
                    @for (name, about) in &areas {
                        tr {
                            th scope="row" {
                                (name)
                                small { (about) }
                            }
                            @for level in &levels {
                                td data-level=(level) { div.chips {
                                    @for (rule, standing) in rules.iter().filter(|(rule, _)| rule.level == *level && area(&rule.id) == *name) {
                                        (chip(rule, *standing))
                                    }
                                } }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn chip(rule: &Requirement, standing: RequirementStatus) -> Markup {
    let id = rule.id.to_string();
    let number = id.rsplit_once('-').map_or(id.as_str(), |(_, number)| number);
    let label = format!("{id}, {}: {}", word(standing), rule.text);
    html! {
        a.chip.(class_of(standing)) href={ "#rule-" (id) } data-standing=(word(standing)) data-requirement=(id)
            title=(label) aria-label=(label) {
            (number) span aria-hidden="true" { (sign(standing)) }
        }
    }
}

fn area(id: &RequirementId) -> String {
    let id = id.to_string();
    id.rsplit_once('-').map_or(id.clone(), |(area, _)| area.to_owned())
}
