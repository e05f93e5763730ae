use proptest::prelude::*;

use super::*;
use crate::message::{ErrorCode, Target};

mod protocols;

/// An answer that is known by its reference alone answers what was asked, once; what refers to nothing is none.
#[test]
fn answers_are_known_by_what_they_refer_to() {
    let dialect: Dialect = serde_json::from_value(json!({ "frames": {
        "message": r#"["{ref}","{type}","{payload}"]"#,
        "subscribe": r#"["{ref}","join",["{room}"]]"#,
        "unsubscribe": r#"["{ref}","leave",["{room}"]]"#,
        "subscribed": r#"["{ref}","done"]"#,
        "unsubscribed": r#"["{ref}","done"]"#,
        "pong": r#"["{ref}","done"]"#,
    } }))
    .unwrap();
    dialect.check().unwrap();
    let mut pending = PendingRequests::default();
    let room = Target::Room("a".to_owned());
    let (join, leave) = (ClientMessage::Subscribe(room.clone()), ClientMessage::Unsubscribe(room.clone()));
    for (request, text) in [(&join, r#"["1","join",["a"]]"#), (&leave, r#"["2","leave",["a"]]"#)] {
        let reference = pending.draw();
        assert_eq!(dialect.encode_request(request, Timestamp::EPOCH, Some(&reference), None), text);
        pending.sent(&reference, request);
    }
    let read =
        |pending: &PendingRequests, text| dialect.decode_answer(text, Some(pending)).map(|read| read.message);
    assert_eq!(read(&pending, r#"["2","done"]"#), Ok(ServerMessage::Unsubscribed(room.clone())));
    assert_eq!(read(&pending, r#"["1","done"]"#), Ok(ServerMessage::Subscribed(room)));
    pending.answered("1");
    for (text, reference) in [(r#"["1","done"]"#, "1"), (r#"["7","done"]"#, "7"), (r#"[null,"done"]"#, "")] {
        let unasked = DecodeError::Unasked { reference: reference.to_owned() };
        assert_eq!(read(&pending, text), Err(unasked), "{text}");
    }
    let answer = dialect.encode_server(&ServerMessage::Pong, Timestamp::EPOCH, Some("9"));
    assert_eq!(answer, r#"["9","done"]"#);
}

/// A message of a name that no profile has is sound where it has the form of messages; one that says nothing, where it has its own.
#[test]
fn unknown_messages_have_the_form_of_messages() {
    let dialect: Dialect = toml::from_str(
        r#"
        [frames]
        message = '{"action":"{type}","at":"{timestamp}","body":"{payload}"}'
        event = '{"action":"push","body":{"kind":"{type}","detail":"{payload}"}}'
        ignored = ['{"action":"hello.no","because":"{payload}","at":"{timestamp}"}', '{"action":"tick"}']
        "#,
    )
    .unwrap();
    dialect.check().unwrap();
    let form = |text: &str| dialect.form(text, None).unwrap();
    for sound in [
        r#"{"action":"hello.maybe","body":{"code":7},"at":"2026-11-30T15:21:01.493Z"}"#,
        r#"{"action":"hello.no","because":"x","at":"2026-11-30T15:21:01.493Z"}"#,
        r#"{"action":"tick"}"#,
    ] {
        assert_eq!(form(sound), Ok(()), "{sound}");
        assert!(!dialect.decode_answer(sound, None).is_ok_and(|read| read.message == ServerMessage::Ping));
    }
    for wrong in [
        r#"{"action":"hello.maybe","body":{"code":7},"at":"yesterday"}"#,
        r#"{"action":"hello.no","because":"x"}"#,
        r#"{"deed":"hello.maybe","at":"2026-11-30T15:21:01.493Z"}"#,
    ] {
        assert!(form(wrong).is_err(), "{wrong}");
    }
}

/// Every combination of names and shapes that the built-in options allow.
fn dialects() -> Vec<Dialect> {
    let channel = Dialect {
        events: EventStyle::Enveloped,
        subscribe: SubscriptionKeys::single("channel"),
        acknowledge: SubscriptionKeys::single("room"),
        welcome: Welcome::Named("welcome".to_owned()),
        ping: "hb".to_owned(),
        pong: "hb_ack".to_owned(),
        ..Dialect::default()
    };
    let silent = Dialect { welcome: Welcome::Sent(false), acks: false, ..Dialect::default() };
    vec![Dialect::default(), channel, silent, nested(), actions(), arrays()]
}

/// Every message as `{event, data}`.
fn nested() -> Dialect {
    toml::from_str(r#"frames = { message = '{"event":"{type}","data":"{payload}"}' }"#).unwrap()
}

/// Rooms at the top of a frame, and messages that have a form of their own.
fn actions() -> Dialect {
    toml::from_str(
        r#"
        events = "enveloped"
        [frames]
        message = '{"action":"{type}","body":"{payload}","ref":"{id}"}'
        subscribe = '{"action":"{type}","channel":"{room}","ref":"{id}"}'
        subscribed = '{"action":"ok","channel":"{room}","ref":"{id}"}'
        welcome = '{"action":"hello","you":"{user}","rooms":"{rooms}"}'
        error = '{"action":"failed","body":{"why":"{code}","text":"{message}"},"ref":"{id}"}'
        "#,
    )
    .unwrap()
}

/// No objects at all, and a text before the JSON.
fn arrays() -> Dialect {
    toml::from_str(
        r#"
        [frames]
        message = '42["{id}","{type}","{payload}"]'
        ping = "2"
        pong = "3"
        "#,
    )
    .unwrap()
}

const NOON: i64 = 1_766_484_000_000;

/// A file names only what differs, and each option has one spelling.
#[test]
fn files_name_only_what_differs() {
    let dialect: Dialect = toml::from_str(
        r#"
        events = "enveloped"
        welcome = "welcome"
        refusal = "close-4401"
        token = "subprotocol"
        heartbeat = "message"
        subscribe = { event_type = "channel", room = "channel" }
        "#,
    )
    .unwrap();
    assert_eq!(dialect.events, EventStyle::Enveloped);
    assert_eq!(dialect.welcome_type(), Some("welcome"));
    assert_eq!(dialect.refusal.close_code(), Some(CloseCode::UNAUTHORIZED));
    assert_eq!(dialect.pong, "pong");
    assert!(toml::from_str::<Dialect>("envelope = true").is_err());
}

/// A dialect in which two messages look alike, or a name is missing, is refused when it is read.
#[test]
fn ambiguous_dialects_are_refused() {
    assert!(dialects().iter().all(|dialect| dialect.check().is_ok()));
    let twice = Dialect { pong: "ping".to_owned(), ..Dialect::default() };
    assert_eq!(twice.check(), Err(DialectError::Ambiguous { name: "ping".to_owned() }));
    let empty = Dialect { error: String::new(), ..Dialect::default() };
    assert_eq!(empty.check(), Err(DialectError::Empty { key: "error" }));
}

/// A subscription without a valid name is not a malformed frame: the answers differ (ROOM-4, MSG-4).
#[test]
fn bad_subscriptions_have_their_own_code() {
    let dialect = Dialect::default();
    let code = |text: &str| dialect.decode_client(text).unwrap_err().code();
    assert_eq!(code(r#"{"type":"subscribe"}"#), ErrorCode::BadRoom);
    assert_eq!(code(r#"{"type":"subscribe","payload":{"eventType":7}}"#), ErrorCode::BadRoom);
    assert_eq!(code(r#"{"type":"unsubscribe","payload":"x"}"#), ErrorCode::BadRoom);
    assert_eq!(code("[]"), ErrorCode::BadMessage);
}

fn names() -> impl Strategy<Value = String> {
    "[a-z]{1,8}:[a-z]{1,8}"
}

fn client_messages() -> impl Strategy<Value = ClientMessage> {
    prop_oneof![
        Just(ClientMessage::Ping),
        Just(ClientMessage::Pong),
        names().prop_map(|name| ClientMessage::Subscribe(Target::Room(name))),
        names().prop_map(|name| ClientMessage::Unsubscribe(Target::Room(name))),
        (names(), any::<u32>())
            .prop_map(|(kind, n)| ClientMessage::Other { kind, payload: json!({ "n": n }) }),
    ]
}

fn server_messages() -> impl Strategy<Value = ServerMessage> {
    prop_oneof![
        Just(ServerMessage::Ping),
        Just(ServerMessage::Pong),
        names().prop_map(|name| ServerMessage::Subscribed(Target::Room(name))),
        names().prop_map(|name| ServerMessage::Unsubscribed(Target::Room(name))),
        (names(), names()).prop_map(|(code, message)| ServerMessage::Error { code, message }),
        (names(), any::<i64>()).prop_map(|(name, n)| ServerMessage::Event { name, payload: json!([n]) }),
    ]
}

proptest! {
    /// What one side writes the other reads back, in every dialect.
    #[test]
    fn messages_round_trip(client in client_messages(), server in server_messages()) {
        for dialect in dialects() {
            let noon = Timestamp::from_unix_ms(NOON);
            let text = dialect.encode_client(&client, noon);
            prop_assert_eq!(&dialect.decode_client(&text).unwrap().message, &client);
            let text = dialect.encode_server(&server, noon, Some("7"));
            let decoded = dialect.decode_server(&text).unwrap();
            prop_assert_eq!(&decoded.message, &server);
        }
    }

    /// Arbitrary text never panics a decoder, however close to a message it is.
    #[test]
    fn arbitrary_text_never_panics(
        text in prop_oneof![
            any::<String>(),
            r#"\{"type":"(ping|subscribe|subscribed|event|error|connection:established)","payload":[^ ]{0,24}\}"#,
        ]
    ) {
        for dialect in dialects() {
            let _ = dialect.decode_client(&text);
            let _ = dialect.decode_server(&text);
        }
    }

    /// Arbitrary bytes that happen to be text never panic a decoder either.
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
        let text = String::from_utf8_lossy(&bytes);
        let _ = Dialect::default().decode_client(&text);
        let _ = Dialect::default().decode_server(&text);
    }
}

/// A number is read as what it is, to its last digit.
#[test]
fn numbers_are_exact() {
    let text = r#"{"type":"n","payload":[123456789012345678290,0.1,1e300,5e-324,9007199254740993]}"#;
    let dialect = Dialect::default();
    let message = dialect.decode_client(text).unwrap().message;
    let again = dialect.encode_client(&message, Timestamp::EPOCH);
    assert_eq!(dialect.decode_client(&again).unwrap().message, message, "{again}");
}

/// What is written is what the template says, in both directions.
#[test]
fn frames_have_the_form_of_their_templates() {
    let noon = Timestamp::from_unix_ms(NOON);
    let join = ClientMessage::Subscribe(Target::Room("user:42".to_owned()));
    let event = ServerMessage::Event { name: "a:b".to_owned(), payload: json!({ "n": 1 }) };
    let welcome = ServerMessage::Welcome { user_id: "u".to_owned(), rooms: vec!["a".to_owned()] };
    for (dialect, joins, beats, comes, greets) in [
        (
            nested(),
            r#"{"event":"subscribe","data":{"room":"user:42"}}"#,
            r#"{"event":"ping"}"#,
            r#"{"event":"a:b","data":{"n":1}}"#,
            r#"{"event":"connection:established","data":{"rooms":["a"],"userId":"u"}}"#,
        ),
        (
            actions(),
            r#"{"action":"subscribe","channel":"user:42"}"#,
            r#"{"action":"ping"}"#,
            r#"{"action":"event","body":{"data":{"n":1},"eventType":"a:b"}}"#,
            r#"{"action":"hello","you":"u","rooms":["a"]}"#,
        ),
        (
            arrays(),
            r#"42[null,"subscribe",{"room":"user:42"}]"#,
            "2",
            r#"42[null,"a:b",{"n":1}]"#,
            r#"42[null,"connection:established",{"rooms":["a"],"userId":"u"}]"#,
        ),
    ] {
        assert_eq!(dialect.check(), Ok(()));
        assert_eq!(dialect.encode_client(&join, noon), joins);
        assert_eq!(dialect.encode_client(&ClientMessage::Ping, noon), beats);
        assert_eq!(dialect.encode_server(&event, noon, None), comes);
        assert_eq!(dialect.encode_server(&welcome, noon, None), greets);
        assert_eq!(dialect.decode_server(greets).unwrap().message, welcome);
        assert!(matches!(dialect.decode_client(r#"{"type":"ping"}"#), Err(DecodeError::Unlike { .. })));
    }
    let unnamed = actions().decode_client(r#"{"action":"subscribe","ref":"7"}"#);
    let expected = DecodeError::NoTarget {
        kind: "subscribe".to_owned(),
        key: "{room}".to_owned(),
        id: Some("7".to_owned()),
    };
    assert_eq!(unnamed, Err(expected));
}

/// Two messages of one form cannot be told apart, nor can one that its own template does not name.
#[test]
fn ambiguous_frames_are_refused() {
    let check = |frames: &str| {
        let dialect: Dialect = toml::from_str(&format!("[frames]\n{frames}")).unwrap();
        dialect.check().map_err(|error| error.to_string())
    };
    let same = check("subscribed = '{\"ok\":\"{room}\"}'\nunsubscribed = '{\"ok\":\"{room}\"}'");
    let same = same.unwrap_err();
    assert!(same.contains("frames.unsubscribed") && same.contains("read as `subscribed`"), "{same}");
    assert!(
        check("pong = \"2\"\nping = \"2\"").unwrap_err().contains("is a `pong`, but would be read as `ping`")
    );
    for (frames, lacks) in [
        ("message = '{\"data\":\"{payload}\"}'", "frames.message has no place for `{type}`"),
        ("message = '{\"event\":\"{type}\"}'", "`{payload}`"),
        ("subscribe = '{\"event\":\"join\"}'", "frames.subscribe has no place for `{payload}` or `{room}`"),
        ("error = '{\"event\":\"no\"}'", "`{payload}` or `{code}`"),
        (
            "event = '{\"event\":\"message\",\"data\":\"{payload}\"}'",
            "frames.event has no place for `{type}`",
        ),
    ] {
        assert!(check(frames).unwrap_err().contains(lacks), "{frames}");
    }
    assert_eq!(check("pong = \"3\"\nping = \"2\""), Ok(()));
}

/// A frame that has the name of a message with a form of its own, and another form, is no event of that name.
#[test]
fn a_message_in_another_form_is_no_event() {
    let unlike = |dialect: &Dialect, text: &str, expected: &str| {
        let error = dialect.decode_server(text).unwrap_err();
        assert_eq!(error, DecodeError::Unlike { expected: expected.to_owned() }, "{text}");
        assert_eq!(dialect.form(text, None), Some(Err(error.to_string())));
    };
    unlike(&arrays(), r#"42["1","pong",{}]"#, "3");
    let error = r#"{"action":"failed","body":{"why":"{code}","text":"{message}"},"ref":"{id}"}"#;
    unlike(&actions(), r#"{"action":"error","body":{"code":"c","message":"m"}}"#, error);
}

/// A gateway that dies of a room that is a number was not found: what is no name was left out where frames have a form of their own.
#[test]
fn what_is_no_name_stands_in_its_place() {
    let dialect = actions();
    let asked = |room: Value| {
        let message = json!({ "type": dialect.requests.subscribe, "payload": { dialect.subscribe.room.clone(): room } });
        serde_json::from_str::<Value>(&dialect.respell(&message.to_string(), None)).unwrap()
    };
    let named = asked(json!("a-room"));
    let (key, _) = named.as_object().unwrap().iter().find(|(_, value)| **value == "a-room").unwrap();
    let sent = |room: &Value| {
        let payload = json!({ dialect.subscribe.room.clone(): room });
        let message = ClientMessage::Other { kind: dialect.requests.subscribe.clone(), payload };
        let text = dialect.encode_client(&message, Timestamp::parse("2026-01-01T00:00:00.000Z").unwrap());
        serde_json::from_str::<Value>(&text).unwrap()
    };
    for room in [json!(7), json!(["a"]), json!({ "a": 1 }), json!(true), Value::Null] {
        assert!(sent(&room).as_object().unwrap().contains_key(key), "{room} is left out");
        assert_eq!(sent(&room)[key.as_str()], room);
        assert_eq!(asked(room.clone())[key.as_str()], room);
        let read = dialect.decode_client(&asked(room.clone()).to_string());
        assert!(matches!(read, Err(DecodeError::NoTarget { .. })), "{room}: {read:?}");
    }
}
