//! The matrix as a page: one file, no outside assets, no script.

use maud::{DOCTYPE, PreEscaped, html};
use scenarios::{Catalogue, Level};

use super::Matrix;

const STYLE: &str = "
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { margin: 2rem auto; max-width: 72rem; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid color-mix(in srgb, currentColor 18%, transparent); padding: .4rem .6rem; text-align: left; vertical-align: top; }
th { position: sticky; top: 0; background: Canvas; }
code { font-size: .92em; }
.faint { opacity: .7; }
.killed { color: light-dark(#14692b, #6fd18a); }
.survived { color: light-dark(#b3261e, #ff8f86); font-weight: 600; }
";

/// The page.
pub fn page(matrix: &Matrix) -> String {
    let catalogue = Catalogue::builtin();
    let rows = matrix.by_requirement();
    let survivors = matrix.survivors().count();
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Gatecheck: selftest" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { "Selftest" }
                p {
                    (matrix.mutants.len()) " mutants of the reference pair, "
                    @if survivors == 0 { "all killed" } @else { span.survived { (survivors) " survived" } }
                    "; the pair as it is passed " (matrix.controls_passed) " of "
                    (matrix.controls_passed + matrix.controls_failed.len()) " simulated cases."
                }
                @for (id, verdict) in &matrix.controls_failed {
                    p.survived { (id) " " (verdict) }
                }
                table {
                    thead { tr { th { "Requirement" } th { "Mutant" } th { "Killed by" } } }
                    tbody {
                        @for rule in catalogue.iter() {
                            @let outcomes = rows.get(&rule.id).map(Vec::as_slice).unwrap_or_default();
                            @for outcome in outcomes {
                                tr {
                                    td { code { (rule.id) } br; span.faint { (rule.text) } }
                                    td { code { (outcome.mutant) } br; span.faint { (outcome.about) } }
                                    td {
                                        @match &outcome.killed_by {
                                            Some(id) => span.killed { (id) },
                                            None => {
                                                span.survived { "survived" }
                                                @for (id, verdict) in &outcome.survived { br; span.faint { (id) ": " (verdict) } }
                                            }
                                        }
                                    }
                                }
                            }
                            @if outcomes.is_empty() {
                                tr {
                                    td { code { (rule.id) } br; span.faint { (rule.text) } }
                                    td.faint colspan="2" {
                                        "no mutant" @if rule.level == Level::Core { " (a MUST)" }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    };
    markup.into_string()
}
