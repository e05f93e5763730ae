//! Which requirements have failed for certain, so that a failing subject has its verdict before each of its misses was repeated.

use std::collections::{BTreeMap, BTreeSet};

use scenarios::{Judgement, NotPlayed, RequirementId};

use super::{Case, Trial};
use crate::result::{CaseReport, Check, Verdict};

/// Cases in which a requirement fails for certain before others need not be repeated, though some show it.
const SAMPLE: usize = 3;

/// How many cases show that a requirement fails, each by a run that counts, and which requirements some case shows.
#[derive(Default)]
pub(super) struct Failures {
    failed: BTreeMap<RequirementId, usize>,
    shown: BTreeSet<RequirementId>,
}

impl Failures {
    /// Takes a case that has ended.
    pub(super) fn count(&mut self, report: &CaseReport) {
        match report.verdict {
            Verdict::Pass => self.shown.extend(report.requirements.iter().cloned()),
            Verdict::Fail => {
                for (requirement, _) in report.findings() {
                    *self.failed.entry(requirement.clone()).or_default() += 1;
                }
            }
            _ => {}
        }
    }

    /// Whether a requirement fails for certain, be that wherever it was looked for or in several cases.
    fn has(&self, requirement: &RequirementId) -> bool {
        let count = self.failed.get(requirement).copied().unwrap_or_default();
        count >= if self.shown.contains(requirement) { SAMPLE } else { 1 }
    }

    /// The end of a case that need not be run again, though its run does not count: it is about nothing but what others have failed by
    /// for certain, or is held up by that. Such a case is no failure: a miss that was not repeated does not count.
    pub(super) fn settle(&self, case: &Case, trial: &mut Trial) -> Option<CaseReport> {
        let doubtful = trial.doubtful()?;
        let held_up = |check: &Check| match &check.judgement {
            Judgement::Blocked { by, detail } if self.has(by) => Some((by.clone(), detail.clone())),
            _ => None,
        };
        let is_settled = |check: &Check| self.has(&check.requirement) || held_up(check).is_some();
        if doubtful.checks.is_empty() || !doubtful.checks.iter().all(is_settled) {
            return None;
        }
        let open = doubtful.checks.iter().filter(|check| !self.has(&check.requirement));
        let checks: Vec<Check> = open.cloned().collect();
        let report = match checks.first().and_then(held_up) {
            Some((by, detail)) => CaseReport {
                checks,
                ..CaseReport::without_play(&case.scenario, Verdict::Blocked { by, detail })
            },
            None => {
                let names: Vec<String> = case.judged.iter().map(ToString::to_string).collect();
                let why = format!(
                    "missed by time beside other cases, and was not repeated alone: {} failed for certain elsewhere",
                    names.join(", ")
                );
                CaseReport::without_play(&case.scenario, Verdict::not_run(NotPlayed::in_this_run(why)))
            }
        };
        Some(trial.end(report))
    }
}

/// What missed for itself comes before what was held up: it may settle that.
pub(super) fn is_held_up(trial: &Trial) -> bool {
    let failed = |check: &Check| matches!(check.judgement, Judgement::Failed(_));
    trial.doubtful().is_some_and(|report| !report.checks.iter().any(failed))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use scenarios::{Scenario, ScenarioId};

    use super::*;
    use crate::result::sample::{blocked, case, failed};
    use crate::runner::verdict::{Run, Weight};

    /// A case about these requirements whose only run was a miss that does not count.
    fn missed(judged: &[&str], checks: &[(&str, Judgement)]) -> (Case, Trial) {
        let text = "version = 2\ntitle = \"t\"\nsubject = \"client\"\n[[expect]]\nrequirement = \"STATE-1\"\nsome = { opens = true }";
        let scenario = Scenario::parse(ScenarioId("client/t".to_owned()), text).unwrap();
        let judged: BTreeSet<RequirementId> = judged.iter().map(|text| text.parse().unwrap()).collect();
        let mut trial = Trial::default();
        let report = case("client/t", Verdict::Inconclusive { stall_ms: 0 }, checks);
        assert!(trial.take(Run { report, weight: Weight::Unexplained }).is_none());
        (Case { scenario, claimed: Arc::new(judged.clone()), judged }, trial)
    }

    /// So many cases in which STATE-1 fails for certain, where others show it.
    fn failures(times: usize) -> Failures {
        let mut failures = Failures::default();
        failures.count(&case("client/p", Verdict::Pass, &[("STATE-1", Judgement::Passed)]));
        for _ in 0..times {
            failures.count(&case("client/o", Verdict::Fail, &[("STATE-1", failed())]));
        }
        failures
    }

    /// A miss is repeated until enough others count; then it is none, and no failure either.
    #[test]
    fn what_others_show_is_not_repeated() {
        let (one, mut trial) = missed(&["STATE-1"], &[("STATE-1", failed())]);
        assert!(failures(SAMPLE - 1).settle(&one, &mut trial).is_none());
        let report = failures(SAMPLE).settle(&one, &mut trial).unwrap();
        assert_eq!((report.verdict.name(), report.runs), ("not run", 1));
        assert_eq!(report.findings().count(), 0);
        // One is enough where nothing shows it.
        let mut failures_only = Failures::default();
        failures_only.count(&case("client/o", Verdict::Fail, &[("STATE-1", failed())]));
        let (one, mut trial) = missed(&["STATE-1"], &[("STATE-1", failed())]);
        assert!(failures_only.settle(&one, &mut trial).is_some());
        // What is about something else as well may show that.
        let checks = [("STATE-1", failed()), ("STATE-2", Judgement::Passed)];
        let (one, mut trial) = missed(&["STATE-1", "STATE-2"], &checks);
        assert!(failures(SAMPLE).settle(&one, &mut trial).is_none());
    }

    /// What is held up by something that fails for certain is held up, noise or not.
    #[test]
    fn what_fails_for_certain_blocks() {
        let checks = [("STATE-2", blocked("STATE-1"))];
        let (one, mut trial) = missed(&["STATE-2"], &checks);
        assert!(is_held_up(&trial));
        assert!(failures(SAMPLE - 1).settle(&one, &mut trial).is_none());
        let report = failures(SAMPLE).settle(&one, &mut trial).unwrap();
        assert!(matches!(&report.verdict, Verdict::Blocked { by, .. } if by.to_string() == "STATE-1"));
        assert_eq!(report.checks.len(), 1);
    }
}
