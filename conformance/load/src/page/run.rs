//! The page of one run.

use std::collections::BTreeMap;

use gatecheck_report::page::Page;
use maud::{Markup, html};
use scenarios::Foreign;

use super::chart::{Axis, Chart, Line};
use super::figures::figure;
use super::scale::Scale;
use super::{STYLE, numbered};
use crate::measure::Measure;
use crate::run::{Ending, Run, Second};

/// Numbers of clients that are told apart at the most, in the plots against clients.
const MAX_CLIENT_STEPS: u64 = 40;

/// The figures on top, where the run has them.
const HEADLINES: [Measure; 7] = [
    Measure::DeliveriesPerSecond,
    Measure::EventsPerSecond,
    Measure::SignInsPerSecond,
    Measure::P50,
    Measure::P99,
    Measure::CpuPerDelivery,
    Measure::MemoryPerConnection,
];

/// The page of a run.
pub fn run(run: &Run) -> String {
    let title = format!("{} of {}", run.workload, Foreign::from(run.subject.as_str()).html());
    let page = Page {
        title: &title,
        kind: "load",
        links: &[("Figures", "figures"), ("Plots", "plots")],
        style: STYLE,
        script: "",
        body: html! { (head(run)) (plots(run)) (figures(run)) },
        footer: html! { "For programs: " code { "gatecheck bench --format json" } "." },
    };
    page.into_string()
}

fn head(run: &Run) -> Markup {
    let broken = run.broken().count();
    let is_whole = run.ending == Ending::Complete && run.generator.limited.is_none();
    let (class, words) = match run.ending {
        Ending::Died => ("bad", "The gateway died"),
        Ending::Interrupted => ("doubt", "Interrupted"),
        Ending::Complete if broken > 0 => ("bad", "Thresholds broke"),
        Ending::Complete if !is_whole => ("doubt", "Limited by the load generator"),
        Ending::Complete if run.thresholds.is_empty() => ("good", "Measured"),
        Ending::Complete => ("good", "Every threshold held"),
    };
    html! {
        section.verdict.(class) {
            p.eyebrow.subject { (run.workload) " · " code { (Foreign::from(run.subject.as_str()).html()) } }
            h1 { (words) }
            @if let Some(limited) = &run.generator.limited {
                p.callout { "The load generator, not the gateway, limited this run: " (Foreign::from(limited.as_str()).html()) ". The figures say little about the gateway." }
            }
            dl.figures {
                @for measure in HEADLINES { @if let Some(value) = run.measures.get(&measure) {
                    div { dt { (words_of(measure)) } dd { (figure(*value)) small { " " (measure.unit()) } } }
                } }
                div { dt { "lost" } dd { (figure(run.ledger.lost as f64)) small { " of " (figure(run.ledger.owed as f64)) } } }
                div { dt { "twice" } dd { (figure(run.ledger.duplicated as f64)) } }
            }
            p.facts.faint {
                (run.started) " · " (figure(run.duration)) " s · " (figure(run.clients as f64)) " clients"
                " · load generator busy " (figure(run.generator.busy * 100.0)) " %"
                @if let Some(shard) = run.shard { " · part " (shard.index) " of " (shard.count) }
                br; (Foreign::from(settings(&run.settings)).html())
            }
        }
    }
}

fn plots(run: &Run) -> Markup {
    html! {
        section #plots {
            div.title { h2 { "Plots" } }
            div.charts {
                @if !run.latency.is_empty() { (by_percentile(run).markup()) }
                @if run.series.len() > 1 {
                    (throughput(run).markup())
                    (latency(run).markup())
                    @if run.series.iter().any(|second| second.memory.is_some()) { (memory(run).markup()) }
                }
                (against_clients(run))
            }
        }
    }
}

fn by_percentile(run: &Run) -> Chart<'_> {
    let points: Vec<_> = run.latency.iter().map(|point| (point.percentile, Some(point.ms))).collect();
    Chart {
        title: "Latency by percentile",
        about: "From the time an event was due to its arrival at a client.",
        x: Axis { label: "per cent of deliveries", scale: Scale::Percentile, names: &percent },
        y: Axis {
            label: "ms",
            scale: Scale::decades(run.latency.iter().map(|point| point.ms)),
            names: &numbered,
        },
        lines: vec![Line { name: "latency", style: 0, points }],
        marks: Vec::new(),
    }
}

/// Percentiles keep all their nines; 100 is the longest.
fn percent(value: f64) -> Option<String> {
    Some(if value < 100.0 { format!("{value}") } else { "longest".to_owned() })
}

fn throughput(run: &Run) -> Chart<'_> {
    let most = run.series.iter().map(|second| second.offered.max(second.delivered) as f64);
    over_time(
        run,
        "Throughput",
        "Deliveries that fell due, and that came, in each second.",
        "deliveries/s",
        most,
        vec![
            ("delivered", Box::new(|second| Some(second.delivered as f64))),
            ("due", Box::new(|second| Some(second.offered as f64))),
            ("lost", Box::new(|second| Some(second.lost as f64))),
        ],
    )
}

fn latency(run: &Run) -> Chart<'_> {
    let most = run.series.iter().filter_map(|second| second.p99);
    over_time(
        run,
        "Latency over time",
        "Of what came in each second.",
        "ms",
        most,
        vec![("p50", Box::new(|second| second.p50)), ("p99", Box::new(|second| second.p99))],
    )
}

fn memory(run: &Run) -> Chart<'_> {
    let most = run.series.iter().filter_map(|second| second.memory).map(|kib| kib / 1024.0);
    over_time(
        run,
        "Memory over time",
        "Resident in the gateway's processes.",
        "MiB",
        most,
        vec![("memory", Box::new(|second| second.memory.map(|kib| kib / 1024.0)))],
    )
}

type Value = Box<dyn Fn(&Second) -> Option<f64>>;

fn over_time<'a>(
    run: &Run,
    title: &'a str,
    about: &'a str,
    unit: &'a str,
    values: impl Iterator<Item = f64>,
    lines: Vec<(&'a str, Value)>,
) -> Chart<'a> {
    let at = |second: &Second| f64::from(second.at);
    let (first, last) = (run.series.first().map_or(0.0, at), run.series.last().map_or(1.0, at));
    let line = |(style, (name, value)): (usize, (&'a str, Value))| Line {
        name,
        style,
        points: run.series.iter().map(|second| (at(second), value(second))).collect(),
    };
    Chart {
        title,
        about,
        x: Axis { label: "seconds", scale: Scale::between(first, last), names: &numbered },
        y: Axis { label: unit, scale: Scale::from_zero(values), names: &numbered },
        lines: lines.into_iter().enumerate().map(line).collect(),
        marks: Vec::new(),
    }
}

/// Throughput and memory by the number of clients, where it varied.
fn against_clients(run: &Run) -> Markup {
    let most = run.series.iter().map(|second| second.clients).max().unwrap_or(0);
    let step = most.div_ceil(MAX_CLIENT_STEPS).max(1);
    let mut by_clients: BTreeMap<u64, Vec<&Second>> = BTreeMap::new();
    for second in &run.series {
        by_clients.entry(second.clients.div_ceil(step) * step).or_default().push(second);
    }
    if by_clients.len() < 2 {
        return html! {};
    }
    let chart = |title, unit, value: &dyn Fn(&Second) -> Option<f64>| {
        let points: Vec<_> = by_clients
            .iter()
            .map(|(clients, seconds)| {
                let values: Vec<f64> = seconds.iter().filter_map(|second| value(second)).collect();
                let mean = (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64);
                (*clients as f64, mean)
            })
            .collect();
        let scale = Scale::from_zero(points.iter().filter_map(|(_, value)| *value));
        let chart = Chart {
            title,
            about: "The mean of the seconds in which so many clients were connected.",
            x: Axis { label: "clients", scale: Scale::between(0.0, most as f64), names: &numbered },
            y: Axis { label: unit, scale, names: &numbered },
            lines: vec![Line { name: title, style: 0, points }],
            marks: Vec::new(),
        };
        chart.markup()
    };
    html! {
        (chart("Throughput against clients", "deliveries/s", &|second| Some(second.delivered as f64)))
        @if run.series.iter().any(|second| second.memory.is_some()) {
            (chart("Memory against clients", "MiB", &|second| second.memory.map(|kib| kib / 1024.0)))
        }
    }
}

fn figures(run: &Run) -> Markup {
    html! {
        section #figures {
            div.title { h2 { "Figures" } }
            @if !run.thresholds.is_empty() {
                div.card.inside { table.plain {
                    caption { "Thresholds" }
                    thead { tr { th scope="col" { "threshold" } th scope="col" { "measured" } th scope="col" { "" } } }
                    tbody { @for outcome in &run.thresholds { tr {
                        th scope="row" { code { (Foreign::from(outcome.threshold.as_str()).html()) } }
                        td { @match outcome.actual {
                            Some(value) => { (figure(value)) " " (outcome.measure.unit()) }
                            None => { "not measured" }
                        } }
                        td { @if outcome.holds { span.badge.good { "holds" } } @else { span.badge.bad { "broken" } } }
                    } } }
                } }
                br;
            }
            div.card.inside { table.plain {
                caption { "Measures" }
                thead { tr { th scope="col" { "measure" } th scope="col" { "value" } } }
                tbody { @for (measure, value) in &run.measures { tr {
                    th scope="row" { code { (measure) } }
                    td { (figure(*value)) " " (measure.unit()) }
                } } }
            } }
        }
    }
}

fn words_of(measure: Measure) -> &'static str {
    match measure {
        Measure::DeliveriesPerSecond => "deliveries",
        Measure::EventsPerSecond => "events carried",
        Measure::SignInsPerSecond => "sign-ins",
        Measure::P50 => "median latency",
        Measure::CpuPerDelivery => "CPU per delivery",
        Measure::MemoryPerConnection => "memory per connection",
        other => other.name(),
    }
}

/// Each with its value, on one line.
pub(super) fn settings(settings: &BTreeMap<String, String>) -> String {
    settings.iter().map(|(name, value)| format!("{name} = {value}")).collect::<Vec<_>>().join(" · ")
}
