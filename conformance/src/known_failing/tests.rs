use std::sync::LazyLock;

use super::*;
use crate::result::{Check, Scope, UniversalFinding};
use scenarios::{Finding, Level, SubjectKind};

const TODAY: Date = jiff::civil::date(2026, 11, 23);

static LIBRARY: LazyLock<Library> = LazyLock::new(|| Library::builtin().unwrap());

fn list(text: &str) -> KnownFailing {
    file::parse("known-failing.toml", text, &LIBRARY).unwrap_or_else(|error| panic!("{error}"))
}

/// A played case in which `failed` do not hold, and the other requirements of its scenario do.
fn case(id: &str, failed: &[&str]) -> CaseReport {
    let scenario = LIBRARY.iter().find(|scenario| scenario.id.0 == id).unwrap();
    let verdict = if failed.is_empty() { Verdict::Pass } else { Verdict::Fail };
    let mut case = CaseReport::without_play(scenario, verdict);
    case.checks = case
        .requirements
        .iter()
        .map(|requirement| {
            let judgement = if failed.contains(&requirement.to_string().as_str()) {
                Judgement::Failed(Finding {
                    property: scenarios::Property::Safety,
                    expected: Foreign::default(),
                    seen: Foreign::default(),
                    at: Vec::new(),
                    missed_by_us: None,
                    client: None,
                    half: None,
                })
            } else {
                Judgement::Passed
            };
            Check { requirement: requirement.clone(), judgement, known: false }
        })
        .collect();
    case
}

fn judged(list: &KnownFailing, mut cases: Vec<CaseReport>) -> Vec<&'static str> {
    for case in &mut cases {
        list.excuse(case, TODAY);
    }
    let universal = universal(&cases);
    list.expose(&mut cases, &universal, &LIBRARY, TODAY);
    cases.iter().map(|case| case.verdict.name()).collect()
}

fn universal(cases: &[CaseReport]) -> Vec<Universal> {
    let subjects = [SubjectKind::Gateway, SubjectKind::Client];
    let without = BTreeSet::new();
    let scope = Scope { subjects: &subjects, level: Level::Hardened, without: &without, selected: None };
    Universal::collected(cases, &scope)
}

/// A case that passes, and whose trace violates this universal rule.
fn violating(id: &str, rule: &str) -> CaseReport {
    CaseReport { universal: vec![UniversalFinding::sample(rule, Vec::new())], ..case(id, &[]) }
}

/// Whether the one universal rule that these cases violate is known.
fn is_known(list: &KnownFailing, cases: &[CaseReport]) -> bool {
    let mut universal = universal(cases);
    list.excuse_universal(&mut universal, TODAY);
    assert_eq!(universal.len(), 1);
    universal[0].known
}

const PRIVATE: &str = "gateway/rooms/private";

/// A listed case is known to fail; an unlisted one fails; a listed one that passes must be removed from the list.
#[test]
fn listed_cases_are_known() {
    let by_case = list("[[known]]\ncase = \"gateway/rooms/private\"\nreason = \"r\"");
    assert_eq!(judged(&by_case, vec![case(PRIVATE, &["ROOM-3"])]), ["known failure"]);
    assert_eq!(judged(&by_case, vec![case(PRIVATE, &[])]), ["unexpected pass"]);
    let other = case("gateway/rooms/forbidden-is-told", &["ROOM-3"]);
    assert_eq!(judged(&by_case, vec![other]), ["fail"]);
}

/// With a requirement, findings on it alone are known; others still fail the case.
#[test]
fn a_requirement_narrows_an_entry() {
    let list = list("[[known]]\ncase = \"gateway/rooms/*\"\nrequirement = \"ROOM-6\"\nreason = \"r\"");
    let ids = ["gateway/rooms/forbidden-is-told", "gateway/rooms/bad-names"];
    for id in ids {
        let shows: Vec<_> = case(id, &[]).requirements.iter().map(ToString::to_string).collect();
        if shows.contains(&"ROOM-6".to_owned()) {
            assert_eq!(judged(&list, vec![case(id, &["ROOM-6"])]), ["known failure"]);
            assert_eq!(judged(&list, vec![case(id, &[])]), ["unexpected pass"]);
        }
    }
    assert_eq!(judged(&list, vec![case(PRIVATE, &["ROOM-3"])]), ["fail"]);
}

/// A requirement alone covers every case, and those that it blocks; it must go when it holds wherever it can be seen.
#[test]
fn a_requirement_is_listed_wherever_it_fails() {
    let list = list("[[known]]\nrequirement = \"ROOM-3\"\nreason = \"r\"\nissue = \"#7\"");
    assert_eq!(judged(&list, vec![case(PRIVATE, &["ROOM-3"])]), ["known failure"]);
    assert_eq!(judged(&list, vec![case(PRIVATE, &[])]), ["pass"], "other cases were not asked");
    let everywhere = |failed: &[&str]| {
        let showing = LIBRARY.iter().filter(|s| s.requirements().contains(&"ROOM-3".parse().unwrap()));
        showing.map(|scenario| case(&scenario.id.0, failed)).collect::<Vec<_>>()
    };
    assert!(judged(&list, everywhere(&["ROOM-3"])).iter().all(|name| *name == "known failure"));
    assert!(judged(&list, everywhere(&[])).iter().all(|name| *name == "unexpected pass"));
    let mut blocked = case("gateway/rooms/private-role", &[]);
    blocked.verdict = Verdict::Blocked { by: "ROOM-3".parse().unwrap(), detail: Foreign::default() };
    assert_eq!(judged(&list, vec![blocked]), ["known failure"]);
}

/// Death is excused only by an entry on the case; a harness that failed never is.
#[test]
fn death_is_excused_by_case_alone() {
    let died = |verdict: Verdict| CaseReport { verdict, ..case(PRIVATE, &[]) };
    let subject = || died(Verdict::SubjectError { detail: "exit code 1".into() });
    let harness = || died(Verdict::HarnessError { detail: Foreign::default() });
    let by_case = list("[[known]]\ncase = \"gateway/rooms/private\"\nreason = \"r\"");
    let by_requirement = list("[[known]]\nrequirement = \"ROOM-3\"\nreason = \"r\"");
    assert_eq!(judged(&by_case, vec![subject()]), ["known failure"]);
    assert_eq!(judged(&by_requirement, vec![subject()]), ["died"]);
    assert_eq!(judged(&by_case, vec![harness()]), ["error"]);
}

/// An entry is valid through its last day; after it, it excuses nothing and is reported as expired.
#[test]
fn entries_expire() {
    let entry =
        |date| list(&format!("[[known]]\nrequirement = \"ROOM-3\"\nreason = \"r\"\nexpires = {date}"));
    let cases = || vec![case(PRIVATE, &["ROOM-3"])];
    assert_eq!(judged(&entry("2026-11-23"), cases()), ["known failure"]);
    assert!(entry("2026-11-23").expired(&cases(), TODAY).is_empty());
    let over = entry("2026-11-22");
    assert_eq!(judged(&over, cases()), ["fail"]);
    let expired = over.expired(&cases(), TODAY);
    let expired: Vec<_> = expired.iter().map(Foreign::raw).collect();
    assert_eq!(
        expired,
        ["`ROOM-3` (known-failing.toml:1) expired on 2026-11-22: fix it, or decide on a new date (r)"]
    );
    assert!(over.expired(&[case("gateway/auth/good-token", &[])], TODAY).is_empty(), "not of this run");
}

/// Each mistake is one error that names the line.
#[test]
fn mistakes_are_named() {
    for (text, says) in [
        (
            "[[known]]\ncase = \"gateway/**\"\nreason = \"r\"\nwhy = 1",
            "known-failing.toml:4: unknown field `why`",
        ),
        (
            "\n[[known]]\ncase = \"gateway/no/such\"\nreason = \"r\"",
            "known-failing.toml:2: no case matches `gateway/no/such`",
        ),
        ("[[known]]\nrequirement = \"AUTH-99\"\nreason = \"r\"", ":1: no case matches `AUTH-99`"),
        (
            "[[known]]\nrequirement = \"HB-1\"\ncase = \"client/**\"\nreason = \"r\"",
            "no case matches `HB-1 in client/**`",
        ),
        ("[[known]]\nreason = \"r\"", "neither `case` nor `requirement`"),
        ("[[known]]\ncase = \"gateway/**\"", "missing field `reason`"),
        ("[[known]]\ncase = \"gateway/**\"\nreason = \" \"", "`reason` is empty"),
        ("[[known]]\ncase = \"gateway/[\"\nreason = \"r\"", "no case matches `gateway/[`"),
        ("[[known]]\ncase = \"gateway/**\"\nreason = \"r\"\nexpires = 07:32:00", "which is no date"),
    ] {
        let error = file::parse("known-failing.toml", text, &LIBRARY).unwrap_err().to_string();
        assert!(error.contains(says), "{text}: {error}");
    }
}

/// What a baseline lists is what fails: with it, the same run fails nothing and passes nothing unexpectedly.
#[test]
fn a_baseline_is_small_and_enough() {
    let mut cases: Vec<_> = LIBRARY
        .iter()
        .filter(|scenario| scenario.subject() == SubjectKind::Gateway)
        .map(|scenario| {
            let first = scenario.requirements()[0].to_string();
            // ROOM-3 nowhere, CONN-1 wherever it is shown first, and one case that dies.
            let failed =
                if ["ROOM-3", "HB-1"].contains(&first.as_str()) { vec![first.as_str()] } else { vec![] };
            case(&scenario.id.0, &failed)
        })
        .collect();
    let dead = cases.iter().position(|case| case.id.0 == "gateway/auth/good-token").unwrap();
    cases[dead].verdict = Verdict::SubjectError { detail: Foreign::default() };
    let old = list(
        "[[known]]\nrequirement = \"ROOM-3\"\nreason = \"rooms are open\"\nissue = \"#1\"\n\
         [[known]]\nrequirement = \"AUTH-9\"\nreason = \"fixed\"\n\
         [[known]]\ncase = \"client/**\"\nreason = \"another day\"",
    );
    let text = old.baseline(&cases, &[], &LIBRARY, TODAY);
    assert!(text.contains("rooms are open") && text.contains("#1") && !text.contains("fixed"), "{text}");
    assert!(text.contains("another day"), "cases that were not played keep their entries: {text}");
    assert!(text.contains("case = \"gateway/auth/good-token\""), "{text}");
    let new = file::parse("b", &text, &LIBRARY).unwrap();
    let verdicts = judged(&new, cases.clone());
    assert!(verdicts.iter().all(|name| ["pass", "known failure"].contains(name)), "{verdicts:?}\n{text}");
    assert_eq!(new.baseline(&cases, &[], &LIBRARY, TODAY), text, "writing it again changes nothing");
    for drop in 0..new.entries.len() {
        let mut fewer = new.clone();
        let entry = fewer.entries.remove(drop);
        let played = cases.iter().any(|case| entry.names(&case.id));
        let verdicts = judged(&fewer, cases.clone());
        assert_eq!(verdicts.iter().any(|name| ["fail", "died"].contains(name)), played, "{entry} is needed");
    }
}

const TOKEN: &str = "gateway/auth/good-token";

/// A universal rule is one finding in all of its cases: an entry without a case excuses it, as do entries that cover each case.
#[test]
fn a_universal_rule_is_known_in_all_of_its_cases() {
    let cases = [violating(PRIVATE, "MSG-1"), violating(TOKEN, "MSG-1")];
    for (text, known) in [
        ("requirement = \"MSG-1\"", true),
        ("requirement = \"MSG-7\"", false),
        ("requirement = \"MSG-1\"\ncase = \"gateway/**\"", true),
        ("requirement = \"MSG-1\"\ncase = \"gateway/rooms/**\"", false),
        ("case = \"gateway/**\"", true),
    ] {
        assert_eq!(is_known(&list(&format!("[[known]]\n{text}\nreason = \"r\"")), &cases), known, "{text}");
    }
    let each = "[[known]]\nrequirement = \"MSG-1\"\ncase = \"gateway/rooms/**\"\nreason = \"r\"\n\
                [[known]]\ncase = \"gateway/auth/**\"\nreason = \"r\"";
    assert!(is_known(&list(each), &cases));
}

/// What only a universal finding violates passes in its own cases, and is listed rightly all the same; once nothing violates it,
/// the entry must go.
#[test]
fn a_violated_universal_rule_is_no_unexpected_pass() {
    let showing = || {
        let shows = |scenario: &&Scenario| scenario.requirements().contains(&"ROOM-6".parse().unwrap());
        LIBRARY.iter().filter(shows).map(|scenario| case(&scenario.id.0, &[])).collect::<Vec<_>>()
    };
    let by_requirement = list("[[known]]\nrequirement = \"ROOM-6\"\nreason = \"r\"");
    let mut cases = showing();
    cases.push(violating(TOKEN, "ROOM-6"));
    assert!(judged(&by_requirement, cases).iter().all(|name| *name == "pass"));
    assert!(judged(&by_requirement, showing()).iter().all(|name| *name == "unexpected pass"));

    let entry = format!("[[known]]\ncase = \"{TOKEN}\"\nreason = \"r\"");
    for by_case in [list(&entry), list(&format!("{entry}\nrequirement = \"ROOM-6\""))] {
        assert_eq!(judged(&by_case, vec![violating(TOKEN, "ROOM-6")]), ["pass"]);
        assert_eq!(judged(&by_case, vec![case(TOKEN, &[])]), ["unexpected pass"]);
    }
}

/// The smallest list has one entry for a universal rule, however many cases violate it, and keeps it as long as one does.
#[test]
fn a_baseline_lists_a_universal_rule_once() {
    let cases = [violating(PRIVATE, "MSG-1"), violating(TOKEN, "MSG-1")];
    let text = KnownFailing::default().baseline(&cases, &universal(&cases), &LIBRARY, TODAY);
    assert_eq!(text.matches("[[known]]").count(), 1, "{text}");
    assert!(text.contains("requirement = \"MSG-1\"") && !text.contains("case = "), "{text}");
    let written = file::parse("b", &text, &LIBRARY).unwrap();
    assert!(is_known(&written, &cases));
    assert_eq!(written.baseline(&cases, &universal(&cases), &LIBRARY, TODAY), text);
    let narrow = format!("[[known]]\ncase = \"{TOKEN}\"\nrequirement = \"MSG-1\"\nreason = \"why\"");
    let held = |cases: &[CaseReport]| list(&narrow).baseline(cases, &universal(cases), &LIBRARY, TODAY);
    assert!(held(&cases[1..]).contains("why"), "it is enough");
    assert!(!held(&[case(TOKEN, &[])]).contains("[[known]]"), "nothing violates it");
}
