//! The reference fails at one step of a case: what passes then was shown before, or without evidence.

use scenarios::scenario::{ClientAction, GatewayAction, GatewayScript, Script};
use scenarios::trace::Event;
use scenarios::{Pattern, Scenario, Times, Trace};
use sim::boundary::{Boundary, Failure, FailureKind};

use super::super::{Simulated, simulated, verdict_text};
use conformance::result::Verdict;

/// What a case made of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It did not pass.
    Noticed,
    /// It passed, and everything that it shows had been seen by then or has been seen since; or the scenario itself had ended the
    /// subject.
    Shown,
    /// It passed without evidence.
    Passed,
    /// The play says nothing: the harness is at fault.
    Broken(String),
}

/// What a step waits for, and how often.
struct Awaited<'a> {
    patterns: Vec<&'a Pattern>,
    times: usize,
}

/// The steps at which a case is intervened: each of its own, and the look whether the subject is alive.
pub(super) fn steps(scenario: &Scenario) -> usize {
    scenario.actions().len() + 1
}

/// What a step is called, for people.
pub(super) fn action(scenario: &Scenario, step: usize) -> String {
    let actions = scenario.actions();
    let name = step.checked_sub(1).and_then(|at| actions.get(at)).cloned();
    name.unwrap_or_else(|| "the look whether it is alive".to_owned())
}

/// Plays a case in which the reference fails.
pub(super) fn play(scenario: &Scenario, failure: Failure) -> Outcome {
    let boundary = Boundary { failure: Some(failure), ..Boundary::default() };
    let Simulated { scenario, times, report } = match simulated(scenario, boundary) {
        Ok(simulated) => simulated,
        Err(reason) => return Outcome::Broken(reason),
    };
    match &report.verdict {
        Verdict::Pass if may_pass(&scenario, &report.trace, &times, failure) => Outcome::Shown,
        Verdict::Pass => Outcome::Passed,
        Verdict::HarnessError { .. } | Verdict::NotRun { .. } => {
            Outcome::Broken(verdict_text(&report.verdict))
        }
        _ => Outcome::Noticed,
    }
}

/// Whether a case may pass though the reference failed.
///
/// * A client that is cut off the wire only: its process answers for it at the end. One that never was on the wire has shown
///   nothing.
/// * A gateway answers by its wire; where a scenario ends it, nothing asks it any more, and what it says on its way out counts.
/// * Where it has been ended already, nothing is left to fail.
fn may_pass(scenario: &Scenario, trace: &Trace, times: &Times, failure: Failure) -> bool {
    let is_cut_off = matches!(failure.kind, FailureKind::Deaf | FailureKind::Mute);
    let awaited = awaited(scenario, times);
    match &scenario.script {
        Script::Client(_) => {
            is_cut_off && failure.from_step > 1 && is_shown(&awaited, trace, failure.from_step)
        }
        // No pair is simulated.
        Script::Pair(_) => false,
        Script::Gateway(script) if has_ended(script, trace, failure.from_step) => true,
        Script::Gateway(script) => {
            let is_asked = awaited.iter().skip(failure.from_step - 1).flatten().next().is_some();
            is_cut_off && ends(script) && is_asked && is_shown(&awaited, trace, failure.from_step)
        }
    }
}

/// Whether every wait from a step on came true by what happened since, or waits for nothing that was done since: the wait that is
/// true already, behind an act that it is to show something of, shows nothing.
fn is_shown(awaited: &[Option<Awaited<'_>>], trace: &Trace, from_step: usize) -> bool {
    let begun = begin(trace, from_step);
    let mut has_acted = false;
    awaited.iter().skip(from_step - 1).all(|step| match step {
        None => {
            has_acted = true;
            true
        }
        Some(awaited) => !has_acted || awaited.came(trace).is_some_and(|at| at > begun),
    })
}

impl Awaited<'_> {
    /// Where the last of what is waited for stands in a trace.
    fn came(&self, trace: &Trace) -> Option<usize> {
        let at = |pattern: &&Pattern| {
            let mut found = trace.iter().filter(|(_, seen)| pattern.matches(seen));
            found.nth(self.times.saturating_sub(1)).map(|(at, _)| at)
        };
        self.patterns.iter().map(at).collect::<Option<Vec<_>>>()?.into_iter().max()
    }
}

/// What each step waits for; nothing where it acts.
fn awaited<'a>(scenario: &'a Scenario, times: &Times) -> Vec<Option<Awaited<'a>>> {
    match &scenario.script {
        Script::Client(script) => {
            let step = |action: &'a ClientAction| match action {
                ClientAction::Wait(wait) => {
                    Some(Awaited { patterns: vec![&wait.pattern], times: wait.count(times) })
                }
                _ => None,
            };
            script.steps.iter().map(|found| step(&found.action)).collect()
        }
        Script::Pair(_) => Vec::new(),
        Script::Gateway(script) => {
            let step = |action: &'a GatewayAction| match action {
                GatewayAction::Wait(wait) => {
                    Some(Awaited { patterns: vec![&wait.pattern], times: wait.count(times) })
                }
                GatewayAction::Publish { until, .. } if !until.is_empty() => {
                    Some(Awaited { patterns: until.iter().collect(), times: 1 })
                }
                _ => None,
            };
            script.steps.iter().map(|found| step(&found.action)).collect()
        }
    }
}

/// Whether a scenario ends a gateway.
fn ends(script: &GatewayScript) -> bool {
    script.steps.iter().any(|step| matches!(step.action, GatewayAction::ShutDown | GatewayAction::Kill))
}

/// Whether the scenario had ended every gateway when that step was over.
fn has_ended(script: &GatewayScript, trace: &Trace, step: usize) -> bool {
    let before = &trace.observations[..begin(trace, step + 1)];
    let ended = before.iter().filter(|seen| match &seen.event {
        Event::Ended { .. } => true,
        Event::Fault { what } => what == "killed",
        _ => false,
    });
    ended.count() >= script.gateways
}

/// Where a step begins in a trace, or what follows the last one.
fn begin(trace: &Trace, step: usize) -> usize {
    let is_begun = |event: &Event| match event {
        Event::Step { number, .. } => *number >= step,
        Event::StepsEnded => true,
        _ => false,
    };
    let begun = trace.iter().find(|(_, seen)| is_begun(&seen.event));
    begun.map_or(trace.observations.len(), |(at, _)| at)
}
