//! A pair whose halves do not understand each other has one fault, and every other case would fail by it: what shows whether they
//! do is played first.

use scenarios::{NotPlayed, RequirementId, SubjectKind};

use crate::result::{CaseReport, Verdict};
use crate::runner::Plan;

/// That the halves of a pair understand each other.
const UNDERSTANDING: &str = "PAIR-1";

/// The cases that show whether the halves of a pair understand each other, and the rest.
pub(super) fn split(plan: Plan) -> (Plan, Plan) {
    let shows = |id: &RequirementId| id.to_string() == UNDERSTANDING;
    let is_of_pair = |kind: SubjectKind| kind == SubjectKind::Pair;
    let (first, rest) = plan
        .cases
        .into_iter()
        .partition(|case| is_of_pair(case.scenario.subject()) && case.judged.iter().any(shows));
    (Plan { cases: first, unplayed: Vec::new() }, Plan { cases: rest, unplayed: plan.unplayed })
}

/// The rest, of which nothing is played where they do not.
pub(super) fn unless_lacking(first: &[CaseReport], rest: Plan) -> Plan {
    let fails = |case: &&CaseReport| {
        let found = case.findings().map(|(id, _)| id);
        let broken = case.universal.iter().map(|found| &found.requirement);
        found.chain(broken).any(|id| id.to_string() == UNDERSTANDING)
    };
    let Some(failed) = first.iter().find(fails) else { return rest };
    let why = format!("the halves do not understand each other: see {} ({UNDERSTANDING})", failed.id);
    let left_out = rest.cases.iter().map(|case| {
        CaseReport::without_play(&case.scenario, Verdict::not_run(NotPlayed::in_this_run(why.clone())))
    });
    let unplayed = rest.unplayed.into_iter().chain(left_out).collect();
    Plan { cases: Vec::new(), unplayed }
}
