//! What a reader must know of the noise that verdicts take into account.

use scenarios::SubjectKind;

use conformance::result::RunReport;

/// What the verdicts do not take into account, where that is so: what kept the subjects waiting.
pub(super) fn noise_note(report: &RunReport) -> Option<String> {
    let subjects = [SubjectKind::Gateway, SubjectKind::Client, SubjectKind::Pair];
    let subjects: Vec<_> =
        subjects.into_iter().filter(|subject| report.knows_host_noise_only(*subject)).collect();
    let names: Vec<_> = subjects.iter().map(ToString::to_string).collect();
    (!names.is_empty()).then(|| {
        format!(
            "noise: only this host's was measured; how long the {} waited for a processor is not known",
            names.join(" and the ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use conformance::result::CaseReport;
    use conformance::result::Verdict;
    use conformance::result::sample::case;

    /// If no case of a subject measured how long it waited, a note says so; one case that did is enough.
    #[test]
    fn noise_that_is_not_measured_is_noted() {
        let played = |wait| CaseReport { subject_wait_ms: wait, ..case("a", Verdict::Pass, &[]) };
        let (report, _) = sample::run();
        let note = |cases: Vec<CaseReport>| noise_note(&RunReport { cases, ..report.clone() });
        let expected =
            "noise: only this host's was measured; how long the client waited for a processor is not known";
        assert_eq!(note(vec![played(None), played(None)]).as_deref(), Some(expected));
        assert_eq!(note(vec![played(None), played(Some(0))]), None);
        assert_eq!(
            note(vec![CaseReport { runs: 0, ..case("a", Verdict::NotClaimed { why: None }, &[]) }]),
            None
        );
    }
}
