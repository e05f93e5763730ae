//! Parts of the report for people, for programs that show cases in their own way.

use scenarios::Catalogue;

use super::{Console, DOUBT, push, summary};
use conformance::result::{CaseReport, RunReport, Verdict};

impl Console {
    /// What explains a case that did not pass, as [`Console::finish`] prints it; deaths too, which are printed together there.
    pub fn explanation(&self, case: &CaseReport) -> String {
        let mut text = String::new();
        self.explain(&mut text, case, &Catalogue::builtin());
        if let (true, Verdict::SubjectError { detail }) = (text.is_empty(), &case.verdict) {
            push(&mut text, format_args!("{DOUBT}{}{DOUBT:#}: {}", case.verdict.name(), detail.terminal()));
            self.last_words(&mut text, case);
            self.repeat(&mut text, &case.id);
        }
        text.trim_start_matches('\n').to_owned()
    }

    /// The universal rules that the run violates, each with what shows it; empty where there is none.
    pub fn universal_rules(&self, report: &RunReport) -> String {
        let mut text = String::new();
        self.universal(&mut text, report, &Catalogue::builtin());
        text.trim_start_matches('\n').to_owned()
    }

    /// The figures, what is undecided and why, and the verdict.
    pub fn summary(&self, report: &RunReport) -> String {
        let mut text = String::new();
        summary::write(&mut text, report, &Catalogue::builtin());
        text.trim_start_matches('\n').to_owned()
    }
}
