//! The suite judged by mutants: each must be killed, and the pair as it is must be clean.

#[cfg(test)]
mod blame;
mod page;
pub mod vacuity;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

use protocol::Timing;
use scenarios::{Catalogue, Judgement, RequirementId, Scenario, ScenarioId, SubjectKind, Times};
use serde::Serialize;
use sim::boundary::Boundary;
use sim::{Options, Played};

pub use page::page;

use crate::mutants::{CommandMutant, Mutant};
use conformance::executor::{Executor, Isolation};
use conformance::profile::{ClientAccess, CommandProfile, GatewayAccess, Profile};
use conformance::result::{CaseReport, Verdict, is_universal};
use conformance::runner::{self, HostNoise};

/// The seed of every play: what is killed today is killed tomorrow.
const SEED: u64 = 1;

/// What is played.
pub struct Trials {
    /// Scenarios that the pair as it is must pass.
    pub controls: Vec<Scenario>,
    /// Mutants, each with the scenarios that name its requirement.
    pub mutants: Vec<(Mutant, Vec<Scenario>)>,
}

/// What came of it.
#[derive(Debug, Default, Serialize)]
pub struct Matrix {
    /// How many scenarios the pair as it is has passed.
    pub controls_passed: usize,
    /// Those that it has not passed, with their verdicts.
    pub controls_failed: BTreeMap<ScenarioId, String>,
    /// Every mutant, in the order of its trial.
    pub mutants: Vec<MutantOutcome>,
}

/// What became of a mutant.
#[derive(Debug, Clone, Serialize)]
pub struct MutantOutcome {
    /// The mutant.
    pub mutant: String,
    /// The requirement that it breaks.
    pub requirement: RequirementId,
    /// What went wrong in it.
    pub about: String,
    /// The case that failed in the requirement's name; none where the mutant survived.
    pub killed_by: Option<ScenarioId>,
    /// What other cases made of it until then.
    pub survived: BTreeMap<ScenarioId, String>,
}

/// A trial that is over.
pub enum Trial {
    /// The pair as it is.
    Control(ScenarioId, Verdict),
    /// A mutant, at its place in the list.
    Mutant(usize, MutantOutcome),
}

impl Matrix {
    /// Mutants that no case has killed.
    pub fn survivors(&self) -> impl Iterator<Item = &MutantOutcome> {
        self.mutants.iter().filter(|outcome| outcome.killed_by.is_none())
    }

    /// Whether every mutant was killed and the pair as it is was clean.
    pub fn is_clean(&self) -> bool {
        self.controls_failed.is_empty() && self.survivors().next().is_none()
    }

    /// Requirements and the mutants that break them, by requirement.
    pub fn by_requirement(&self) -> BTreeMap<&RequirementId, Vec<&MutantOutcome>> {
        let mut rows = BTreeMap::<_, Vec<_>>::new();
        for outcome in &self.mutants {
            rows.entry(&outcome.requirement).or_default().push(outcome);
        }
        rows
    }
}

impl Trials {
    /// The mutants with the simulated scenarios that name their requirements.
    pub fn new(mutants: Vec<Mutant>, scenarios: &[&Scenario]) -> Self {
        let simulated: Vec<_> = scenarios.iter().filter(|scenario| scenario.simulated).collect();
        let naming = |mutant: &Mutant| {
            let subject = mutant.id.split('/').next().unwrap_or_default();
            let of_subject = simulated.iter().filter(|scenario| scenario.subject().to_string() == subject);
            let names = |scenario: &&&&Scenario| {
                scenario.requirements().iter().any(|id| id.to_string() == mutant.requirement)
            };
            let (mut named, others): (Vec<&&&Scenario>, Vec<_>) = of_subject.partition(names);
            // A rule for every case is judged in those that do not name it, too.
            if mutant.requirement.parse().is_ok_and(|id| is_universal(&id)) {
                named.extend(others);
            }
            named.into_iter().map(|scenario| (**scenario).clone()).collect::<Vec<Scenario>>()
        };
        Self {
            mutants: mutants.into_iter().map(|mutant| (mutant, naming(&mutant))).collect(),
            controls: simulated.into_iter().map(|scenario| (*scenario).clone()).collect(),
        }
    }

    /// How many trials there are.
    pub fn len(&self) -> usize {
        self.controls.len() + self.mutants.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Plays all of it in simulation, on so many threads, and reports each trial as it ends.
    pub fn play(&self, threads: usize, mut on_trial: impl FnMut(&Trial)) -> Matrix {
        let mut matrix = Matrix::default();
        let mut outcomes = BTreeMap::new();
        side_by_side(
            threads,
            self.len(),
            |number| self.trial(number),
            |trial| {
                on_trial(&trial);
                match trial {
                    Trial::Control(_, Verdict::Pass) => matrix.controls_passed += 1,
                    Trial::Control(id, verdict) => {
                        drop(matrix.controls_failed.insert(id, verdict_text(&verdict)));
                    }
                    Trial::Mutant(place, outcome) => drop(outcomes.insert(place, outcome)),
                }
            },
        );
        matrix.mutants = outcomes.into_values().collect();
        matrix
    }

    fn trial(&self, number: usize) -> Trial {
        // Mutants first: some of them take longer than any scenario.
        if let Some((mutant, scenarios)) = self.mutants.get(number) {
            return Trial::Mutant(number, try_mutant(mutant, scenarios));
        }
        let scenario = &self.controls[number - self.mutants.len()];
        Trial::Control(scenario.id.clone(), report(scenario, Boundary::default()).verdict)
    }
}

/// Calls `work` with each number below `count`, on so many threads, and `on_done` with each result as it ends.
fn side_by_side<T: Send>(
    threads: usize,
    count: usize,
    work: impl Fn(usize) -> T + Sync,
    on_done: impl FnMut(T),
) {
    let next = AtomicUsize::new(0);
    let (done, ended) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let (next, work, done) = (&next, &work, done.clone());
            scope.spawn(move || {
                let numbers = std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed));
                // The receiver has ended only where this program does.
                let _ = numbers
                    .take_while(|number| *number < count)
                    .try_for_each(|number| done.send(work(number)));
            });
        }
        drop(done);
        ended.into_iter().for_each(on_done);
    });
}

/// Plays scenarios until one kills the mutant.
fn try_mutant(mutant: &Mutant, scenarios: &[Scenario]) -> MutantOutcome {
    let mut outcome = MutantOutcome::of(mutant.id, mutant.requirement, mutant.about);
    for scenario in scenarios {
        outcome.take(&scenario.id, &report(scenario, (mutant.boundary)()));
        if outcome.killed_by.is_some() {
            break;
        }
    }
    outcome
}

/// Plays a mutant of the gateway's command line over real sockets, with the embedded broker.
pub async fn try_command(
    mutant: &CommandMutant,
    executor: &Executor,
    scenarios: &[&Scenario],
) -> MutantOutcome {
    let outcome = MutantOutcome::of(mutant.id, mutant.requirement, mutant.about);
    let mut profile = Profile::reference();
    if let Some(GatewayAccess::Spawn { command, .. }) =
        profile.gateway.as_mut().map(|gateway| &mut gateway.access)
    {
        mutant.change(&mut command.words);
    }
    on_sockets(outcome, profile, executor, scenarios).await
}

/// Plays a mutant that is a process of its own, as [`try_command`] does.
pub async fn try_process(mutant: &Mutant, executor: &Executor, scenarios: &[&Scenario]) -> MutantOutcome {
    let outcome = MutantOutcome::of(mutant.id, mutant.requirement, mutant.about);
    let mut profile = Profile::reference();
    if let Some(client) = &mut profile.client {
        let words = ["{gatecheck}", "mutant-client", mutant.id].map(str::to_owned).to_vec();
        client.access = ClientAccess::Spawn(CommandProfile { words, env: BTreeMap::new() });
    }
    let alone: Vec<_> = scenarios.iter().copied().filter(|scenario| !scenario.simulated).collect();
    on_sockets(outcome, profile, executor, &alone).await
}

async fn on_sockets(
    mut outcome: MutantOutcome,
    profile: Profile,
    executor: &Executor,
    scenarios: &[&Scenario],
) -> MutantOutcome {
    let executor = Arc::new(executor.with_profile(profile));
    let requirement = outcome.requirement.clone();
    for scenario in scenarios.iter().filter(|scenario| scenario.requirements().contains(&requirement)) {
        let report = match executor.execute(scenario, Isolation::Own).await {
            Ok(played) => {
                let judged = played.scenario.requirements().into_iter().collect();
                runner::judged(&played.scenario, &judged, played.play, &executor.times(), HostNoise::NONE)
            }
            Err(error) => {
                CaseReport::without_play(scenario, Verdict::HarnessError { detail: error.to_string().into() })
            }
        };
        outcome.take(&scenario.id, &report);
        if outcome.killed_by.is_some() {
            break;
        }
    }
    outcome
}

impl MutantOutcome {
    /// A mutant that nothing has been tried on. A test reads every mutant's requirement.
    fn of(mutant: &str, requirement: &str, about: &str) -> Self {
        Self {
            mutant: mutant.to_owned(),
            requirement: requirement.parse().expect("mutants name requirements"),
            about: about.to_owned(),
            killed_by: None,
            survived: BTreeMap::new(),
        }
    }

    /// Only a failure in the requirement's own name kills, or the death of the subject in a case that shows it.
    fn take(&mut self, id: &ScenarioId, report: &CaseReport) {
        let is_dead = matches!(report.verdict, Verdict::SubjectError { .. })
            && report.requirements.contains(&self.requirement);
        let named = report.checks.iter().filter(|check| check.requirement == self.requirement);
        let is_violated = report.universal_on(&self.requirement).is_some();
        if is_dead
            || is_violated
            || named.clone().any(|check| matches!(check.judgement, Judgement::Failed(_)))
        {
            self.killed_by = Some(id.clone());
        } else {
            self.survived.insert(id.clone(), verdict_text(&report.verdict));
        }
    }
}

fn verdict_text(verdict: &Verdict) -> String {
    match verdict.reason() {
        Some(reason) => format!("{}: {}", verdict.name(), reason.terminal()),
        None => verdict.name().to_owned(),
    }
}

/// A play, and what the suite says of it.
struct Simulated {
    /// The scenario, bound to the play.
    scenario: Scenario,
    /// What the symbolic times meant.
    times: Times,
    report: CaseReport,
}

/// Plays a scenario at a hundredth of the default times.
///
/// # Errors
/// When the simulation fails, which says nothing of the reference.
fn simulated(scenario: &Scenario, boundary: Boundary) -> Result<Simulated, String> {
    let timing: Timing = Profile::reference().timing;
    let options = Options { seed: SEED, timing, ..Options::default() };
    let played = catch_unwind(AssertUnwindSafe(|| sim::play_through(scenario, &options, boundary)));
    let played = played.map_err(|_| "the simulation panicked".to_owned())?;
    let Played { scenario, play, times } = played.map_err(|error| error.to_string())?;
    let judged = scenario.requirements().into_iter().collect();
    let report = runner::judged(&scenario, &judged, play, &times, HostNoise::NONE);
    Ok(Simulated { scenario, times, report })
}

/// What the suite says of one play.
fn report(scenario: &Scenario, boundary: Boundary) -> CaseReport {
    let failed =
        |detail: String| CaseReport::without_play(scenario, Verdict::HarnessError { detail: detail.into() });
    simulated(scenario, boundary).map_or_else(failed, |simulated| simulated.report)
}

/// Every requirement that no mutant breaks, in the catalogue's order. What is required of a pair is broken over sockets alone.
pub fn unbroken(mutants: &[Mutant], commands: &[CommandMutant]) -> Vec<RequirementId> {
    let broken: Vec<_> = mutants
        .iter()
        .map(|mutant| mutant.requirement)
        .chain(commands.iter().map(|mutant| mutant.requirement))
        .collect();
    let catalogue = Catalogue::builtin();
    catalogue
        .iter()
        .filter(|rule| rule.subject != SubjectKind::Pair)
        .map(|rule| rule.id.clone())
        .filter(|id| !broken.contains(&id.to_string().as_str()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use scenarios::Library;

    /// A mutant is killed in its requirement's own name; one that changes nothing survives.
    #[test]
    fn mutants_are_killed_by_name() {
        let library = Library::builtin().unwrap();
        let scenarios = library.select(&[]).unwrap();
        let deaf = crate::mutants::all().into_iter().find(|mutant| mutant.id == "gateway/no-pong").unwrap();
        let harmless = Mutant { id: "gateway/harmless", boundary: Boundary::default, ..deaf };
        let mut trials = Trials::new(vec![deaf, harmless], &scenarios);
        trials.controls.clear();
        let matrix = trials.play(2, |_| ());
        assert!(matrix.mutants[0].killed_by.is_some(), "{:?}", matrix.mutants[0]);
        let survivors: Vec<_> = matrix.survivors().map(|outcome| outcome.mutant.as_str()).collect();
        assert_eq!((survivors, matrix.is_clean()), (vec!["gateway/harmless"], false));
    }
}
