//! Protocols of others, described by templates: what is written and read is what their specifications have.

use serde_json::json;

use super::*;
use crate::message::Target;

fn read(toml: &str) -> Dialect {
    let dialect: Dialect = toml::from_str(toml).unwrap();
    assert_eq!(dialect.check(), Ok(()));
    dialect
}

fn room(name: &str) -> Target {
    Target::Room(name.to_owned())
}

const GRAPHQL: &str = r#"
subprotocol = "graphql-transport-ws"
token = "message"
refusal = "close-4403"
closes = { bad_message = 4400, unknown_type = 4400 }
welcome = false
acks = false
[sign_in]
message = '{"type":"connection_init","payload":{"token":"{token}"}}'
answer = '{"type":"connection_ack"}'
[[opening]]
subscribe = "user:{user}"
[frames]
message = '{"type":"{type}","payload":"{payload}"}'
subscribe = '{"id":"{ref}","type":"subscribe","payload":{"query":"subscription ($r: ID!) { room(r: $r) }","variables":{"r":"{room}"}}}'
unsubscribe = '{"id":"{subscription}","type":"complete"}'
event = '{"id":"{subscription}","type":"next","payload":{"data":{"room":{"type":"{type}","data":"{payload}"}}}}'
error = '{"id":"{ref}","type":"error","payload":[{"message":"{message}","extensions":{"code":"{code}"}}]}'
ignored = ['{"id":"{id}","type":"complete"}', '{"id":"{id}","type":"next","payload":{"errors":"{payload}"}}']
"#;

/// `graphql-transport-ws`: a request's own id tells events apart, and ends the subscription.
#[test]
fn graphql_refers_to_subscriptions() {
    let dialect = read(GRAPHQL);
    assert!(dialect.has_references() && dialect.names_subscriptions());
    let mut pending = PendingRequests::default();
    let opener = Opener { user_id: "ada", role: "admin" };
    let first = dialect.opening[0].write(&dialect, opener, &mut pending, Timestamp::EPOCH);
    assert!(first.starts_with(r#"{"id":"1","type":"subscribe""#) && first.contains(r#"{"r":"user:ada"}"#));
    assert!(!dialect.opening[0].is_answered(&dialect), "there are no acknowledgements");
    let join = pending.write(&dialect, &ClientMessage::Subscribe(room("a")), Timestamp::EPOCH);
    assert!(join.starts_with(r#"{"id":"2""#), "{join}");
    let event = r#"{"id":"2","type":"next","payload":{"data":{"room":{"type":"x","data":[7]}}}}"#;
    let expected = ServerMessage::Event { name: "x".to_owned(), payload: json!([7]) };
    let answer = |pending: &PendingRequests, text: &str| {
        dialect.decode_answer(text, Some(pending)).map(|decoded| decoded.message)
    };
    assert_eq!(answer(&pending, event), Ok(expected.clone()));
    let by = pending.subscription_for("a");
    assert_eq!(dialect.encode_event_by("x", &json!([7]), Timestamp::EPOCH, by), event);
    let other = event.replace("\"2\"", "\"9\"");
    assert_eq!(answer(&pending, &other), Err(DecodeError::Unasked { reference: "9".to_owned() }));
    // The gateway's end learns what was asked from the frames.
    let mut seen = PendingRequests::default();
    for text in [&first, &join] {
        let decoded = dialect.decode_request(text, Some(&seen)).unwrap();
        seen.sent(&decoded.id.unwrap(), &decoded.message);
    }
    let leave = pending.write(&dialect, &ClientMessage::Unsubscribe(room("a")), Timestamp::EPOCH);
    assert_eq!(leave, r#"{"id":"2","type":"complete"}"#);
    let left = dialect.decode_request(&leave, Some(&seen)).unwrap();
    assert_eq!(left.message, ClientMessage::Unsubscribe(room("a")));
    let unknown = dialect.decode_request(r#"{"id":"7","type":"complete"}"#, Some(&seen));
    assert!(matches!(unknown, Err(DecodeError::NoTarget { key, .. }) if key == "{subscription}"));
    assert_eq!(answer(&pending, event), Ok(expected), "what was on its way still comes");
    assert_eq!(pending.subscription_for("a"), Some(("1", "user:ada")), "and the first one goes on");
    for ignored in [r#"{"id":"2","type":"complete"}"#, r#"{"id":"2","type":"next","payload":{"errors":[]}}"#]
    {
        assert!(matches!(answer(&pending, ignored), Ok(ServerMessage::Event { .. })), "{ignored}");
        assert_eq!(dialect.form(ignored, Some(&pending)), Some(Ok(())));
    }
}

/// Channels of Phoenix: each reply is known by its request, and the heartbeat has a topic of its own.
#[test]
fn phoenix_joins_topics() {
    let dialect = read(
        r#"
        welcome = false
        [[opening]]
        subscribe = "role:{role}"
        [frames]
        message = '["{subscription}","{id}","{room}","{type}","{payload}"]'
        ping = '[null,"{ref}","phoenix","heartbeat",{}]'
        pong = '[null,"{ref}","phoenix","phx_reply",{"status":"ok","response":{}}]'
        subscribe = '["{ref}","{ref}","{room}","phx_join",{}]'
        subscribed = '["{subscription}","{ref}","{room}","phx_reply",{"status":"ok","response":{}}]'
        unsubscribe = '["{subscription}","{ref}","{room}","phx_leave",{}]'
        unsubscribed = '["{subscription}","{ref}","{room}","phx_reply",{"status":"ok","response":{}}]'
        error = '["{subscription}","{ref}","{room}","phx_reply",{"status":"error","response":{"reason":"{code}"}}]'
        "#,
    );
    let mut pending = PendingRequests::default();
    let opener = Opener { user_id: "ada", role: "admin" };
    let (opening, now) = (&dialect.opening[0], Timestamp::EPOCH);
    assert_eq!(opening.write(&dialect, opener, &mut pending, now), r#"["1","1","role:admin","phx_join",{}]"#);
    let reply = r#"["1","1","role:admin","phx_reply",{"status":"ok","response":{}}]"#;
    assert!(opening.is_answered(&dialect) && opening.is_answer(&dialect, reply, &pending));
    pending.answered("1");
    let ping = pending.write(&dialect, &ClientMessage::Ping, now);
    assert_eq!(ping, r#"[null,"2","phoenix","heartbeat",{}]"#);
    let leave = pending.write(&dialect, &ClientMessage::Unsubscribe(room("role:admin")), now);
    assert_eq!(leave, r#"["1","3","role:admin","phx_leave",{}]"#);
    for (text, message) in [
        (r#"[null,"2","phoenix","phx_reply",{"status":"ok","response":{}}]"#, ServerMessage::Pong),
        (
            r#"["1","3","role:admin","phx_reply",{"status":"ok","response":{}}]"#,
            ServerMessage::Unsubscribed(room("role:admin")),
        ),
        (
            r#"["1","3","a","phx_reply",{"status":"error","response":{"reason":"forbidden"}}]"#,
            ServerMessage::Error { code: "forbidden".to_owned(), message: String::new() },
        ),
        (
            r#"[null,null,"a","x",{"n":1}]"#,
            ServerMessage::Event { name: "x".to_owned(), payload: json!({ "n": 1 }) },
        ),
    ] {
        assert_eq!(dialect.decode_answer(text, Some(&pending)).unwrap().message, message, "{text}");
    }
}

/// Socket.IO on Engine.IO: digits before the JSON, a handshake by message, pings of the gateway's.
#[test]
fn socket_io_is_described() {
    let dialect = read(
        r#"
        token = "message"
        refusal = "close-4401"
        welcome = false
        heartbeat = "message"
        [sign_in]
        message = '40{"token":"{token}"}'
        answer = '40{"sid":"{id}"}'
        [frames]
        message = '42["{type}","{payload}"]'
        ping = "2"
        pong = "3"
        ignored = ['0{"sid":"{id}"}']
        "#,
    );
    let sign_in = dialect.sign_in.as_ref().unwrap();
    assert_eq!(sign_in.write(Some("a.b")), r#"40{"token":"a.b"}"#);
    assert_eq!(dialect.sign_in_answer(r#"0{"sid":"x","pingInterval":25000}"#), SignInAnswer::Unrelated);
    assert_eq!(dialect.sign_in_answer(r#"40{"sid":"x"}"#), SignInAnswer::Granted);
    assert_eq!(dialect.decode_server("2").unwrap().message, ServerMessage::Ping);
    assert_eq!(dialect.encode_client(&ClientMessage::Pong, Timestamp::EPOCH), "3");
    let join = dialect.encode_client(&ClientMessage::Subscribe(room("a")), Timestamp::EPOCH);
    assert_eq!(join, r#"42["subscribe",{"room":"a"}]"#);
    let opened = dialect.decode_server(r#"0{"sid":"x","upgrades":[]}"#).unwrap().message;
    assert!(matches!(opened, ServerMessage::Event { name, .. } if name.starts_with('0')));
}

/// Pusher: data that is JSON in a text, and pings of both sides.
#[test]
fn pusher_is_described() {
    let dialect = read(
        r#"
        welcome = false
        ping = "pusher:ping"
        pong = "pusher:pong"
        error = "pusher:error"
        [frames]
        message = '{"event":"{type}","data":"{payload}"}'
        event = '{"event":"{type}","channel":"{room}","data":"{payload_as_text}"}'
        subscribe = '{"event":"pusher:subscribe","data":{"channel":"{room}"}}'
        unsubscribe = '{"event":"pusher:unsubscribe","data":{"channel":"{room}"}}'
        subscribed = '{"event":"pusher_internal:subscription_succeeded","channel":"{room}"}'
        "#,
    );
    let text = r#"{"event":"paid","channel":"a","data":"{\"n\":1}"}"#;
    let event = ServerMessage::Event { name: "paid".to_owned(), payload: json!({ "n": 1 }) };
    assert_eq!(dialect.decode_server(text).unwrap().message, event);
    let by = Some(("1", "a"));
    assert_eq!(dialect.encode_event_by("paid", &json!({ "n": 1 }), Timestamp::EPOCH, by), text);
    let granted = r#"{"event":"pusher_internal:subscription_succeeded","channel":"a","data":"{}"}"#;
    assert_eq!(dialect.decode_server(granted).unwrap().message, ServerMessage::Subscribed(room("a")));
    assert_eq!(
        dialect.decode_server(r#"{"event":"pusher:ping","data":{}}"#).unwrap().message,
        ServerMessage::Ping
    );
    assert!(dialect.decode_server(r#"{"event":"paid","channel":"a","data":"{"}"#).is_err());
}

/// What is half said, or twice, is refused with what to write.
#[test]
fn half_a_protocol_is_refused() {
    let why = |toml: &str| toml::from_str::<Dialect>(toml).unwrap().check().unwrap_err().to_string();
    for (toml, says) in [
        ("[[opening]]", "needs `subscribe`, the name of a room, or `send`"),
        ("[[opening]]\nsubscribe = \"a\"\nsend = \"2\"", "exclude each other"),
        ("[[opening]]\nsubscribe = \"a\"\nanswer = \"3\"", "`answer` is about `send`"),
        (
            "[frames]\nunsubscribe = '{\"id\":\"{subscription}\",\"type\":\"complete\"}'",
            "write `{ref}` where dialect.frames.subscribe gives it",
        ),
    ] {
        assert!(why(toml).contains(says), "{toml}: {}", why(toml));
    }
}
