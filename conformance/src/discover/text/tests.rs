use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use protocol::{Dialect, Role, TokenPlace, Welcome};
use scenarios::UserIds;
use scenarios::token::TokenStyle;
use serde_json::json;

use super::*;
use crate::amqp::Queues;
use crate::discover::candidates::{Person, Place};
use crate::discover::events::{Events, ObservedEvent};
use crate::discover::heartbeat::{Heartbeat, PingKind};
use crate::discover::observed::Reach;
use crate::discover::sign_in::{Entry, SignIn};
use crate::discover::socket::Refused;
use crate::discover::talk::{Exchange, Request, RequestAnswer, Talk};
use crate::discover::topology::{ObservedQueue, Topology};
use crate::discover::unfinished::Unfinished;
use crate::profile::{Audience, CommandProfile, Profile};

const SHAPE: &str = r#"{"action":"subscribe","channel":"{room}"}"#;

/// What is seen of a gateway with `{action, body}` frames, a server-named queue, and integer ids in `sub`.
pub(in crate::discover) fn other_design() -> ObservedGateway {
    let claims = TokenStyle {
        names: BTreeMap::from([("userId".to_owned(), "sub".to_owned())]),
        users: UserIds::Integers,
        ..TokenStyle::default()
    };
    let entry = Entry {
        path: "/socket".to_owned(),
        place: Place::Request(TokenPlace::Bearer),
        claims,
        subprotocol: None,
        opening: Vec::new(),
        is_confirmed: true,
    };
    let id = Person::Owner.id(UserIds::Integers);
    let data = json!({ "id": "gcm-1-x", "userId": id });
    let answer = |text: &str| Some(text.to_owned());
    let event = ObservedEvent {
        exchange: "events".to_owned(),
        exchange_kind: "topic".to_owned(),
        routing_key: "orders.order.created".to_owned(),
        body: r#"{"pattern":"orders.order.created","data":"{data}"}"#.to_owned(),
        called: "orders.order.created".to_owned(),
        name: "order:created".to_owned(),
        audience: Some(Audience::Owner),
        reached: [true, false, true, false],
        frame: json!({ "action": "order:created", "body": data }).to_string(),
        data,
    };
    ObservedGateway {
        reach: Reach::Started {
            command: CommandProfile {
                words: vec!["node".to_owned(), "main.js".to_owned()],
                env: BTreeMap::from([("PORT".to_owned(), "{port}".to_owned())]),
            },
            folder: ".".into(),
            took: Duration::from_millis(400),
            ignored_port: None,
        },
        ready_path: Some("/health"),
        pages: BTreeMap::from([("health", "/health")]),
        topology: Some(Topology {
            exchanges: BTreeMap::from([("events".to_owned(), "topic".to_owned())]),
            queues: vec![ObservedQueue {
                name: "amq.gen-1".to_owned(),
                kind: "classic".to_owned(),
                is_server_named: true,
                is_exclusive: true,
                is_durable: false,
                consumer: Some((20, true)),
            }],
            bindings: vec![("events".to_owned(), "orders.#".to_owned(), "amq.gen-1".to_owned())],
            refused_logins: BTreeMap::new(),
        }),
        sign_in: SignIn {
            entry: Some(entry),
            also: Vec::new(),
            left_unsigned: None,
            vain: BTreeMap::new(),
            styles: 10,
            unsigned: BTreeMap::from([("/socket".to_owned(), Some(Refused::Status(403)))]),
            refusals: BTreeMap::from([("expired", Some(Refused::Status(403)))]),
            elsewhere: Some(Refused::Status(404)),
            plain_get: Some(400),
        },
        room: "order:updated".to_owned(),
        talk: Talk {
            protocol: None,
            first: vec![json!({ "action": "hello", "body": { "user": id } }).to_string()],
            pong: Some(Exchange {
                sent: r#"{"action":"ping"}"#.to_owned(),
                answer: answer(r#"{"action":"pong"}"#),
                closed: None,
            }),
            junk: vec![Exchange {
                sent: "[]".to_owned(),
                answer: answer(r#"{"action":"error","body":{"code":"bad","message":"no"}}"#),
                closed: None,
            }],
            requests: vec![Request {
                shape: SHAPE.to_owned(),
                answer: RequestAnswer::Acknowledged(
                    r#"{"action":"joined","channel":"order:updated"}"#.to_owned(),
                ),
            }],
            private: None,
            nameless: None,
            limits: Default::default(),
        },
        unfinished: Unfinished::default(),
        left: answer(r#"{"action":"left","channel":"order:updated"}"#),
        events: Events { events: vec![event], tried: 9, owner_key: Some("userId"), ..Events::default() },
        heartbeat: Heartbeat {
            pings: Some((PingKind::Control, Duration::from_millis(301))),
            interval_variable: Some("PING_INTERVAL_MS".to_owned()),
            gives_up_after: Some(Duration::from_millis(302)),
            ..Heartbeat::default()
        },
        took: Duration::from_secs(21),
    }
}

/// A room that an administrator has and a customer has not is administrators' own, whatever it is called.
#[test]
fn administrators_may_have_a_room_of_any_name() {
    let mut seen = other_design();
    let first =
        |rooms: &[&str]| vec![json!({ "action": "hello", "body": { "channels": rooms } }).to_string()];
    let entry = seen.sign_in.entry.clone().unwrap();
    let [owner, admin] =
        [Person::Owner, Person::Admin].map(|person| format!("inbox.{}", entry.id_text(person)));
    seen.talk.first = first(&["lobby", &owner]);
    seen.events.first_of_admin = first(&["lobby", &admin, "desk"]);
    let text = gateway(&seen, None);
    assert!(text.contains("that of an administrator's one more"), "{text}");
    let profile = Profile::parse("gatecheck.toml", &text, Path::new(".")).unwrap();
    let rooms = &profile.gateway.as_ref().unwrap().rooms;
    assert_eq!(rooms.user.of("7").as_deref(), Some("inbox.7"), "{text}");
    let roles = &profile.token.style.roles;
    assert_eq!(rooms.of_role(Role::Admin, roles).as_deref(), Some("desk"), "{text}");
    assert_eq!(rooms.of_role(Role::Customer, roles), None, "{text}");
    seen.events.first_of_admin = first(&["lobby", &admin, "desk", "attic"]);
    assert!(!gateway(&seen, None).contains("ADMIN ="), "which of two it is, is not known");
}

/// The whole text, as a reader sees it.
#[test]
fn every_line_says_what_was_seen() {
    assert_eq!(gateway(&other_design(), None), include_str!("other-design.toml"));
}

/// The text is a profile, and says what was seen.
#[test]
fn the_text_is_a_profile() {
    let text = gateway(&other_design(), None);
    let profile = Profile::parse("gatecheck.toml", &text, Path::new("."))
        .unwrap_or_else(|error| panic!("{error}\n{text}"));
    let declared = profile.gateway.unwrap();
    assert_eq!((declared.path.as_str(), declared.exchange.as_str()), ("/socket", "events"));
    assert_eq!(declared.queues, Queues::Any);
    assert_eq!(profile.dialect.token, TokenPlace::Bearer);
    assert_eq!(profile.dialect.welcome, Welcome::Named("hello".to_owned()));
    let read = |text: &str| format!("{:?}", profile.dialect.decode_server(text).map(|read| read.message));
    assert!(read(r#"{"action":"joined","channel":"a"}"#).contains("Subscribed"));
    assert!(read(r#"{"action":"left","channel":"a"}"#).contains("Unsubscribed"));
    assert!(read(r#"{"action":"order:created","body":{"id":1}}"#).contains("Event"));
    let subscribe = protocol::ClientMessage::Subscribe(protocol::Target::Room("a".to_owned()));
    assert_eq!(
        profile.dialect.encode_client(&subscribe, protocol::Timestamp::EPOCH),
        r#"{"action":"subscribe","channel":"a"}"#
    );
}

/// A token in the first message is written as such: what answered it, and by which close a bad one is refused.
#[test]
fn a_first_message_is_written() {
    let mut seen = other_design();
    let message = r#"{"action":"auth","body":{"token":"{token}"}}"#;
    seen.sign_in.entry.as_mut().unwrap().place = Place::FirstMessage(message.to_owned());
    seen.sign_in.refusals = BTreeMap::from([("expired", Some(Refused::Close(Some(4401))))]);
    for (first, answer) in [(None, None), (Some(r#"{"action":"ok"}"#), Some(r#"{"action":"ok"}"#))] {
        let mut seen = seen.clone();
        seen.talk.first.splice(0..0, first.map(str::to_owned));
        let text = gateway(&seen, None);
        let profile = Profile::parse("gatecheck.toml", &text, Path::new("."))
            .unwrap_or_else(|error| panic!("{error}\n{text}"));
        let sign_in = profile.dialect.sign_in.unwrap();
        assert_eq!(sign_in.message.to_string(), message);
        assert_eq!(sign_in.answer.map(|answer| answer.to_string()).as_deref(), answer);
        assert_eq!(profile.dialect.refusal.to_string(), "close-4401");
        assert_eq!(profile.dialect.welcome, Welcome::Named("hello".to_owned()), "{text}");
    }
    seen.sign_in.refusals = BTreeMap::from([("expired", Some(Refused::Dropped("silence".to_owned())))]);
    assert!(
        gateway(&seen, None).contains("by which close a token is refused was not seen (expired: no answer")
    );
}

/// A gateway that no one could sign in to: that is said first, with what was tried and how to go on, and nothing is said of what was not
/// looked at.
#[test]
fn what_stops_everything_is_said_first() {
    let message = |action: &str| format!("/stream, the first message {{\"action\":\"{action}\"}}");
    let answers = |answer: &str, count| BTreeMap::from([(answer.to_owned(), count)]);
    let junk = r#"{"action":"error"}, then a close with 4401"#;
    let mut vain = BTreeMap::from(
        ["auth", "login", "signin", "token"].map(|action| (message(action), answers(junk, 5))),
    );
    vain.insert(message("hello"), answers("a close with 4010", 2));
    let seen = ObservedGateway {
        ready_path: None,
        pages: BTreeMap::new(),
        topology: None,
        sign_in: SignIn {
            unsigned: BTreeMap::from([("/stream".to_owned(), None)]),
            left_unsigned: Some((Refused::Close(Some(4401)), Duration::from_millis(5040))),
            vain,
            styles: 22,
            ..SignIn::default()
        },
        talk: Talk::default(),
        left: None,
        events: Events::default(),
        heartbeat: Heartbeat::default(),
        ..other_design()
    };
    let text = gateway(&seen, None);
    let profile = Profile::parse("gatecheck.toml", &text, Path::new("."))
        .unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(profile.dialect, Dialect::default());
    assert_eq!(profile.gateway.as_ref().unwrap().path, "/stream");
    let plain = text.replace("\n# ", " ");
    for part in [
        "NO ONE COULD SIGN IN",
        "after 5.0 s comes a close with 4401: it waits for a first message",
        r#"{"action":"error"}, then a close with 4401 (20 times)"#,
        r#"Unlike others, /stream, the first message {"action":"hello"} was answered by a close with 4010"#,
        "realm_access.roles[]",
        "--from gatecheck.toml",
        "pings were not looked for: no one could sign in",
    ] {
        assert!(plain.contains(part), "{part}: {text}");
    }
    for part in ["# users = ", "# sign_in = ", "# ping_interval = ", "# [[event]]"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    for lie in ["acks", "no ping was seen", "HB-4", "was answered by an error (MSG-4)", "# path = "] {
        assert!(!text.contains(lie), "{lie}: {text}");
    }
    assert!(text.find("NO ONE COULD SIGN IN") < text.find("[gateway]"), "{text}");
}

/// What is active in a half-filled profile stays, beside what was found out.
#[test]
fn what_is_given_stays() {
    let given = r#"
        gateway = { command = ["node", "main.js"], path = "/socket", limits = { rooms = 50 } }
        token = { users = "uuids" }
        claims = { without = ["CONN-9"] }
        [[event]]
        for = "owner"
        type = "account:changed"
        routing_key = "account.changed"
    "#;
    let profile = Profile::parse("gatecheck.toml", given, Path::new(".")).unwrap();
    let given = Given { profile, table: given.parse().unwrap() };
    let text = gateway(&other_design(), Some(&given));
    let profile = Profile::parse("gatecheck.toml", &text, Path::new("."))
        .unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(profile.gateway.as_ref().unwrap().limits.rooms, Some(50), "{text}");
    assert_eq!(profile.token.style.users, UserIds::Uuids, "{text}");
    assert!(text.contains("# given; observed was \"integers\""), "{text}");
    assert_eq!(profile.without.len(), 1, "{text}");
    for kind in ["account:changed", "order:created"] {
        assert!(text.contains(&format!("type = \"{kind}\"")), "{text}");
    }
    assert_eq!(profile.dialect.token, TokenPlace::Bearer);
}
