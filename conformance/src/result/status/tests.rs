use std::time::Duration;

use scenarios::{Audience, Audiences, Gap, Level, NotPlayed, SubjectKind};

use super::*;
use crate::result::RunReport;
use crate::result::sample::{blocked, case, failed, finding};
use crate::result::{Universal, UniversalFinding};

fn report(cases: Vec<CaseReport>) -> RunReport {
    let without = BTreeSet::from(["OBS-1".parse().unwrap()]);
    let subjects = [SubjectKind::Client];
    let scope = Scope { subjects: &subjects, level: Level::Core, without: &without, selected: None };
    let universal = Universal::collected(&cases, &scope);
    RunReport::of(cases, universal, &scope, Duration::ZERO)
}

/// How a requirement stands, with its reasons.
fn standing(report: &RunReport, id: &str) -> Option<(RequirementStatus, Vec<String>)> {
    let found = report.requirements.iter().find(|found| found.id.to_string() == id)?;
    Some((found.standing, found.reasons.iter().map(|reason| reason.text().into_raw()).collect()))
}

fn stands(report: &RunReport, id: &str) -> Option<RequirementStatus> {
    standing(report, id).map(|(standing, _)| standing)
}

fn blocked_by(by: &str) -> Verdict {
    Verdict::Blocked { by: by.parse().unwrap(), detail: Foreign::default() }
}

/// One case that fails outweighs those that pass; what is not claimed is not judged; levels select.
#[test]
fn the_worst_case_decides() {
    let report = report(vec![
        case("a", Verdict::Pass, &[("STATE-1", Judgement::Passed), ("SUB-1", Judgement::Passed)]),
        case(
            "b",
            Verdict::Fail,
            &[("STATE-1", failed()), ("SUB-1", blocked("STATE-1")), ("OBS-1", failed())],
        ),
    ]);
    assert_eq!(stands(&report, "STATE-1"), Some(RequirementStatus::Failed));
    assert_eq!(stands(&report, "SUB-1"), Some(RequirementStatus::Undecided));
    assert_eq!(stands(&report, "OBS-1"), Some(RequirementStatus::NotClaimed));
    assert_eq!(stands(&report, "PING-1"), Some(RequirementStatus::NotShown));
    assert_eq!(stands(&report, "STATE-7"), None, "of the hardened level");
    assert_eq!(stands(&report, "AUTH-1"), None, "of another subject");
}

/// SPEC, "What a verdict means", rule 1: a requirement is shown only where each of its cases reached its end. Each other end is a
/// reason.
#[test]
fn a_requirement_is_shown_only_by_all_of_its_cases() {
    let passed = ("SUB-1", Judgement::Passed);
    let undecided = ("SUB-1", Judgement::Undecided { why: "the client ended".into() });
    let died = || Verdict::SubjectError { detail: "exit code 7".into() };
    let interrupted = CaseReport {
        interrupted: true,
        requirements: vec!["SUB-1".parse().unwrap()],
        ..case("b", Verdict::NotRun { why: "interrupted".into(), gap: Gap::Run, audiences: Vec::new() }, &[])
    };
    let stopped =
        |verdict| CaseReport { requirements: vec!["SUB-1".parse().unwrap()], ..case("b", verdict, &[]) };
    for (other, reason) in [
        (
            case("b", blocked_by("STATE-1"), &[("SUB-1", blocked("STATE-1"))]),
            "blocked by STATE-1 in b: no connection opened",
        ),
        (case("b", died(), &[undecided]), "died in b: exit code 7"),
        (stopped(died()), "died in b: exit code 7"),
        (
            case("b", Verdict::Inconclusive { stall_ms: 70 }, std::slice::from_ref(&passed)),
            "inconclusive in b: this host stalled for 70 ms",
        ),
        (stopped(Verdict::HarnessError { detail: "no port".into() }), "b was cut off: no port"),
        (interrupted, "b was interrupted"),
    ] {
        let report = report(vec![case("a", Verdict::Pass, std::slice::from_ref(&passed)), other]);
        assert_eq!(standing(&report, "SUB-1"), Some((RequirementStatus::Undecided, vec![reason.to_owned()])));
    }
}

/// A requirement that another case takes for granted in vain is not shown, though its own cases show it; a busy host, and what is
/// listed as known, count for nothing against it.
#[test]
fn what_is_taken_for_granted_in_vain_is_not_shown() {
    let shows = || case("a", Verdict::Pass, &[("STATE-1", Judgement::Passed)]);
    let blocks =
        |verdict| case("b", verdict, &[("SUB-1", blocked("STATE-1")), ("SUB-2", blocked("STATE-1"))]);
    let unseen = report(vec![shows(), blocks(blocked_by("STATE-1"))]);
    let reason = "taken for granted in b, not seen there: no connection opened".to_owned();
    assert_eq!(standing(&unseen, "STATE-1"), Some((RequirementStatus::Undecided, vec![reason])));
    let busy = report(vec![shows(), blocks(Verdict::Inconclusive { stall_ms: 70 })]);
    assert_eq!(stands(&busy, "STATE-1"), Some(RequirementStatus::Shown));
    let was = Box::new(blocked_by("STATE-1"));
    let listed = Verdict::KnownFailure { reason: Foreign::default(), issue: None, was };
    let listed = report(vec![shows(), blocks(listed)]);
    assert_eq!(stands(&listed, "STATE-1"), Some(RequirementStatus::Shown));
    assert_eq!(stands(&listed, "SUB-1"), Some(RequirementStatus::KnownFailure));
}

/// A case that leans on what is not judged says nothing: other cases may show its requirement in part, and without one it is undecided.
#[test]
fn what_is_not_judged_decides_nothing() {
    let leans = || {
        let why = "takes TOKEN-3 for granted, which is not claimed or not of this level";
        case(
            "b",
            Verdict::NotRun { why: why.into(), gap: Gap::Run, audiences: Vec::new() },
            &[("SUB-1", blocked("TOKEN-3"))],
        )
    };
    let alone = report(vec![leans()]);
    let (found, reasons) = standing(&alone, "SUB-1").unwrap();
    assert_eq!(found, RequirementStatus::Undecided);
    assert!(reasons[0].starts_with("b takes TOKEN-3 for granted, which is not claimed"), "{reasons:?}");
    let shown = report(vec![leans(), case("a", Verdict::Pass, &[("SUB-1", Judgement::Passed)])]);
    assert_eq!(stands(&shown, "SUB-1"), Some(RequirementStatus::ShownInPart));
    let untold = CaseReport {
        requirements: vec!["SUB-1".parse().unwrap()],
        ..case("b", Verdict::not_run(NotPlayed::in_this_run("needs `{port}`")), &[])
    };
    assert_eq!(stands(&report(vec![untold]), "SUB-1"), Some(RequirementStatus::NotShown));
}

/// A universal rule that one trace violates does not hold, whatever the cases about it say; where it is listed, that is known.
#[test]
fn universal_rules_fail_their_requirement() {
    let violates = CaseReport {
        universal: vec![UniversalFinding { requirement: "STATE-2".parse().unwrap(), finding: finding() }],
        ..case("a", Verdict::Pass, &[("STATE-1", Judgement::Passed)])
    };
    let cases = vec![violates, case("b", Verdict::Pass, &[("STATE-2", Judgement::Passed)])];
    let without = BTreeSet::new();
    let subjects = [SubjectKind::Client];
    let scope = Scope { subjects: &subjects, level: Level::Core, without: &without, selected: None };
    let mut universal = Universal::collected(&cases, &scope);
    let fails = RunReport::of(cases.clone(), universal.clone(), &scope, Duration::ZERO);
    assert_eq!(stands(&fails, "STATE-2"), Some(RequirementStatus::Failed));
    assert_eq!(stands(&fails, "STATE-1"), Some(RequirementStatus::Shown));
    universal.iter_mut().for_each(|found| found.known = true);
    let known = RunReport::of(cases, universal, &scope, Duration::ZERO);
    assert_eq!(stands(&known, "STATE-2"), Some(RequirementStatus::KnownFailure));
}

/// A requirement of which cases were not run is shown in part; what the design has no place for does not count.
#[test]
fn what_was_not_run_is_not_shown() {
    let not_run = |id: &str, gap| {
        let verdict = Verdict::NotRun { why: format!("needs {id}").into(), gap, audiences: Vec::new() };
        CaseReport { requirements: vec!["SUB-1".parse().unwrap()], ..case(id, verdict, &[]) }
    };
    let passes = || case("p", Verdict::Pass, &[("SUB-1", Judgement::Passed)]);
    let found = |cases| {
        let report = report(cases);
        report.requirements.into_iter().find(|found| found.id.to_string() == "SUB-1").unwrap()
    };
    assert_eq!(found(vec![passes(), not_run("a", Gap::Design)]).standing, RequirementStatus::Shown);
    let part = found(vec![passes(), not_run("a", Gap::Undeclared), not_run("b", Gap::Run)]);
    assert_eq!(part.standing, RequirementStatus::ShownInPart);
    assert_eq!(part.part().raw(), "1 of 3 cases; not run: needs a; needs b");
    // An audience that is not claimed keeps a case from being run, too; a requirement that is not claimed itself does not.
    let unclaimed = |why: Option<&str>| {
        let verdict = Verdict::NotClaimed { why: why.map(Foreign::from) };
        CaseReport { requirements: vec!["SUB-1".parse().unwrap()], ..case("u", verdict, &[]) }
    };
    let part = found(vec![passes(), unclaimed(Some("it has no event for everybody"))]);
    assert_eq!(part.standing, RequirementStatus::ShownInPart);
    assert_eq!(part.part().raw(), "1 of 2 cases; not run: it has no event for everybody");
    assert_eq!(found(vec![passes(), unclaimed(None)]).standing, RequirementStatus::Shown);
    // Nor has a case been run to its end that takes for granted what is not claimed.
    let blocked = Judgement::Blocked { by: "PING-1".parse().unwrap(), detail: "no pong".into() };
    let leans = || {
        let verdict = Verdict::NotRun {
            why: "takes PING-1 for granted".into(),
            gap: Gap::Design,
            audiences: Vec::new(),
        };
        case("l", verdict, &[("SUB-1", blocked.clone())])
    };
    let part = found(vec![passes(), leans()]);
    assert_eq!(part.standing, RequirementStatus::ShownInPart);
    assert_eq!(part.part().raw(), "1 of 2 cases; not run: takes PING-1 for granted");
    assert_eq!(found(vec![leans()]).standing, RequirementStatus::Undecided);
}

/// A requirement whose cases need an event that the profile says there is not is not claimed; where it is undeclared, the report says
/// how to say so.
#[test]
fn audiences_are_claimed_by_name() {
    let passes = || case("p", Verdict::Pass, &[("PING-1", Judgement::Passed)]);
    let needs = |verdict| {
        let requirements = vec!["SUB-1".parse().unwrap()];
        CaseReport { requirements, ..case("a", verdict, &[]) }
    };
    let everybody = [Audience::Everybody];
    let undeclared = || Audiences::new([], []).gap(everybody, "the profile declares no event for everybody");
    let open = report(vec![passes(), needs(Verdict::not_run(undeclared()))]);
    assert_eq!(open.exit(), crate::exit::Exit::Incomplete);
    let remedies: Vec<_> = open.unjudged().map(RequirementReport::remedy).collect();
    assert!(remedies[0].raw().ends_with("say `claims.without = [\"everybody\"]`"), "{remedies:?}");
    let absent = Audiences::new([], []).without(everybody).gap(everybody, "");
    let verdict = Verdict::not_run(absent);
    assert_eq!(verdict.reason().as_ref().map(Foreign::raw), Some("it has no event for everybody"));
    let stated = report(vec![passes(), needs(verdict.clone())]);
    assert_eq!(stated.exit(), crate::exit::Exit::Conformant);
    assert_eq!(stands(&stated, "SUB-1"), Some(RequirementStatus::NotClaimed));
    let both = report(vec![passes(), needs(verdict), needs(Verdict::not_run(undeclared()))]);
    assert_eq!(both.exit(), crate::exit::Exit::Incomplete, "declared, another case of it could run");
}

/// A core requirement of which no case ran is no conformance, unless the design has no place for it, or the run was without.
#[test]
fn core_requirements_are_judged() {
    let not_run = |gap| {
        let verdict = Verdict::NotRun { why: "the profile declares none".into(), gap, audiences: Vec::new() };
        CaseReport { requirements: vec!["SUB-1".parse().unwrap()], ..case("a", verdict, &[]) }
    };
    let passes = || case("p", Verdict::Pass, &[("PING-1", Judgement::Passed)]);
    let exit = |gap| report(vec![passes(), not_run(gap)]).exit();
    assert_eq!([exit(Gap::Design), exit(Gap::Run)], [crate::exit::Exit::Conformant; 2]);
    let open = report(vec![passes(), not_run(Gap::Undeclared)]);
    assert_eq!(open.exit(), crate::exit::Exit::Incomplete);
    assert!(
        open.sentence().1.starts_with("incomplete: 1 core requirement not judged; "),
        "{}",
        open.sentence().1
    );
    let remedies: Vec<_> = open.unjudged().map(RequirementReport::remedy).collect();
    assert_eq!(
        remedies,
        [Foreign::from("the profile declares none; declare it, or say `claims.without = [\"SUB-1\"]`")]
    );
    let selection = RunReport { is_selection: true, ..open };
    assert_eq!(selection.exit(), crate::exit::Exit::Conformant);
}
