//! The rules for a client and its gateway against each other: what each makes of what the other sends, by its own profile.

mod events;
mod heartbeats;
mod refusals;
mod requests;
mod tokens;

use crate::expect::{Finding, Property};
use crate::judge::{Judged, Judgement};
use crate::requirement::SubjectKind;
use crate::scenario::{Halves, PairAction, PairScript};
use crate::times::Times;
use crate::trace::{Event, Message, Trace};

use super::Violation;

/// The requirements that are judged on every trace of a pair, causes before what follows from them.
pub const OF_PAIRS: [&str; 6] = ["PAIR-3", "PAIR-1", "PAIR-2", "PAIR-4", "PAIR-5", "PAIR-9"];
/// That the two understand each other: whatever else is wrong follows from it.
const UNDERSTANDING: &str = "PAIR-1";

/// A trace as each half sees it.
struct Views<'a> {
    trace: &'a Trace,
    client: Trace,
    gateway: Trace,
    script: &'a PairScript,
    halves: &'a Halves,
    times: &'a Times,
}

impl Views<'_> {
    /// What an observation's frame means to the client.
    fn to_client(&self, index: usize) -> Option<&Message> {
        message(&self.client, index)
    }

    /// What it means to the gateway.
    fn to_gateway(&self, index: usize) -> Option<&Message> {
        message(&self.gateway, index)
    }

    /// Whether anything happened to the gateway or the network before an observation: what the halves do then proves nothing.
    fn is_disturbed_before(&self, index: usize) -> bool {
        self.trace.iter().take(index).any(|(_, seen)| matches!(seen.event, Event::Fault { .. }))
    }

    /// Whether a connection was left alone for so long after an observation.
    fn is_left_alone(&self, index: usize, for_us: u128) -> bool {
        let since = &self.trace.observations[index];
        let goes_on = self
            .trace
            .observations
            .last()
            .is_some_and(|last| u128::from(last.at_us.saturating_sub(since.at_us)) >= for_us);
        let ends = |event: &Event| matches!(event, Event::Fault { .. } | Event::Closed { .. });
        let mut meanwhile = self
            .trace
            .iter()
            .skip(index)
            .take_while(|(_, seen)| u128::from(seen.at_us.saturating_sub(since.at_us)) < for_us);
        goes_on && !meanwhile.any(|(_, seen)| ends(&seen.event))
    }
}

fn message(trace: &Trace, index: usize) -> Option<&Message> {
    match &trace.observations[index].event {
        Event::Sent(frame) | Event::Received(frame) => frame.message.as_ref(),
        _ => None,
    }
}

pub(super) fn violations(script: &PairScript, trace: &Trace, times: &Times) -> Vec<(&'static str, Finding)> {
    let Some(halves) = &script.halves else { return Vec::new() };
    let (client, gateway) = (trace.read_in(&halves.client), trace.read_in(&halves.gateway));
    let views = Views { trace, client, gateway, script, halves, times };
    let found = [
        ("PAIR-3", events::are_routed(&views)),
        ("PAIR-1", requests::are_understood(&views)),
        ("PAIR-2", events::have_listeners(&views)),
        ("PAIR-4", heartbeats::fit(&views)),
        ("PAIR-5", refusals::are_recognised(&views)),
        ("PAIR-9", tokens::are_new(&views)),
    ];
    found.into_iter().filter_map(|(id, finding)| Some((id, finding?))).collect()
}

/// Makes one finding of what has one cause: what a rule between the halves explains is blocked by that rule, and a pair that does
/// not understand itself has no other fault that could be told from this one.
pub(crate) fn settle(
    script: &PairScript,
    trace: &Trace,
    judged: &mut [Judged],
    violations: &mut Vec<Violation>,
) {
    let order =
        |violation: &&Violation| OF_PAIRS.iter().position(|id| violation.requirement.to_string() == *id);
    let causes = violations.iter().filter(|violation| order(violation).is_some());
    if let Some(cause) = causes.min_by_key(order).cloned() {
        for judged in judged.iter_mut() {
            if judged.requirement == cause.requirement {
                judged.judgement = Judgement::Failed(cause.finding.clone());
            } else if follows(&judged.judgement) {
                let detail = cause.finding.seen.clone();
                judged.judgement = Judgement::Blocked { by: cause.requirement.clone(), detail };
            }
        }
        if cause.requirement.to_string() == UNDERSTANDING {
            violations.retain(|violation| violation.requirement == cause.requirement);
        }
    }
    for judged in judged {
        if let Judgement::Failed(finding) = &mut judged.judgement {
            let is_understanding = judged.requirement.to_string() == UNDERSTANDING;
            if finding.half.is_none() {
                // Which of two that do not understand each other is wrong, nobody can tell.
                finding.half =
                    Some(if is_understanding { SubjectKind::Pair } else { owed_by(script, trace) });
            }
            if is_understanding && finding.property == Property::Liveness {
                requests::name_the_last(trace, finding);
            }
        }
    }
}

/// Whether it can follow from what stands elsewhere: something did not come.
fn follows(judgement: &Judgement) -> bool {
    match judgement {
        Judgement::Failed(finding) => finding.property == Property::Liveness,
        Judgement::Blocked { .. } | Judgement::Undecided { .. } => true,
        Judgement::Passed => false,
    }
}

/// The half that owed what a step waited for in vain, as far as the trace says; both where it does not.
fn owed_by(script: &PairScript, trace: &Trace) -> SubjectKind {
    let step = trace.observations.iter().find_map(|seen| match &seen.event {
        Event::InVain { step, .. } => script.steps.get(step.checked_sub(1)?),
        _ => None,
    });
    match step.map(|step| &step.action) {
        Some(PairAction::Wait(wait)) => wait.pattern.owed_by(trace),
        Some(PairAction::Publish { .. }) => SubjectKind::Gateway,
        _ => SubjectKind::Pair,
    }
}

#[cfg(test)]
mod tests;
