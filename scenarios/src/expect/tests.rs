use std::time::Duration;

use protocol::{ClientMessage, CloseCode, ServerMessage, Timing};
use serde_json::json;

use super::*;
use crate::design::ClientDesign;
use crate::trace::{Actor, AsSent, Event, Frame, FrameKind, Message, Observation, Side};

/// Times with a short slack: 10 ms delays, doubling to 80 ms, no jitter.
fn times() -> Times {
    let ms = Duration::from_millis;
    Times {
        slow_reader: Duration::ZERO,
        timing: Timing {
            reconnect_delay: ms(10),
            max_reconnect_delay: ms(80),
            jitter: 0.0,
            ping_interval: ms(100),
            stable_after: ms(50),
            ..Timing::default()
        },
        patience: ms(1000),
        slack: ms(2),
        fleet: 20,
        design: ClientDesign::default(),
    }
}

fn expectation(text: &str) -> Expectation {
    #[derive(Deserialize)]
    struct Holder {
        e: Expectation,
    }
    let holder: Holder = toml::from_str(&format!("e = {{ requirement = \"STATE-1\", {text} }}")).unwrap();
    holder.e
}

fn trace(events: impl IntoIterator<Item = (u64, Option<u32>, Event)>) -> Trace {
    let observe = |(at_ms, connection, event)| Observation {
        at_us: at_ms * 1000,
        actor: Actor::client(),
        connection,
        event,
    };
    Trace { observations: events.into_iter().map(observe).collect() }
}

fn holds(text: &str, trace: &Trace) -> bool {
    expectation(text).check(trace, &times()).is_ok()
}

fn dial() -> Event {
    Event::Dialled { path: "/ws".into(), query: Vec::new(), token_in: None }
}

fn refused() -> Event {
    Event::Refused { status: None, code: None, by: None, reason: "test".into() }
}

fn closed() -> Event {
    Event::Closed { code: Some(CloseCode::GOING_AWAY), by: Side::Gateway }
}

fn status(old: &str, new: &str) -> Event {
    Event::Status { old: old.into(), new: new.into() }
}

fn emitted(name: &str) -> Event {
    Event::Emitted { name: name.into(), payload: json!(null), listener: "main".into() }
}

fn frame(kind: FrameKind, body: &str) -> Frame {
    Frame { kind, body: body.into(), message: None, form: None }
}

/// Counting, absence and order look at their part of the trace only.
#[test]
fn counts_and_scopes() {
    let trace = trace([(0, Some(0), dial()), (1, None, emitted("connected")), (2, Some(1), dial())]);
    assert!(holds("count = { dials = true }, times = 2", &trace));
    assert!(!holds("count = { dials = true }, times = 1", &trace));
    assert!(holds("count = { dials = true }, at_most = 2", &trace));
    assert!(!holds("count = { dials = true }, at_least = 3", &trace));
    assert!(holds("never = { status = \"error\" }", &trace));
    assert!(!holds("never = { dials = true }, after = { emits = \"connected\" }", &trace));
    assert!(holds("never = { emits = \"connected\" }, before = { emits = \"connected\" }", &trace));
    assert!(
        !holds("some = { dials = true }, after = { emits = \"nothing\" }", &trace),
        "the scope must exist"
    );
    assert!(holds("order = [{ dials = true }, { emits = \"connected\" }, { dials = true }]", &trace));
    assert!(!holds("order = [{ emits = \"connected\" }, { dials = true, connection = 0 }]", &trace));
}

/// Of several signs one is enough.
#[test]
fn one_sign_of_several_is_enough() {
    let text = "any_of = [{ some = { status = \"connected\" } }, { count = { opens = true }, at_least = 2 }]";
    let opened = |at_us| (at_us, Some(0), Event::Opened);
    assert!(holds(text, &trace([(1, None, status("connecting", "connected"))])));
    assert!(holds(text, &trace([opened(1), opened(2)])));
    assert!(!holds(text, &trace([opened(1)])));
}

/// A finding about a missing message mentions unreadable ones.
#[test]
fn unreadable_messages_are_mentioned() {
    let unreadable =
        Frame { message: Some(Message::Unreadable("no room".into())), ..frame(FrameKind::Text, "{}") };
    let unreadable = Event::Received(unreadable);
    let asked = Event::Sent(frame(FrameKind::Text, "{}"));
    let answer = trace([(1, Some(0), asked.clone()), (2, Some(0), unreadable.clone())]);
    let greeting = trace([(1, Some(0), unreadable), (2, Some(0), asked)]);
    let look =
        |text: &str, seen: &Trace| expectation(text).check(seen, &times()).unwrap_err().seen.into_raw();
    let mentioned = "that did not happen; what came cannot be read: no room";
    assert_eq!(look("some = { receives = \"subscribed\" }", &answer), mentioned);
    assert_eq!(look("some = { receives = \"welcome\" }", &greeting), mentioned);
    assert_eq!(look("some = { receives = \"subscribed\" }", &greeting), "that did not happen");
    assert_eq!(look("some = { receives = \"payment:created\" }", &answer), "that did not happen");
}

/// Intervals have both edges, and the slack widens them.
#[test]
fn intervals_have_both_edges() {
    let trace = trace([(0, None, emitted("a")), (100, None, emitted("b")), (300, None, emitted("a"))]);
    let interval = |bounds: &str| {
        format!("interval = {{ from = {{ emits = \"a\" }}, to = {{ emits = \"b\" }}, {bounds} }}")
    };
    let first = Trace { observations: trace.observations[..2].to_vec() };
    assert!(holds(&interval("min = \"102ms\", max = \"98ms\""), &first));
    assert!(!holds(&interval("min = \"103ms\""), &first));
    assert!(!holds(&interval("max = \"97ms\""), &first));
    assert!(!holds(&interval("max = \"100ms\""), &trace), "the second `a` has no `b`");
}

/// Of two things that exclude each other both have happened: that stands whatever comes later (BRIDGE-4).
#[test]
fn what_excludes_itself_is_forbidden_together() {
    let sign = |name: &str| format!("{{ never = {{ emits = \"{name}\" }} }}");
    let expected = expectation(&format!("any_of = [{}, {}]", sign("a"), sign("b")));
    let check = |trace: &Trace| expected.check(trace, &times()).map(drop);
    assert_eq!(check(&trace([(0, None, emitted("a")), (1, None, emitted("a"))])), Ok(()));
    let both = check(&trace([(0, None, emitted("a")), (1, None, emitted("b"))])).unwrap_err();
    assert_eq!((both.property, both.at.as_slice()), (Property::Safety, [0, 1].as_slice()));
}

/// Another code is another end, however late or early: no miss of time, and it is said which code came (AUTH-6 with 4010 for 4401).
#[test]
fn another_close_code_is_no_matter_of_time() {
    let end = |code: u16, by| Event::Closed { code: Some(CloseCode(code)), by };
    let expected = expectation(
        "interval = { from = { client = \"client\", dials = true }, to = { client = \"client\", closes = 4401 }, max = \"100ms\" }",
    );
    let check = |event: Event| {
        let trace = trace([(0, Some(0), dial()), (50, Some(0), event), (900, None, emitted("end"))]);
        expected.check(&trace, &times()).map(drop)
    };
    assert!(check(end(4401, Side::Gateway)).is_ok());
    let other = check(end(4010, Side::Gateway)).unwrap_err();
    assert_eq!((other.missed_by_us, other.at.as_slice()), (None, [0, 1].as_slice()));
    assert_eq!(other.seen.raw(), "after 50.0 ms: closed with 4010 by the gateway");
    let own = check(end(1000, Side::Client)).unwrap_err();
    assert_eq!((own.missed_by_us.is_some(), own.seen.raw()), (true, "that did not happen"));
}

/// A rhythm needs two beats, each at its distance.
#[test]
fn rhythms_have_two_beats() {
    let beats = |at: &[u64]| trace(at.iter().map(|&at| (at, None, emitted("beat"))));
    let every = "every = { emits = \"beat\" }, period = \"ping_interval\"";
    assert!(holds(every, &beats(&[0, 99, 201])));
    assert!(!holds(every, &beats(&[0])));
    assert!(!holds(every, &beats(&[0, 100, 150])), "doubled");
    assert!(!holds(every, &beats(&[0, 100, 300])), "missed");
}

/// The pauses double up to the cap; a connection that lived long enough starts them anew, a short one does not.
#[test]
fn pauses_double_up_to_the_cap() {
    let refusals = |pauses: &[u64]| {
        let mut at = 0;
        let mut events = vec![(0, Some(0), dial()), (0, Some(0), refused())];
        for (number, pause) in (1..).zip(pauses) {
            at += pause;
            events.extend([(at, Some(number), dial()), (at, Some(number), refused())]);
        }
        trace(events)
    };
    assert!(holds("backoff = true", &refusals(&[10, 20, 40, 80, 80])));
    assert!(!holds("backoff = true", &refusals(&[10, 20, 40, 80, 160])), "not capped");
    assert!(!holds("backoff = true", &refusals(&[10, 10])), "not doubled");
    assert!(!holds("backoff = true", &refusals(&[0])), "at once");
    assert!(!holds("backoff = true", &refusals(&[])), "no redial");

    let lived = |ms: u64, pause: u64| {
        trace([
            (0, Some(0), dial()),
            (0, Some(0), refused()),
            (10, Some(1), dial()),
            (10, Some(1), Event::Opened),
            (10 + ms, Some(1), closed()),
            (10 + ms + pause, Some(2), dial()),
        ])
    };
    assert!(holds("backoff = true", &lived(60, 10)) && holds("backoff = true", &lived(20, 20)));
    assert!(!holds("backoff = true", &lived(60, 20)) && !holds("backoff = true", &lived(20, 10)));
}

/// Statuses are compared as a whole, transitions by what is announced one after the other.
#[test]
fn statuses_form_a_chain() {
    let good = trace([
        (0, None, status("disconnected", "connecting")),
        (1, None, status("connecting", "connected")),
    ]);
    assert!(
        holds("statuses = [\"connecting\", \"connected\"]", &good)
            && holds("legal_transitions = true", &good)
    );
    assert!(!holds("statuses = [\"connecting\"]", &good));
    let unannounced =
        trace([(0, None, status("disconnected", "connecting")), (1, None, status("error", "reconnecting"))]);
    assert!(holds("legal_transitions = true", &unannounced), "what it says that it leaves is for STATE-1");
    let jump =
        trace([(0, None, status("disconnected", "connecting")), (1, None, status("error", "connecting"))]);
    assert!(holds("legal_transitions = true", &jump), "the same twice is for STATE-1, too");
    let unknown = trace([(0, None, status("disconnected", "connected"))]);
    assert!(!holds("legal_transitions = true", &unknown), "no such transition");
}

/// A second dial before the first connection's end is two sockets.
#[test]
fn overlapping_connections_are_found() {
    let apart = trace([(0, Some(0), dial()), (1, Some(0), closed()), (2, Some(1), dial())]);
    let overlapping = trace([(0, Some(0), dial()), (1, Some(1), dial()), (2, Some(0), closed())]);
    assert!(holds("one_connection = true", &apart) && !holds("one_connection = true", &overlapping));
}

/// Messages are text, JSON, typed and timed.
#[test]
fn messages_are_typed_and_timed() {
    let one = |kind, body: &str| trace([(0, Some(0), Event::Received(frame(kind, body)))]);
    let well_formed = "well_formed = { client = \"client\" }";
    assert!(holds(
        well_formed,
        &one(FrameKind::Text, r#"{"type":"x","timestamp":"2025-12-23T10:00:00.000Z"}"#)
    ));
    for (kind, body) in [
        (FrameKind::Text, r#"{"type":"x"}"#),
        (FrameKind::Text, r#"{"type":"x","timestamp":"noon"}"#),
        (FrameKind::Text, "x"),
        (FrameKind::Binary, "00"),
        (FrameKind::Ping, ""),
    ] {
        assert!(!holds(well_formed, &one(kind, body)), "{body}");
    }
}

/// Order and completeness are two things: what is lost, or comes twice, is not out of order.
#[test]
fn published_order_is_kept() {
    let published = |n: u32| {
        (
            0,
            None,
            Event::Published {
                routing_key: "x".into(),
                body: json!({"type": "x", "data": { "seq": n }}),
                queues: None,
                as_sent: None,
            },
        )
    };
    let received = |n: u32| {
        let payload = json!({ "seq": n, "text": "as it came" });
        let message = Message::Server(ServerMessage::Event { name: "x".into(), payload });
        (1, Some(0), Event::Received(Frame { message: Some(message), ..frame(FrameKind::Text, "") }))
    };
    let order = "published_order = { client = \"client\", types = [\"x\"] }";
    assert!(holds(order, &trace([published(1), published(2), received(1), received(2)])));
    assert!(!holds(order, &trace([published(1), published(2), received(2), received(1)])), "swapped");
    assert!(!holds(order, &trace([published(1), published(2)])), "none");
    let each = "each_published = { client = \"client\", types = [\"x\"] }";
    let lost = trace([published(1), published(2), received(1)]);
    let doubled = trace([published(1), received(1), received(1)]);
    let once = "each_published = { client = \"client\", types = [\"x\"], once = true }";
    // A profile may word an event otherwise: what really went out is what must come.
    let worded = |owner: &str| {
        let as_sent = Some(AsSent {
            exchange: "e".into(),
            routing_key: "k".into(),
            body: json!({ "data": { "owner_id": owner } }).to_string(),
        });
        let body = json!({ "type": "x", "data": { "userId": "a" } });
        (0, None, Event::Published { routing_key: "x".into(), body, queues: None, as_sent })
    };
    let payload = json!({ "owner_id": "a" });
    let message = Message::Server(ServerMessage::Event { name: "x".into(), payload });
    let came = (1, Some(0), Event::Received(Frame { message: Some(message), ..frame(FrameKind::Text, "") }));
    assert!(
        holds(order, &trace([worded("a"), came.clone()])) && holds(each, &trace([worded("a"), came.clone()]))
    );
    assert!(!holds(each, &trace([worded("b"), came])), "another owner");
    assert!(holds(order, &lost) && !holds(each, &lost) && !holds(once, &lost));
    assert!(holds(order, &doubled) && holds(each, &doubled) && !holds(once, &doubled));
    assert!(holds(each, &trace([published(1), published(2), received(2), received(1)])));
    assert!(!holds(once, &trace([received(1)])), "not published");
}

/// A pong carries its ping's payload.
#[test]
fn pongs_carry_the_payload() {
    let ping = (0, Some(0), Event::Received(frame(FrameKind::Ping, "abcd")));
    let pong = |body: &str| (1, Some(0), Event::Sent(frame(FrameKind::Pong, body)));
    assert!(holds("pongs_match = true", &trace([ping.clone(), pong("abcd")])));
    assert!(!holds("pongs_match = true", &trace([ping.clone(), pong("")])));
    assert!(!holds("pongs_match = true", &trace([ping])));
    assert!(!holds("pongs_match = true", &trace([])));
}

/// An expectation that says nothing, or two things, is refused.
#[test]
fn unusable_expectations_are_refused() {
    for text in [
        "",
        "times = 1",
        "count = { opens = true }",
        "count = { opens = true }, times = 1, at_most = 2",
        "every = { opens = true }",
        "backoff = false",
        "backoff = true, one_connection = true",
        "backoff = true, after = { opens = true }",
        "interval = { from = { opens = true }, to = { closes = true } }",
        "order = [{ opens = true }]",
    ] {
        let inline = format!("e = {{ requirement = \"STATE-1\", {text} }}");
        assert!(
            toml::from_str::<std::collections::BTreeMap<String, Expectation>>(&inline).is_err(),
            "{text}"
        );
    }
}

/// A token that turns up in the log, on a page or in a message is found; a trace in which nothing was looked at shows nothing
/// (AUTH-8).
#[test]
fn a_disclosed_token_is_found() {
    const SIGNATURE: &str = "c2lnbmF0dXJlLW9mLWEtdG9rZW4";
    let query = vec![("token".to_owned(), format!("aGVhZGVy.cGF5bG9hZA.{SIGNATURE}"))];
    let dialled =
        || (0, Some(0), Event::Dialled { path: "/ws".into(), query: query.clone(), token_in: None });
    let log = |text: &str| (1, None, Event::Log { text: text.to_owned() });
    let page =
        |body: &str| (1, None, Event::Answered { path: "/stats".into(), status: 200, body: body.to_owned() });
    let received = |body: &str| {
        let frame = Frame { kind: FrameKind::Text, body: body.to_owned(), message: None, form: None };
        (1, Some(0), Event::Received(frame))
    };
    let clean = trace([dialled(), log("a connection was refused"), page("{}"), received("{}")]);
    assert!(holds("no_tokens = true", &clean));
    let encoded = SIGNATURE.replace('W', "%57");
    for leak in [log(SIGNATURE), log(&encoded), page(SIGNATURE), received(SIGNATURE)] {
        assert!(!holds("no_tokens = true", &trace([dialled(), log(""), leak])));
    }
    assert!(!holds("no_tokens = true", &trace([dialled()])), "nothing was looked at");
    assert!(!holds("no_tokens = true", &trace([log("")])), "no token was sent");
}

fn note(seq: u64) -> Event {
    let message = ClientMessage::Other { kind: "note".into(), payload: json!({ "seq": seq }) };
    Event::Sent(Frame {
        kind: FrameKind::Text,
        body: String::new(),
        message: Some(Message::Client(message)),
        form: None,
    })
}

/// Numbered messages come in order, each once, to the last; a cut excuses one gap, and no repetition (QUEUE-4).
#[test]
fn numbered_messages_are_counted_over_connections() {
    let sent = |first: &[u64], second: &[u64]| {
        let on = |connection, notes: &[u64]| {
            notes.iter().map(|&seq| (0, Some(connection), note(seq))).collect::<Vec<_>>()
        };
        trace(on(0, first).into_iter().chain(on(1, second)))
    };
    let (whole, cut) = (
        r#"sequence = { type = "note", last = 4 }"#,
        r#"sequence = { type = "note", last = 4, cut = true }"#,
    );
    for (first, second, both) in [
        (&[1, 2][..], &[3, 4][..], (true, true)),
        (&[1], &[3, 4], (false, true)),
        (&[1, 2], &[2, 3, 4], (false, false)),
        (&[1, 2], &[3], (false, false)),
        (&[1, 3], &[4], (false, false)),
        (&[2, 1], &[3, 4], (false, false)),
        (&[], &[], (false, false)),
    ] {
        let seen = sent(first, second);
        assert_eq!((holds(whole, &seen), holds(cut, &seen)), both, "{first:?}, then {second:?}");
    }
}

/// What a client wrote before it dialled again counts as sent before, however late it is read; what is missing of a connection
/// that has not been read to its end is owed, not lost (QUEUE-4).
#[test]
fn numbered_messages_are_in_the_order_of_their_connections() {
    let whole = r#"sequence = { type = "note", last = 4 }"#;
    let read_late =
        [(0, Some(0), note(1)), (1, Some(1), note(3)), (2, Some(0), note(2)), (3, Some(1), note(4))];
    assert!(holds(whole, &trace(read_late)));
    let property = |end: Option<Event>| {
        let mut events = vec![(0, Some(0), Event::Opened), (1, Some(0), note(1)), (2, Some(1), note(4))];
        events.extend(end.map(|end| (3, Some(0), end)));
        expectation(whole).check(&trace(events), &times()).unwrap_err().property
    };
    assert_eq!(property(None), Property::Liveness, "it may still be read");
    assert_eq!(property(Some(closed())), Property::Safety, "it is lost");
}

/// A fleet of twenty that is cut off returns once each, over more than noise (BACKOFF-5).
#[test]
fn a_fleet_returns_once_and_spread() {
    const SPREAD: &str = r#"spread = { delay = "1s", jitter = 0.2 }"#;
    let returned = |pauses: &[u64]| {
        let dial = |at, connection: usize, client: usize| {
            let query = vec![("token".to_owned(), format!("t-{client}"))];
            (at, u32::try_from(connection).ok(), Event::Dialled { path: "/ws".into(), query, token_in: None })
        };
        let mut events: Vec<_> = (0..20).map(|client| dial(0, client, client)).collect();
        events.extend((0..20).map(|connection| (100, Some(connection), closed())));
        let again = pauses.iter().enumerate();
        events.extend(again.map(|(number, pause)| dial(100 + pause, 20 + number, number % 20)));
        trace(events)
    };
    let over = |window: u64| (0..20).map(|client| 800 + client * window / 19).collect::<Vec<_>>();
    assert!(holds(SPREAD, &returned(&over(400))));
    assert!(holds(SPREAD, &returned(&over(200))), "that can happen by chance");
    assert!(!holds(SPREAD, &returned(&over(150))), "too narrow");
    assert!(!holds(SPREAD, &returned(&over(400)[1..])), "one stays away");
    assert!(!holds(SPREAD, &returned(&[over(400), vec![1300]].concat())), "one comes twice");
}

/// What is late says by how much, whether it came or not: whether noise explains that is not for expectations to say.
#[test]
fn what_is_late_says_by_how_much() {
    let missed =
        |text: &str, trace: &Trace| expectation(text).check(trace, &times()).unwrap_err().missed_by_us;
    let emits = |at, name: &str| {
        (at, None, Event::Emitted { name: name.into(), payload: json!({}), listener: "main".into() })
    };
    let interval = r#"interval = { from = { emits = "a" }, to = { emits = "b" }, max = "100ms" }"#;
    assert_eq!(missed(interval, &trace([emits(0, "a"), emits(130, "b")])), Some(28_000));
    assert_eq!(missed(interval, &trace([emits(0, "a"), emits(150, "c")])), Some(48_000), "it never came");
    assert_eq!(missed(interval, &trace([emits(0, "a"), emits(50, "c")])), None, "it was not waited for");
    let beats = trace([0, 110, 160, 310, 420].map(|at| emits(at, "beat")));
    let every = r#"every = { emits = "beat" }, period = "ping_interval""#;
    assert_eq!(missed(every, &beats), Some(48_000), "the worst of four");
    let both = trace([
        emits(0, "a"),
        emits(110, "b"),
        emits(200, "a"),
        emits(390, "b"),
        emits(400, "a"),
        emits(505, "b"),
    ]);
    assert_eq!(missed(interval, &both), Some(88_000), "the worst of three");
    let redials = [0, 30, 80, 100].map(|at| [(at, Some(0), dial()), (at, Some(0), refused())]);
    assert_eq!(
        missed("backoff = true", &trace(redials.into_iter().flatten())),
        Some(28_000),
        "of the first two"
    );
    let ping = (0, Some(0), Event::Received(frame(FrameKind::Ping, "abcd")));
    let pong = |at| (at, Some(0), Event::Sent(frame(FrameKind::Pong, "abcd")));
    assert_eq!(missed("pongs_match = true", &trace([ping, pong(1250)])), Some(250_000));
}

/// What is forbidden after something that came through another channel says by how much it came after it: which of two channels
/// is read first is chance. On one channel the order is certain.
#[test]
fn what_is_forbidden_says_how_far_inside_it_is() {
    let missed =
        |text: &str, trace: &Trace| expectation(text).check(trace, &times()).unwrap_err().missed_by_us;
    let gone = |at| (at, None, status("reconnecting", "disconnected"));
    let never = "never = { dials = true }, after = { status = \"disconnected\" }";
    assert_eq!(missed(never, &trace([gone(10), (12, Some(1), dial())])), Some(2_000));
    let twice = trace([gone(10), (12, Some(1), dial()), (90, Some(2), dial())]);
    assert_eq!(missed(never, &twice), Some(80_000), "both had to come sooner");
    let emitted =
        (12, None, Event::Emitted { name: "a".into(), payload: json!({}), listener: "main".into() });
    let same = "never = { emits = \"a\" }, after = { status = \"disconnected\" }";
    assert_eq!(missed(same, &trace([gone(10), emitted])), None, "one pipe has one order");
    let sooner = "never = { dials = true }, before = { status = \"disconnected\" }";
    assert_eq!(missed(sooner, &trace([(7, Some(1), dial()), gone(10)])), Some(3_000));
    let once = "count = { dials = true }, times = 1, after = { status = \"disconnected\" }";
    assert_eq!(missed(once, &twice), Some(2_000), "one of the two had to come sooner");
    assert_eq!(missed("never = { dials = true }", &twice), None, "there is no mark");
}

/// What happened before a case began is no part of what it expects, and a scope begins behind it, too.
#[test]
fn a_case_begins_behind_its_preamble() {
    let step = |number| Event::Step { number, action: String::new() };
    let seen = trace([
        (0, None, step(1)),
        (1, Some(0), dial()),
        (2, Some(0), closed()),
        (3, None, step(2)),
        (4, Some(1), dial()),
        (5, Some(1), closed()),
    ]);
    let begins = seen.begin_of_case(1);
    assert_eq!((begins, seen.begin_of_case(0), seen.begin_of_case(2)), (3, 0, 6));
    let once = expectation("count = { dials = true }, times = 1");
    assert!(once.check(&seen, &times()).is_err() && once.check_from(begins, &seen, &times()).is_ok());
    let after = expectation("never = { dials = true }, after = { closes = true }");
    assert!(after.check(&seen, &times()).is_err() && after.check_from(begins, &seen, &times()).is_ok());
}
