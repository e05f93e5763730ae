//! Universal rules: judged on the trace of every case, whatever the case is about (SPEC, "What a verdict means", rule 3).

use scenarios::universal::{OF_CLIENTS, OF_GATEWAYS, OF_PAIRS};
use scenarios::{Catalogue, Finding, RequirementId, ScenarioId};
use schemars::JsonSchema;
use serde::Serialize;

use super::case::CaseReport;
use super::run::Scope;

/// A universal rule that the trace of one case violates.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct UniversalFinding {
    /// The rule.
    pub requirement: RequirementId,
    /// How; it points into the case's trace.
    pub finding: Finding,
}

/// A universal rule that a run violates: one finding, in however many cases.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Universal {
    /// The rule.
    pub requirement: RequirementId,
    /// What was found in the first case.
    pub finding: Finding,
    /// The first case by its id, in whose trace the finding points.
    pub case: ScenarioId,
    /// Every case whose trace violates it.
    pub cases: Vec<ScenarioId>,
    /// Whether it is listed as known.
    pub known: bool,
}

/// Whether this requirement is judged on every trace of its subject.
pub fn is_universal(requirement: &RequirementId) -> bool {
    let rules = OF_GATEWAYS.iter().chain(&OF_CLIENTS).chain(&OF_PAIRS);
    rules.into_iter().any(|rule| requirement.to_string() == **rule)
}

impl Universal {
    /// The violated rules that are in scope, in the order of the catalogue.
    pub fn collected(cases: &[CaseReport], scope: &Scope) -> Vec<Self> {
        let catalogue = Catalogue::builtin();
        let mut cases: Vec<&CaseReport> = cases.iter().collect();
        cases.sort_by(|a, b| a.id.cmp(&b.id));
        let of_rule = |id: &RequirementId| {
            let finding =
                |case: &&CaseReport| case.universal_on(id).map(|finding| (case.id.clone(), finding.clone()));
            let found: Vec<(ScenarioId, Finding)> = cases.iter().filter_map(finding).collect();
            let (case, finding) = found.first()?.clone();
            let cases = found.into_iter().map(|(case, _)| case).collect();
            Some(Self { requirement: id.clone(), finding, case, cases, known: false })
        };
        let judged = catalogue.iter().filter(|rule| scope.judges(rule));
        judged.filter_map(|rule| of_rule(&rule.id)).collect()
    }
}

impl CaseReport {
    /// How its trace violates this rule, where it does.
    pub fn universal_on(&self, rule: &RequirementId) -> Option<&Finding> {
        self.universal.iter().find(|found| found.requirement == *rule).map(|found| &found.finding)
    }
}

#[cfg(any(test, feature = "sample"))]
impl UniversalFinding {
    /// A violation of this rule, which these observations show.
    pub fn sample(rule: &str, at: Vec<usize>) -> Self {
        let finding = Finding { at, ..crate::result::sample::finding() };
        Self { requirement: rule.parse().expect("a requirement"), finding }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use scenarios::{Level, SubjectKind};

    use super::*;
    use crate::result::Verdict;
    use crate::result::sample::case;

    /// Every universal rule is the name of a requirement.
    #[test]
    fn rules_are_requirements() {
        assert!(OF_GATEWAYS.iter().chain(&OF_CLIENTS).all(|rule| is_universal(&rule.parse().unwrap())));
    }

    /// A rule is one finding however many cases violate it; what is not of the level or not claimed is none.
    #[test]
    fn a_rule_is_one_finding() {
        let violating = |id, rules: &[&str]| CaseReport {
            universal: rules.iter().map(|rule| UniversalFinding::sample(rule, Vec::new())).collect(),
            ..case(id, Verdict::Pass, &[])
        };
        let cases = [
            violating("b", &["STATE-2"]),
            violating("a", &["STATE-2", "STATE-1", "TOKEN-3", "PING-1"]),
            violating("c", &[]),
        ];
        let without = BTreeSet::from(["PING-1".parse().unwrap()]);
        let subjects = [SubjectKind::Client];
        let scope = Scope { subjects: &subjects, level: Level::Core, without: &without, selected: None };
        let found: Vec<_> = Universal::collected(&cases, &scope)
            .iter()
            .map(|universal| {
                let cases: Vec<_> = universal.cases.iter().map(ToString::to_string).collect();
                format!("{} in {}, first {}", universal.requirement, cases.join(" "), universal.case)
            })
            .collect();
        assert_eq!(
            found,
            ["STATE-1 in a, first a", "STATE-2 in a b, first a"],
            "TOKEN-3 is of the hardened level"
        );
    }
}
