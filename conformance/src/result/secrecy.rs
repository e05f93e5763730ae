//! A case's report without the secrets of its run: they go where values are, so that an id, a verdict or a key of JSON stays what it is,
//! whatever word somebody took for a secret.

use scenarios::trace::Observation;
use scenarios::{Finding, Foreign, Judgement};

use super::case::CaseReport;
use super::verdict::Verdict;
use crate::secrets::redacted;

impl CaseReport {
    /// The same, where no text of others says a secret.
    pub(crate) fn without_secrets(mut self) -> Self {
        self.verdict.edit_texts(&mut redact);
        for check in &mut self.checks {
            match &mut check.judgement {
                Judgement::Passed => {}
                Judgement::Failed(finding) => of_finding(finding),
                Judgement::Blocked { detail: text, .. } | Judgement::Undecided { why: text } => redact(text),
            }
        }
        self.universal.iter_mut().for_each(|found| of_finding(&mut found.finding));
        self.output.iter_mut().for_each(redact);
        for Observation { event, .. } in &mut self.trace.observations {
            event.edit_texts(&mut |text| {
                let shown = redacted(text);
                if shown != *text {
                    *text = shown.into_owned();
                }
            });
        }
        self
    }
}

impl Verdict {
    fn edit_texts(&mut self, edit: &mut dyn FnMut(&mut Foreign)) {
        match self {
            Self::Pass | Self::Fail | Self::Inconclusive { .. } => {}
            Self::KnownFailure { reason, issue, was } => {
                edit(reason);
                issue.iter_mut().for_each(&mut *edit);
                was.edit_texts(edit);
            }
            Self::NotClaimed { why } => why.iter_mut().for_each(edit),
            Self::UnexpectedPass { entry: text }
            | Self::Blocked { detail: text, .. }
            | Self::NotRun { why: text, .. }
            | Self::SubjectError { detail: text }
            | Self::HarnessError { detail: text } => edit(text),
        }
    }
}

fn of_finding(finding: &mut Finding) {
    redact(&mut finding.expected);
    redact(&mut finding.seen);
}

fn redact(text: &mut Foreign) {
    let shown = redacted(text.raw());
    if shown != text.raw() {
        *text = shown.into_owned().into();
    }
}

#[cfg(test)]
mod tests {
    use scenarios::trace::{Actor, Event};
    use scenarios::{Property, Trace};

    use super::*;
    use crate::result::sample::case;
    use crate::secrets;

    /// A secret that is a word of the report's own is left out of what others say, and of nothing else.
    #[test]
    fn a_word_that_is_a_secret_stays_a_word() {
        secrets::keep("gateway-of-words/subject_died");
        let id = "gateway-of-words/subject_died";
        let finding = Finding {
            property: Property::Safety,
            expected: "nothing".into(),
            seen: format!("it said {id}").into(),
            at: Vec::new(),
            missed_by_us: None,
            client: None,
            half: None,
        };
        let died = Event::SubjectDied { status: id.to_owned() };
        let died = Observation { at_us: 0, actor: Actor("gateway".into()), connection: None, event: died };
        let detail = Foreign::from(format!("{id} at the end"));
        let report = CaseReport {
            output: vec![id.into()],
            trace: Trace { observations: vec![died] },
            ..case(id, Verdict::SubjectError { detail }, &[("MSG-1", Judgement::Failed(finding))])
        };
        let report = report.without_secrets();
        assert_eq!(report.id.0, id);
        let written = serde_json::to_string(&report).unwrap();
        assert_eq!(written.matches(id).count(), 1, "{written}");
        assert_eq!(written.matches("[redacted]").count(), 4, "{written}");
    }
}
