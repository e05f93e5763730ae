//! The matrix: areas by level, and in each cell its requirements by how they stand.

use std::collections::BTreeSet;

use maud::{Markup, html};
use scenarios::{Catalogue, Level, Requirement, RequirementId, SubjectKind};

use super::{STANDINGS, class_of, sign, word};
use conformance::result::{RunReport, Standing};

/// What the areas are about.
const AREAS: [(&str, &str); 19] = [
    ("AUTH", "who may connect"),
    ("CONN", "connections"),
    ("ROOM", "rooms"),
    ("MSG", "messages"),
    ("HB", "heartbeat"),
    ("BRIDGE", "events from the broker"),
    ("STATE", "status"),
    ("DIAL", "dialling"),
    ("BACKOFF", "redialling"),
    ("QUEUE", "the offline queue"),
    ("SUB", "subscriptions"),
    ("PING", "heartbeat"),
    ("IN", "incoming messages"),
    ("TOKEN", "tokens"),
    ("PROV", "the provider"),
    ("HOOK", "hooks"),
    ("CONF", "configuration"),
    ("OBS", "observation"),
    ("PERF", "performance"),
];

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
    let rules: Vec<(&Requirement, Standing)> = report
        .requirements
        .iter()
        .filter_map(|found| catalogue.get(&found.id).map(|rule| (rule, found.standing)))
        .filter(|(rule, _)| rule.subject == subject)
        .collect();
    let mut areas: Vec<String> = Vec::new();
    for (rule, _) in &rules {
        let area = area(&rule.id);
        if !areas.contains(&area) {
            areas.push(area);
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
                    @for name in &areas {
                        tr {
                            th scope="row" {
                                (name)
                                @if let Some((_, says)) = AREAS.iter().find(|(area, _)| area == name) { small { (says) } }
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

fn chip(rule: &Requirement, standing: Standing) -> Markup {
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
