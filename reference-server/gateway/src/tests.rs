//! The machine against its requirements: examples first, then arbitrary interleavings against a model.

mod closing_errors;
mod ending;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use protocol::{
    Claims, CloseCode, Dialect, ErrorCloses, Heartbeat, HeartbeatNames, Role, ServerMessage, Target,
    Timestamp, UserId, Welcome,
};
use serde_json::json;

use super::{
    ConnectionId, Deliveries, Event, Gateway, GatewayConfig, Input, Now, Output, RateLimit, RoutingTable,
    ping_frame,
};

const MAX_ROOMS: usize = 5;
/// So high that only the test of it reaches it: time stands still in the others.
const MESSAGE_RATE: u32 = 1000;

fn machine(dialect: Dialect) -> Gateway {
    Gateway::new(config(dialect))
}

fn config(dialect: Dialect) -> GatewayConfig {
    GatewayConfig {
        dialect,
        ping_interval: Duration::from_secs(30),
        pong_timeout: Duration::from_secs(10),
        max_rooms: MAX_ROOMS,
        message_rate: RateLimit { per_second: MESSAGE_RATE },
        leeway_s: 0,
    }
}

fn at(seconds: u64) -> Now {
    Now { monotonic: Duration::from_secs(seconds), wall: Timestamp::EPOCH }
}

fn claims(user: &str, role: Role) -> Claims {
    let email = format!("{user}@example.org");
    Claims { user_id: UserId::new(user), email, role, expires_at: u64::MAX, not_before: None }
}

/// Everything that the machine wants done.
fn drain(gateway: &mut Gateway) -> Vec<Output> {
    std::iter::from_fn(|| gateway.poll()).collect()
}

fn take(gateway: &mut Gateway, input: Input) -> Vec<Output> {
    gateway.handle(at(0), input);
    drain(gateway)
}

fn open(gateway: &mut Gateway, id: u64, user: &str) -> Vec<Output> {
    take(gateway, Input::Opened(ConnectionId(id), claims(user, Role::Customer)))
}

fn say(gateway: &mut Gateway, id: u64, text: &str) -> Vec<Output> {
    take(gateway, Input::Text(ConnectionId(id), text.to_owned()))
}

fn event(name: &str, data: &serde_json::Value) -> Input {
    let event = Event::parse(json!({ "type": name, "data": data }).to_string().as_bytes()).unwrap();
    let mut deliveries = Deliveries::default();
    deliveries.push(RoutingTable::default().route(&event, &Dialect::default(), Timestamp::EPOCH));
    Input::Deliver(Arc::new(deliveries.finish().pop().expect("the event has rooms")))
}

/// The text of a short, unmasked text frame.
fn text(frame: &Bytes) -> String {
    let skip = if frame[1] < 126 { 2 } else { 4 };
    String::from_utf8(frame[skip..].to_vec()).unwrap()
}

/// The one message that is sent, with its request's id.
fn answer(outputs: &[Output]) -> (ServerMessage, Option<String>) {
    let [Output::Send(_, frame)] = outputs else { panic!("one message, not {outputs:?}") };
    let decoded = Dialect::default().decode_server(&text(frame)).unwrap();
    (decoded.message, decoded.id)
}

fn error_code(outputs: &[Output]) -> String {
    match answer(outputs).0 {
        ServerMessage::Error { code, .. } => code,
        other => panic!("an error, not {other:?}"),
    }
}

/// CONN-2 to CONN-4: a new connection is welcomed with its rooms.
#[test]
fn a_connection_is_welcomed() {
    let mut gateway = machine(Dialect::default());
    let rooms = ["broadcast", "user:7", "role:customer"].map(str::to_owned).to_vec();
    let welcome = ServerMessage::Welcome { user_id: "7".to_owned(), rooms };
    assert_eq!(answer(&open(&mut gateway, 1, "7")), (welcome, None));
    let mut silent = machine(Dialect { welcome: Welcome::Sent(false), acks: false, ..Dialect::default() });
    assert!(open(&mut silent, 1, "7").is_empty());
    assert!(say(&mut silent, 1, r#"{"type":"subscribe","payload":{"room":"a"}}"#).is_empty(), "no acks here");
}

/// ROOM-3 to ROOM-6, MSG-2, MSG-4: every request has one answer, which names it.
#[test]
fn every_request_has_one_answer() {
    let mut gateway = machine(Dialect::default());
    open(&mut gateway, 1, "7");
    let mut ask = |text: &str| say(&mut gateway, 1, text);
    assert_eq!(answer(&ask(r#"{"type":"ping","id":"p"}"#)), (ServerMessage::Pong, Some("p".to_owned())));
    let subscribed = ServerMessage::Subscribed(Target::EventType("a:b".to_owned()));
    let request = r#"{"type":"subscribe","id":"s","payload":{"eventType":"a:b"}}"#;
    assert_eq!(answer(&ask(request)), (subscribed.clone(), Some("s".to_owned())));
    assert_eq!(answer(&ask(request)).0, subscribed, "twice is once, and is answered");
    for (text, code) in [
        (r#"{"type":"subscribe","payload":{"room":"user:8"}}"#, "forbidden"),
        (r#"{"type":"subscribe","payload":{"room":"role:admin"}}"#, "forbidden"),
        (r#"{"type":"subscribe","payload":{"room":"a b"}}"#, "bad_room"),
        (r#"{"type":"unsubscribe"}"#, "bad_room"),
        ("{", "bad_message"),
        (r#"{"type":"dance"}"#, "unknown_type"),
    ] {
        assert_eq!(error_code(&ask(text)), code, "{text}");
    }
    // Three of its own and `a:b` leave room for one.
    assert!(matches!(
        answer(&ask(r#"{"type":"subscribe","payload":{"room":"c"}}"#)).0,
        ServerMessage::Subscribed(_)
    ));
    assert_eq!(error_code(&ask(r#"{"type":"subscribe","payload":{"room":"d"}}"#)), "too_many_rooms");
    assert_eq!(error_code(&take(&mut gateway, Input::Binary(ConnectionId(1)))), "bad_message");
}

/// HB-1 to HB-3: every connection is pinged, by frame or by message; one that does not answer is dropped.
#[test]
fn heartbeats_drop_dead_peers() {
    for (heartbeat, pong) in [
        (Heartbeat::Control, Input::Pong(ConnectionId(1))),
        (Heartbeat::Message, Input::Text(ConnectionId(1), r#"{"type":"pong"}"#.to_owned())),
        (
            Heartbeat::Named(HeartbeatNames { ping: "beat".to_owned(), pong: "alive".to_owned() }),
            Input::Text(ConnectionId(1), r#"{"type":"alive"}"#.to_owned()),
        ),
    ] {
        let mut gateway = machine(Dialect { heartbeat: heartbeat.clone(), ..Dialect::default() });
        open(&mut gateway, 1, "alive");
        open(&mut gateway, 2, "dead");
        gateway.handle(at(30), Input::Timer);
        let pings = drain(&mut gateway);
        assert_eq!(pings.len(), 2);
        let by_frame =
            pings.iter().all(|ping| matches!(ping, Output::Send(_, frame) if *frame == ping_frame()));
        assert_eq!(by_frame, heartbeat == Heartbeat::Control);
        gateway.handle(at(31), pong);
        gateway.handle(at(40), Input::Timer);
        assert_eq!(drain(&mut gateway), [Output::Drop(ConnectionId(2))]);
        assert_eq!(gateway.stats().connections.total, 1);
    }
}

const USERS: [&str; 3] = ["ann", "bob", "cat"];
const ROOMS: [&str; 5] = ["news:a", "news:b", "user:ann", "user:bob", "role:admin"];

#[derive(Debug, Clone)]
enum Step {
    Open(usize, bool),
    Close(usize),
    Join(usize, usize),
    Leave(usize, usize),
    /// To the owner alone.
    Private(usize),
    /// To all clients, and to its owner.
    Payment(usize),
    News(usize),
    Admin,
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..USERS.len(), any::<bool>()).prop_map(|(user, admin)| Step::Open(user, admin)),
        1 => (0_usize..8).prop_map(Step::Close),
        4 => (0_usize..8, 0..ROOMS.len()).prop_map(|(member, room)| Step::Join(member, room)),
        1 => (0_usize..8, 0..2_usize).prop_map(|(member, room)| Step::Leave(member, room)),
        2 => (0..USERS.len()).prop_map(Step::Private),
        2 => (0..USERS.len()).prop_map(Step::Payment),
        3 => (0..2_usize).prop_map(Step::News),
        1 => Just(Step::Admin),
    ]
}

/// The connections, as the requirements see them.
#[derive(Debug)]
struct Member {
    user: &'static str,
    admin: bool,
    news: BTreeSet<usize>,
}

/// A connection ends when its token expires, and no other does (AUTH-6); the leeway extends the expiry.
#[test]
fn a_connection_ends_with_its_token() {
    let mut gateway = Gateway::new(GatewayConfig { leeway_s: 2, ..config(Dialect::default()) });
    let moment = |s: u64| Now {
        monotonic: Duration::from_secs(s),
        wall: Timestamp::from_unix_ms(1_000_000 + 1000 * s as i64),
    };
    for (id, expires_at) in [(1, 1005), (2, 1020)] {
        let claims = Claims { expires_at, ..claims("u", Role::Customer) };
        gateway.handle(moment(0), Input::Opened(ConnectionId(id), claims));
    }
    drain(&mut gateway);
    assert_eq!(gateway.deadline(), Some(Duration::from_secs(7)));
    gateway.handle(moment(6), Input::Timer);
    assert_eq!(drain(&mut gateway), []);
    gateway.handle(moment(7), Input::Timer);
    assert_eq!(drain(&mut gateway), [Output::Close(ConnectionId(1), CloseCode::UNAUTHORIZED)]);
    assert_eq!(gateway.stats().connections.total, 1);
}

/// A dialect that refuses a token by another close ends a connection with that one when its token expires (AUTH-6).
#[test]
fn a_token_expires_with_the_code_of_the_dialect() {
    let dialect: Dialect = r#"{"refusal":"close-4010"}"#.parse().unwrap();
    let mut gateway = Gateway::new(config(dialect));
    let moment = |s: u64| Now {
        monotonic: Duration::from_secs(s),
        wall: Timestamp::from_unix_ms(1_000_000 + 1000 * s as i64),
    };
    let claims = Claims { expires_at: 1005, ..claims("u", Role::Customer) };
    gateway.handle(moment(0), Input::Opened(ConnectionId(1), claims));
    drain(&mut gateway);
    gateway.handle(moment(5), Input::Timer);
    assert_eq!(drain(&mut gateway), [Output::Close(ConnectionId(1), CloseCode(4010))]);
}

/// Frames beyond the rate are refused once a second and not acted on; who persists is closed (MSG-6).
#[test]
fn a_flood_is_refused_and_ended() {
    let closes = ErrorCloses { flood: Some(CloseCode(4029)), ..ErrorCloses::default() };
    let mut gateway = machine(Dialect { closes, ..Dialect::default() });
    open(&mut gateway, 1, "u");
    for _ in 0..MESSAGE_RATE {
        assert_eq!(answer(&say(&mut gateway, 1, r#"{"type":"ping"}"#)).0, ServerMessage::Pong);
    }
    assert_eq!(
        error_code(&say(&mut gateway, 1, r#"{"type":"subscribe","payload":{"room":"r"}}"#)),
        "rate_limited"
    );
    assert!(!gateway.stats().rooms.contains_key("r"));
    let mut outputs = Vec::new();
    for _ in 0..2 * MESSAGE_RATE {
        outputs.extend(take(&mut gateway, Input::Ping(ConnectionId(1))));
    }
    assert_eq!(outputs, [Output::CutOff(ConnectionId(1), CloseCode(4029))]);
    assert!(gateway.is_empty());
}

proptest! {
    /// BRIDGE-2 to BRIDGE-6, ROOM-1 to ROOM-3, CONN-5: every event reaches exactly its recipients, once each; and when all
    /// connections have closed, no state is left.
    #[test]
    fn events_reach_exactly_their_receivers(steps in proptest::collection::vec(steps(), 1..80)) {
        let mut gateway = machine(Dialect::default());
        let mut members: BTreeMap<u64, Member> = BTreeMap::new();
        let mut next = 0;
        for (number, step) in steps.iter().enumerate() {
            let nth = |members: &BTreeMap<u64, Member>, at: usize| members.keys().copied().nth(at);
            let sent = match *step {
                Step::Open(user, admin) => {
                    let role = if admin { Role::Admin } else { Role::Customer };
                    take(&mut gateway, Input::Opened(ConnectionId(next), claims(USERS[user], role)));
                    members.insert(next, Member { user: USERS[user], admin, news: BTreeSet::new() });
                    next += 1;
                    continue;
                }
                Step::Close(at) => {
                    if let Some(id) = nth(&members, at) {
                        members.remove(&id);
                        take(&mut gateway, Input::Closed(ConnectionId(id)));
                    }
                    continue;
                }
                Step::Join(at, room) | Step::Leave(at, room) => {
                    let Some(id) = nth(&members, at) else { continue };
                    let joins = matches!(step, Step::Join(..));
                    let kind = if joins { "subscribe" } else { "unsubscribe" };
                    let text = format!(r#"{{"type":"{kind}","payload":{{"room":"{}"}}}}"#, ROOMS[room]);
                    say(&mut gateway, id, &text);
                    let news = &mut members.get_mut(&id).unwrap().news;
                    if room < 2 && joins {
                        news.insert(room);
                    } else if room < 2 {
                        news.remove(&room);
                    }
                    continue;
                }
                Step::Private(user) => event("profile:updated", &json!({ "userId": USERS[user], "n": number })),
                Step::Payment(user) => event("payment:updated", &json!({ "userId": USERS[user], "n": number })),
                Step::News(room) => event(ROOMS[room], &json!({ "n": number })),
                Step::Admin => event("admin:alert", &json!({ "n": number })),
            };
            let receivers: Vec<u64> = take(&mut gateway, sent)
                .iter()
                .map(|output| match output {
                    Output::Send(ConnectionId(id), frame) => {
                        assert!(text(frame).contains(&format!("\"n\":{number}")));
                        *id
                    }
                    other => panic!("a message, not {other:?}"),
                })
                .collect();
            let wanted: Vec<u64> = members
                .iter()
                .filter(|(_, member)| match *step {
                    Step::Private(user) => member.user == USERS[user],
                    Step::News(room) => member.news.contains(&room),
                    Step::Admin => member.admin,
                    _ => true,
                })
                .map(|(id, _)| *id)
                .collect();
            prop_assert_eq!(receivers, wanted, "{:?}", step);
        }
        for id in members.into_keys() {
            take(&mut gateway, Input::Closed(ConnectionId(id)));
        }
        prop_assert!(gateway.is_empty());
    }
}
