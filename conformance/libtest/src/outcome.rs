//! What a trial says of its case.

use conformance::exit::Exit;
use conformance::result::{CaseReport, RunReport, Verdict};
use conformance::secrets::without_credentials;
use gatecheck_report::Console;

/// What a trial says.
pub(crate) enum Outcome {
    Passed,
    /// With the reason.
    Ignored(String),
    /// With what explains it.
    Failed(String),
}

impl Outcome {
    /// What a case came to.
    pub(crate) fn of(case: &CaseReport, console: &Console) -> Self {
        match &case.verdict {
            Verdict::Pass => Self::Passed,
            Verdict::NotClaimed { .. } | Verdict::NotRun { .. } | Verdict::KnownFailure { .. } => {
                let reason = case
                    .verdict
                    .reason()
                    .map(|reason| format!(": {}", reason.terminal()))
                    .unwrap_or_default();
                Self::Ignored(without_secrets(&format!("{}{reason}", case.verdict.name())))
            }
            Verdict::Fail
            | Verdict::UnexpectedPass { .. }
            | Verdict::Blocked { .. }
            | Verdict::Inconclusive { .. }
            | Verdict::SubjectError { .. }
            | Verdict::HarnessError { .. } => Self::failed(&console.explanation(case)),
        }
    }

    /// Which universal rules a run violates.
    pub(crate) fn universal(report: &RunReport, console: &Console) -> Self {
        match console.universal_rules(report) {
            none if none.is_empty() => Self::Passed,
            text => Self::failed(&text),
        }
    }

    /// Whether a run is conformant; the summary says why it is not.
    pub(crate) fn conformance(report: &RunReport, console: &Console) -> Self {
        if report.exit() == Exit::Conformant {
            return Self::Passed;
        }
        Self::failed(&console.summary(report))
    }

    /// What explains it, where it failed.
    pub(crate) fn failure(&self) -> Option<String> {
        match self {
            Self::Failed(text) => Some(text.clone()),
            Self::Passed | Self::Ignored(_) => None,
        }
    }

    /// Whatever the terminal is, tests print no colours of their own.
    fn failed(text: &str) -> Self {
        Self::Failed(without_secrets(&anstream::adapter::strip_str(text).to_string()))
    }
}

/// What tests print is handed on, too.
fn without_secrets(text: &str) -> String {
    without_credentials(text).into_owned()
}

#[cfg(test)]
mod tests {
    use conformance::result::CaseReport;
    use gatecheck_report::Repeat;
    use scenarios::{Library, NotPlayed};

    use super::*;

    /// A reason is text on one line, whatever it quotes.
    #[test]
    fn a_reason_is_text() {
        let library = Library::builtin().unwrap();
        let verdict = Verdict::not_run(NotPlayed::in_this_run("\u{1b}[2J\nb"));
        let case = CaseReport::without_play(library.iter().next().unwrap(), verdict);
        let Outcome::Ignored(reason) = Outcome::of(&case, &Console::new(1, Repeat::of_test("t"))) else {
            panic!()
        };
        assert_eq!(reason, "not run: \u{fffd}[2J⏎b");
    }
}
