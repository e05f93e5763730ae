use std::collections::BTreeSet;
use std::time::Duration;

use scenarios::{Judgement, Level, SubjectKind};

use super::*;
use crate::sample;
use conformance::result::sample::{blocked, case};
use conformance::result::{Scope, Universal, UniversalFinding};

fn text(report: &RunReport, detail: Detail) -> String {
    let console = Console { detail, ..Console::new(report.cases.len(), Repeat::of(["run".to_owned()])) };
    anstream::adapter::strip_str(&console.text(report)).to_string()
}

fn report(cases: Vec<CaseReport>) -> RunReport {
    let without = BTreeSet::new();
    let subjects = [SubjectKind::Client];
    let scope = Scope { subjects: &subjects, level: Level::Core, without: &without, selected: None };
    let universal = Universal::collected(&cases, &scope);
    RunReport::of(cases, universal, &scope, Duration::ZERO)
}

/// What a subject said moves no cursor and turns no line, and every part is there.
#[test]
fn a_run_with_everything_in_it_is_printed() {
    let (report, _) = sample::run();
    for detail in [Detail::Usual, Detail::Verbose] {
        let text = text(&report, detail);
        assert!(!text.contains(['\u{1b}', '\u{202e}', '\0']), "{text}");
        for part in [
            "gateway/rooms/private  ",
            "died  ",
            "universal rules  ",
            "  MSG-1  Every message",
            "not run: ",
            "requirements: ",
            "expired: ",
            "interrupted by SIGTERM: 1 of 10 cases passed; ",
            "(exit code 130)",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("  BRIDGE-6  "), "it is known: {text}");
    }
}

/// With `-q`, what did not pass is said, and what was left out is not.
#[test]
fn quiet_reports_say_what_did_not_pass() {
    let (report, _) = sample::run();
    let quiet = text(&report, Detail::Quiet);
    assert!(quiet.contains("gateway/rooms/private  ") && quiet.contains("requirements: "), "{quiet}");
    assert!(!quiet.contains("not run: "), "{quiet}");
    let news = |verdict| is_news(&verdict);
    assert!(news(Verdict::Fail) && news(Verdict::Inconclusive { stall_ms: 1 }) && !news(Verdict::Pass));
}

/// Cases that die of one cause are listed once, with the output of the first; with `-v`, each has its own.
#[test]
fn a_cause_of_death_is_printed_once() {
    let died = |id: &str| CaseReport {
        output: (0..100)
            .map(|number| format!("line {number}").into())
            .chain(["panic: out of range".into()])
            .collect(),
        ..case(id, Verdict::SubjectError { detail: "the client ended: exit code 2".into() }, &[])
    };
    let cases = || ["a", "b", "c"].map(died).to_vec();
    let short = text(&report(cases()), Detail::Usual);
    let expected = "\ndied  panic: out of range\n  in 3 cases:\n    a\n    b\n    c\n  \
                    seen in the first: the client ended: exit code 2\n  what the client printed last:\n    line 81\n";
    assert!(short.contains(expected), "{short}");
    assert_eq!(short.matches("what the client printed last").count(), 1);
    assert!(short.lines().count() < 40, "{short}");
    assert_eq!(text(&report(cases()), Detail::Verbose).matches("what the client printed last").count(), 3);
}

/// Cases that one requirement blocks are printed together, a line each; what is undecided says why.
#[test]
fn what_blocks_is_printed_once() {
    let is_blocked = |id: &str, by: &str| {
        let (requirement, detail) = (by.parse().unwrap(), "no connection opened".into());
        case(id, Verdict::Blocked { by: requirement, detail }, &[("SUB-1", blocked(by))])
    };
    let cases = vec![
        case("a", Verdict::Pass, &[("STATE-1", Judgement::Passed)]),
        is_blocked("b", "STATE-1"),
        is_blocked("c", "STATE-1"),
        is_blocked("d", "QUEUE-1"),
    ];
    let text = text(&report(cases), Detail::Usual);
    assert!(text.contains("\n2 cases take STATE-1 for granted  "), "{text}");
    assert_eq!(text.matches("repeat it: ").count(), 2, "{text}");
    assert!(text.contains("\n  3 undecided:\n"), "{text}");
    let reason = "\n    SUB-1      blocked by STATE-1 in b: no connection opened (and in another case)\n";
    assert!(text.contains(reason), "{text}");
    assert!(
        text.ends_with("(exit code 6)\n") && text.contains("\nincomplete: 3 requirements undecided"),
        "{text}"
    );
}

/// A violated universal rule is printed once, with its cases.
#[test]
fn a_universal_rule_is_printed_once() {
    let violates = |id: &str| CaseReport {
        universal: vec![UniversalFinding::sample("STATE-2", Vec::new())],
        ..case(id, Verdict::Pass, &[("STATE-1", Judgement::Passed)])
    };
    let text = text(&report(vec![violates("a"), violates("b")]), Detail::Usual);
    assert_eq!(text.matches("\n  STATE-2  ").count(), 1, "{text}");
    assert!(text.contains("\n    in 2 cases: a, b\n") && text.contains("\n    STATE-2    "), "{text}");
    assert!(text.ends_with("not conformant (exit code 1)\n"), "{text}");
}

/// Of a case that says nothing, the expectation that is doubted is printed with what may have made it hold, and no other.
#[test]
fn what_is_doubted_is_printed() {
    let why = "after ping: close, not before 150 ms: noise of 18 ms may have made it so".into();
    let checks = [("STATE-1", Judgement::Passed), ("PING-3", Judgement::Undecided { why })];
    let text = text(&report(vec![case("a", Verdict::Inconclusive { stall_ms: 18 }, &checks)]), Detail::Usual);
    let printed = "\n  inconclusive: this host stalled for 18 ms\n  PING-3  in doubt: after ping: close, not before 150 ms: \
                   noise of 18 ms may have made it so\n  repeat it: ";
    assert!(text.contains(printed), "{text}");
}
