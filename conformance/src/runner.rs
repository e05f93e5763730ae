//! Runs cases side by side, each with a deadline, and judges what they leave.

mod failures;
mod trial;
mod verdict;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use protocol::Dialect;
use scenarios::trace::Observation;
use scenarios::{Catalogue, Foreign, Level, NotPlayed, RequirementId, Scenario, Times};
use tokio::task::{Id, JoinSet};

use crate::executor::{Execution, ExecutionError, Executor, Isolation};
use crate::interruption::Interruption;
use crate::noise::{CaseNoise, Noise, Span, StallProbe};
use crate::result::{CaseReport, Verdict};
use failures::Failures;
use trial::Trial;
pub use verdict::{Concurrency, HostNoise, judged};
use verdict::{Run, Weight, weighed};

/// One scenario, and what of it is judged.
#[derive(Debug, Clone)]
pub struct Case {
    /// What is played.
    pub scenario: Scenario,
    /// Every requirement of the level that the subject claims: only these can block.
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
    /// Whether what has failed for certain settles further cases that missed by time and are about nothing else, where there are many:
    /// they are not run again.
    pub samples: bool,
}

impl Plan {
    /// Leaves out what is not of the level, what the subject does not claim, what its protocol has no place for, for the reason that it
    /// gives, what its dialect lacks, and what its design has no place for.
    pub fn new(
        scenarios: Vec<&Scenario>,
        level: Level,
        without: &BTreeSet<RequirementId>,
        no_place: &BTreeMap<RequirementId, String>,
        dialect: &Dialect,
        times: &Times,
    ) -> Self {
        let catalogue = Catalogue::builtin();
        let of_level = |id: &RequirementId| catalogue.get(id).is_some_and(|rule| rule.level <= level);
        let all = catalogue.iter().map(|rule| &rule.id);
        let is_claimed = |id: &RequirementId| {
            !without.contains(id) && !no_place.contains_key(id) && times.design.lacks(id).is_none()
        };
        let all = all.filter(|id| of_level(id) && is_claimed(id)).cloned();
        let all_claimed = Arc::new(all.collect::<BTreeSet<_>>());
        let mut plan = Self { cases: Vec::new(), unplayed: Vec::new() };
        for scenario in scenarios {
            let shown: BTreeSet<_> = scenario.requirements().into_iter().filter(of_level).collect();
            if shown.is_empty() {
                continue;
            }
            let claimed: BTreeSet<_> = shown.difference(without).cloned().collect();
            if claimed.is_empty() {
                plan.unplayed.push(CaseReport::without_play(scenario, Verdict::NotClaimed { why: None }));
                continue;
            }
            if let Some(why) = claimed.iter().map(|id| no_place.get(id)).collect::<Option<Vec<_>>>() {
                let why = why.first().map(|why| why.as_str()).unwrap_or_default();
                let verdict = Verdict::not_run(NotPlayed::by_design(why));
                plan.unplayed.push(CaseReport::without_play(scenario, verdict));
                continue;
            }
            if let Some(given) = scenario.where_claimed().filter(|id| without.contains(id)) {
                let verdict =
                    Verdict::not_run(NotPlayed::by_design(format!("rests on {given}, which is not claimed")));
                plan.unplayed.push(CaseReport::without_play(scenario, verdict));
                continue;
            }
            let designed = match scenario.as_designed(times) {
                Ok(designed) => designed,
                Err(why) => {
                    let verdict = Verdict::not_run(NotPlayed::by_design(why));
                    plan.unplayed.push(CaseReport::without_play(scenario, verdict));
                    continue;
                }
            };
            let spoken = designed.clone().in_dialect(dialect).requirements();
            let is_judged = |id: &&RequirementId| spoken.contains(id) && !no_place.contains_key(*id);
            let judged: BTreeSet<_> = claimed.iter().filter(is_judged).cloned().collect();
            if judged.is_empty() {
                let why = scenario.lacks(dialect).unwrap_or("the dialect lacks what it expects");
                let verdict = Verdict::not_run(NotPlayed::by_design(why));
                plan.unplayed.push(CaseReport::without_play(scenario, verdict));
            } else {
                let claimed = match scenario.where_claimed() {
                    None => Arc::clone(&all_claimed),
                    // Where it does not hold, that is its own finding: it leaves nothing of the core level undecided.
                    Some(given) => Arc::new(all_claimed.iter().filter(|id| *id != given).cloned().collect()),
                };
                plan.cases.push(Case { scenario: designed, claimed, judged });
            }
        }
        plan
    }

    /// Every requirement that a case of the plan shows.
    pub fn requirements(&self) -> BTreeSet<RequirementId> {
        self.cases.iter().flat_map(|case| case.judged.iter().cloned()).collect()
    }

    /// Leaves out the cases for which there is a reason not to play them.
    pub(crate) fn leave_out(&mut self, why: impl Fn(&Scenario) -> Option<NotPlayed>) {
        let Self { cases, unplayed } = self;
        cases.retain(|Case { scenario, .. }| match why(scenario) {
            Some(why) => {
                unplayed.push(CaseReport::without_play(scenario, Verdict::not_run(why)));
                false
            }
            None => true,
        });
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

/// Runs the plan and reports each case as it ends. Once the run is interrupted no case begins, running cases are cut off,
/// and unfinished cases are reported as such. Dropping the future kills every process under test.
pub async fn run(
    plan: Plan,
    executor: Arc<Executor>,
    options: Options,
    interruption: &Interruption,
    mut on_case: impl FnMut(&CaseReport),
) -> Vec<CaseReport> {
    let probe = Arc::new(StallProbe::start());
    let mut reports = plan.unplayed;
    reports.iter().for_each(&mut on_case);
    let (mut parallel, alone): (Vec<_>, Vec<_>) =
        plan.cases.into_iter().partition(|case| executor.is_parallel(&case.scenario));

    // What may take longest begins first, so that the run takes little more than its longest case.
    let times = executor.times();
    parallel.sort_by_key(|case| Reverse(case.scenario.deadline(&times)));
    let mut waiting: VecDeque<_> = parallel.into();
    let company =
        if options.jobs > 1 && waiting.len() > 1 { Concurrency::Others } else { Concurrency::Alone };
    let mut running: JoinSet<Run> = JoinSet::new();
    let mut undecided = Vec::new();
    let mut failures = Failures::default();
    let mut started: Vec<(Id, Case)> = Vec::new();
    loop {
        while running.len() < options.jobs
            && !interruption.has_begun()
            && let Some(case) = waiting.pop_front()
        {
            let playing = play(
                executor.clone(),
                case.clone(),
                probe.clone(),
                options.keep_traces,
                company,
                Isolation::AsTheProfileSays,
            );
            started.push((running.spawn(playing).id(), case));
        }
        let joined = tokio::select! {
            biased;
            joined = running.join_next_with_id() => joined,
            () = interruption.begun() => None,
        };
        let Some(joined) = joined else { break };
        let id = match &joined {
            Ok((id, _)) => *id,
            Err(error) => error.id(),
        };
        let case = started.iter().position(|(task, _)| *task == id).map(|at| started.swap_remove(at).1);
        let Some(case) = case else { continue };
        let run = joined.map_or_else(|error| panicked(&case.scenario, &error), |(_, run)| run);
        let mut trial = Trial::default();
        match trial.take(run) {
            None => undecided.push((case, trial)),
            Some(report) => {
                on_case(&report);
                failures.count(&report);
                reports.push(report);
            }
        }
    }
    running.shutdown().await;
    let mut cut: Vec<CaseReport> =
        started.iter().map(|(_, case)| CaseReport::interrupted(&case.scenario, true)).collect();
    // What does not count yet is run again, alone; so is what cannot share.
    let alone = alone.into_iter().map(|case| (case, Trial::default()));
    // In an order that does not depend on which case happened to end first, so that which ones are repeated is the same in each run.
    undecided.sort_by_key(|(case, trial)| (failures::is_held_up(trial), case.scenario.id.clone()));
    let samples = options.samples && undecided.len() > FEW;
    for (case, mut trial) in undecided.into_iter().chain(alone) {
        if samples && let Some(report) = failures.settle(&case, &mut trial) {
            on_case(&report);
            reports.push(report);
            continue;
        }
        let report = loop {
            let isolation = if trial.has_begun() { Isolation::Own } else { Isolation::AsTheProfileSays };
            let playing = play(
                executor.clone(),
                case.clone(),
                probe.clone(),
                options.keep_traces,
                Concurrency::Alone,
                isolation,
            );
            let Some(run) = until_interrupted(playing, &case, interruption).await else {
                break CaseReport::interrupted(&case.scenario, trial.has_begun());
            };
            if let Some(report) = trial.take(run) {
                break report;
            }
        };
        match report.interrupted {
            true => cut.push(report),
            false => {
                on_case(&report);
                failures.count(&report);
                reports.push(report);
            }
        }
    }
    cut.iter().filter(|case| case.runs > 0).for_each(&mut on_case);
    cut.extend(waiting.iter().map(|case| CaseReport::interrupted(&case.scenario, false)));
    reports.append(&mut cut);
    match interruption.has_begun() {
        false => executor.finish().await,
        // What it does not get to is killed when it is dropped.
        true => drop(tokio::time::timeout(FAREWELL, executor.finish()).await),
    }
    reports
}

/// So few cases are each run again, whatever has failed for certain: that takes little time, and each has a verdict of its own then.
const FEW: usize = 8;
/// How long what is kept for a next case may take to go once the run is interrupted.
const FAREWELL: Duration = Duration::from_secs(2);

/// Plays a case alone, in a task of its own; nothing where the run is interrupted before it has ended.
async fn until_interrupted(
    playing: impl Future<Output = Run> + Send + 'static,
    case: &Case,
    interruption: &Interruption,
) -> Option<Run> {
    if interruption.has_begun() {
        return None;
    }
    let mut running = JoinSet::new();
    running.spawn(playing);
    tokio::select! {
        biased;
        joined = running.join_next() => {
            let run = joined?;
            Some(run.unwrap_or_else(|error| panicked(&case.scenario, &error)))
        }
        () = interruption.begun() => {
            running.shutdown().await;
            None
        }
    }
}

fn panicked(scenario: &Scenario, error: &tokio::task::JoinError) -> Run {
    Run::certain(CaseReport::without_play(
        scenario,
        Verdict::HarnessError { detail: error.to_string().into() },
    ))
}

/// A case that does not pass on a gateway that others have had is played again on one of its own, and that is what counts: what
/// an earlier case did to a gateway is not blamed on this one. One that is repeated has its own from the beginning.
async fn play(
    executor: Arc<Executor>,
    case: Case,
    probe: Arc<StallProbe>,
    keep_trace: bool,
    company: Concurrency,
    isolation: Isolation,
) -> Run {
    let run = play_once(&executor, &case, &probe, keep_trace, company, isolation).await;
    let settled =
        matches!(run.report.verdict, Verdict::Pass | Verdict::NotClaimed { .. } | Verdict::NotRun { .. });
    if settled || isolation == Isolation::Own || !executor.shares(&case.scenario) {
        return run;
    }
    play_once(&executor, &case, &probe, keep_trace, company, Isolation::Own).await
}

#[expect(clippy::disallowed_methods, reason = "the duration of a case is real time")]
async fn play_once(
    executor: &Executor,
    case: &Case,
    probe: &StallProbe,
    keep_trace: bool,
    company: Concurrency,
    isolation: Isolation,
) -> Run {
    let scenario = &case.scenario;
    let begun = std::time::Instant::now();
    // Where nothing was played, only the host's is known.
    let unplayed = || Noise { host: probe.worst_since(begun), subject: None };
    let mut rig = None;
    let outcome = executor.execute(scenario, isolation).await;
    let (mut run, noise) = match outcome {
        // Beside others it may just have been slow; the case is run again.
        Err(ExecutionError::NotReady { .. }) if company == Concurrency::Others => {
            let noise = unplayed();
            let verdict = Verdict::Inconclusive { stall_ms: noise.longest_ms() };
            let report = CaseReport::without_play(scenario, verdict);
            (Run { report, weight: Weight::Explained }, noise)
        }
        Err(ExecutionError::Subject { reason, output } | ExecutionError::NotReady { reason, output }) => {
            let verdict = Verdict::SubjectError { detail: reason.into() };
            let report = CaseReport {
                output: output.into_iter().map(Foreign::from).collect(),
                ..CaseReport::without_play(scenario, verdict)
            };
            (Run::certain(report), unplayed())
        }
        Err(error @ (ExecutionError::Harness(_) | ExecutionError::NoSubject(_))) => {
            let verdict = Verdict::HarnessError { detail: error.to_string().into() };
            (Run::certain(CaseReport::without_play(scenario, verdict)), unplayed())
        }
        Ok(Execution { began, scenario, play, waits, output, rig: left }) => {
            rig = left;
            let at = |seen: Option<&Observation>| seen.map_or(Duration::ZERO, Observation::at);
            let observations = &play.trace.observations;
            let (first, last) = (at(observations.first()), at(observations.last()));
            let noise = CaseNoise { host: probe, subject: &waits, began, first, last };
            let doubt = HostNoise { noise: Some(&noise), company };
            let mut run =
                weighed(&scenario, &case.judged, Some(&case.claimed), play, &executor.times(), doubt);
            run.report.output = output.into_iter().map(Foreign::from).collect();
            (run, noise.during(&Span::Whole))
        }
    };
    let report = &mut run.report;
    if let Some(rig) = rig {
        match report.verdict {
            Verdict::Pass => executor.give_back(rig),
            _ => rig.take_down().await,
        }
    }
    if report.verdict == Verdict::Pass && report.universal.is_empty() {
        report.output.clear();
        if !keep_trace {
            report.trace.observations.clear();
        }
    }
    report.bound();
    report.duration_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    (report.stall_ms, report.subject_wait_ms) = (noise.stall_ms(), noise.subject_wait_ms());
    run
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::Timing;
    use scenarios::{ClientDesign, Library};

    fn times() -> Times {
        let (patience, slack) = (Duration::from_secs(3), Duration::from_millis(60));
        Times {
            timing: Timing::default(),
            patience,
            slack,
            fleet: 20,
            slow_reader: Duration::ZERO,
            design: ClientDesign::default(),
        }
    }

    /// The level and the claims decide what is played; what is not claimed is reported, not forgotten.
    #[test]
    fn level_and_claims_decide() {
        let library = Library::builtin().unwrap();
        let (times, none) = (times(), BTreeMap::new());
        let all = library.select(&[]).unwrap();
        let hardened =
            Plan::new(all.clone(), Level::Hardened, &BTreeSet::new(), &none, &Dialect::default(), &times);
        // Nothing is lacking in the seed's dialect but what has one of its own.
        let elsewhere = all.iter().filter(|scenario| scenario.own_dialect().is_some()).count();
        let played = all.len() - elsewhere;
        assert_eq!((hardened.cases.len(), hardened.unplayed.len()), (played, elsewhere));
        let core = Plan::new(all.clone(), Level::Core, &BTreeSet::new(), &none, &Dialect::default(), &times);
        assert!(core.len() < hardened.len());
        let without = BTreeSet::from(["AUTH-9".parse().unwrap()]);
        let claimed = Plan::new(all.clone(), Level::Hardened, &without, &none, &Dialect::default(), &times);
        assert_eq!(claimed.len(), hardened.len());
        assert!(claimed.unplayed.iter().any(|case| case.id.0 == "gateway/auth/exact-path"));
        let silent = Dialect::builtin("bearer").unwrap();
        let spoken = Plan::new(all, Level::Hardened, &BTreeSet::new(), &none, &silent, &times);
        let not_run = |case: &CaseReport| {
            case.id.0 == "gateway/connections/welcome" && matches!(case.verdict, Verdict::NotRun { .. })
        };
        assert!(spoken.unplayed.iter().any(not_run), "what a dialect lacks is reported, not failed");
        let no_place = BTreeMap::from([("CONN-4".parse().unwrap(), "nothing comes first".to_owned())]);
        let all = library.select(&[]).unwrap();
        let placed =
            Plan::new(all, Level::Hardened, &BTreeSet::new(), &no_place, &Dialect::default(), &times);
        let is_told = |case: &CaseReport| {
            case.id.0 == "gateway/connections/welcome"
                && matches!(&case.verdict, Verdict::NotRun { why, .. } if why.raw() == "nothing comes first")
        };
        assert!(placed.unplayed.iter().any(is_told), "what the protocol has no place for has its reason");
        assert!(!placed.requirements().contains(&"CONN-4".parse().unwrap()));
    }
}
