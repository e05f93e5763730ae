//! What came of a run: verdicts on cases, and what they say of requirements.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use scenarios::{
    Catalogue, Finding, Judgement, Level, RequirementId, Scenario, ScenarioId, SubjectKind, Trace,
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::exit::Exit;
use crate::report::shape;

/// The verdict on a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "verdict")]
pub enum Verdict {
    /// Everything is as expected.
    Pass,
    /// Something is not.
    Fail,
    /// It did not pass, which is listed as known.
    KnownFailure {
        /// Why it is listed.
        reason: String,
        /// Where that is followed up.
        #[serde(skip_serializing_if = "Option::is_none")]
        issue: Option<String>,
        /// The verdict that it would have been.
        was: Box<Verdict>,
    },
    /// It passed, though it is listed as known not to.
    UnexpectedPass {
        /// The entry that must go.
        entry: String,
    },
    /// The case could not get far enough, because another requirement does not hold.
    Blocked {
        /// Which.
        #[schemars(schema_with = "shape::requirement")]
        by: RequirementId,
        /// What was seen.
        detail: String,
    },
    /// The implementation does not claim what the case shows.
    NotClaimed,
    /// The case needs what there is not.
    NotRun {
        /// What.
        why: String,
    },
    /// This host kept the case waiting so long that it says nothing.
    Inconclusive {
        /// How long the noise lasted that explains what was seen: the worst stall of this host, or what the processes under test
        /// waited for a processor.
        stall_ms: u64,
    },
    /// The implementation under test could not be started, died, or broke the adapter protocol.
    SubjectError {
        /// What happened.
        detail: String,
    },
    /// The harness failed.
    HarnessError {
        /// How.
        detail: String,
    },
}

/// One case.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct CaseReport {
    /// Which scenario.
    #[schemars(with = "String")]
    pub id: ScenarioId,
    /// What it shows.
    pub title: String,
    /// What was judged.
    #[schemars(schema_with = "shape::subject")]
    pub subject: SubjectKind,
    /// The requirements that it shows, of the level that is judged.
    #[schemars(schema_with = "shape::requirements")]
    pub requirements: Vec<RequirementId>,
    /// How it ended.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// Each expectation, in order.
    pub checks: Vec<Check>,
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
    #[schemars(with = "Option<BTreeMap<String, u32>>")]
    pub outcomes: BTreeMap<&'static str, u32>,
    /// What the process under test printed last; kept where the case did not pass.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Option<Vec<String>>")]
    pub output: Vec<String>,
    /// What happened; kept where the case did not pass, or where traces were asked for. Long texts and long traces are cut: they
    /// are whole in the files that stand beside the report.
    #[serde(skip_serializing_if = "trace_is_empty", serialize_with = "shape::bounded")]
    #[schemars(schema_with = "shape::trace")]
    pub trace: Trace,
}

/// One expectation of a case.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Check {
    /// What it shows.
    #[schemars(schema_with = "shape::requirement")]
    pub requirement: RequirementId,
    /// Whether it does.
    #[schemars(schema_with = "shape::judgement")]
    pub judgement: Judgement,
    /// Whether a failure is listed as known.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schemars(with = "Option<bool>")]
    pub known: bool,
}

/// What a run says of a requirement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Every case that could tell says that it holds.
    Shown,
    /// A case says that it does not hold.
    Failed,
    /// It does not hold, and every case that says so is listed as known to.
    KnownFailure,
    /// Its cases could not get far enough, or say nothing.
    Undecided,
    /// The implementation does not claim it.
    NotClaimed,
    /// No case of this run shows it.
    NotShown,
}

/// A whole run.
#[derive(Debug, Clone, Serialize)]
pub struct RunReport {
    /// The cases, in the order of their ids.
    pub cases: Vec<CaseReport>,
    /// The requirements that the run is about, in the order of the catalogue.
    pub requirements: Vec<(RequirementId, Standing)>,
    /// Entries of the list of known failures whose time is over, in words.
    pub expired: Vec<String>,
    /// How long it took.
    #[serde(skip)]
    pub took: Duration,
}

impl Verdict {
    /// Its name, for people.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::KnownFailure { .. } => "known failure",
            Self::UnexpectedPass { .. } => "unexpected pass",
            Self::Blocked { .. } => "blocked",
            Self::NotClaimed => "not claimed",
            Self::NotRun { .. } => "not run",
            Self::Inconclusive { .. } => "inconclusive",
            Self::SubjectError { .. } => "died",
            Self::HarnessError { .. } => "error",
        }
    }

    /// What there is to say beyond its name.
    pub fn reason(&self) -> Option<String> {
        match self {
            Self::Pass | Self::Fail | Self::NotClaimed => None,
            Self::KnownFailure { reason, issue, was } => {
                let issue = issue.as_ref().map(|issue| format!(" ({issue})")).unwrap_or_default();
                let was = was.reason().map(|was| format!("; {was}")).unwrap_or_default();
                Some(format!("{reason}{issue}{was}"))
            }
            Self::UnexpectedPass { entry } => Some(format!("it passes now: take {entry} off the list")),
            Self::Blocked { by, detail } => Some(format!("{by} does not hold: {detail}")),
            Self::NotRun { why } => Some(why.clone()),
            Self::Inconclusive { stall_ms } => Some(format!("this host kept it waiting for {stall_ms} ms")),
            Self::SubjectError { detail } | Self::HarnessError { detail } => Some(detail.clone()),
        }
    }

    /// Whether it keeps a run from being conformant.
    pub fn is_trouble(&self) -> bool {
        match self {
            Self::Fail
            | Self::UnexpectedPass { .. }
            | Self::Blocked { .. }
            | Self::Inconclusive { .. }
            | Self::SubjectError { .. }
            | Self::HarnessError { .. } => true,
            Self::Pass | Self::KnownFailure { .. } | Self::NotClaimed | Self::NotRun { .. } => false,
        }
    }

    /// How much it says about a case that was run several times: the gravest verdict is the one that counts.
    fn gravity(&self) -> u8 {
        match self {
            Self::HarnessError { .. } => 9,
            Self::SubjectError { .. } => 8,
            Self::Fail => 7,
            Self::Blocked { .. } => 6,
            Self::UnexpectedPass { .. } => 5,
            Self::KnownFailure { .. } => 4,
            Self::Inconclusive { .. } => 3,
            Self::NotRun { .. } => 2,
            Self::NotClaimed => 1,
            Self::Pass => 0,
        }
    }
}

impl CaseReport {
    /// A case that did not take place.
    pub fn without_play(scenario: &Scenario, verdict: Verdict) -> Self {
        Self {
            id: scenario.id.clone(),
            title: scenario.title.clone(),
            subject: scenario.subject,
            requirements: scenario.requirements().into_iter().collect(),
            verdict,
            checks: Vec::new(),
            duration_ms: 0,
            stall_ms: 0,
            subject_wait_ms: None,
            runs: 0,
            outcomes: BTreeMap::new(),
            output: Vec::new(),
            trace: Trace::default(),
        }
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

    /// One report on each case, made of those on its runs: the gravest, and how often each verdict came.
    pub fn merged(runs: Vec<Self>) -> Vec<Self> {
        let mut cases: BTreeMap<ScenarioId, Self> = BTreeMap::new();
        for mut run in runs {
            run.outcomes = BTreeMap::from([(run.verdict.name(), 1)]);
            let Some(known) = cases.get_mut(&run.id) else {
                cases.insert(run.id.clone(), run);
                continue;
            };
            let mut outcomes = std::mem::take(&mut known.outcomes);
            *outcomes.entry(run.verdict.name()).or_default() += 1;
            let runs = known.runs + run.runs;
            if run.verdict.gravity() > known.verdict.gravity() {
                *known = run;
            }
            (known.outcomes, known.runs) = (outcomes, runs);
        }
        let mut cases: Vec<_> = cases.into_values().collect();
        for case in &mut cases {
            if case.outcomes.values().sum::<u32>() == 1 {
                case.outcomes.clear();
            }
        }
        cases
    }
}

impl RunReport {
    /// Sums up the cases: what they say of each requirement of these subjects at this level; of those in `about` alone,
    /// where the run was about a selection.
    pub fn of(
        mut cases: Vec<CaseReport>,
        subjects: &[SubjectKind],
        level: Level,
        without: &BTreeSet<RequirementId>,
        about: Option<&BTreeSet<RequirementId>>,
        took: Duration,
    ) -> Self {
        cases.sort_by(|a, b| a.id.cmp(&b.id));
        let mut shown: BTreeMap<&RequirementId, Standing> = BTreeMap::new();
        for case in &cases {
            for check in &case.checks {
                let says = match (&case.verdict, &check.judgement) {
                    (Verdict::Inconclusive { .. }, Judgement::Failed(_))
                    | (_, Judgement::Blocked { .. } | Judgement::Undecided { .. }) => Standing::Undecided,
                    (_, Judgement::Failed(_)) if check.known => Standing::KnownFailure,
                    (_, Judgement::Failed(_)) => Standing::Failed,
                    (_, Judgement::Passed) => Standing::Shown,
                };
                let standing = shown.entry(&check.requirement).or_insert(says);
                *standing = worse(*standing, says);
            }
        }
        let catalogue = Catalogue::builtin();
        let of_level = |id: &RequirementId| catalogue.get(id).is_some_and(|rule| rule.level <= level);
        let rules = catalogue.iter().filter(|rule| {
            subjects.contains(&rule.subject)
                && rule.level <= level
                && about.is_none_or(|about| about.contains(&rule.id))
        });
        let requirements = rules.map(|rule| {
            let standing = match shown.get(&rule.id) {
                _ if without.contains(&rule.id) => Standing::NotClaimed,
                Some(standing) => *standing,
                None => Standing::NotShown,
            };
            (rule.id.clone(), standing)
        });
        let requirements = requirements.collect();
        for case in &mut cases {
            case.requirements.retain(of_level);
        }
        Self { requirements, cases, expired: Vec::new(), took }
    }

    /// How many requirements stand so.
    pub fn count(&self, standing: Standing) -> usize {
        self.requirements.iter().filter(|(_, found)| *found == standing).count()
    }

    /// The requirements that stand so.
    pub fn standing(&self, standing: Standing) -> impl Iterator<Item = &RequirementId> {
        self.requirements.iter().filter(move |(_, found)| *found == standing).map(|(id, _)| id)
    }

    /// How the run ended, in a sign and in words.
    pub fn sentence(&self) -> (&'static str, String) {
        let (sign, words) = self.exit().sentence();
        let count = |matches: &dyn Fn(&Verdict) -> bool| {
            self.cases.iter().filter(|case| matches(&case.verdict)).count()
        };
        let died = count(&|verdict| matches!(verdict, Verdict::SubjectError { .. }));
        let runs = count(&|verdict| matches!(verdict, Verdict::Pass | Verdict::KnownFailure { .. })) > 0;
        if self.exit() == Exit::Usage {
            return (sign, "nothing was judged: every case was left out".to_owned());
        }
        if self.exit() == Exit::Subject && runs {
            let cases = if died == 1 { "a case".to_owned() } else { format!("{died} cases") };
            return (
                sign,
                format!("not conformant: the implementation under test died, or did not start, in {cases}"),
            );
        }
        (sign, words.to_owned())
    }

    /// How the run ends. What says most about the run itself comes first: a harness or subject that failed, then findings,
    /// then doubt.
    pub fn exit(&self) -> Exit {
        let any = |matches: &dyn Fn(&Verdict) -> bool| self.cases.iter().any(|case| matches(&case.verdict));
        if any(&|verdict| matches!(verdict, Verdict::HarnessError { .. })) {
            Exit::Harness
        } else if any(&|verdict| matches!(verdict, Verdict::SubjectError { .. })) {
            Exit::Subject
        } else if !self.expired.is_empty()
            || any(&|verdict| {
                matches!(verdict, Verdict::Fail | Verdict::Blocked { .. } | Verdict::UnexpectedPass { .. })
            })
        {
            Exit::NotConformant
        } else if any(&|verdict| matches!(verdict, Verdict::Inconclusive { .. })) {
            Exit::Inconclusive
        } else if !any(&|verdict| !matches!(verdict, Verdict::NotRun { .. } | Verdict::NotClaimed)) {
            // What judges nothing must not pass for a gate.
            Exit::Usage
        } else {
            Exit::Conformant
        }
    }
}

fn worse(a: Standing, b: Standing) -> Standing {
    match (a, b) {
        (Standing::Failed, _) | (_, Standing::Failed) => Standing::Failed,
        (Standing::KnownFailure, _) | (_, Standing::KnownFailure) => Standing::KnownFailure,
        (Standing::Undecided, _) | (_, Standing::Undecided) => Standing::Undecided,
        _ => a,
    }
}

fn trace_is_empty(trace: &Trace) -> bool {
    trace.observations.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(id: &str, verdict: Verdict, checks: &[(&str, Judgement)]) -> CaseReport {
        CaseReport {
            id: ScenarioId(id.to_owned()),
            title: String::new(),
            subject: SubjectKind::Client,
            verdict,
            checks: checks
                .iter()
                .map(|(id, judgement)| Check {
                    requirement: id.parse().unwrap(),
                    judgement: judgement.clone(),
                    known: false,
                })
                .collect(),
            requirements: checks.iter().map(|(id, _)| id.parse().unwrap()).collect(),
            duration_ms: 0,
            stall_ms: 0,
            subject_wait_ms: None,
            runs: 1,
            outcomes: BTreeMap::new(),
            output: Vec::new(),
            trace: Trace::default(),
        }
    }

    fn report(cases: Vec<CaseReport>) -> RunReport {
        let without = BTreeSet::from(["OBS-1".parse().unwrap()]);
        RunReport::of(cases, &[SubjectKind::Client], Level::Core, &without, None, Duration::ZERO)
    }

    fn standing(report: &RunReport, id: &str) -> Option<Standing> {
        report.requirements.iter().find(|(found, _)| found.to_string() == id).map(|(_, standing)| *standing)
    }

    fn failed() -> Judgement {
        Judgement::Failed(Finding {
            property: scenarios::Property::Safety,
            expected: String::new(),
            seen: String::new(),
            at: Vec::new(),
            missed_by_us: None,
            client: None,
        })
    }

    /// One case that fails outweighs those that pass; what is not claimed is not judged; levels select.
    #[test]
    fn the_worst_case_decides() {
        let blocked = Judgement::Blocked { by: "STATE-1".parse().unwrap(), detail: String::new() };
        let report = report(vec![
            case("a", Verdict::Pass, &[("STATE-1", Judgement::Passed), ("SUB-1", Judgement::Passed)]),
            case("b", Verdict::Fail, &[("STATE-1", failed()), ("SUB-1", blocked), ("OBS-1", failed())]),
        ]);
        assert_eq!(standing(&report, "STATE-1"), Some(Standing::Failed));
        assert_eq!(standing(&report, "SUB-1"), Some(Standing::Undecided));
        assert_eq!(standing(&report, "OBS-1"), Some(Standing::NotClaimed));
        assert_eq!(standing(&report, "PING-1"), Some(Standing::NotShown));
        assert_eq!(standing(&report, "STATE-7"), None, "of the hardened level");
        assert_eq!(standing(&report, "AUTH-1"), None, "of another subject");
    }

    /// Each ending has its code, and the gravest one wins.
    #[test]
    fn the_gravest_ending_wins() {
        let inconclusive = || case("i", Verdict::Inconclusive { stall_ms: 9 }, &[]);
        let fail = || case("f", Verdict::Fail, &[]);
        let died = || case("d", Verdict::SubjectError { detail: String::new() }, &[]);
        let broken = || case("h", Verdict::HarnessError { detail: String::new() }, &[]);
        assert_eq!(report(vec![case("p", Verdict::Pass, &[])]).exit(), Exit::Conformant);
        let left_out = || case("n", Verdict::NotRun { why: String::new() }, &[]);
        assert_eq!(report(vec![left_out()]).exit(), Exit::Usage, "what judges nothing is no gate");
        assert_eq!(report(vec![left_out(), case("p", Verdict::Pass, &[])]).exit(), Exit::Conformant);
        assert_eq!(report(vec![inconclusive()]).exit(), Exit::Inconclusive);
        assert_eq!(report(vec![inconclusive(), fail()]).exit(), Exit::NotConformant);
        assert_eq!(report(vec![fail(), died()]).exit(), Exit::Subject);
        assert_eq!(report(vec![died(), broken()]).exit(), Exit::Harness);
    }

    /// Of a case that was repeated the gravest run counts, and how often each verdict came is told.
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
}
