use std::time::Duration;

use protocol::{Dialect, ServerMessage, Timing};
use serde_json::json;

use super::*;
use crate::design::ClientDesign;
use crate::scenario::{Bindings, ScenarioId};
use crate::trace::{Actor, Event, Frame, FrameKind, Message, Observation, Side};

const GATEWAY: &str = r#"
version = 2
title = "t"
subject = "gateway"
[clients.alice]
[clients.mallory]
[clients.root]
role = "ADMIN"
[[expect]]
requirement = "CONN-2"
some = { client = "alice", opens = true }
"#;

const CLIENT: &str = r#"
version = 2
title = "t"
subject = "client"
[[step]]
send = { type = "note", payload = { text = "x" }, count = 2 }
[[expect]]
requirement = "SUB-1"
some = { opens = true }
"#;

fn times() -> Times {
    Times {
        timing: Timing::default(),
        patience: Duration::from_secs(3),
        slack: Duration::from_millis(50),
        fleet: 20,
        slow_reader: Duration::ZERO,
        design: ClientDesign::default(),
    }
}

/// What happens at a millisecond, to whom, on which connection.
type Happening = (u64, &'static str, Option<u32>, Event);

fn broken(text: &str, happenings: impl IntoIterator<Item = Happening>) -> Vec<String> {
    let bindings = Bindings {
        case: "c".to_owned(),
        dialect: Dialect::default(),
        users: Default::default(),
        roles: Default::default(),
        event_names: Default::default(),
        rooms: Default::default(),
        seed_rooms: true,
        pages: crate::pages::PagePaths::default(),
        stats: crate::stats::StatsPlaces::default(),
        audiences: Default::default(),
        owner_keys: Default::default(),
    };
    let scenario = Scenario::parse(ScenarioId("t".to_owned()), text).unwrap().bind(&bindings);
    let observations = happenings.into_iter().map(|(at_ms, actor, connection, event)| Observation {
        at_us: at_ms * 1000,
        actor: Actor(actor.to_owned()),
        connection,
        event,
    });
    let trace = Trace { observations: observations.collect() };
    let violations = violations(&scenario, &trace, &times());
    violations.into_iter().map(|violation| violation.requirement.to_string()).collect()
}

fn status(old: &str, new: &str) -> Event {
    Event::Status { old: old.to_owned(), new: new.to_owned() }
}

fn text(body: &str, message: Option<Message>) -> Frame {
    Frame { kind: FrameKind::Text, body: body.to_owned(), message, form: None }
}

fn from_client(body: &serde_json::Value) -> Frame {
    let body = body.to_string();
    let message = Dialect::default().decode_client(&body).unwrap().message;
    text(&body, Some(Message::Client(message)))
}

fn event(name: &str, payload: serde_json::Value) -> Frame {
    let body =
        json!({ "type": name, "payload": payload, "timestamp": "2026-01-01T00:00:00.000Z" }).to_string();
    text(&body, Some(Message::Server(ServerMessage::Event { name: name.to_owned(), payload })))
}

fn published(kind: &str, data: &serde_json::Value) -> Event {
    let body = json!({ "type": kind, "data": data });
    Event::Published { routing_key: kind.replace(':', "."), body, queues: None, as_sent: None }
}

fn closed(by: Side) -> Event {
    Event::Closed { code: None, by }
}

/// STATE-1 and STATE-2 are about what is announced, in every case.
#[test]
fn statuses_follow_each_other() {
    let good = [
        (0, "client", None, status("disconnected", "connecting")),
        (1, "client", None, status("connecting", "connected")),
        // A consumer reports the status that it finds on mount.
        (2, "badge", None, status("", "connected")),
    ];
    assert!(broken(CLIENT, good.clone()).is_empty());
    let twice = [(2, "client", None, status("connected", "connected"))];
    assert_eq!(broken(CLIENT, good.clone().into_iter().chain(twice)), ["STATE-1"]);
    let jump = [(2, "client", None, status("connected", "connecting"))];
    assert_eq!(broken(CLIENT, good.clone().into_iter().chain(jump)), ["STATE-2"]);
    let gap = [(2, "client", None, status("error", "reconnecting"))];
    assert_eq!(broken(CLIENT, good.into_iter().chain(gap)), ["STATE-1"]);
}

/// STATE-5: two sockets open at once are a finding; one whose end is seen late is not. Under network faults the trace cannot
/// show the difference.
#[test]
fn sockets_do_not_live_side_by_side() {
    let opened = |at, connection| (at, "client", Some(connection), Event::Opened);
    let end = (9000, "client", None, Event::TokenWanted);
    assert_eq!(broken(CLIENT, [opened(0, 0), opened(100, 1), end.clone()]), ["STATE-5"]);
    let over = (150, "client", Some(0), closed(Side::Client));
    assert!(broken(CLIENT, [opened(0, 0), opened(100, 1), over, end.clone()]).is_empty());
    let fault = (50, "client", None, Event::Fault { what: "the network".to_owned() });
    assert!(broken(CLIENT, [opened(0, 0), fault, opened(100, 1), end]).is_empty());
}

/// QUEUE-4: what was sent once goes out once, on whatever connections.
#[test]
fn nothing_goes_out_twice() {
    let note = |seq: u32| from_client(&json!({ "type": "note", "payload": { "text": "x", "seq": seq } }));
    let sent = |at, connection, seq| (at, "client", Some(connection), Event::Sent(note(seq)));
    assert!(broken(CLIENT, [sent(0, 0, 1), sent(1, 0, 2)]).is_empty());
    assert_eq!(broken(CLIENT, [sent(0, 0, 1), sent(1, 0, 2), sent(2, 1, 2)]), ["QUEUE-4"]);
}

/// PING-1: a client that says that it has no connection sends no ping; the announcement may be a little ahead of the wire.
#[test]
fn no_pings_without_a_connection() {
    let ping = |at| (at, "client", Some(0), Event::Sent(from_client(&json!({ "type": "ping" }))));
    let connected = [
        (0, "client", None, status("disconnected", "connecting")),
        (1, "client", None, status("connecting", "connected")),
    ];
    let lost = (10, "client", None, status("connected", "reconnecting"));
    let chain = |last| connected.clone().into_iter().chain([lost.clone(), last]);
    assert!(broken(CLIENT, connected.clone().into_iter().chain([ping(5)])).is_empty());
    assert!(broken(CLIENT, chain(ping(60))).is_empty());
    assert_eq!(broken(CLIENT, chain(ping(200))), ["PING-1"]);
}

/// TOKEN-3 and AUTH-8: a token is found in a log, in whichever spelling.
#[test]
fn tokens_do_not_leak() {
    let token = "header.claims.a-signature-that-is-long%enough";
    let dialled = |actor| {
        let query = vec![("token".to_owned(), token.to_owned())];
        (0, actor, Some(0), Event::Dialled { path: "/ws".to_owned(), query, token_in: None })
    };
    let log = |text: &str| (1, "gateway", None, Event::Log { text: text.to_owned() });
    let spelled = "GET /ws?token=header.claims.a-signature-that-is-long%25enough";
    assert!(broken(CLIENT, [dialled("client"), log("connecting")]).is_empty());
    assert_eq!(broken(CLIENT, [dialled("client"), log(spelled)]), ["TOKEN-3"]);
    assert_eq!(broken(GATEWAY, [dialled("alice"), log(spelled)]), ["AUTH-8"]);
}

/// MSG-1 and MSG-7 are about every message and frame of a gateway.
#[test]
fn messages_and_frames_are_right() {
    let receives = |frame| (0, "alice", Some(0), Event::Received(frame));
    assert!(broken(GATEWAY, [receives(event("payment:created", json!({})))]).is_empty());
    assert_eq!(broken(GATEWAY, [receives(text(r#"{"type":"pong"}"#, None))]), ["MSG-1"]);
    let masked = Event::BadFrame { why: "a masked frame".to_owned(), by: Side::Gateway };
    assert_eq!(broken(GATEWAY, [(0, "alice", Some(0), masked)]), ["MSG-7"]);
}

/// BRIDGE-4: a private event reaches its owner alone. One who has asked for the room is the affair of ROOM-3.
#[test]
fn others_receive_nothing() {
    let own = json!({ "userId": "alice-c" });
    let publish = (0, "broker", None, published("profile:updated", &own));
    let receives = |actor| (1, actor, Some(0), Event::Received(event("profile:updated", own.clone())));
    assert!(broken(GATEWAY, [publish.clone(), receives("alice")]).is_empty());
    assert_eq!(broken(GATEWAY, [publish.clone(), receives("mallory")]), ["BRIDGE-4"]);
    let asks = from_client(&json!({ "type": "subscribe", "payload": { "room": "user:alice-c" } }));
    let asks = (0, "mallory", Some(0), Event::Sent(asks));
    assert!(broken(GATEWAY, [publish, asks, receives("mallory")]).is_empty());

    let publish = (0, "broker", None, published("admin:alert", &json!({})));
    let receives = |actor| (1, actor, Some(0), Event::Received(event("admin:alert", json!({}))));
    assert!(broken(GATEWAY, [publish.clone(), receives("root")]).is_empty());
    assert_eq!(broken(GATEWAY, [publish, receives("alice")]), ["BRIDGE-4"]);
}

/// BRIDGE-6: events of a type keep their order on each connection; one that comes again is not out of order.
#[test]
fn events_keep_their_order() {
    let publish = |seq: u32| (0, "broker", None, published("payment:created", &json!({ "seq": seq })));
    let receives =
        |seq: u32| (1, "alice", Some(0), Event::Received(event("payment:created", json!({ "seq": seq }))));
    let all = || [publish(1), publish(2), publish(3)].into_iter();
    assert!(broken(GATEWAY, all().chain([receives(1), receives(2), receives(3), receives(1)])).is_empty());
    assert!(broken(GATEWAY, all().chain([receives(1), receives(3)])).is_empty(), "a loss is not an order");
    assert_eq!(broken(GATEWAY, all().chain([receives(2), receives(1), receives(3)])), ["BRIDGE-6"]);
    // What was lost the first time is not the equal one that comes when it is published again.
    let again = all().chain([receives(2), publish(1), receives(1)]);
    assert!(broken(GATEWAY, again).is_empty());
}

/// BRIDGE-6: what one queue held keeps its order whatever its types; several queues have no order among them.
#[test]
fn one_queue_has_one_order() {
    let order_is_kept = |queues: Option<usize>| {
        let publish = |kind: &str| {
            let body = json!({ "type": kind, "data": {} });
            (
                0,
                "broker",
                None,
                Event::Published { routing_key: kind.to_owned(), body, queues, as_sent: None },
            )
        };
        let receives = |kind: &str| (1, "alice", Some(0), Event::Received(event(kind, json!({}))));
        let overtaken = [publish("a:first"), publish("b:second"), receives("b:second"), receives("a:first")];
        broken(GATEWAY, overtaken).is_empty()
    };
    assert!(!order_is_kept(Some(1)));
    assert!(order_is_kept(Some(2)) && order_is_kept(None));
}

/// BRIDGE-6: a redelivered event is not mistaken for an equal one that was published later.
#[test]
fn equal_events_have_no_order_among_others() {
    let publish = |kind: &str| {
        let body = json!({ "type": kind, "data": {} });
        (
            0,
            "broker",
            None,
            Event::Published { routing_key: kind.to_owned(), body, queues: Some(1), as_sent: None },
        )
    };
    let receives = |kind: &str| (1, "alice", Some(0), Event::Received(event(kind, json!({}))));
    let again = [publish("a:equal"), publish("b:other"), publish("a:equal")];
    let seen = [receives("a:equal"), receives("a:equal"), receives("b:other")];
    assert!(broken(GATEWAY, again.into_iter().chain(seen)).is_empty());
}

/// ROOM-6: no request is acknowledged twice.
#[test]
fn requests_are_acknowledged_once() {
    let asks = || {
        let request = from_client(&json!({ "type": "subscribe", "payload": { "room": "catalog:changed" } }));
        (0, "alice", Some(0), Event::Sent(request))
    };
    let replied = || {
        let body = r#"{"type":"subscribed","payload":{"room":"catalog:changed"},"timestamp":"2026-01-01T00:00:00.000Z"}"#;
        let message = Dialect::default().decode_server(body).unwrap().message;
        (1, "alice", Some(0), Event::Received(text(body, Some(Message::Server(message)))))
    };
    assert!(broken(GATEWAY, [asks(), replied(), asks(), replied()]).is_empty());
    assert_eq!(broken(GATEWAY, [asks(), replied(), replied()]), ["ROOM-6"]);
    // A request in a form of its own names no type.
    let joins = || {
        let room = protocol::Target::Room("catalog:changed".to_owned());
        let message = Message::Client(protocol::ClientMessage::Subscribe(room));
        (0, "alice", Some(0), Event::Sent(text(r#"["4","catalog:changed","join"]"#, Some(message))))
    };
    assert!(broken(GATEWAY, [joins(), replied()]).is_empty());
    assert_eq!(broken(GATEWAY, [joins(), replied(), replied()]), ["ROOM-6"]);
}

/// WIRE-1 is about each frame of a client, and not about those of its gateway.
#[test]
fn frames_of_clients_are_right() {
    let wrong = |by| (0, "client", Some(0), Event::BadFrame { why: "an odd frame".to_owned(), by });
    assert!(broken(CLIENT, [wrong(Side::Gateway)]).is_empty());
    assert_eq!(broken(CLIENT, [wrong(Side::Client), wrong(Side::Client)]), ["WIRE-1"], "it is told once");
}

/// STATE-10: what a gateway has sent is emitted while the client says that it is connected; what it emits by itself may come then.
#[test]
fn nothing_is_emitted_of_what_is_over() {
    let emits = |name: &str| {
        let (name, listener) = (name.to_owned(), "main".to_owned());
        (3, "client", None, Event::Emitted { name, payload: json!({ "item": 1 }), listener })
    };
    let begins = || {
        [
            (0, "client", None, status("disconnected", "connecting")),
            (1, "client", None, status("connecting", "connected")),
            (1, "client", Some(0), Event::Received(event("a:b", json!({ "item": 1 })))),
        ]
        .into_iter()
    };
    let ends = (2, "client", None, status("connected", "disconnected"));
    assert!(broken(CLIENT, begins().chain([emits("a:b"), ends.clone()])).is_empty());
    assert!(broken(CLIENT, begins().chain([ends.clone(), emits("error")])).is_empty());
    assert_eq!(broken(CLIENT, begins().chain([ends, emits("a:b")])), ["STATE-10"]);
}
