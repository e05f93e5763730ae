//! What a trace proves, given how it ended.
//!
//! ```text
//!  every step played, the subject alive afterwards   every expectation counts
//!  a wait in vain, an unmet precondition             one finding at most; otherwise only what was forbidden and occurred
//!  a wait in vain, while redials came too late       none but theirs, and what was forbidden and occurred
//!  the subject died, or the play was cut             only what was forbidden and occurred
//! ```

use protocol::Role;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::expect::{Finding, Margin, Property, redials};
use crate::foreign::Foreign;
use crate::label::Label;
use crate::requirement::{RequirementId, SubjectKind};
use crate::scenario::{Scenario, Script};
use crate::times::Times;
use crate::trace::{Event, InVain, Side, Trace};
use crate::universal::{self, Violation};

/// How a play ended. That a step waited in vain stands in the trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// As the scenario has it, and the subject was alive and answered afterwards.
    Complete,
    /// The subject died.
    Died {
        /// How, for people.
        why: String,
    },
    /// The play was cut off.
    Cut {
        /// Why, for people.
        why: String,
    },
}

/// How an expectation turned out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Judgement {
    /// As expected.
    Passed,
    /// Not as expected.
    Failed(Finding),
    /// The case could not get that far, because this requirement does not hold.
    Blocked {
        /// The requirement.
        by: RequirementId,
        /// What the step that relies on it saw.
        detail: Foreign,
    },
    /// The trace is not whole, and what there is of it says nothing.
    Undecided {
        /// Why it is not whole.
        why: Foreign,
    },
}

/// Everything that a trace says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdicts {
    /// What it says of the requirements that its case is about.
    pub judged: Vec<Judged>,
    /// The rules for every trace that it breaks, apart from those that the case itself found broken.
    pub violations: Vec<Violation>,
}

/// What a trace says of one requirement that its case is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// The requirement.
    pub requirement: RequirementId,
    /// How it turned out.
    pub judgement: Judgement,
    /// By how much what passed is wider than it must be, where it is about a width that noise can produce.
    pub margin: Option<Margin>,
}

/// Judges a trace by everything that the scenario is about: the waits that are evidence, then the expectations, in order.
///
/// * A requirement is shown only on a whole trace: every step played, and the subject alive afterwards.
/// * A safety finding stands on any prefix; a liveness finding on a whole trace, or where a step waited for it in vain.
/// * A wait in vain is one finding, of the requirement that it is evidence of, and hides no other one.
pub fn judge(scenario: &Scenario, trace: &Trace, ending: &Ending, times: &Times) -> Verdicts {
    let in_vain = trace.in_vain();
    let missing = in_vain
        .filter(|_| *ending == Ending::Complete)
        .and_then(|found| late_redials(scenario, trace, found, times).or_else(|| evidence(trace, found)));
    let alive;
    let trace = match ending {
        Ending::Died { .. } => {
            alive = before_death(trace, scenario.subject());
            &alive
        }
        Ending::Complete | Ending::Cut { .. } => trace,
    };
    let steps = &trace.of_steps();
    let begins = match &scenario.script {
        Script::Client(script) => steps.begin_of_case(script.preamble),
        Script::Gateway(_) | Script::Pair(_) => 0,
    };
    let mut judged: Vec<_> = missing.into_iter().collect();
    for expectation in &scenario.expectations {
        let checked =
            expectation.check_from(begins, steps, times).map_err(|finding| with_role(scenario, finding));
        judged.extend(one(&expectation.requirement, checked, in_vain, ending));
    }
    // A wait that came true is evidence too, also where no expectation asks for more.
    for id in scenario.requirements() {
        if !judged.iter().any(|judged| judged.requirement == id) {
            judged.extend(one(&id, Ok(None), in_vain, ending));
        }
    }
    let mut violations = universal::violations(scenario, trace, times);
    if let Script::Pair(script) = &scenario.script {
        universal::pair::settle(script, trace, &mut judged, &mut violations);
    }
    let is_found = |violation: &Violation| {
        let failed = |judged: &&Judged| matches!(judged.judgement, Judgement::Failed(_));
        judged.iter().filter(failed).any(|judged| judged.requirement == violation.requirement)
    };
    violations.retain(|violation| !is_found(violation));
    Verdicts { judged, violations }
}

/// The finding of a wait that was to be evidence.
fn evidence(trace: &Trace, in_vain: InVain<'_>) -> Option<Judged> {
    let Label::Shows(requirement) = in_vain.label else { return None };
    let action = trace.observations[..in_vain.at].iter().rev().find_map(|seen| match &seen.event {
        Event::Step { action, .. } => Some(action.as_str()),
        Event::StepsEnded => Some("the subject is alive and answers after the last step"),
        _ => None,
    });
    let seen = format!("{}, in {:.3} s", in_vain.detail, in_vain.waited.as_secs_f64());
    let finding = Finding::owed(action.unwrap_or("connect"), seen, [in_vain.at]);
    let judgement = Judgement::Failed(finding);
    Some(Judged { requirement: requirement.clone(), judgement, margin: None })
}

/// What a wait cannot say that ran out because the client dials again later than it declares: that is BACKOFF-1, and what was
/// waited for may come all the same.
fn late_redials(scenario: &Scenario, trace: &Trace, in_vain: InVain<'_>, times: &Times) -> Option<Judged> {
    const LAW: &str = "BACKOFF-1";
    let Label::Shows(requirement) = in_vain.label else { return None };
    let law: RequirementId = LAW.parse().ok()?;
    let Script::Client(script) = &scenario.script else { return None };
    // Other delays, or several clients at once, are not what the declared law is about.
    if *requirement == law || !script.client.has_usual_delays() {
        return None;
    }
    let until = trace.observations[in_vain.at].at();
    let detail = redials::too_late(trace, until.saturating_sub(in_vain.waited)..until, times)?;
    let judgement = Judgement::Blocked { by: law, detail: detail.into() };
    Some(Judged { requirement: requirement.clone(), judgement, margin: None })
}

/// What is judged of one requirement, given what the trace says of it; nothing where the wait in vain has said it already.
fn one(
    requirement: &RequirementId,
    checked: Result<Option<Margin>, Finding>,
    in_vain: Option<InVain<'_>>,
    ending: &Ending,
) -> Option<Judged> {
    let requirement = requirement.clone();
    let is_whole = in_vain.is_none() && *ending == Ending::Complete;
    let (judgement, margin) = match checked {
        Err(finding) if is_whole || finding.property == Property::Safety => {
            (Judgement::Failed(finding), None)
        }
        Ok(margin) if is_whole => (Judgement::Passed, margin),
        Ok(_) | Err(_) => match (ending, in_vain) {
            (Ending::Died { why } | Ending::Cut { why }, _) => {
                (Judgement::Undecided { why: why.as_str().into() }, None)
            }
            (Ending::Complete, Some(InVain { label: Label::Shows(shown), .. })) if *shown == requirement => {
                return None;
            }
            (Ending::Complete, Some(InVain { label, detail, .. })) => {
                let (by, detail) = (label.requirement().clone(), detail.into());
                (Judgement::Blocked { by, detail }, None)
            }
            (Ending::Complete, None) => unreachable!("a complete trace without a wait in vain is whole"),
        },
    };
    Some(Judged { requirement, judgement, margin })
}

/// A finding about a client that is no customer says so: its role may be the point.
fn with_role(scenario: &Scenario, finding: Finding) -> Finding {
    let Script::Gateway(script) = &scenario.script else { return finding };
    let named = finding.client.as_deref().and_then(|client| Some((client, script.clients.get(client)?.role)));
    match named {
        None | Some((_, Role::Customer)) => finding,
        Some((client, role)) => {
            let expected = format!("{} ({client} is {})", finding.expected.raw(), role.as_str()).into();
            Finding { expected, ..finding }
        }
    }
}

/// How long before its death was noticed the subject's connections may have ended by it, in microseconds.
const DYING_US: u64 = 500_000;

/// The trace up to the death of the subject. Its connections end before its death is noticed: that they do is no finding.
pub(crate) fn before_death(trace: &Trace, subject: SubjectKind) -> Trace {
    let death = trace.iter().find(|(_, seen)| matches!(seen.event, Event::SubjectDied { .. }));
    let Some((death, seen)) = death else { return trace.clone() };
    let from = seen.at_us.saturating_sub(DYING_US);
    let is_torn = |event: &Event| match event {
        Event::Closed { code: None, by } => match subject {
            SubjectKind::Client => *by == Side::Client,
            SubjectKind::Gateway => *by == Side::Gateway,
            SubjectKind::Pair => true,
        },
        Event::Refused { status: None, .. } => true,
        _ => false,
    };
    let mut dying = trace.iter().take(death).skip_while(|(_, seen)| seen.at_us < from);
    let end = dying.find(|(_, seen)| is_torn(&seen.event)).map_or(death, |(at, _)| at);
    trace.prefix(end)
}

#[cfg(test)]
mod tests;
