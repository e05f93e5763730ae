//! The page of stored results.

use gatecheck_report::page::Page;
use maud::{Markup, html};
use scenarios::Foreign;

use super::chart::{Axis, Chart, Line, Mark};
use super::figures::figure;
use super::run::settings;
use super::scale::Scale;
use super::{STYLE, numbered};
use crate::history::{FALSE_ALARM_RATE, Group, History, MIN_SEGMENT, Series};

/// The page of a history.
pub fn history(history: &History) -> String {
    let changes: usize =
        history.groups.iter().flat_map(|group| &group.measures).map(|series| series.changes.len()).sum();
    let results: usize = history.groups.iter().map(|group| group.runs.len()).sum();
    let page = Page {
        title: "load over time",
        kind: "load over time",
        links: &[],
        style: STYLE,
        script: "",
        body: html! {
            section.verdict {
                p.eyebrow { (results) @if results == 1 { " result" } @else { " results" } }
                h1 { @match changes { 0 => { "No change" } 1 => { "1 change" } many => { (many) " changes" } } }
                p.facts.faint {
                    "A change is marked where the ranks of the results before and after it differ more than in all but "
                    (figure(FALSE_ALARM_RATE * 100.0)) " % of random orders, shared by the measures of a workload. "
                    "It is seen once at least " (MIN_SEGMENT) " results lie behind it."
                }
                @for (name, reason) in &history.left_out {
                    p.callout { code { (Foreign::from(name.as_str()).html()) } " is left out: " (Foreign::from(reason.as_str()).html()) "." }
                }
            }
            @for group in &history.groups { (of_group(group)) }
        },
        footer: html! { "Made by " code { "gatecheck bench history" } "." },
    };
    page.into_string()
}

fn of_group(group: &Group) -> Markup {
    let changes: Vec<_> = group
        .measures
        .iter()
        .flat_map(|series| series.changes.iter().map(move |change| (series, change)))
        .collect();
    html! {
        section {
            div.title {
                h2 { (group.workload) }
                span.faint { (Foreign::from(settings(&group.settings)).html()) " · " (group.runs.len()) " results" }
            }
            @if !changes.is_empty() {
                div.card.inside { table.plain {
                    caption { "Changes" }
                    thead { tr { @for name in ["measure", "since", "before", "after", "change"] { th scope="col" { (name) } } } }
                    tbody { @for (series, change) in &changes { tr {
                        th scope="row" { code { (series.measure) } }
                        td { (group.runs[change.at].run.started) " · " (Foreign::from(group.runs[change.at].name.as_str()).html()) }
                        td { (figure(change.before)) " " (series.measure.unit()) }
                        td { (figure(change.after)) " " (series.measure.unit()) }
                        td { span.badge.(if change.is_worse { "bad" } else { "good" }) {
                            (change.difference()) @if change.is_worse { ", worse" } @else { ", better" }
                        } }
                    } } }
                } }
                br;
            }
            div.charts { @for series in &group.measures { (chart(group, series)) } }
        }
    }
}

fn chart(group: &Group, series: &Series) -> Markup {
    let names = |place: f64| {
        let stored = group.runs.get(place.round() as usize)?;
        let is_whole = (place - place.round()).abs() < 1e-9;
        // The day is enough on the axis; the table has the same, and the file's name is in the table of changes.
        is_whole.then(|| stored.run.started.chars().take(10).collect())
    };
    let points =
        series.values.iter().enumerate().map(|(index, value)| (index as f64, Some(*value))).collect();
    let marks = series.changes.iter().map(|change| Mark {
        x: change.at as f64,
        words: change.difference(),
        is_bad: change.is_worse,
    });
    let unit = series.measure.unit();
    let chart = Chart {
        title: series.measure.name(),
        about: if series.changes.is_empty() { "No change." } else { "Marked where it changed." },
        x: Axis {
            label: "result",
            scale: Scale::between(0.0, series.values.len().saturating_sub(1) as f64),
            names: &names,
        },
        y: Axis {
            label: if unit.is_empty() { series.measure.name() } else { unit },
            scale: Scale::from_zero(series.values.iter().copied()),
            names: &numbered,
        },
        lines: vec![Line { name: series.measure.name(), style: 0, points }],
        marks: marks.collect(),
    };
    chart.markup()
}
