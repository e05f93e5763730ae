//! A sequence diagram in SVG.

use maud::{Markup, html};
use scenarios::{Foreign, SubjectKind};

use crate::diagram::{Diagram, Mark, Row, Tone};
use crate::words::shortened;

/// Where the time stamps end.
const TIMES: usize = 62;
/// From there to the first lifeline, and from the last one to the edge.
const MARGIN: usize = 58;
/// Between two clients.
const CLIENT_GAP: usize = 104;
/// Between the last client and the gateway: room for what they say to each other, at the least.
const MIN_TALK: usize = 430;
/// What a page has room for beside its margins; a diagram that is narrower is stretched to it.
const PAGE: usize = 1084;
/// Longer arrows are harder to follow.
const MAX_TALK: usize = 680;
/// Between the gateway and the broker.
const FEED: usize = 320;
/// The names on top.
const TOP: usize = 34;
const ARROW_ROW: usize = 30;
const TEXT_ROW: usize = 22;
/// A character of the text, in tenths of a unit.
const CHAR_TENTHS: usize = 68;
/// Most characters of the text that a pointer brings up.
const MAX_TITLE_CHARS: usize = 240;

pub(super) fn drawing(diagram: &Diagram, subject: SubjectKind) -> Markup {
    let lanes = Lanes::new(diagram);
    let rows = diagram.rows.iter();
    let mut y = TOP;
    let placed: Vec<(usize, &Row)> = rows
        .map(|row| {
            let at = y;
            y += height(row);
            (at, row)
        })
        .collect();
    let bottom = y + 8;
    let lanes_in_words: Vec<_> = diagram.lanes.iter().map(Foreign::html).collect();
    let label = format!("Sequence diagram: {}", lanes_in_words.join(", "));
    html! {
        svg.sequence width=(lanes.width) height=(bottom) viewBox={ "0 0 " (lanes.width) " " (bottom) }
            role="img" aria-label=(label) {
            @for (y, row) in &placed {
                @if row.is_hit { rect.hit x="0" y=(y) width=(lanes.width) height=(height(row)) rx="4" {} }
            }
            @for (index, name) in diagram.lanes.iter().enumerate() {
                @let x = lanes.x[index];
                line.life x1=(x) y1=(TOP - 6) x2=(x) y2=(bottom) {}
                text.who.judged[is_judged(diagram, index, subject)] x=(x) y="18" text-anchor="middle" {
                    (shortened(&name.html(), 14))
                }
            }
            @for (y, row) in &placed { (drawn(row, *y, &lanes)) }
        }
    }
}

/// Whether this lifeline is that of the subject.
fn is_judged(diagram: &Diagram, lane: usize, subject: SubjectKind) -> bool {
    match subject {
        SubjectKind::Gateway => lane == diagram.gateway,
        SubjectKind::Client => lane < diagram.gateway,
        SubjectKind::Pair => lane <= diagram.gateway,
    }
}

/// Where the lifelines stand.
struct Lanes {
    x: Vec<usize>,
    gateway: usize,
    /// Between the last client and the gateway.
    talk: usize,
    width: usize,
}

impl Lanes {
    fn new(diagram: &Diagram) -> Self {
        let clients = diagram.gateway.saturating_sub(1) * CLIENT_GAP;
        let feed = if diagram.lanes.len() > diagram.gateway + 1 { FEED } else { 0 };
        let talk = PAGE.saturating_sub(TIMES + 2 * MARGIN + clients + feed).clamp(MIN_TALK, MAX_TALK);
        let mut x = Vec::new();
        let mut at = TIMES + MARGIN;
        for lane in 0..diagram.lanes.len() {
            if lane > 0 {
                at += match lane.cmp(&diagram.gateway) {
                    std::cmp::Ordering::Less => CLIENT_GAP,
                    std::cmp::Ordering::Equal => talk,
                    std::cmp::Ordering::Greater => FEED,
                };
            }
            x.push(at);
        }
        // Without other actors, the gateway's notes still need room.
        let least = TIMES + MARGIN + talk;
        Self { x, gateway: diagram.gateway, talk, width: (at + MARGIN).max(least) }
    }

    /// Where text between these two begins, and how many characters there is room for.
    fn talk(&self, from: usize, to: usize) -> (usize, usize) {
        let (left, room) = if from.max(to) > self.gateway {
            (self.x[self.gateway], FEED)
        } else if self.gateway > 0 {
            (self.x[self.gateway - 1], self.talk)
        } else {
            (self.x[self.gateway], self.talk)
        };
        (left + 12, (room - 26) * 10 / CHAR_TENTHS)
    }
}

fn height(row: &Row) -> usize {
    match row.mark {
        Mark::Arrow { .. } => ARROW_ROW,
        Mark::Note { .. } | Mark::Band | Mark::Fold { .. } => TEXT_ROW,
    }
}

fn drawn(row: &Row, y: usize, lanes: &Lanes) -> Markup {
    let tone = class_of(row.tone);
    let title = shortened(&[row.name.html(), row.detail.html()].join(" "), MAX_TITLE_CHARS);
    match row.mark {
        Mark::Arrow { from, to } => {
            let (a, b) = (lanes.x[from], lanes.x[to]);
            let (line, head) = (y + 22, if a < b { b - 7 } else { b + 7 });
            let (x, room) = lanes.talk(from, to);
            html! {
                g.(tone) {
                    title { (title) }
                    (time(row, line + 4))
                    (words(row, x, y + 15, room, "start"))
                    line.arrow x1=(a) y1=(line) x2=(head) y2=(line) {}
                    path.head d={ "M" (b) " " (line) "L" (head) " " (line - 4) "V" (line + 4) "Z" } {}
                }
            }
        }
        Mark::Note { lane } => {
            let is_client = lane < lanes.gateway || lanes.gateway == 0;
            let (gap_from, anchor) = if is_client { (lane, "start") } else { (lane, "end") };
            let x = lanes.x[gap_from];
            let (at, room) = if is_client {
                (x + 10, lanes.talk)
            } else {
                (x - 10, if lane > lanes.gateway { FEED } else { lanes.talk })
            };
            html! {
                g.(tone) {
                    title { (title) }
                    (time(row, y + 15))
                    circle.pin cx=(x) cy=(y + 11) r="3.5" {}
                    (words(row, at, y + 15, (room - 26) * 10 / CHAR_TENTHS, anchor))
                }
            }
        }
        Mark::Band => {
            let room = (lanes.width - TIMES - 20) * 10 / CHAR_TENTHS;
            html! {
                g.(tone) {
                    title { (title) }
                    line.band x1=(TIMES) y1=(y + 11) x2=(lanes.width) y2=(y + 11) {}
                    (words(row, TIMES + 8, y + 15, room, "start"))
                }
            }
        }
        Mark::Fold { rows } => {
            let x = lanes.talk(0, lanes.gateway).0;
            html! { text.fold x=(x) y=(y + 15) { "… " (rows) " more" } }
        }
    }
}

fn time(row: &Row, y: usize) -> Markup {
    html! { text.time x=(TIMES - 6) y=(y) text-anchor="end" { (format!("{:.3}", row.at_us as f64 / 1e6)) } }
}

fn words(row: &Row, x: usize, y: usize, room: usize, anchor: &str) -> Markup {
    let name = shortened(&row.name.html(), room);
    let left = room.saturating_sub(name.chars().count() + 1);
    html! {
        text x=(x) y=(y) text-anchor=(anchor) {
            @if !name.is_empty() { tspan.name { (name) } " " }
            @if left > 3 { tspan.detail { (shortened(&row.detail.html(), left)) } }
        }
    }
}

fn class_of(tone: Tone) -> &'static str {
    match tone {
        Tone::Message => "message",
        Tone::Connection => "connection",
        Tone::Control => "control",
        Tone::Publish => "publish",
        Tone::Step => "step",
        Tone::Note => "remark",
        Tone::Trouble => "trouble",
    }
}
