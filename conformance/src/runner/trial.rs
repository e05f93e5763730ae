//! The verdict on a case, of all of its runs.

use super::verdict::{Run, Weight};
use crate::result::{CaseReport, UniversalFinding, Verdict};

/// How often a case is run again whose run does not count.
const RERUNS: u32 = 2;
/// Passes that outweigh a miss which no noise explains: one alone would only be its equal, and a subject that misses now and then
/// would be run again until it passes.
const PASSES_AFTER_A_MISS: u32 = 2;

/// The runs of a case so far: one beside other cases at most, and the others alone.
///
/// ```text
///  a certain verdict that is no pass            ──► the verdict, whatever came before
///  a certain pass                               ──► the verdict; after a miss that nothing explains, only with a second pass
///  nothing certain, or too little, in 3 runs    ──► inconclusive
/// ```
///
/// A case is never run again after a failure that counts, so that no later pass hides one.
#[derive(Default)]
pub(super) struct Trial {
    runs: u32,
    passes: u32,
    has_missed: bool,
    /// The last run that does not count.
    doubtful: Option<CaseReport>,
    /// What the runs that did not decide say of universal rules: no later run takes that back.
    universal: Vec<UniversalFinding>,
}

impl Trial {
    /// Whether a run has ended.
    pub(super) fn has_begun(&self) -> bool {
        self.runs > 0
    }

    /// The last run that does not count.
    pub(super) fn doubtful(&self) -> Option<&CaseReport> {
        self.doubtful.as_ref()
    }

    /// Ends without a further run, with this verdict. What is judged by then is judged as it was said; what is reported has no secrets.
    pub(super) fn end(&mut self, report: CaseReport) -> CaseReport {
        let mut report = CaseReport { runs: self.runs, ..report };
        report.add_universal(std::mem::take(&mut self.universal));
        report.without_secrets()
    }

    /// Takes the next run. Answers the verdict where there is one; otherwise the case must be run again, alone.
    pub(super) fn take(&mut self, run: Run) -> Option<CaseReport> {
        self.runs += 1;
        let Run { report, weight } = run;
        let universal = report.universal.clone();
        let decided = match weight {
            Weight::Certain if report.verdict == Verdict::Pass => {
                self.passes += 1;
                let needed = if self.has_missed { PASSES_AFTER_A_MISS } else { 1 };
                (self.passes >= needed).then_some(report)
            }
            Weight::Certain => Some(report),
            Weight::Explained | Weight::Unexplained => {
                self.has_missed |= weight == Weight::Unexplained;
                self.doubtful = Some(report);
                None
            }
        };
        let decided = decided.or_else(|| self.doubtful.take_if(|_| self.runs > RERUNS));
        self.universal.extend(universal);
        decided.map(|report| self.end(report))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::sample::case;
    use scenarios::{Foreign, Scenario, ScenarioId};

    /// Runs, abbreviated to letters: a certain Pass, Fail, Blocked case or death; a miss that is Explained by noise, or not (`u`).
    fn decide(runs: &str) -> Option<(&'static str, u32)> {
        let text = "version = 2\ntitle = \"t\"\nsubject = \"client\"\n[[expect]]\nrequirement = \"STATE-1\"\nsome = { opens = true }";
        let scenario = &Scenario::parse(ScenarioId("client/t".to_owned()), text).unwrap();
        let mut trial = Trial::default();
        for (number, run) in (1..).zip(runs.chars()) {
            let (verdict, weight) = match run {
                'p' => (Verdict::Pass, Weight::Certain),
                'f' => (Verdict::Fail, Weight::Certain),
                'd' => (Verdict::SubjectError { detail: Foreign::default() }, Weight::Certain),
                'b' => {
                    let by = "CONN-3".parse().unwrap();
                    (Verdict::Blocked { by, detail: Foreign::default() }, Weight::Certain)
                }
                'e' => (Verdict::Inconclusive { stall_ms: 90 }, Weight::Explained),
                'u' => (Verdict::Inconclusive { stall_ms: 0 }, Weight::Unexplained),
                other => panic!("no run is called {other}"),
            };
            let report = CaseReport::without_play(scenario, verdict);
            if let Some(report) = trial.take(Run { report, weight }) {
                assert_eq!(number, runs.len(), "{runs}: decided too early");
                return Some((report.verdict.name(), report.runs));
            }
        }
        None
    }

    /// What counts decides at once; what noise explains is run again until something counts; a miss that nothing explains takes
    /// two passes; three runs are the most.
    #[test]
    fn all_runs_decide() {
        for (runs, verdict) in [
            ("p", "pass"),
            ("f", "fail"),
            ("d", "died"),
            ("b", "blocked"),
            ("ep", "pass"),
            ("ef", "fail"),
            ("eep", "pass"),
            ("eef", "fail"),
            ("eee", "inconclusive"),
            ("upp", "pass"),
            ("uf", "fail"),
            ("ud", "died"),
            ("ub", "blocked"),
            ("upf", "fail"),
            ("upe", "inconclusive"),
            ("uep", "inconclusive"),
            ("uee", "inconclusive"),
        ] {
            let decided = decide(runs);
            assert_eq!(decided, Some((verdict, u32::try_from(runs.len()).unwrap())), "{runs}");
        }
        for undecided in ["e", "u", "ee", "ue", "up"] {
            assert_eq!(decide(undecided), None, "{undecided}");
        }
    }

    /// A universal rule that was violated in a run which does not count is violated, whatever the next run is like.
    #[test]
    fn what_a_doubtful_run_violates_is_not_forgotten() {
        let run = |verdict, weight, violated: &[&str]| {
            let universal = violated.iter().map(|id| UniversalFinding::sample(id, vec![2])).collect();
            Run { report: CaseReport { universal, ..case("a", verdict, &[]) }, weight }
        };
        let mut trial = Trial::default();
        let doubtful = run(Verdict::Inconclusive { stall_ms: 90 }, Weight::Explained, &["STATE-2"]);
        assert!(trial.take(doubtful).is_none());
        let report = trial.take(run(Verdict::Pass, Weight::Certain, &["STATE-5"])).unwrap();
        let found: Vec<_> = report.universal.iter().map(|found| found.requirement.to_string()).collect();
        assert_eq!(
            (report.verdict, found),
            (Verdict::Pass, vec!["STATE-5".to_owned(), "STATE-2".to_owned()])
        );
    }
}
