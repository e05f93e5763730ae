use std::time::Duration;

use protocol::{CloseCode, Timing};

use super::*;
use crate::design::ClientDesign;
use crate::scenario::ScenarioId;
use crate::trace::{Actor, Observation};

fn times() -> Times {
    Times {
        timing: Timing::default(),
        patience: Duration::from_secs(1),
        slack: Duration::from_millis(2),
        fleet: 20,
        slow_reader: Duration::ZERO,
        design: ClientDesign::default(),
    }
}

fn id(text: &str) -> RequirementId {
    text.parse().unwrap()
}

/// Two requirements: one is owed an opening, the other forbids a close.
fn scenario() -> Scenario {
    let text = r#"
        version = 2
        title = "t"
        subject = "client"
        [[expect]]
        requirement = "STATE-1"
        some = { opens = true }
        [[expect]]
        requirement = "PING-1"
        never = { closes = true }
        [[expect]]
        requirement = "STATE-3"
        count = { opens = true }
        times = 1
    "#;
    Scenario::parse(ScenarioId("client/t".into()), text).unwrap()
}

fn trace(events: impl IntoIterator<Item = (u64, Event)>) -> Trace {
    let observe = |(at_ms, event)| Observation {
        at_us: at_ms * 1000,
        actor: Actor::client(),
        connection: Some(0),
        event,
    };
    Trace { observations: events.into_iter().map(observe).collect() }
}

fn in_vain(label: Label) -> Event {
    Event::InVain { step: 1, label, detail: "no".into(), waited_us: 1_000_000 }
}

fn closed(code: Option<CloseCode>) -> Event {
    Event::Closed { code, by: Side::Client }
}

fn judgements(events: impl IntoIterator<Item = (u64, Event)>, ending: &Ending) -> Vec<(String, Judgement)> {
    let judged = judge(&scenario(), &trace(events), ending, &times()).judged;
    judged.into_iter().map(|judged| (judged.requirement.to_string(), judged.judgement)).collect()
}

fn died() -> Ending {
    Ending::Died { why: "exit code 7".into() }
}

fn is_failed(judgement: &Judgement, property: Property) -> bool {
    matches!(judgement, Judgement::Failed(finding) if finding.property == property)
}

/// Rule 1: a requirement is shown by a whole trace, and by no other.
#[test]
fn a_requirement_is_shown_only_by_evidence() {
    let whole = judgements([(0, Event::Opened)], &Ending::Complete);
    assert!(whole.iter().all(|(_, judgement)| *judgement == Judgement::Passed));
    for ending in [died(), Ending::Cut { why: "interrupted".into() }] {
        for (_, judgement) in judgements([(0, Event::Opened)], &ending) {
            assert!(matches!(judgement, Judgement::Undecided { .. }), "{ending:?}: {judgement:?}");
        }
    }
    for label in [Label::Requires(id("SUB-1")), Label::Shows(id("SUB-1"))] {
        let blocked = judgements([(0, Event::Opened), (1, in_vain(label))], &Ending::Complete);
        assert!(!blocked.iter().any(|(_, judgement)| *judgement == Judgement::Passed), "{blocked:?}");
    }
}

/// Rule 2: what was forbidden and occurred stands on any prefix; what was owed and did not come does not, not even
/// where the subject would have owed it later. The end of the connections of a subject that dies is no finding.
#[test]
fn a_cut_trace_proves_only_what_has_happened() {
    let dead = (900, Event::SubjectDied { status: "exit code 7".into() });
    let torn = judgements([(0, Event::Opened), (890, closed(None)), dead.clone()], &died());
    assert!(torn.iter().all(|(_, judgement)| matches!(judgement, Judgement::Undecided { .. })), "{torn:?}");
    let earlier = [(0, Event::Opened), (10, closed(Some(CloseCode::NORMAL))), (20, Event::Opened), dead];
    let found = judgements(earlier, &died());
    assert!(matches!(found[0].1, Judgement::Undecided { .. }));
    assert!(
        is_failed(&found[1].1, Property::Safety) && is_failed(&found[2].1, Property::Safety),
        "{found:?}"
    );
}

/// Rules 4 and 5: a wait in vain is one finding, of the requirement that it is evidence of; what it blocks is undecided, and it
/// hides nothing that was forbidden and occurred.
#[test]
fn a_wait_in_vain_is_one_finding_and_hides_none() {
    let events = |label| [(0, closed(Some(CloseCode::NORMAL))), (1, in_vain(label))];
    let shown = judgements(events(Label::Shows(id("STATE-1"))), &Ending::Complete);
    let names: Vec<_> = shown.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["STATE-1", "PING-1", "STATE-3"]);
    assert!(is_failed(&shown[0].1, Property::Liveness) && is_failed(&shown[1].1, Property::Safety));
    assert_eq!(shown[2].1, Judgement::Blocked { by: id("STATE-1"), detail: "no".into() });

    let required = judgements(events(Label::Requires(id("SUB-1"))), &Ending::Complete);
    assert_eq!(required[0].1, Judgement::Blocked { by: id("SUB-1"), detail: "no".into() });
    assert!(is_failed(&required[1].1, Property::Safety));
}

/// What shows whether the subject is alive is not what expectations read.
#[test]
fn expectations_read_what_the_steps_left() {
    let trace = [(0, Event::Opened), (1, Event::StepsEnded), (2, Event::Opened), (3, closed(None))];
    let judged = judgements(trace, &Ending::Complete);
    assert!(judged.iter().all(|(_, judgement)| *judgement == Judgement::Passed), "{judged:?}");
}

/// A wait that ran out while redials came later than declared says nothing of what was waited for; where none came, it does.
#[test]
fn late_redials_are_blamed_on_their_law() {
    let dialled = || Event::Dialled { path: "/ws".into(), query: vec![], token_in: None };
    let refused = || Event::Refused { status: Some(503), code: None, by: None, reason: String::new() };
    let judged_after = |waited_ms: u64, redials_ms: &[u64], requirement: &str| {
        let dials = redials_ms.iter().flat_map(|at| [(*at, dialled()), (at + 1, refused())]);
        let label = Label::Shows(id(requirement));
        let waited_us = waited_ms * 1000;
        let in_vain = Event::InVain { step: 1, label, detail: "no".into(), waited_us };
        let trace =
            trace([(0, dialled()), (1, refused())].into_iter().chain(dials).chain([(20_000, in_vain)]));
        let judged = judge(&scenario(), &trace, &Ending::Complete, &times()).judged;
        judged.into_iter().find(|judged| judged.requirement == id(requirement)).unwrap().judgement
    };
    let judged = |redial_ms, requirement: &str| judged_after(20_000, &[redial_ms], requirement);
    let Judgement::Blocked { by, detail } = judged(4000, "STATE-7") else { panic!() };
    assert_eq!(by, id("BACKOFF-1"));
    assert!(detail.raw().contains("it came after 3999.0 ms"), "{detail:?}");
    assert!(is_failed(&judged(1000, "STATE-7"), Property::Liveness), "as declared");
    assert!(is_failed(&judged(4000, "BACKOFF-1"), Property::Liveness), "the law itself");
    // Before the wait: what is due has not come, of a client that was always late, or once.
    let is_blocked = |judgement| matches!(judgement, Judgement::Blocked { .. });
    assert!(is_blocked(judged_after(5000, &[4000, 14_000], "STATE-7")));
    assert!(!is_blocked(judged_after(5000, &[4000], "STATE-7")), "once is no habit");
    assert!(!is_blocked(judged_after(5000, &[1000, 14_000], "STATE-7")), "it was in time once");
}
