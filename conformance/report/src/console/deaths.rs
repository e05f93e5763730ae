//! Deaths of the subject: each cause once, with its cases.

use super::{BAD, Console, Detail, FAINT, push};
use conformance::result::{Death, RunReport};
use conformance::words::counted;

impl Console {
    pub(super) fn deaths(&self, text: &mut String, report: &RunReport) {
        for Death { cause, frame, cases } in &report.deaths {
            push(text, format_args!("\n{BAD}died{BAD:#}  {}", cause.terminal()));
            if let Some(frame) = frame {
                push(text, format_args!("      {}", frame.terminal()));
            }
            push(text, format_args!("  {FAINT}in {}:{FAINT:#}", counted(cases.len(), "case")));
            for case in cases {
                push(text, format_args!("    {case}"));
            }
            let Some(first) = cases.first().and_then(|id| report.case(id)) else { continue };
            if let Some(how) = first.verdict.reason() {
                push(text, format_args!("  {FAINT}seen in the first:{FAINT:#} {}", how.terminal()));
            }
            // With `-v`, each case has its own.
            if self.detail != Detail::Verbose {
                self.last_words(text, first);
                self.repeat(text, &first.id);
            }
        }
    }
}
