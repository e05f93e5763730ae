//! What came of one case.

use std::collections::BTreeMap;

use scenarios::{
    Finding, Foreign, Judgement, NotPlayed, RequirementId, Scenario, ScenarioId, SubjectKind, Trace,
};
use schemars::JsonSchema;
use serde::Serialize;

use super::universal::UniversalFinding;
use super::verdict::Verdict;
use crate::result::shape;

/// One case.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct CaseReport {
    /// Which scenario.
    pub id: ScenarioId,
    /// What it shows.
    pub title: Foreign,
    /// What was judged.
    pub subject: SubjectKind,
    /// The requirements that it shows, of the level that is judged.
    pub requirements: Vec<RequirementId>,
    /// How it ended.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// Whether the run was interrupted before the case had ended: then its verdict is [`Verdict::NotRun`].
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub interrupted: bool,
    /// Each expectation, in order.
    pub checks: Vec<Check>,
    /// Universal rules that its trace violates, whatever the case is about. They do not change its verdict.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub universal: Vec<UniversalFinding>,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// The worst stall of this host during it, in milliseconds.
    pub stall_ms: u64,
    /// How long the processes under test were kept waiting for a processor during it, in milliseconds; of several, the one that
    /// waited longest. Absent where that is not measured: on systems other than Linux, and for a gateway that ran already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject_wait_ms: Option<u64>,
    /// How often it was run.
    pub runs: u32,
    /// How its runs ended, where it was repeated: the verdict is the gravest of them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub outcomes: BTreeMap<&'static str, u32>,
    /// What the process under test printed last; kept where the case did not pass.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub output: Vec<Foreign>,
    /// What happened; kept where the case did not pass, or where traces were asked for. Long texts and long traces are cut: those
    /// of up to 2 MiB are whole in the files that stand beside the report.
    #[serde(skip_serializing_if = "trace_is_empty", serialize_with = "shape::bounded")]
    #[schemars(with = "Trace")]
    pub trace: Trace,
}

/// One expectation of a case.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Check {
    /// What it shows.
    pub requirement: RequirementId,
    /// Whether it does.
    pub judgement: Judgement,
    /// Whether a failure is listed as known.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub known: bool,
}

impl CaseReport {
    /// A case that did not take place.
    pub fn without_play(scenario: &Scenario, verdict: Verdict) -> Self {
        Self {
            id: scenario.id.clone(),
            title: scenario.title.as_str().into(),
            subject: scenario.subject(),
            requirements: scenario.requirements().into_iter().collect(),
            verdict,
            interrupted: false,
            checks: Vec::new(),
            universal: Vec::new(),
            duration_ms: 0,
            stall_ms: 0,
            subject_wait_ms: None,
            runs: 0,
            outcomes: BTreeMap::new(),
            output: Vec::new(),
            trace: Trace::default(),
        }
    }

    /// A case that the run's interruption has ended, or kept from being run.
    pub fn interrupted(scenario: &Scenario, had_begun: bool) -> Self {
        let why = if had_begun { "interrupted" } else { "interrupted before it began" }.to_owned();
        let case = Self::without_play(scenario, Verdict::not_run(NotPlayed::in_this_run(why)));
        Self { interrupted: true, runs: u32::from(had_begun), ..case }
    }

    /// The findings, each with its requirement.
    pub fn findings(&self) -> impl Iterator<Item = (&RequirementId, &Finding)> {
        self.checks.iter().filter_map(|check| match &check.judgement {
            Judgement::Failed(finding) => Some((&check.requirement, finding)),
            Judgement::Passed | Judgement::Blocked { .. } | Judgement::Undecided { .. } => None,
        })
    }

    /// The checks on one requirement.
    pub fn checks_on<'a>(&'a self, requirement: &'a RequirementId) -> impl Iterator<Item = &'a Check> {
        self.checks.iter().filter(move |check| check.requirement == *requirement)
    }

    /// Whether the case was not run to its end for a requirement because it takes one for granted that is not judged.
    pub(super) fn leans_on_unclaimed(&self, requirement: &RequirementId) -> bool {
        matches!(self.verdict, Verdict::NotRun { .. })
            && self.checks_on(requirement).all(|check| matches!(check.judgement, Judgement::Blocked { .. }))
    }

    /// One report on each case, made of those on its runs: the gravest, and how often each verdict came.
    pub fn merged(runs: Vec<Self>) -> Vec<Self> {
        let mut cases: BTreeMap<ScenarioId, Self> = BTreeMap::new();
        for mut run in runs {
            run.outcomes = BTreeMap::from([(run.verdict.name(), 1)]);
            let merged = match cases.remove(&run.id) {
                Some(before) => before.merged_with(run),
                None => run,
            };
            cases.insert(merged.id.clone(), merged);
        }
        let mut cases: Vec<_> = cases.into_values().collect();
        for case in &mut cases {
            if case.outcomes.values().sum::<u32>() == 1 {
                case.outcomes.clear();
            }
        }
        cases
    }

    /// The graver of two runs of one case, with what only the other one says of universal rules.
    fn merged_with(self, other: Self) -> Self {
        let gravity = |run: &Self| (run.verdict.gravity(), !run.universal.is_empty());
        let (mut kept, other) = if gravity(&other) > gravity(&self) { (other, self) } else { (self, other) };
        for (name, count) in other.outcomes {
            *kept.outcomes.entry(name).or_default() += count;
        }
        kept.runs += other.runs;
        kept.add_universal(other.universal);
        kept
    }

    /// Adds what another run of the case says of universal rules, where this one says nothing of them.
    pub(crate) fn add_universal(&mut self, of_another_run: Vec<UniversalFinding>) {
        for mut found in of_another_run {
            if !self.universal.iter().any(|known| known.requirement == found.requirement) {
                // It points into a trace that is not kept.
                found.finding.at.clear();
                self.universal.push(found);
            }
        }
    }
}

fn trace_is_empty(trace: &Trace) -> bool {
    trace.observations.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::sample::case;

    /// Of a case that was repeated the gravest run counts, and how often each verdict came is reported.
    #[test]
    fn repeated_cases_count_by_their_gravest_run() {
        let passes = || case("a", Verdict::Pass, &[]);
        let merged = CaseReport::merged(vec![
            passes(),
            case("a", Verdict::Fail, &[]),
            passes(),
            case("b", Verdict::Pass, &[]),
        ]);
        assert_eq!(merged.len(), 2);
        assert_eq!((&merged[0].verdict, merged[0].runs), (&Verdict::Fail, 3));
        assert_eq!(merged[0].outcomes, BTreeMap::from([("fail", 1), ("pass", 2)]));
        assert!(merged[1].outcomes.is_empty(), "once is no repetition");
    }

    /// A universal rule that was violated in a run that passed is not lost behind one that failed; it points into no other trace.
    #[test]
    fn universal_findings_of_all_runs_count() {
        let run = |verdict, violated: &[&str]| CaseReport {
            universal: violated.iter().map(|id| UniversalFinding::sample(id, vec![2])).collect(),
            ..case("a", verdict, &[])
        };
        let merged = CaseReport::merged(vec![
            run(Verdict::Pass, &["STATE-2", "STATE-5"]),
            run(Verdict::Fail, &["STATE-2"]),
        ]);
        let found: Vec<_> = merged[0].universal.iter().map(|found| found.finding.at.as_slice()).collect();
        assert_eq!((&merged[0].verdict, found), (&Verdict::Fail, vec![&[2][..], &[]]));
    }
}
