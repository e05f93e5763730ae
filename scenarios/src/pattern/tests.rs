use super::*;
use crate::trace::{Actor, Frame, FrameKind, Reading, Side};
use protocol::{ServerMessage, Target};
use serde_json::json;

fn pattern(text: &str) -> Result<Pattern, toml::de::Error> {
    #[derive(Deserialize)]
    struct Holder {
        p: Pattern,
    }
    toml::from_str::<Holder>(&format!("p = {text}")).map(|holder| holder.p)
}

fn seen(actor: &str, event: Event) -> Observation {
    Observation { at_us: 0, actor: Actor(actor.to_owned()), connection: Some(0), event }
}

fn received(actor: &str, message: ServerMessage) -> Observation {
    let frame = Frame {
        kind: FrameKind::Text,
        body: String::new(),
        message: Some(Message::Server(message)),
        form: None,
    };
    seen(actor, Event::Received(frame))
}

/// Each part of a pattern narrows it.
#[test]
fn every_part_narrows() {
    let event = ServerMessage::Event { name: "x:y".into(), payload: json!({"a": 1, "b": {"c": 2, "d": 3}}) };
    let observation = received("alice", event);
    for (text, expected) in [
        (r#"{ receives = "x:y" }"#, true),
        (r#"{ receives = "x:z" }"#, false),
        (r#"{ client = "bob", receives = "x:y" }"#, false),
        (r#"{ connection = 1, receives = "x:y" }"#, false),
        (r#"{ sends = "x:y" }"#, false),
        (r#"{ receives = { any = ["q", "x:y"] } }"#, true),
        (r#"{ receives = { type = "x:y", with = { b = { c = 2 } } } }"#, true),
        (r#"{ receives = { type = "x:y", with = { b = { c = 3 } } } }"#, false),
        (r#"{ receives = { type = "x:y", data = { b = { c = 2 } } } }"#, false),
        (r#"{ receives = { type = "x:y", data = { a = 1, b = { c = 2, d = 3 } } } }"#, true),
    ] {
        assert_eq!(pattern(text).unwrap().matches(&observation), expected, "{text}");
    }
}

/// Replies are distinguished by what they name.
#[test]
fn replies_are_distinguished() {
    let ack = received("a", ServerMessage::Subscribed(Target::Room("r".into())));
    assert!(pattern(r#"{ receives = { type = "subscribed", target = "r" } }"#).unwrap().matches(&ack));
    assert!(!pattern(r#"{ receives = { type = "subscribed", target = "s" } }"#).unwrap().matches(&ack));
    assert!(
        !pattern(r#"{ receives = { any = ["subscribed"], code = "forbidden" } }"#).unwrap().matches(&ack)
    );
}

/// What is missing says how much of it came, and that nothing can come any more.
#[test]
fn what_is_missing_says_why() {
    let event = || received("bob", ServerMessage::Event { name: "x:y".into(), payload: json!({}) });
    let closed = || seen("bob", Event::Closed { code: None, by: Side::Gateway });
    let missing = |observations: Vec<Observation>| {
        pattern(r#"{ client = "bob", receives = "x:y" }"#).unwrap().missing_in(&Trace { observations })
    };
    let nothing = "no sign that bob receives x:y";
    assert_eq!(missing(vec![event()]), format!("{nothing} more than once"));
    assert_eq!(missing(vec![event(), event()]), format!("{nothing} more than 2 times"));
    assert_eq!(
        missing(vec![seen("bob", Event::Opened), closed()]),
        format!("{nothing}; its connection was dropped by the gateway")
    );
    assert_eq!(missing(vec![closed(), seen("bob", Event::Opened)]), nothing);
    assert_eq!(missing(vec![seen("alice", Event::Opened)]), nothing);
}

/// Who fails a connection may leave the code out, and may not say another.
#[test]
fn a_code_may_be_left_out() {
    let failing = pattern("{ closes = { code_or_none = 1002 } }").unwrap();
    let closed = |code| seen("a", Event::Closed { code, by: Side::Gateway });
    assert!(failing.matches(&closed(Some(CloseCode(1002)))) && failing.matches(&closed(None)));
    assert!(failing.matches(&closed(Some(CloseCode::NO_STATUS))), "a close without a code says none, too");
    assert!(!failing.matches(&closed(Some(CloseCode(1000)))));
}

/// Pages are distinguished by path, status, and body.
#[test]
fn pages_are_distinguished() {
    let body = r#"{"connections":{"total":2},"rooms":{}}"#.to_owned();
    let page = seen("a", Event::Answered { path: "/stats".into(), status: 200, body });
    for (text, expected) in [
        (r#"{ answers = { path = "/stats", status = 200 } }"#, true),
        (r#"{ answers = { path = "/metrics" } }"#, false),
        (r#"{ answers = { status = 503 } }"#, false),
        (r#"{ answers = { contains = "total" } }"#, true),
        (r#"{ answers = { contains = "totally" } }"#, false),
        (r#"{ answers = { json = { connections = { total = 2 } } } }"#, true),
        (r#"{ answers = { json = { connections = { total = 3 } } } }"#, false),
    ] {
        assert_eq!(pattern(text).unwrap().matches(&page), expected, "{text}");
    }
}

/// Turned away is an answer of 503 or a close with 1013, and nothing else (CONN-7).
#[test]
fn turned_away_has_two_forms() {
    let turned_away = pattern("{ turned_away = true }").unwrap();
    let refused = |status| seen("a", Event::Refused { status, code: None, by: None, reason: String::new() });
    let closed = |code| seen("a", Event::Closed { code, by: Side::Gateway });
    assert!(turned_away.matches(&refused(Some(503))) && turned_away.matches(&closed(Some(CloseCode(1013)))));
    for other in [refused(Some(401)), refused(None), closed(Some(CloseCode(1000))), closed(None)] {
        assert!(!turned_away.matches(&other));
    }
    let mut declared = turned_away.clone();
    declared.declare(&r#"{"over_limit":["http-429","close-4014"]}"#.parse().unwrap());
    assert!(declared.matches(&refused(Some(429))));
    assert!(!declared.matches(&refused(Some(503))) && !declared.matches(&closed(Some(CloseCode(1013)))));
    assert!(declared.to_string().ends_with("by HTTP 429 or a close with 4014"));
}

/// A client's reports are distinguished by their actor and content.
#[test]
fn client_reports_are_distinguished() {
    let status = seen("badge", Event::Status { old: "connecting".into(), new: "connected".into() });
    let key = || vec![json!("payments"), json!({ "page": 1 })];
    let fetched = seen("client", Event::Refetched { key: key() });
    let read = |what, value| seen("client", Event::Read { what, value });
    let query = read(Reading::Query(key()), json!([{ "seq": 1, "id": 7 }]));
    let config = read(Reading::Configuration, json!({ "pingInterval": 30000.0, "debug": false }));
    let report = |user| seen("client", Event::Reported { message: "a listener failed".into(), user });
    let (ada, no_user) = (report(json!({ "id": "u-1", "name": "Ada" })), report(Value::Null));
    let log = |text: &str| seen("client", Event::Log { text: text.into() });
    for (text, observation, expected) in [
        (r#"{ consumer = "badge", status = "connected" }"#, &status, true),
        (r#"{ consumer = "list", status = "connected" }"#, &status, false),
        (r#"{ refetches = ["payments", { page = 1 }] }"#, &fetched, true),
        (r#"{ refetches = ["payments"] }"#, &fetched, false),
        (r#"{ reads = { query = ["payments", { page = 1 }], with = [{ seq = 1 }] } }"#, &query, true),
        (r#"{ reads = { query = ["payments", { page = 1 }], with = [] } }"#, &query, false),
        (r#"{ reads = { query = ["payments", { page = 1 }], value = [{ seq = 1 }] } }"#, &query, false),
        (r#"{ reads = { consumer = "payments" } }"#, &query, false),
        (r#"{ reads = { with = { pingInterval = 30000 } } }"#, &config, true),
        (r#"{ reads = { with = { debug = true } } }"#, &config, false),
        (r#"{ reports = { user = { id = "u-1" } } }"#, &ada, true),
        (r#"{ reports = { user = { id = "u-1" } } }"#, &no_user, false),
        (r#"{ reports = { nobody = true } }"#, &no_user, true),
        (r#"{ reports = { nobody = true } }"#, &ada, false),
        (r#"{ reports = { contains = "token" } }"#, &ada, false),
        ("{ log = { is_empty = true } }", &log(" \n"), true),
        ("{ log = { is_empty = false } }", &log(""), false),
        (r#"{ log = { contains = "dial" } }"#, &log("dialling"), true),
    ] {
        assert_eq!(pattern(text).unwrap().matches(observation), expected, "{text}");
    }
}

/// A query parameter that comes twice is not the one that was asked for.
#[test]
fn a_doubled_parameter_does_not_match() {
    let dial = |query: &[(&str, &str)]| {
        let query = query.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        seen("client", Event::Dialled { path: "/ws".into(), query, token_in: None })
    };
    let wanted = pattern(r#"{ dials = { path = "/ws", query = { token = "t" } } }"#).unwrap();
    assert!(wanted.matches(&dial(&[("v", "1"), ("token", "t")])));
    assert!(!wanted.matches(&dial(&[("token", "t"), ("token", "t")])));
    assert!(!wanted.matches(&dial(&[])));
}

/// A pattern that says nothing, two things, or something meaningless is refused.
#[test]
fn unusable_patterns_are_refused() {
    for text in [
        "{}",
        r#"{ opens = true, status = "connected" }"#,
        "{ opens = false }",
        "{ receives = { code = \"x\" } }",
        "{ recieves = \"x\" }",
    ] {
        assert!(pattern(text).is_err(), "{text}");
    }
}

/// An event that happens to be called as a message is none: a gateway that sends `welcome` where its welcome has another name has not
/// greeted.
#[test]
fn an_event_is_no_message_of_its_name() {
    for name in ["ping", "pong", "welcome", "subscribed", "unsubscribed", "error"] {
        let event = received("alice", ServerMessage::Event { name: name.to_owned(), payload: json!({}) });
        let wanted = pattern(&format!("{{ client = \"alice\", receives = \"{name}\" }}")).unwrap();
        assert!(!wanted.matches(&event), "{name}");
    }
    let pong = received("alice", ServerMessage::Pong);
    assert!(pattern("{ receives = \"pong\" }").unwrap().matches(&pong));
}
