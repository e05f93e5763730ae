//! Universal rules that were violated: each once, with its cases and what explains it in the first.

use scenarios::Catalogue;

use super::{BAD, Console, FAINT, STRONG, push};
use conformance::result::RunReport;
use conformance::words::counted;

impl Console {
    pub(super) fn universal(&self, text: &mut String, report: &RunReport, catalogue: &Catalogue) {
        let violated: Vec<_> = report.universal.iter().filter(|found| !found.known).collect();
        if !violated.is_empty() {
            push(
                text,
                format_args!("\n{STRONG}universal rules{STRONG:#}  judged on the trace of every case"),
            );
        }
        for found in violated {
            let id = &found.requirement;
            let rule = catalogue.get(id).map_or("", |rule| rule.text.as_str());
            push(text, format_args!("  {BAD}{id}{BAD:#}  {rule}"));
            let names: Vec<_> = found.cases.iter().map(ToString::to_string).collect();
            let count = counted(names.len(), "case");
            push(text, format_args!("    {FAINT}in {count}:{FAINT:#} {}", names.join(", ")));
            if let Some(first) = report.case(&found.case) {
                self.finding(text, first, &found.finding);
                self.repeat(text, &first.id);
            }
        }
    }
}
