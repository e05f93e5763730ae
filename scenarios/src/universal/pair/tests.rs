use std::time::Duration;

use protocol::{Dialect, Refusal, SubscriptionKeys, Timing};

use super::*;
use crate::design::ClientDesign;
use crate::frame::RawFrame;
use crate::scenario::{Bindings, Scenario, ScenarioId, Script};
use crate::trace::{Actor, Frame, Observation, Side};
use crate::{Ending, judge};
use tungstenite::protocol::frame::coding::Control;

const SCENARIO: &str = r#"
version = 2
title = "t"
subject = "pair"
[client]
listen = ["catalog:changed"]
[[step]]
do = "connect"
[[step]]
set_token = {}
[[step]]
wait = { emits = "catalog:changed" }
shows = "PAIR-2"
[[step]]
subscribe = "catalog:changed"
[[step]]
wait = { receives = "subscribed" }
shows = "PAIR-1"
"#;
const SUBSCRIBE: &str = r#"{"type":"subscribe","payload":{"eventType":"catalog:changed"}}"#;
const STAMP: &str = "2026-01-01T00:00:00.000Z";

fn times() -> Times {
    let (patience, slack) = (Duration::from_secs(3), Duration::from_millis(50));
    Times {
        timing: Timing::default(),
        patience,
        slack,
        fleet: 20,
        slow_reader: Duration::ZERO,
        design: ClientDesign::default(),
    }
}

fn halves() -> Halves {
    let timing = Timing::default();
    Halves {
        gateway: Dialect::default(),
        client: Dialect::default(),
        gateway_timing: timing.clone(),
        client_timing: timing,
    }
}

fn sent(text: &str) -> Event {
    Event::Sent(Frame::of(&RawFrame::text(text.to_owned()), &Dialect::default(), false, None))
}

fn received(kind: &str, payload: &str) -> Event {
    let text = format!(r#"{{"type":"{kind}","payload":{payload},"timestamp":"{STAMP}"}}"#);
    Event::Received(Frame::of(&RawFrame::text(text), &Dialect::default(), true, None))
}

fn control(kind: Control) -> Event {
    Event::Received(Frame::of(&RawFrame::control(kind, *b"x"), &Dialect::default(), true, None))
}

fn dialled(token: &str) -> Event {
    Event::Dialled {
        path: "/ws".to_owned(),
        query: vec![("token".to_owned(), token.to_owned())],
        token_in: None,
    }
}

fn trace(events: Vec<(u64, u32, Event)>) -> Trace {
    let observation = |(ms, connection, event)| {
        let actor = match &event {
            Event::Published { .. } | Event::Unrouted { .. } => Actor::broker(),
            Event::Step { .. } | Event::InVain { .. } => Actor::scenario(),
            _ => Actor::client(),
        };
        Observation { at_us: ms * 1000, actor, connection: Some(connection), event }
    };
    Trace { observations: events.into_iter().map(observation).collect() }
}

fn scenario(halves: Halves) -> Scenario {
    let bindings = Bindings {
        case: "c".to_owned(),
        dialect: halves.gateway.clone(),
        users: Default::default(),
        roles: Default::default(),
        event_names: [].into(),
        rooms: Default::default(),
        seed_rooms: true,
        pages: crate::pages::PagePaths::default(),
        stats: crate::stats::StatsPlaces::default(),
        audiences: Default::default(),
        owner_keys: [].into(),
    };
    let mut scenario = Scenario::parse(ScenarioId("pair/t".to_owned()), SCENARIO).unwrap().bind(&bindings);
    let Script::Pair(script) = &mut scenario.script else { panic!("a pair's") };
    script.halves = Some(halves);
    scenario
}

/// The rules between the halves that a trace breaks, with what was seen.
fn found(halves: Halves, events: Vec<(u64, u32, Event)>) -> Vec<(&'static str, Finding)> {
    let scenario = scenario(halves);
    let Script::Pair(script) = &scenario.script else { panic!("a pair's") };
    violations(script, &trace(events), &times())
}

fn one(halves: Halves, events: Vec<(u64, u32, Event)>) -> (&'static str, Finding) {
    let mut found = found(halves, events);
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

/// A request that the gateway's profile reads otherwise is not understood, and the frame shows it.
#[test]
fn requests_mean_the_same_to_both() {
    let key = SubscriptionKeys { event_type: "topic".to_owned(), room: "topic".to_owned() };
    let other = Halves { gateway: Dialect { subscribe: key, ..Dialect::default() }, ..halves() };
    let (id, finding) = one(other, vec![(0, 0, Event::Opened), (1, 0, sent(SUBSCRIBE))]);
    assert_eq!((id, finding.at.as_slice()), ("PAIR-1", [1].as_slice()));
    assert!(finding.seen.raw().contains("`topic`"), "{finding:?}");
    let granted = received("subscribed", r#"{"eventType":"catalog:changed"}"#);
    assert!(found(halves(), vec![(1, 0, sent(SUBSCRIBE)), (2, 0, granted)]).is_empty());
}

/// An error, an acknowledgement of something else, and silence are no answers; a refusal by right is one.
#[test]
fn requests_are_answered() {
    let answered = |answer: Event| found(halves(), vec![(1, 0, sent(SUBSCRIBE)), (2, 0, answer)]);
    for (answer, says) in [
        (received("error", r#"{"code":"bad_room","message":"m"}"#), "the error `bad_room`"),
        (received("subscribed", r#"{"eventType":"stock:changed"}"#), "names `stock:changed`"),
    ] {
        let found = answered(answer);
        assert_eq!(found[0].0, "PAIR-1");
        assert!(found[0].1.seen.raw().contains(says) && found[0].1.at == [0, 1], "{:?}", found[0]);
    }
    assert!(answered(received("error", r#"{"code":"forbidden","message":"m"}"#)).is_empty());
    let silent = |until| vec![(1, 0, sent(SUBSCRIBE)), (until, 0, Event::TokenWanted)];
    assert!(one(halves(), silent(4000)).1.seen.raw().ends_with("is answered by nothing"));
    assert!(found(halves(), silent(2000)).is_empty(), "it may still come");
}

/// What was waited for came under a name that the client does not listen to.
#[test]
fn events_have_listeners() {
    let published = Event::Published {
        routing_key: "catalog.changed".to_owned(),
        body: serde_json::json!({}),
        queues: None,
        as_sent: None,
    };
    let in_vain = Event::InVain {
        step: 3,
        label: crate::Label::Shows("PAIR-2".parse().unwrap()),
        detail: "no sign".to_owned(),
        waited_us: 1,
    };
    let events = |name: &str| {
        vec![(1, 0, published.clone()), (2, 0, received(name, "{}")), (3000, 0, in_vain.clone())]
    };
    let (id, finding) = one(halves(), events("catalog.changed"));
    assert_eq!((id, finding.at.as_slice()), ("PAIR-2", [1].as_slice()));
    assert!(finding.seen.raw().contains("`catalog.changed` has no listener"), "{finding:?}");
    assert_eq!(one(halves(), events("catalog:changed")).1.half, Some(SubjectKind::Client));
}

/// A routing key without a binding is the gateway's fault, unless something was done to it before.
#[test]
fn routing_keys_match_a_binding() {
    let unrouted = Event::Unrouted {
        exchange: "events".to_owned(),
        routing_key: "payment.created".to_owned(),
        bindings: vec!["profile.# → q".to_owned()],
    };
    let (id, finding) = one(halves(), vec![(1, 0, unrouted.clone())]);
    assert_eq!((id, finding.half), ("PAIR-3", Some(SubjectKind::Gateway)));
    assert!(finding.seen.raw().contains("the bindings of events are profile.# → q"), "{finding:?}");
    let killed = Observation {
        at_us: 0,
        actor: Actor::gateway(),
        connection: None,
        event: Event::Fault { what: "killed".to_owned() },
    };
    let mut after = trace(vec![(1, 0, unrouted)]);
    after.observations.insert(0, killed);
    let scenario = scenario(halves());
    let Script::Pair(script) = &scenario.script else { panic!("a pair's") };
    assert!(violations(script, &after, &times()).is_empty());
}

/// Each half answers the other's pings in time; a client is not more patient than its gateway.
#[test]
fn heartbeats_fit() {
    let unanswered = vec![(1, 0, control(Control::Ping)), (20_000, 0, Event::TokenWanted)];
    let (id, finding) = one(halves(), unanswered);
    assert_eq!((id, finding.half), ("PAIR-4", Some(SubjectKind::Client)));
    let pings = vec![(1, 0, sent(r#"{"type":"ping"}"#)), (20_000, 0, Event::TokenWanted)];
    assert_eq!(one(halves(), pings).1.half, Some(SubjectKind::Gateway));
    let answered = vec![
        (1, 0, sent(r#"{"type":"ping"}"#)),
        (2, 0, received("pong", "null")),
        (20_000, 0, Event::TokenWanted),
    ];
    assert!(found(halves(), answered).is_empty());
    let mut patient = halves();
    patient.client_timing.pong_timeout = Duration::from_secs(60);
    let (id, finding) = one(patient, vec![(1, 0, Event::Opened)]);
    assert!(id == "PAIR-4" && finding.seen.raw().contains("60s"), "{finding:?}");
}

/// A dial with the token that was refused is one too many, however the gateway words its refusal.
#[test]
fn refusals_are_recognised() {
    let status =
        |status| Event::Refused { status: Some(status), code: None, by: None, reason: String::new() };
    let again = |refusal: Event| vec![(1, 0, dialled("a")), (2, 0, refusal), (60, 1, dialled("a"))];
    let (id, finding) = one(halves(), again(status(401)));
    assert_eq!(
        (id, finding.at.as_slice(), finding.half),
        ("PAIR-5", [1, 2].as_slice(), Some(SubjectKind::Client))
    );
    assert!(found(halves(), again(status(503))).is_empty(), "a gateway that is full refuses no token");
    let code = protocol::CloseCode(4401);
    let closed = Event::Closed { code: Some(code), by: Side::Gateway };
    assert!(found(halves(), again(closed.clone())).is_empty());
    let declared = Dialect { refusal: Refusal::Close(code), ..Dialect::default() };
    assert_eq!(one(Halves { gateway: declared, ..halves() }, again(closed)).0, "PAIR-5");
    let renewed = vec![(1, 0, dialled("a")), (2, 0, status(401)), (60, 1, dialled("b"))];
    assert!(found(halves(), renewed).is_empty());
}

/// A token that was replaced is not dialled with again.
#[test]
fn new_tokens_are_used() {
    let step = Event::Step { number: 2, action: "client: take a new token".to_owned() };
    let dials = |token| vec![(1, 0, dialled("a")), (2, 0, step.clone()), (3, 1, dialled(token))];
    assert_eq!(one(halves(), dials("a")).0, "PAIR-9");
    assert!(found(halves(), dials("b")).is_empty());
}

/// What a step waited for in vain has the cause that a rule between the halves names, and is one finding with it.
#[test]
fn one_cause_is_one_finding() {
    let key = SubscriptionKeys { event_type: "topic".to_owned(), room: "topic".to_owned() };
    let other = Halves { gateway: Dialect { subscribe: key, ..Dialect::default() }, ..halves() };
    let in_vain = Event::InVain {
        step: 5,
        label: crate::Label::Shows("PAIR-1".parse().unwrap()),
        detail: "no sign".to_owned(),
        waited_us: 1,
    };
    let events = vec![(1, 0, Event::Opened), (2, 0, sent(SUBSCRIBE)), (3000, 0, in_vain)];
    let verdicts = judge(&scenario(other), &trace(events), &Ending::Complete, &times());
    assert!(verdicts.violations.is_empty(), "{:?}", verdicts.violations);
    let failed: Vec<_> = verdicts
        .judged
        .iter()
        .filter_map(|judged| match &judged.judgement {
            Judgement::Failed(finding) => Some((judged.requirement.to_string(), finding.at.clone())),
            _ => None,
        })
        .collect();
    assert_eq!(failed, [("PAIR-1".to_owned(), vec![1])]);
    let blocked = verdicts.judged.iter().any(
        |judged| matches!(&judged.judgement, Judgement::Blocked { by, .. } if by.to_string() == "PAIR-1"),
    );
    assert!(blocked, "PAIR-2 is blocked: {:?}", verdicts.judged);
}
