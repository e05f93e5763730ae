//! Undecided requirements by what they have in common: one cause is said once.

use std::collections::BTreeSet;

use scenarios::{Foreign, RequirementId, ScenarioId};

use conformance::result::{Death, Reason, RequirementReport, RunReport, Why};

/// Undecided requirements that have their first reason in common, and that reason in words.
pub(super) struct Undecided<'a> {
    pub(super) requirements: Vec<&'a RequirementId>,
    reason: &'a Reason,
    /// What ended its case, where that was a death.
    death: Option<&'a Death>,
    /// The cases that say so.
    cases: BTreeSet<&'a ScenarioId>,
}

/// What reasons have in common that are due to the same thing.
#[derive(PartialEq)]
enum Cause<'a> {
    Blocked(&'a RequirementId),
    Unclaimed(&'a RequirementId),
    NotSeen(&'a RequirementId),
    /// At this place in the list of deaths.
    Died(Option<usize>),
    Cut(&'a Foreign),
    Inconclusive,
    Interrupted,
}

impl<'a> Undecided<'a> {
    /// Those of the undecided requirements that are wanted, in the order of the catalogue.
    pub(super) fn of(report: &'a RunReport, wanted: impl Fn(&RequirementId) -> bool) -> Vec<Self> {
        let mut groups: Vec<(Cause<'a>, Self)> = Vec::new();
        let requirements = report.requirements.iter().filter(|found| wanted(&found.id));
        for RequirementReport { id, reasons, .. } in requirements {
            let Some(reason) = reasons.first() else { continue };
            let cause = Cause::of(id, reason, report);
            let alike = reasons.iter().filter(|other| Cause::of(id, other, report) == cause);
            let cases: Vec<_> = alike.map(|reason| &reason.case).collect();
            let at = groups.iter().position(|(other, _)| *other == cause).unwrap_or_else(|| {
                let death = cause.death(report);
                let group = Self { requirements: Vec::new(), reason, death, cases: BTreeSet::new() };
                groups.push((cause, group));
                groups.len() - 1
            });
            let (_, group) = &mut groups[at];
            group.requirements.push(id);
            group.cases.extend(cases);
        }
        groups.into_iter().map(|(_, group)| group).collect()
    }
}

impl Undecided<'_> {
    /// The reason in words.
    pub(super) fn text(&self) -> Foreign {
        let reason = match self.death {
            Some(death) => format!("died in {}: {}", self.reason.case, death.name().raw()),
            None => self.reason.text().into_raw(),
        };
        match self.cases.len() {
            0 | 1 => reason.into(),
            2 => format!("{reason} (and in another case)").into(),
            cases => format!("{reason} (and in {} other cases)", cases - 1).into(),
        }
    }
}

impl<'a> Cause<'a> {
    fn death(&self, report: &'a RunReport) -> Option<&'a Death> {
        match self {
            Self::Died(place) => report.deaths.get((*place)?),
            _ => None,
        }
    }

    fn of(requirement: &'a RequirementId, reason: &'a Reason, report: &RunReport) -> Self {
        match &reason.why {
            Why::Blocked { by, .. } => Self::Blocked(by),
            Why::Unclaimed { by, .. } => Self::Unclaimed(by),
            Why::NotSeen { .. } => Self::NotSeen(requirement),
            Why::Died { .. } => {
                Self::Died(report.deaths.iter().position(|death| death.cases.contains(&reason.case)))
            }
            Why::Cut { detail } => Self::Cut(detail),
            Why::Inconclusive { .. } => Self::Inconclusive,
            Why::Interrupted => Self::Interrupted,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use scenarios::{Judgement, Level, SubjectKind};

    use super::*;
    use conformance::result::sample::{blocked, case};
    use conformance::result::{Scope, Verdict};

    /// Requirements that one cause blocks are grouped; a failed assumption has its own reason.
    #[test]
    fn one_cause_is_said_once() {
        let is_blocked = |id, requirements: &[&str]| {
            let by = "STATE-1".parse().unwrap();
            let checks: Vec<_> = requirements.iter().map(|&id| (id, blocked("STATE-1"))).collect();
            case(id, Verdict::Blocked { by, detail: Foreign::default() }, &checks)
        };
        let cases = vec![
            case("a", Verdict::Pass, &[("STATE-1", Judgement::Passed)]),
            is_blocked("b", &["SUB-1", "SUB-2"]),
            is_blocked("c", &["SUB-2"]),
            is_blocked("d", &["SUB-3"]),
        ];
        let subjects = [SubjectKind::Client];
        let without = BTreeSet::new();
        let scope = Scope { subjects: &subjects, level: Level::Core, without: &without, selected: None };
        let report = RunReport::of(cases, Vec::new(), &scope, Duration::ZERO);
        let groups: Vec<_> = Undecided::of(&report, |_| true)
            .iter()
            .map(|group| {
                let ids: Vec<_> = group.requirements.iter().map(ToString::to_string).collect();
                format!("{}: {}", ids.join(" "), group.text().raw())
            })
            .collect();
        assert_eq!(
            groups,
            [
                "STATE-1: taken for granted in b, not seen there: no connection opened (and in 2 other cases)",
                "SUB-1 SUB-2 SUB-3: blocked by STATE-1 in b: no connection opened (and in 2 other cases)",
            ]
        );
    }
}
