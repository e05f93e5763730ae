//! Cases and findings for tests of results.

use scenarios::{Finding, Foreign, Judgement, Property, ScenarioId, SubjectKind, Trace};

use super::{CaseReport, Check, Verdict};

/// A case about a client, with these checks.
pub fn case(id: &str, verdict: Verdict, checks: &[(&str, Judgement)]) -> CaseReport {
    let check = |(id, judgement): &(&str, Judgement)| Check {
        requirement: id.parse().expect("a requirement"),
        judgement: judgement.clone(),
        known: false,
    };
    CaseReport {
        id: ScenarioId(id.to_owned()),
        title: Foreign::default(),
        subject: SubjectKind::Client,
        requirements: checks.iter().map(|(id, _)| id.parse().expect("a requirement")).collect(),
        verdict,
        interrupted: false,
        checks: checks.iter().map(check).collect(),
        universal: Vec::new(),
        duration_ms: 0,
        stall_ms: 0,
        subject_wait_ms: None,
        runs: 1,
        outcomes: Default::default(),
        output: Vec::new(),
        trace: Trace::default(),
    }
}

/// A finding that says nothing.
pub fn finding() -> Finding {
    Finding {
        property: Property::Safety,
        expected: Foreign::default(),
        seen: Foreign::default(),
        at: Vec::new(),
        missed_by_us: None,
        client: None,
        half: None,
    }
}

/// A failed check.
pub fn failed() -> Judgement {
    Judgement::Failed(finding())
}

/// A check that is blocked by this requirement.
pub fn blocked(by: &str) -> Judgement {
    Judgement::Blocked { by: by.parse().expect("a requirement"), detail: "no connection opened".into() }
}
