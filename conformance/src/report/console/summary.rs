//! The end of the report for people: the figures, what does not hold, and the verdict.

use scenarios::{Catalogue, RequirementId, SubjectKind};

use super::{BAD, DOUBT, FAINT, GOOD, STRONG, push};
use crate::exit::Exit;
use crate::result::{RunReport, Standing, Verdict};

/// Most characters of a rule on its line.
const MAX_RULE_CHARS: usize = 90;

pub(super) fn write(text: &mut String, report: &RunReport, catalogue: &Catalogue) {
    let passed = report.cases.iter().filter(|case| case.verdict == Verdict::Pass).count();
    push(
        text,
        format_args!(
            "\n{passed} of {} cases passed in {:.1} s",
            report.cases.len(),
            report.took.as_secs_f64()
        ),
    );
    for subject in [SubjectKind::Gateway, SubjectKind::Client] {
        requirements(text, report, catalogue, subject);
    }
    for expired in &report.expired {
        push(text, format_args!("{BAD}expired{BAD:#}: {expired}"));
    }
    let exit = report.exit();
    let style = match exit {
        Exit::Conformant => GOOD.bold(),
        Exit::Inconclusive => DOUBT.bold(),
        Exit::NotConformant | Exit::Usage | Exit::Subject | Exit::Harness | Exit::Interrupted => BAD,
    };
    let (_, verdict) = report.sentence();
    push(text, format_args!("{style}{verdict}{style:#} {FAINT}(exit code {}){FAINT:#}", exit.code()));
}

fn requirements(text: &mut String, report: &RunReport, catalogue: &Catalogue, subject: SubjectKind) {
    let of_subject = |id: &&RequirementId| catalogue.get(id).is_some_and(|rule| rule.subject == subject);
    let total = report.requirements.iter().filter(|(id, _)| of_subject(&id)).count();
    if total == 0 {
        return;
    }
    let shown = report.standing(Standing::Shown).filter(of_subject).count();
    push(text, format_args!("{STRONG}{subject} requirements{STRONG:#}: {shown} of {total} shown"));
    let failed: Vec<_> = report.standing(Standing::Failed).filter(of_subject).collect();
    if !failed.is_empty() {
        let words = if failed.len() == 1 { "does not hold" } else { "do not hold" };
        push(text, format_args!("  {BAD}{} {words}{BAD:#}:", failed.len()));
    }
    for id in failed {
        let rule = catalogue.get(id).map_or("", |rule| rule.text.as_str());
        let rule = match rule.char_indices().nth(MAX_RULE_CHARS) {
            Some((end, _)) => format!("{}…", &rule[..end]),
            None => rule.to_owned(),
        };
        push(text, format_args!("    {BAD}{id:<10}{BAD:#} {rule}"));
    }
    for (standing, style, words) in [
        (Standing::KnownFailure, FAINT, "known failures"),
        (Standing::Undecided, DOUBT, "undecided"),
        (Standing::NotClaimed, FAINT, "not claimed"),
        (Standing::NotShown, FAINT, "not shown by this run"),
    ] {
        let names: Vec<_> = report.standing(standing).filter(of_subject).map(ToString::to_string).collect();
        if !names.is_empty() {
            push(text, format_args!("  {style}{} {words}{style:#}: {}", names.len(), names.join(", ")));
        }
    }
}
