//! How the subject died, by cause.

use maud::{Markup, html};

use super::case::link;
use conformance::result::{Death, RunReport};
use conformance::words::counted;

pub(super) fn deaths(report: &RunReport) -> Markup {
    if report.deaths.is_empty() {
        return html! {};
    }
    html! {
        section #deaths {
            div.title { h2 { "Deaths, by cause" } }
            div.list {
                @for Death { cause, frame, cases } in &report.deaths {
                    div.common.card {
                        p.callout.bad {
                            (cause.html())
                            @if let Some(frame) = frame { "\n" code { (frame.html()) } }
                        }
                        p.links { (counted(cases.len(), "case")) @for case in cases { " " (link(report, case)) } }
                    }
                }
            }
        }
    }
}
