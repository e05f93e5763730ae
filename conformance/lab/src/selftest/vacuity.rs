//! The suite judged by what it passes without evidence.
//!
//! ```text
//!  each case ── each step ── the reference frozen, killed, deaf, mute from there on ──► must not pass
//!  each case ── each `never` ── a variant of the reference that does it once ──► must fail
//! ```

mod exceptions;
mod intervention;
mod never;
mod variant;

use std::collections::BTreeSet;

use scenarios::{Scenario, ScenarioId};
use serde::Serialize;
use sim::boundary::{Failure, FailureKind};

pub use exceptions::Exceptions;
pub use never::Never;

use super::side_by_side;
use intervention::Outcome;

/// What is played.
pub struct Audit {
    cases: Vec<Scenario>,
    trials: Vec<Trial>,
    exceptions: Exceptions,
}

/// One play, or those of one `never`; the case by its place.
#[derive(Clone, Copy)]
enum Trial {
    Intervention(usize, Failure),
    Never(usize, usize),
}

/// What came of one.
enum Ended {
    Intervention(usize, Failure, Outcome),
    Never(Never),
    Broken(String),
}

/// What came of it.
#[derive(Debug, Default, Serialize)]
pub struct Vacuity {
    /// How many cases were looked at.
    pub cases: usize,
    /// How many steps they have, with the look whether the subject is alive.
    pub steps: usize,
    /// How many plays there were in which the reference failed.
    pub plays: usize,
    /// How many of them passed, since what the case shows was seen all the same.
    pub shown: usize,
    /// Those that passed without evidence.
    pub passes: Vec<Pass>,
    /// Those that did, and are excepted.
    pub excepted: Vec<Pass>,
    /// Every `never`.
    pub nevers: Vec<Never>,
    /// Those that no variant matches.
    pub no_variant: Vec<NoVariant>,
    /// Entries of the list of exceptions that are none any more.
    pub stale: Vec<String>,
    /// Plays that say nothing, and why: the harness is at fault.
    pub broken: Vec<String>,
}

/// A play that passed without evidence.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Pass {
    /// Which case.
    pub case: ScenarioId,
    /// The step before which the reference failed, counted from 1.
    pub step: usize,
    /// What that step does.
    pub action: String,
    /// How it failed.
    pub way: &'static str,
    /// Why it may pass, where it is excepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A `never` that no variant matches.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct NoVariant {
    /// Which case.
    pub case: ScenarioId,
    /// What it forbids.
    pub never: String,
    /// Why there is none, where it is excepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Vacuity {
    /// Whether nothing passes without evidence, every `never` can match, and every exception still is one.
    pub fn is_clean(&self) -> bool {
        self.passes.is_empty()
            && self.no_variant.iter().all(|never| never.reason.is_some())
            && self.stale.is_empty()
            && self.broken.is_empty()
    }
}

impl Audit {
    /// The simulated ones of these cases.
    pub fn new<'a>(scenarios: impl IntoIterator<Item = &'a Scenario>, exceptions: Exceptions) -> Self {
        let cases: Vec<_> = scenarios.into_iter().filter(|scenario| scenario.simulated).cloned().collect();
        let mut trials = Vec::new();
        for (number, case) in cases.iter().enumerate() {
            for from_step in 1..=intervention::steps(case) {
                let failure = |kind| Trial::Intervention(number, Failure { from_step, kind });
                trials.extend(Failure::KINDS.map(failure));
            }
            trials.extend(never::of(case).map(|expectation| Trial::Never(number, expectation)));
        }
        Self { cases, trials, exceptions }
    }

    /// How many trials there are.
    pub fn len(&self) -> usize {
        self.trials.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.trials.is_empty()
    }

    /// Plays all of it in simulation, on so many threads; `on_trial` is called with the case of each trial that has ended.
    pub fn play(&self, threads: usize, mut on_trial: impl FnMut(&ScenarioId)) -> Vacuity {
        let mut vacuity = Vacuity {
            cases: self.cases.len(),
            steps: self.cases.iter().map(intervention::steps).sum(),
            ..Vacuity::default()
        };
        let mut used = Used::default();
        side_by_side(
            threads,
            self.len(),
            |number| self.trial(number),
            |(case, ended)| {
                on_trial(&self.cases[case].id);
                self.take(&mut vacuity, &mut used, ended);
            },
        );
        vacuity.stale = self.stale(&used);
        vacuity.passes.sort();
        vacuity.excepted.sort();
        vacuity.no_variant.sort();
        vacuity.nevers.sort_by(|a, b| (&a.case, &a.never).cmp(&(&b.case, &b.never)));
        vacuity.broken.sort();
        vacuity
    }

    fn trial(&self, number: usize) -> (usize, Ended) {
        match self.trials[number] {
            Trial::Intervention(case, failure) => {
                (case, Ended::Intervention(case, failure, intervention::play(&self.cases[case], failure)))
            }
            Trial::Never(case, expectation) => {
                let never = never::play(&self.cases[case], expectation);
                (case, never.map_or_else(Ended::Broken, Ended::Never))
            }
        }
    }

    fn take(&self, vacuity: &mut Vacuity, used: &mut Used, ended: Ended) {
        match ended {
            Ended::Intervention(case, Failure { from_step, kind }, outcome) => {
                vacuity.plays += 1;
                let case = &self.cases[case];
                let pass = Pass {
                    case: case.id.clone(),
                    step: from_step,
                    action: intervention::action(case, from_step),
                    way: kind.name(),
                    reason: None,
                };
                match outcome {
                    Outcome::Noticed => {}
                    Outcome::Shown => vacuity.shown += 1,
                    Outcome::Broken(why) => vacuity.broken.push(format!("{pass}: {why}")),
                    Outcome::Passed => match self.exceptions.pass(&case.id, from_step, kind) {
                        None => vacuity.passes.push(pass),
                        Some(place) => {
                            used.passes.insert((place, from_step, kind));
                            let reason = Some(self.exceptions.passes[place].reason.clone());
                            vacuity.excepted.push(Pass { reason, ..pass });
                        }
                    },
                }
            }
            Ended::Never(never) => {
                if never.matched.is_none() {
                    let place = self.exceptions.no_variant(&never.case, &never.never);
                    used.no_variant.extend(place);
                    let reason = place.map(|place| self.exceptions.no_variant[place].reason.clone());
                    let (case, text) = (never.case.clone(), never.never.clone());
                    vacuity.no_variant.push(NoVariant { case, never: text, reason });
                }
                vacuity.nevers.push(never);
            }
            Ended::Broken(why) => vacuity.broken.push(why),
        }
    }

    /// Exceptions of these cases that nothing has needed.
    fn stale(&self, used: &Used) -> Vec<String> {
        let is_played = |id: &ScenarioId| self.cases.iter().any(|case| case.id == *id);
        let mut stale = Vec::new();
        for (place, exception) in self.exceptions.passes.iter().enumerate() {
            for (step, kind) in exception.plays().filter(|_| is_played(&exception.case)) {
                if !used.passes.contains(&(place, step, kind)) {
                    stale.push(format!("{} does not pass at step {step}, {}", exception.case, kind.name()));
                }
            }
        }
        for (place, exception) in self.exceptions.no_variant.iter().enumerate() {
            if is_played(&exception.case) && !used.no_variant.contains(&place) {
                stale.push(format!(
                    "{} has a variant, or no such `never`: {}",
                    exception.case, exception.never
                ));
            }
        }
        stale
    }
}

/// The exceptions that were needed, by their places in the list.
#[derive(Default)]
struct Used {
    passes: BTreeSet<(usize, usize, FailureKind)>,
    no_variant: BTreeSet<usize>,
}

impl std::fmt::Display for Pass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { case, step, action, way, .. } = self;
        write!(f, "{case}  {way} from step {step} on ({action})")
    }
}

#[cfg(test)]
mod tests;
