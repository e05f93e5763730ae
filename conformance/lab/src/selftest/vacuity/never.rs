//! Whether a `never` can match: a variant of the reference does what it forbids, once, and the case must say so.

use std::sync::{Arc, Mutex, PoisonError};

use protocol::{Dialect, Timestamp};
use scenarios::trace::Event;
use scenarios::{
    Example, Finding, Judgement, Pattern, RequirementId, Scenario, ScenarioId, SubjectKind, Trace,
};
use serde::Serialize;

use super::super::{Simulated, simulated};
use super::variant::{self, Place, Tally};

/// Most places that are tried for one `never`.
const MAX_TRIES: usize = 256;

/// A `never`, and the variant that it matches.
#[derive(Debug, Clone, Serialize)]
pub struct Never {
    /// The case.
    pub case: ScenarioId,
    /// The requirement that it is about.
    pub requirement: RequirementId,
    /// What it forbids, in words.
    pub never: String,
    /// When the variant does it; none where no variant was found.
    pub matched: Option<String>,
    /// How many variants were played.
    pub tries: usize,
}

/// The `never`s of a case, by their numbers.
pub(super) fn of(scenario: &Scenario) -> impl Iterator<Item = usize> + use<> {
    0..places_of(scenario).count()
}

/// Where the `never`s of a case stand among its expectations. A bound case has more expectations where one is about each of several events.
fn places_of(scenario: &Scenario) -> impl Iterator<Item = usize> + '_ {
    let expectations = scenario.expectations.iter().enumerate();
    expectations.filter(|(_, expectation)| expectation.forbidden().is_some()).map(|(at, _)| at)
}

/// Plays variants of the reference until one is detected.
///
/// # Errors
/// When the case cannot be played at all.
pub(super) fn play(scenario: &Scenario, number: usize) -> Result<Never, String> {
    let tally = Arc::new(Mutex::new(Tally::default()));
    let Simulated { scenario: bound, report: control, .. } = simulated(scenario, variant::counted(&tally))?;
    let Some(expectation) = places_of(&bound).nth(number) else {
        return Err(format!("{}: the dialect lacks what is expected", scenario.id));
    };
    let found = &bound.expectations[expectation];
    let pattern = found.forbidden().ok_or("this expectation is no `never`")?;
    let mut never = Never {
        case: scenario.id.clone(),
        requirement: found.requirement.clone(),
        never: pattern.to_string(),
        matched: None,
        tries: 0,
    };
    let Some(example) = pattern.example(&Dialect::default(), Timestamp::from_unix_ms(sim::EPOCH_MS)) else {
        return Ok(never);
    };
    let tally = std::mem::take(&mut *tally.lock().unwrap_or_else(PoisonError::into_inner));
    for place in places(&example, pattern, &bound, &control.trace, &tally).into_iter().take(MAX_TRIES) {
        never.tries += 1;
        let variant = simulated(scenario, variant::doing(&example, place, scenario.subject()))?;
        if never.is_found(expectation, &variant) {
            never.matched = Some(place.to_string());
            break;
        }
    }
    Ok(never)
}

impl Never {
    /// Whether the case found it out, by this very expectation: another one may forbid the same at another time.
    fn is_found(&self, expectation: usize, Simulated { scenario, times, report }: &Simulated) -> bool {
        let expected = format!("never: {}", self.never);
        // Behind it may stand what its client is.
        let is_meant = |finding: &Finding| {
            let rest = finding.expected.raw().strip_prefix(expected.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(" ("))
        };
        let looked = scenario.expectations[expectation].check(&report.trace.of_steps(), times);
        let mut checks = report.checks.iter().filter(|check| check.requirement == self.requirement);
        looked.is_err_and(|finding| is_meant(&finding))
            && checks.any(|check| matches!(&check.judgement, Judgement::Failed(finding) if is_meant(finding)))
    }
}

/// Where the variant may do it, the last first: a `never` that looks at a part of the trace mostly looks at its end.
fn places(
    example: &Example,
    pattern: &Pattern,
    scenario: &Scenario,
    control: &Trace,
    tally: &Tally,
) -> Vec<Place> {
    let connections = connections(pattern, scenario.subject(), control);
    let count = |connection: usize| tally.frames.get(&connection).copied().unwrap_or_default();
    let behind =
        |connection: usize| (1..=count(connection)).rev().map(move |frame| Place::Behind(connection, frame));
    let around = |connection: usize| {
        let both = move |frame| [Place::Behind(connection, frame), Place::Ahead(connection, frame)];
        (1..=count(connection)).rev().flat_map(both)
    };
    let lines = || (1..=tally.lines).rev().map(Place::Line).collect();
    match example {
        Example::Opened | Example::Refused(_) if scenario.subject() == SubjectKind::Client => lines(),
        Example::Opened | Example::Refused(_) => connections.into_iter().map(Place::Answer).collect(),
        // A connection without a frame was refused: it is granted, and the frame follows.
        Example::Received(_) => connections
            .into_iter()
            .flat_map(|connection| {
                let refused = !tally.frames.contains_key(&connection);
                refused.then_some(Place::Answer(connection)).into_iter().chain(around(connection))
            })
            .collect(),
        Example::Sent(_) => connections.into_iter().flat_map(around).collect(),
        Example::Closed { .. } => connections.into_iter().flat_map(behind).collect(),
        Example::Printed(_) if scenario.subject() == SubjectKind::Gateway => {
            connections.into_iter().flat_map(behind).collect()
        }
        Example::Printed(_) | Example::Dialled | Example::Reported(_) | Example::Answered(..) => lines(),
    }
}

/// The connections that a pattern may be about, as the subject counts them: a client those that it dials, a gateway all that it
/// takes, pages included.
fn connections(pattern: &Pattern, subject: SubjectKind, trace: &Trace) -> Vec<usize> {
    let dials = trace.observations.iter().filter(|seen| match seen.event {
        Event::Dialled { .. } => true,
        // A page has a connection of its own, which has no number.
        Event::Answered { .. } | Event::Refused { .. } => seen.connection.is_none(),
        _ => false,
    });
    let mut found = Vec::new();
    for (order, dial) in dials.enumerate() {
        let Some(number) = dial.connection else { continue };
        let is_meant = pattern.client().is_none_or(|client| client == dial.actor.0)
            && pattern.connection().is_none_or(|wanted| wanted == number);
        if is_meant {
            found.push(match subject {
                SubjectKind::Client => number as usize,
                SubjectKind::Gateway | SubjectKind::Pair => order,
            });
        }
    }
    found
}
