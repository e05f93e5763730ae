//! A plot in SVG, with the numbers as a table behind it.

use maud::{Markup, html};

use super::figures::figure;
use super::scale::Scale;

/// The drawing's size, in units; it is stretched to the page.
const WIDTH: f64 = 600.0;
const HEIGHT: f64 = 240.0;
/// Room for the labels of the axes.
const LEFT: f64 = 80.0;
const RIGHT: f64 = 34.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 44.0;
/// Rows of the table at the most; longer series are thinned out to it, and the table says so.
const MAX_ROWS: usize = 120;
/// Points of a line that are drawn with a dot, at the most.
const MAX_DOTS: usize = 60;

/// One plot.
pub(super) struct Chart<'a> {
    pub(super) title: &'a str,
    /// What it shows, in a sentence.
    pub(super) about: &'a str,
    pub(super) x: Axis<'a>,
    pub(super) y: Axis<'a>,
    pub(super) lines: Vec<Line<'a>>,
    /// Places on the x axis that are marked, each with a few words.
    pub(super) marks: Vec<Mark>,
}

pub(super) struct Axis<'a> {
    pub(super) label: &'a str,
    pub(super) scale: Scale,
    /// What a place is called, where it is not its number.
    pub(super) names: &'a dyn Fn(f64) -> Option<String>,
}

pub(super) struct Line<'a> {
    pub(super) name: &'a str,
    /// Which colour and dash: 0 to 2.
    pub(super) style: usize,
    /// Ascending by x. A place without a value is a gap.
    pub(super) points: Vec<(f64, Option<f64>)>,
}

pub(super) struct Mark {
    pub(super) x: f64,
    pub(super) words: String,
    pub(super) is_bad: bool,
}

impl Axis<'_> {
    fn name(&self, value: f64) -> String {
        (self.names)(value).unwrap_or_else(|| figure(value))
    }
}

impl Chart<'_> {
    pub(super) fn markup(&self) -> Markup {
        html! {
            figure.chart.card {
                figcaption { h3 { (self.title) } p.faint { (self.about) } }
                @if self.lines.len() > 1 { ul.legend { @for line in &self.lines {
                    li { svg viewBox="0 0 24 8" aria-hidden="true" { line.line.{ "s" (line.style) } x1="0" y1="4" x2="24" y2="4" {} } (line.name) }
                } } }
                (self.drawing())
                (self.table())
            }
        }
    }

    fn drawing(&self) -> Markup {
        let x = |value| LEFT + self.x.scale.place(value) * (WIDTH - LEFT - RIGHT);
        let y = |value| HEIGHT - BOTTOM - self.y.scale.place(value) * (HEIGHT - TOP - BOTTOM);
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        html! {
            svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-label={ (self.title) ". " (self.summary()) } {
                @for tick in self.y.scale.ticks(5) {
                    line.grid x1=(LEFT) x2=(right) y1=(px(y(tick))) y2=(px(y(tick))) {}
                    text.tick x=(LEFT - 8.0) y=(px(y(tick) + 4.0)) text-anchor="end" { (self.y.name(tick)) }
                }
                @for tick in self.x.scale.ticks(5) {
                    line.grid x1=(px(x(tick))) x2=(px(x(tick))) y1=(bottom) y2=(bottom + 4.0) {}
                    text.tick x=(px(x(tick))) y=(bottom + 17.0) text-anchor="middle" { (self.x.name(tick)) }
                }
                line.axis x1=(LEFT) x2=(right) y1=(bottom) y2=(bottom) {}
                text.label x=((LEFT + right) / 2.0) y=(HEIGHT - 6.0) text-anchor="middle" { (self.x.label) }
                text.label x="0" y="0" text-anchor="middle" transform={ "translate(12 " ((TOP + bottom) / 2.0) ") rotate(-90)" } { (self.y.label) }
                @for mark in &self.marks {
                    g.mark-line.bad[mark.is_bad] {
                        line x1=(px(x(mark.x))) x2=(px(x(mark.x))) y1=(TOP) y2=(bottom) {}
                        text x=(px(x(mark.x) + 4.0)) y=(TOP + 9.0) { (mark.words) }
                    }
                }
                @for line in &self.lines {
                    path.line.{ "s" (line.style) } d=(path(line, &x, &y)) {}
                    @if line.points.len() <= MAX_DOTS { @for (at, value) in &line.points { @if let Some(value) = value {
                        circle.pin.{ "s" (line.style) } cx=(px(x(*at))) cy=(px(y(*value))) r="2.6" {
                            title { (self.x.name(*at)) ": " (figure(*value)) }
                        }
                    } } }
                }
            }
        }
    }

    /// Each line's least and most, for those who do not see it.
    fn summary(&self) -> String {
        let of_line = |line: &Line<'_>| {
            let values = || line.points.iter().filter_map(|(_, value)| *value);
            match (values().min_by(f64::total_cmp), values().max_by(f64::total_cmp)) {
                (Some(least), Some(most)) => {
                    format!("{}: {} to {} {}.", line.name, figure(least), figure(most), self.y.label)
                }
                _ => format!("{}: nothing.", line.name),
            }
        };
        self.lines.iter().map(of_line).collect::<Vec<_>>().join(" ")
    }

    fn table(&self) -> Markup {
        let Some(first) = self.lines.first() else { return html! {} };
        let step = first.points.len().div_ceil(MAX_ROWS).max(1);
        let value = |line: &Line<'_>, index: usize| line.points.get(index).and_then(|(_, value)| *value);
        html! {
            details.numbers {
                summary { "Numbers" }
                div.scroll tabindex="0" {
                    table {
                        caption { (self.title) ", " (self.y.label) @if step > 1 { "; each row of " (step) " is shown" } }
                        thead { tr {
                            th scope="col" { (self.x.label) }
                            @for line in &self.lines { th scope="col" { (line.name) } }
                        } }
                        tbody { @for (index, (at, _)) in first.points.iter().enumerate().step_by(step) { tr {
                            th scope="row" { (self.x.name(*at)) }
                            @for line in &self.lines { td { @match value(line, index) {
                                Some(value) => { (figure(value)) }
                                None => { "–" }
                            } } }
                        } } }
                    }
                }
            }
        }
    }
}

/// A move to each first point after a gap, a line to the others.
fn path(line: &Line<'_>, x: &dyn Fn(f64) -> f64, y: &dyn Fn(f64) -> f64) -> String {
    let mut path = String::new();
    let mut pen_is_down = false;
    for (at, value) in &line.points {
        if let Some(value) = value {
            let command = if pen_is_down { 'L' } else { 'M' };
            path.push_str(&format!("{command}{} {}", px(x(*at)), px(y(*value))));
        }
        pen_is_down = value.is_some();
    }
    path
}

/// A tenth of a unit is finer than any screen.
fn px(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}
