//! Invariants by hand: each of these traces breaks one, and the same trace without its last observation does not.

use std::time::Duration;

use protocol::{ClientMessage, CloseCode, ServerMessage, Target};
use serde_json::{Value, json};

use super::*;
use crate::ScenarioId;
use crate::trace::{FrameKind, Side};

const PLAN: &str = r#"
version = 2
title = "by hand"
subject = "system"
expect = "rules"

[timing]
jitter = 0.0
max_reconnect_attempts = 3

[clients.ada]
queue = 2

[clients.bob]

[[at]]
time = "0s"
client = "ada"
do = "connect"

[[at]]
time = "1s"
client = "ada"
send = { type = "note", payload = {}, count = 2 }

[[at]]
time = "2s"
client = "ada"
subscribe = "catalog:changed"

[[at]]
time = "3s"
client = "ada"
send = { type = "note", payload = { last = true } }

[[at]]
time = "4s"
client = "ada"
set_token = {}

[[at]]
time = "100s"
client = "ada"
do = "disconnect"
"#;

/// A trace that grows.
struct Play {
    plan: Plan,
    observations: Vec<Observation>,
    at_us: u64,
}

impl Play {
    fn new() -> Self {
        let plan = Plan::parse(ScenarioId("by-hand".to_owned()), PLAN).unwrap();
        Self { plan, observations: Vec::new(), at_us: 0 }
    }

    /// A client that has connected, and been welcomed.
    fn connected() -> Self {
        let mut play = Self::new();
        play.step(1).status("disconnected", "connecting").dial(0, 0).seen(0, Event::Opened);
        play.status("connecting", "connected")
            .said(0, ServerMessage::Welcome { user_id: "ada".to_owned(), rooms: vec![] });
        play
    }

    fn after(&mut self, ms: u64) -> &mut Self {
        self.at_us += ms * 1000;
        self
    }

    fn add(&mut self, actor: Actor, connection: Option<u32>, event: Event) -> &mut Self {
        self.observations.push(Observation { at_us: self.at_us, actor, connection, event });
        self
    }

    fn step(&mut self, number: usize) -> &mut Self {
        self.add(Actor::scenario(), None, Event::Step { number, action: String::new() })
    }

    fn seen(&mut self, connection: u32, event: Event) -> &mut Self {
        self.add(Actor("ada".to_owned()), Some(connection), event)
    }

    fn status(&mut self, old: &str, new: &str) -> &mut Self {
        let event = Event::Status { old: old.to_owned(), new: new.to_owned() };
        self.add(Actor("ada".to_owned()), None, event)
    }

    fn dial(&mut self, connection: u32, token: u32) -> &mut Self {
        let query = vec![("token".to_owned(), format!("0/{token}"))];
        self.seen(connection, Event::Dialled { path: "/ws".to_owned(), query, token_in: None })
    }

    fn asked(&mut self, connection: u32, message: ClientMessage) -> &mut Self {
        let message = Some(Message::Client(message));
        let frame = Frame { kind: FrameKind::Text, body: String::new(), message, form: None };
        self.seen(connection, Event::Sent(frame))
    }

    fn note(&mut self, payload: Value) -> &mut Self {
        self.asked(0, ClientMessage::Other { kind: "note".to_owned(), payload })
    }

    fn said(&mut self, connection: u32, message: ServerMessage) -> &mut Self {
        let message = Some(Message::Server(message));
        let frame = Frame { kind: FrameKind::Text, body: String::new(), message, form: None };
        self.seen(connection, Event::Received(frame))
    }

    fn beat(&mut self) -> &mut Self {
        let message = Some(Message::Server(ServerMessage::Ping));
        self.seen(
            0,
            Event::Received(Frame { kind: FrameKind::Ping, body: String::new(), message, form: None }),
        )
    }

    fn event(&mut self, kind: &str, data: Value) -> &mut Self {
        self.said(0, ServerMessage::Event { name: kind.to_owned(), payload: data })
    }

    fn published(&mut self, kind: &str, data: &Value) -> &mut Self {
        let body = json!({ "type": kind, "data": data });
        self.add(
            Actor::broker(),
            None,
            Event::Published { routing_key: String::new(), body, queues: None, as_sent: None },
        )
    }

    fn emitted(&mut self, name: &str, payload: Value) -> &mut Self {
        let event = Event::Emitted { name: name.to_owned(), payload, listener: "app".to_owned() };
        self.add(Actor("ada".to_owned()), None, event)
    }

    fn closed(&mut self, connection: u32, code: Option<u16>, by: Side) -> &mut Self {
        self.seen(connection, Event::Closed { code: code.map(CloseCode), by })
    }

    fn violations(&self, count: usize) -> Vec<&'static str> {
        let mut watch = Watch::new(&self.plan);
        self.observations[..count].iter().for_each(|seen| watch.observe(seen));
        watch.into_violations().into_iter().map(|violation| violation.requirement).collect()
    }

    /// The last observation breaks this, and nothing before does.
    #[track_caller]
    fn breaks(&self, requirement: &str) {
        let count = self.observations.len();
        assert_eq!(self.violations(count - 1), Vec::<&str>::new(), "before the last");
        assert_eq!(self.violations(count), [requirement]);
    }
}

fn topic() -> Target {
    Target::EventType("catalog:changed".to_owned())
}

/// STATE-1, STATE-2, STATE-5, STATE-6, STATE-8.
#[test]
fn statuses_and_dials() {
    Play::connected().status("connecting", "reconnecting").breaks("STATE-1");
    Play::new().step(1).status("disconnected", "connected").breaks("STATE-2");
    Play::connected().dial(1, 0).breaks("STATE-5");
    Play::new().dial(0, 0).breaks("STATE-6");
    let mut refused = Play::new();
    refused.step(1).status("disconnected", "connecting").dial(0, 0);
    let by = Some(Side::Gateway);
    refused.seen(0, Event::Refused { status: Some(401), code: None, by, reason: String::new() });
    refused.dial(1, 0).breaks("STATE-8");
}

/// BACKOFF-1 and BACKOFF-2: the first redial after a second, and three of them.
#[test]
fn redials() {
    let lost = |delays_ms: &[u64]| {
        let mut play = Play::connected();
        play.after(1000).seen(0, Event::GatewayClosed).closed(0, Some(1001), Side::Gateway);
        play.status("connected", "reconnecting");
        for (number, delay_ms) in (1..).zip(delays_ms) {
            play.after(*delay_ms).status("reconnecting", "connecting").dial(number, 0);
            let by = Some(Side::Gateway);
            play.seen(number, Event::Refused { status: None, code: None, by, reason: String::new() });
            play.status("connecting", "error").status("error", "reconnecting");
        }
        play.observations.truncate(play.observations.len() - 3);
        play
    };
    lost(&[990]).breaks("BACKOFF-1");
    lost(&[1010]).breaks("BACKOFF-1");
    lost(&[1000, 1000]).breaks("BACKOFF-1");
    let whole = lost(&[1000, 2000, 4000]);
    assert_eq!(whole.violations(whole.observations.len()), Vec::<&str>::new());
    lost(&[1000, 2000, 4000, 8000]).breaks("BACKOFF-2");
}

/// QUEUE-1 to QUEUE-4, SUB-2, ROOM-6, CONN-4.
#[test]
fn messages_and_requests() {
    let seq = |number: u32| json!({ "seq": number });
    Play::connected().after(1000).step(2).note(seq(2)).breaks("QUEUE-1");
    Play::connected().after(1000).step(2).note(seq(1)).note(seq(2)).note(seq(1)).breaks("QUEUE-4");
    Play::connected().after(1000).step(2).after(2000).step(4).after(1).step(5).breaks("QUEUE-3");
    let full = Event::RequestFailed { op: "send".to_owned(), error: String::new() };
    Play::connected().step(2).note(seq(1)).add(Actor("ada".to_owned()), None, full).breaks("QUEUE-3");
    let subscribe = || ClientMessage::Subscribe(topic());
    Play::connected().step(3).asked(0, subscribe()).asked(0, subscribe()).breaks("SUB-2");
    Play::connected().asked(0, subscribe()).breaks("SUB-2");
    let granted = || ServerMessage::Subscribed(topic());
    Play::connected().step(3).asked(0, subscribe()).said(0, granted()).said(0, granted()).breaks("ROOM-6");
    let mut late = Play::new();
    late.step(2).step(3).step(1).status("disconnected", "connecting").dial(0, 0).seen(0, Event::Opened);
    late.status("connecting", "connected").asked(0, subscribe()).breaks("QUEUE-2");
    let mut unwelcome = Play::new();
    unwelcome.step(1).status("disconnected", "connecting").dial(0, 0).seen(0, Event::Opened);
    unwelcome.status("connecting", "connected").said(0, ServerMessage::Pong).breaks("CONN-4");
}

/// PING-1, PING-3, HB-1, HB-2, HB-3.
#[test]
fn heartbeats() {
    let interval_ms = 30_000;
    let ping = || ClientMessage::Ping;
    Play::connected().after(10_000).asked(0, ping()).breaks("PING-1");
    Play::connected().after(interval_ms + 1000).beat().breaks("HB-1");
    let mut unheard = Play::connected();
    unheard
        .after(interval_ms)
        .beat()
        .asked(0, ping())
        .after(11_000)
        .closed(0, Some(1001), Side::Gateway)
        .breaks("PING-3");
    Play::connected().after(20_000).closed(0, None, Side::Gateway).breaks("HB-3");
    Play::connected().after(20_000).closed(0, None, Side::Client).breaks("PING-3");
    let mut kept = Play::connected();
    kept.after(1000)
        .closed(0, Some(1001), Side::Gateway)
        .after(57_000)
        .seen(0, Event::GatewayClosed)
        .breaks("HB-2");
}

/// BRIDGE-2, BRIDGE-4, BRIDGE-5, BRIDGE-6, IN-1.
#[test]
fn events() {
    let (one, two) = (json!({ "n": 1, "userId": "bob" }), json!({ "n": 2, "userId": "ada" }));
    let published = || {
        let mut play = Play::connected();
        play.published("payment:created", &one)
            .published("profile:updated", &one)
            .published("payment:created", &two);
        play
    };
    Play::connected().event("payment:created", one.clone()).breaks("BRIDGE-2");
    published().event("profile:updated", one.clone()).breaks("BRIDGE-4");
    published()
        .event("payment:created", one.clone())
        .event("payment:created", one.clone())
        .breaks("BRIDGE-5");
    published()
        .event("payment:created", two.clone())
        .event("payment:created", one.clone())
        .breaks("BRIDGE-6");
    published().event("payment:created", one.clone()).emitted("payment:created", two.clone()).breaks("IN-1");
    // A redelivery is none of these.
    let mut again = published();
    let seeks = || (Plan::gateway_actor(1), None, Event::BrokerDialled);
    let (actor, connection, event) = seeks();
    again.add(actor, connection, event);
    again.event("payment:created", one.clone());
    let (actor, connection, event) = seeks();
    again.add(actor, connection, event).event("payment:created", one);
    assert_eq!(again.violations(again.observations.len()), Vec::<&str>::new());
}

/// AUTH-6: a token that is good for an hour.
#[test]
fn tokens() {
    let hour_ms = 3_600_000;
    let mut early = Play::connected();
    let unauthorized = Some(CloseCode::UNAUTHORIZED.0);
    early.after(20_000).closed(0, unauthorized, Side::Gateway).breaks("AUTH-6");
    let mut gives_up = Play::connected();
    gives_up.after(hour_ms / 3600).emitted("error", json!({ "code": "unauthorized" })).breaks("STATE-8");
}

/// What is owed at the end: a connection, an empty queue, the subscriptions that are wanted, the events that were published.
#[test]
fn what_is_owed_at_the_end() {
    let ended = |play: &Play| {
        let mut watch = Watch::new(&play.plan);
        play.observations.iter().for_each(|seen| watch.observe(seen));
        watch.finish();
        let found: Vec<_> =
            watch.into_violations().into_iter().map(|violation| violation.requirement).collect();
        found
    };
    let mut away = Play::new();
    away.step(1).status("disconnected", "connecting");
    assert_eq!(ended(&away), ["STATE-3"]);
    let data = json!({ "n": 1 });
    let mut short = Play::connected();
    short.after(1000).step(2).step(3).published("payment:created", &data);
    let owed = ended(&short);
    for requirement in ["QUEUE-1", "SUB-2", "BRIDGE-2", "PING-1", "HB-1"] {
        assert!(owed.contains(&requirement), "{requirement}: {owed:?}");
    }
    let mut stats = Play::connected();
    let body = json!({ "connections": { "total": 2 }, "rooms": {} }).to_string();
    stats.add(Actor::gateway(), None, Event::Answered { path: "/stats".to_owned(), status: 200, body });
    assert_eq!(stats.violations(stats.observations.len()), ["CONN-5", "CONN-5"]);
    let mut queues = Play::connected();
    let body =
        json!({ "q": { "consumers": 1, "ready": 1, "unacked": 0 }, "r": { "consumers": 0 } }).to_string();
    queues.add(Actor::broker(), None, Event::Answered { path: "/queues".to_owned(), status: 200, body });
    assert_eq!(queues.violations(queues.observations.len()), ["BRIDGE-7"]);
    assert!(Duration::from_secs(100) < queues.plan.last_moment() + queues.plan.recovery());
}

/// Each is a requirement, listed once.
#[test]
fn invariants_are_requirements() {
    let catalogue = crate::Catalogue::builtin();
    for (place, id) in OF_SYSTEMS.iter().enumerate() {
        assert!(catalogue.iter().any(|requirement| requirement.id.to_string() == *id), "{id}");
        assert!(!OF_SYSTEMS[..place].contains(id), "{id}");
    }
}
