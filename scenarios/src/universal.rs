//! Rules that every trace of a subject must keep, whatever its scenario is about.
//!
//! Each looks for what is forbidden, so that any prefix of a trace can break it. A rule that a trace says nothing about is kept.

mod client;
mod gateway;
pub(crate) mod pair;

use crate::expect::Finding;
use crate::requirement::{RequirementId, SubjectKind};
use crate::scenario::{PairScript, Scenario, Script};
use crate::times::Times;
use crate::trace::Trace;

/// A rule that a trace breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The rule.
    pub requirement: RequirementId,
    /// What breaks it.
    pub finding: Finding,
}

/// The requirements that are judged on every trace of a gateway.
pub const OF_GATEWAYS: [&str; 6] = ["MSG-1", "MSG-7", "AUTH-8", "BRIDGE-4", "BRIDGE-6", "ROOM-6"];
/// The requirements that are judged on every trace of a client.
pub const OF_CLIENTS: [&str; 8] =
    ["STATE-1", "STATE-2", "STATE-5", "STATE-10", "QUEUE-4", "PING-1", "TOKEN-3", "WIRE-1"];

pub use pair::OF_PAIRS;

/// The rules that are judged on every trace of a subject.
pub fn rules(subject: SubjectKind) -> &'static [&'static str] {
    match subject {
        SubjectKind::Gateway => &OF_GATEWAYS,
        SubjectKind::Client => &OF_CLIENTS,
        SubjectKind::Pair => &OF_PAIRS,
    }
}

/// The rules that a trace breaks, each once. The scenario is bound to the run; the trace is whole, or ends before a death.
pub(crate) fn violations(scenario: &Scenario, trace: &Trace, times: &Times) -> Vec<Violation> {
    let found = match &scenario.script {
        Script::Gateway(script) => gateway::violations(scenario, script, trace),
        Script::Client(script) => client::violations(script, trace, times),
        Script::Pair(script) => of_pair(scenario, script, trace, times),
    };
    let violation = |(id, finding): (&str, Finding)| Violation {
        requirement: id.parse().expect("a rule names a requirement"),
        finding,
    };
    found.into_iter().map(violation).collect()
}

/// Each half by its own rules and profile, then both against each other.
fn of_pair(
    scenario: &Scenario,
    script: &PairScript,
    trace: &Trace,
    times: &Times,
) -> Vec<(&'static str, Finding)> {
    let Some(halves) = &script.halves else { return Vec::new() };
    let of_gateway =
        gateway::violations(scenario, &script.of_gateway(), &trace.read_in(&halves.gateway)).into_iter();
    let of_client =
        client::violations(&script.of_client(), &trace.read_in(&halves.client), times).into_iter();
    let of_gateway = of_gateway.map(|(id, finding)| (id, finding.of_half(SubjectKind::Gateway)));
    let of_client = of_client.map(|(id, finding)| (id, finding.of_half(SubjectKind::Client)));
    let between = pair::violations(script, trace, times).into_iter();
    let between = between.map(|(id, finding)| match finding.half {
        Some(_) => (id, finding),
        None => (id, finding.of_half(SubjectKind::Pair)),
    });
    of_gateway.chain(of_client).chain(between).collect()
}

#[cfg(test)]
mod tests;
