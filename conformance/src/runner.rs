//! Runs cases side by side, each with a deadline, and judges what they leave.

use std::cmp::Reverse;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use protocol::Dialect;
use scenarios::player::{Play, PlayError};
use scenarios::trace::Observation;
use scenarios::{
    Catalogue, Ending, Finding, Judged, Judgement, Level, RequirementId, Scenario, Times, judge,
};
use tokio::task::{Id, JoinSet};

use crate::executor::{Execution, ExecutionError, Executor, Isolation};
use crate::noise::StallProbe;
use crate::result::{CaseReport, Check, Verdict};

/// One scenario, and what of it is judged.
#[derive(Debug, Clone)]
pub struct Case {
    /// What is played.
    pub scenario: Scenario,
    /// Every requirement of the level that the implementation claims: only these can block.
    pub claimed: Arc<BTreeSet<RequirementId>>,
    /// The requirements that it is judged by.
    pub judged: BTreeSet<RequirementId>,
}

/// What is run.
pub struct Plan {
    /// The cases.
    pub cases: Vec<Case>,
    /// Cases that are not played, with their verdict.
    pub unplayed: Vec<CaseReport>,
}

/// How the cases are run.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Cases at once.
    pub jobs: usize,
    /// Whether traces of cases that passed are kept too.
    pub keep_traces: bool,
}

impl Plan {
    /// Leaves out what is not of the level, what the implementation does not claim, and what its dialect lacks.
    pub fn new(
        scenarios: Vec<&Scenario>,
        level: Level,
        without: &BTreeSet<RequirementId>,
        dialect: &Dialect,
    ) -> Self {
        let catalogue = Catalogue::builtin();
        let of_level = |id: &RequirementId| catalogue.get(id).is_some_and(|rule| rule.level <= level);
        let all = catalogue.iter().map(|rule| &rule.id);
        let all = all.filter(|id| of_level(id) && !without.contains(id)).cloned();
        let all_claimed = Arc::new(all.collect::<BTreeSet<_>>());
        let mut plan = Self { cases: Vec::new(), unplayed: Vec::new() };
        for scenario in scenarios {
            let shown: BTreeSet<_> = scenario.requirements().into_iter().filter(of_level).collect();
            if shown.is_empty() {
                continue;
            }
            let claimed: BTreeSet<_> = shown.difference(without).cloned().collect();
            let spoken = scenario.clone().in_dialect(dialect).requirements();
            let judged: BTreeSet<_> = claimed.iter().filter(|id| spoken.contains(id)).cloned().collect();
            if claimed.is_empty() {
                plan.unplayed.push(CaseReport::without_play(scenario, Verdict::NotClaimed));
            } else if judged.is_empty() {
                let why = scenario.lacks(dialect).unwrap_or("the dialect lacks what it expects").to_owned();
                plan.unplayed.push(CaseReport::without_play(scenario, Verdict::NotRun { why }));
            } else {
                let claimed = Arc::clone(&all_claimed);
                plan.cases.push(Case { scenario: scenario.clone(), claimed, judged });
            }
        }
        plan
    }

    /// Every requirement that a case of the plan shows.
    pub fn requirements(&self) -> BTreeSet<RequirementId> {
        self.cases.iter().flat_map(|case| case.judged.iter().cloned()).collect()
    }

    /// How many cases there are, played or not.
    pub fn len(&self) -> usize {
        self.cases.len() + self.unplayed.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Runs the plan and tells of each case as it ends. Dropping the future kills every process under test.
pub async fn run(
    plan: Plan,
    executor: Arc<Executor>,
    options: Options,
    mut tell: impl FnMut(&CaseReport),
) -> Vec<CaseReport> {
    let probe = Arc::new(StallProbe::start());
    let mut reports = plan.unplayed;
    reports.iter().for_each(&mut tell);
    let (mut parallel, alone): (Vec<_>, Vec<_>) =
        plan.cases.into_iter().partition(|case| executor.is_parallel(&case.scenario));

    // What may take longest begins first, so that the run takes little more than its longest case.
    let times = executor.times();
    parallel.sort_by_key(|case| Reverse(case.scenario.deadline(&times)));
    let mut waiting: VecDeque<_> = parallel.into();
    let mut running: JoinSet<CaseReport> = JoinSet::new();
    let mut doubtful = Vec::new();
    let mut started: Vec<(Id, Case)> = Vec::new();
    loop {
        while running.len() < options.jobs
            && let Some(case) = waiting.pop_front()
        {
            let playing =
                play(executor.clone(), case.clone(), probe.clone(), options.keep_traces, Company::Others);
            started.push((running.spawn(playing).id(), case));
        }
        let Some(joined) = running.join_next_with_id().await else { break };
        let id = match &joined {
            Ok((id, _)) => *id,
            Err(error) => error.id(),
        };
        let case = started.iter().position(|(task, _)| *task == id).map(|at| started.swap_remove(at).1);
        let report = match (joined, &case) {
            (Ok((_, report)), _) => report,
            (Err(error), Some(case)) => panicked(&case.scenario, &error),
            (Err(_), None) => continue,
        };
        match (&report.verdict, case) {
            (Verdict::Inconclusive { .. }, Some(case)) => doubtful.push(case),
            _ => {
                tell(&report);
                reports.push(report);
            }
        }
    }
    // A case that a stall could explain is run again, alone; so are those that cannot share.
    for (case, mut runs) in
        doubtful.into_iter().map(|case| (case, 1)).chain(alone.into_iter().map(|case| (case, 0)))
    {
        let report = loop {
            let playing =
                play(executor.clone(), case.clone(), probe.clone(), options.keep_traces, Company::Nobody);
            let playing = tokio::spawn(playing);
            let report =
                KillOnDrop(playing).finish().await.unwrap_or_else(|error| panicked(&case.scenario, &error));
            runs += 1;
            if runs > RERUNS || !matches!(report.verdict, Verdict::Inconclusive { .. }) {
                break CaseReport { runs, ..report };
            }
        };
        tell(&report);
        reports.push(report);
    }
    executor.finish().await;
    reports
}

/// A task that ends with whoever waits for it.
struct KillOnDrop(tokio::task::JoinHandle<CaseReport>);

impl KillOnDrop {
    async fn finish(mut self) -> Result<CaseReport, tokio::task::JoinError> {
        (&mut self.0).await
    }
}

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn panicked(scenario: &Scenario, error: &tokio::task::JoinError) -> CaseReport {
    CaseReport::without_play(scenario, Verdict::HarnessError { detail: error.to_string() })
}

/// A case that does not pass on a gateway that others have had is played again on one of its own, and that is what counts: what
/// an earlier case did to a gateway is not blamed on this one.
async fn play(
    executor: Arc<Executor>,
    case: Case,
    probe: Arc<StallProbe>,
    keep_trace: bool,
    company: Company,
) -> CaseReport {
    let report = play_once(&executor, &case, &probe, keep_trace, company, Isolation::AsTheProfileSays).await;
    let settled = matches!(report.verdict, Verdict::Pass | Verdict::NotRun { .. });
    if settled || !executor.shares(&case.scenario) {
        return report;
    }
    play_once(&executor, &case, &probe, keep_trace, company, Isolation::Own).await
}

#[expect(clippy::disallowed_methods, reason = "the duration of a case is real time")]
async fn play_once(
    executor: &Executor,
    case: &Case,
    probe: &StallProbe,
    keep_trace: bool,
    company: Company,
    isolation: Isolation,
) -> CaseReport {
    let scenario = &case.scenario;
    let begun = std::time::Instant::now();
    let mut stalls_from = begun;
    let mut rig = None;
    let outcome = executor.execute(scenario, isolation).await;
    let mut report = match outcome {
        // Beside others it may just have been slow; the case is run again.
        Err(ExecutionError::NotReady { .. }) if company == Company::Others => {
            let stall_ms = u64::try_from(probe.worst_since(begun).as_millis()).unwrap_or(u64::MAX);
            CaseReport::without_play(scenario, Verdict::Inconclusive { stall_ms })
        }
        Err(ExecutionError::Subject { reason, output } | ExecutionError::NotReady { reason, output }) => {
            let verdict = Verdict::SubjectError { detail: reason };
            CaseReport { output, ..CaseReport::without_play(scenario, verdict) }
        }
        Err(error @ (ExecutionError::Harness(_) | ExecutionError::NoSubject(_))) => {
            CaseReport::without_play(scenario, Verdict::HarnessError { detail: error.to_string() })
        }
        Ok(Execution { began, scenario, play, output, rig: left, .. }) => {
            rig = left;
            // A stall while the implementation started has moved nothing that is judged.
            let first = play.trace.observations.first().map_or(Duration::ZERO, Observation::at);
            stalls_from = began + first;
            let stall = probe.worst_since(stalls_from);
            let doubt = Doubt { stall, company };
            let judged = judged(&scenario, &case.judged, play, &executor.times(), doubt);
            CaseReport { output, verdict: claimed(judged.verdict, &case.claimed), ..judged }
        }
    };
    if let Some(rig) = rig {
        match report.verdict {
            Verdict::Pass => executor.give_back(rig),
            _ => rig.take_down().await,
        }
    }
    if report.verdict == Verdict::Pass {
        report.output.clear();
        if !keep_trace {
            report.trace.observations.clear();
        }
    }
    report.duration_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    report.stall_ms = u64::try_from(probe.worst_since(stalls_from).as_millis()).unwrap_or(u64::MAX);
    report.runs = 1;
    report
}

/// How often a case is run again that a stall of this host could explain.
const RERUNS: u32 = 2;

/// What blocks a case must be something that is judged: an implementation that does not claim it is not held up by it.
fn claimed(verdict: Verdict, claimed: &BTreeSet<RequirementId>) -> Verdict {
    match verdict {
        Verdict::Blocked { by, .. } if !claimed.contains(&by) => Verdict::NotRun {
            why: format!("takes {by} for granted, which is not claimed or not of this level"),
        },
        verdict => verdict,
    }
}

/// Who else was on this host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Company {
    /// Other cases.
    Others,
    /// No other case of this run.
    Nobody,
}

/// What a finding may be due to beside the implementation.
#[derive(Debug, Clone, Copy)]
pub struct Doubt {
    /// The worst stall of this host during the case.
    pub stall: Duration,
    /// Who else was there.
    pub company: Company,
}

impl Doubt {
    /// No doubt.
    pub const NONE: Self = Self { stall: Duration::ZERO, company: Company::Nobody };
}

/// What a play says of the requirements that it is judged by.
pub fn judged(
    scenario: &Scenario,
    requirements: &BTreeSet<RequirementId>,
    play: Play,
    times: &Times,
    doubt: Doubt,
) -> CaseReport {
    let Play { trace, outcome } = play;
    let ending = match &outcome {
        Ok(()) => Ending::Complete,
        Err(PlayError::SubjectDied(status)) => {
            Ending::Died { why: format!("the {} ended during the case: {status}", scenario.subject) }
        }
        Err(error @ (PlayError::DidNotStart(_) | PlayError::Adapter(_))) => {
            Ending::Died { why: error.to_string() }
        }
        Err(error @ (PlayError::NotRun(_) | PlayError::Harness(_))) => Ending::Cut { why: error.to_string() },
    };
    let checks: Vec<_> = judge(scenario, &trace, &ending, times)
        .into_iter()
        .filter(|judged| requirements.contains(&judged.requirement))
        .map(|Judged { requirement, judgement, .. }| Check { requirement, judgement, known: false })
        .collect();
    let (verdict, checks) = match (outcome, ending) {
        (Ok(()), _) => {
            let in_vain = trace.in_vain().map(|in_vain| in_vain.waited);
            (verdict(&checks, doubt, times.slack, in_vain), checks)
        }
        (Err(PlayError::NotRun(why)), _) => (Verdict::NotRun { why }, Vec::new()),
        (Err(PlayError::Harness(detail)), _) => (Verdict::HarnessError { detail }, Vec::new()),
        (Err(_), Ending::Died { why }) => (Verdict::SubjectError { detail: why }, checks),
        (Err(error), _) => (Verdict::HarnessError { detail: error.to_string() }, checks),
    };
    CaseReport { checks, trace, ..CaseReport::without_play(scenario, verdict) }
}

/// How much longer than the worst stall that was measured another one may have been: the probe's threads are not those of
/// the process under test.
const UNMEASURED: u32 = 4;

/// How much longer than the worst stall what was in vain may have waited, where the case was alone: stalls add up.
const ADDED_UP: u32 = 10;
/// How long something was waited for where no step says so: what a scripted client does settles for so long.
const WINDOW: Duration = Duration::from_secs(1);

/// Beside other cases a stall as long as the slack may have moved anything, and a shorter one explains what missed its window by
/// little; that case is run again. Alone, it explains what missed by little, or was waited for but briefly: what did not come in
/// ten seconds did not stay away for a tenth of one.
fn verdict(checks: &[Check], doubt: Doubt, slack: Duration, in_vain: Option<Duration>) -> Verdict {
    let Doubt { stall, company } = doubt;
    let failures: Vec<_> = checks
        .iter()
        .filter_map(|check| match &check.judgement {
            Judgement::Failed(finding) => Some(finding),
            Judgement::Passed | Judgement::Blocked { .. } | Judgement::Undecided { .. } => None,
        })
        .collect();
    let blocked = checks.iter().find_map(|check| match &check.judgement {
        Judgement::Blocked { by, detail } => Some((by.clone(), detail.clone())),
        Judgement::Passed | Judgement::Failed(_) | Judgement::Undecided { .. } => None,
    });
    let explained = |finding: &&Finding| {
        let missed = finding.missed_by_us.map(Duration::from_micros);
        match company {
            Company::Others => stall >= slack || missed.is_some_and(|missed| missed <= stall * UNMEASURED),
            Company::Nobody => missed.or(in_vain).unwrap_or(WINDOW) <= stall * ADDED_UP,
        }
    };
    let stall_blocks = match company {
        Company::Others => stall >= slack,
        Company::Nobody => in_vain.unwrap_or(WINDOW) <= stall * ADDED_UP,
    };
    let doubtful = !failures.is_empty() && failures.iter().all(explained);
    if doubtful || (failures.is_empty() && blocked.is_some() && stall_blocks) {
        return Verdict::Inconclusive { stall_ms: u64::try_from(stall.as_millis()).unwrap_or(u64::MAX) };
    }
    match (failures.is_empty(), blocked) {
        (false, _) => Verdict::Fail,
        (true, Some((by, detail))) => Verdict::Blocked { by, detail },
        (true, None) => Verdict::Pass,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scenarios::Library;

    /// The level and the claims decide what is played; what is not claimed is reported, not forgotten.
    #[test]
    fn level_and_claims_decide() {
        let library = Library::builtin().unwrap();
        let all = library.select(&[]).unwrap();
        let hardened = Plan::new(all.clone(), Level::Hardened, &BTreeSet::new(), &Dialect::default());
        assert_eq!((hardened.cases.len(), hardened.unplayed.len()), (all.len(), 0));
        let core = Plan::new(all.clone(), Level::Core, &BTreeSet::new(), &Dialect::default());
        assert!(core.len() < hardened.len());
        let without = BTreeSet::from(["AUTH-9".parse().unwrap()]);
        let claimed = Plan::new(all.clone(), Level::Hardened, &without, &Dialect::default());
        assert_eq!(claimed.len(), hardened.len());
        assert!(claimed.unplayed.iter().any(|case| case.id.0 == "gateway/auth/exact-path"));
        let silent = Dialect::builtin("bearer").unwrap();
        let spoken = Plan::new(all, Level::Hardened, &BTreeSet::new(), &silent);
        let not_run = |case: &CaseReport| {
            case.id.0 == "gateway/connections/welcome" && matches!(case.verdict, Verdict::NotRun { .. })
        };
        assert!(spoken.unplayed.iter().any(not_run), "what a dialect lacks is reported, not failed");
    }

    /// A failure that a stall could explain is no failure; a pass needs no excuse, and what missed by much has none.
    #[test]
    fn a_stall_is_no_failure() {
        let ms = Duration::from_millis;
        let check = |judgement| vec![Check { requirement: "HB-1".parse().unwrap(), judgement, known: false }];
        let finding = |missed_by_us| {
            let (expected, seen) = (String::new(), String::new());
            check(Judgement::Failed(Finding {
                property: scenarios::Property::Safety,
                expected,
                seen,
                at: Vec::new(),
                missed_by_us,
                client: None,
            }))
        };
        let slack = ms(60);
        let crowded = |checks: &[Check], stall| {
            verdict(checks, Doubt { stall, company: Company::Others }, slack, Some(ms(3000)))
        };
        assert_eq!(crowded(&finding(None), ms(59)), Verdict::Fail);
        assert_eq!(crowded(&finding(None), ms(60)), Verdict::Inconclusive { stall_ms: 60 });
        assert_eq!(crowded(&finding(Some(40_000)), ms(10)), Verdict::Inconclusive { stall_ms: 10 });
        assert_eq!(crowded(&finding(Some(41_000)), ms(10)), Verdict::Fail);
        assert_eq!(crowded(&check(Judgement::Passed), ms(61)), Verdict::Pass);

        let alone = |checks: &[Check], stall, in_vain| {
            verdict(checks, Doubt { stall, company: Company::Nobody }, slack, in_vain)
        };
        assert_eq!(
            alone(&finding(None), ms(99), Some(ms(3000))),
            Verdict::Fail,
            "it was waited for long enough"
        );
        assert_eq!(alone(&finding(None), ms(99), Some(ms(500))), Verdict::Inconclusive { stall_ms: 99 });
        assert_eq!(alone(&finding(None), ms(99), None), Verdict::Fail);
        assert_eq!(alone(&finding(Some(900_000)), ms(99), None), Verdict::Inconclusive { stall_ms: 99 });
        assert_eq!(alone(&finding(Some(1_000_000)), ms(99), None), Verdict::Fail);
    }

    /// What is not judged blocks nothing: who does not claim it cannot be held up by it.
    #[test]
    fn only_what_is_claimed_blocks() {
        let by: RequirementId = "CONN-3".parse().unwrap();
        let blocked = || Verdict::Blocked { by: by.clone(), detail: String::new() };
        assert_eq!(claimed(blocked(), &BTreeSet::from([by.clone()])), blocked());
        assert!(
            matches!(claimed(blocked(), &BTreeSet::new()), Verdict::NotRun { why } if why.contains("CONN-3"))
        );
    }
}
