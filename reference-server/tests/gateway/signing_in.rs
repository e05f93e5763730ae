//! Which tokens are accepted (AUTH-1, AUTH-2, AUTH-5, AUTH-11), and how the others are refused.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use jsonwebtoken::Algorithm;
use protocol::{CloseCode, Dialect, Refusal, Role, TokenPlace};
use serde_json::json;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

use crate::running::{NOW_S, SECRET, config, signed, start, token, within};
use crate::wire::{TEXT, Wire, upgrade_request};

/// A good token opens a connection, whose first message is the welcome (CONN-4).
#[tokio::test]
async fn a_good_token_is_welcomed() {
    let (_gateway, address) = start(config()).await;
    let mut wire = Wire::connect(address).await;
    let target = format!("/ws?token={}", token("ann", Role::Vendor));
    let head = wire.request(&upgrade_request(&target, "")).await;
    // The answer to this key is that of RFC 6455 section 1.3.
    assert!(head.contains("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), "{head}");
    let welcome = wire.frame().await.unwrap();
    assert_eq!(welcome.opcode, TEXT);
    let welcome: serde_json::Value = serde_json::from_slice(&welcome.payload).unwrap();
    assert_eq!(welcome["type"], "connection:established");
    assert_eq!(welcome["payload"]["rooms"], json!(["broadcast", "user:ann", "role:vendor"]));
    assert_eq!(welcome["timestamp"], "2027-01-15T08:00:00.000Z");
}

/// Bad tokens are refused before any application data.
#[tokio::test]
async fn bad_tokens_are_refused() {
    let (_gateway, address) = start(config()).await;
    let good = json!({ "userId": "ann", "email": "ann@example.org", "role": "ADMIN", "exp": NOW_S + 1 });
    let but = |claim: &str, value: serde_json::Value| {
        let mut claims = good.clone();
        claims[claim] = value;
        format!("?token={}", signed(Algorithm::HS256, SECRET, &claims))
    };
    let mut cut = token("ann", Role::Admin);
    cut.pop();
    for query in [
        String::new(),
        "?token=".to_owned(),
        "?token=a.b.c".to_owned(),
        format!("?token={cut}"),
        format!("?token={}", signed(Algorithm::HS256, "another secret", &good)),
        format!("?token={}", signed(Algorithm::HS512, SECRET, &good)),
        but("exp", json!(NOW_S)),
        but("nbf", json!(NOW_S + 1)),
        but("userId", json!("")),
        but("role", json!("KING")),
    ] {
        let mut wire = Wire::connect(address).await;
        let head = wire.request(&upgrade_request(&format!("/ws{query}"), "")).await;
        assert!(head.starts_with("HTTP/1.1 401 "), "{query}: {head}");
    }
    let mut wire = Wire::connect(address).await;
    let head = wire.request(&upgrade_request(&format!("/ws{}", but("nbf", json!(NOW_S))), "")).await;
    assert!(head.starts_with("HTTP/1.1 101 "), "the claims that the others were made from are good: {head}");
}

/// In a dialect that says so, a refusal is a close, and nothing comes before or after it.
#[tokio::test]
async fn a_refusal_may_be_a_close() {
    for (refusal, code) in [4401, 1008].map(|code| (Refusal::Close(CloseCode(code)), code)) {
        let mut config = config();
        config.gateway.dialect.refusal = refusal;
        let (_gateway, address) = start(config).await;
        let mut wire = Wire::connect(address).await;
        let head = wire.request(&upgrade_request("/ws?token=bad", "")).await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        assert_eq!(wire.close_code().await, code);
        assert_eq!(wire.frame().await, None);
    }
}

/// The token is looked for where the dialect has it, and nowhere else.
#[tokio::test]
async fn the_token_has_its_place() {
    let token = token("ann", Role::Customer);
    let bearer = format!("Authorization: Bearer {token}\r\n");
    let subprotocol = format!("Sec-WebSocket-Protocol: {token}\r\n");
    let listed = format!("Sec-WebSocket-Protocol: bearer, {token}\r\n");
    let cookie = format!("Cookie: lang=en; sid={token}\r\n");
    for (place, lines, other) in [
        (TokenPlace::Bearer, &bearer, &subprotocol),
        (TokenPlace::Subprotocol, &subprotocol, &bearer),
        (TokenPlace::SubprotocolAfter("bearer".to_owned()), &listed, &subprotocol),
        (TokenPlace::Cookie("sid".to_owned()), &cookie, &bearer),
    ] {
        let mut config = config();
        config.gateway.dialect.token = place.clone();
        let (_gateway, address) = start(config).await;
        let head = Wire::connect(address).await.request(&upgrade_request("/ws", lines)).await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{place:?}: {head}");
        assert_eq!(head.contains(&subprotocol), place == TokenPlace::Subprotocol, "{head}");
        let is_listed = matches!(place, TokenPlace::SubprotocolAfter(_));
        assert_eq!(head.contains("Sec-WebSocket-Protocol: bearer\r\n"), is_listed, "{head}");
        let head = Wire::connect(address).await.request(&upgrade_request("/ws", other)).await;
        assert!(head.starts_with("HTTP/1.1 401 "), "{place:?}: {head}");
    }
}

/// What a gateway says to a client that begins so, up to and including a close.
async fn said_after(address: SocketAddr, first: Option<Message>, count: usize) -> Vec<String> {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut socket, _) = within(tokio_tungstenite::client_async("ws://gateway/ws", stream)).await.unwrap();
    if let Some(first) = first {
        within(socket.send(first)).await.unwrap();
    }
    let mut said = Vec::new();
    while said.len() < count {
        match within(socket.next()).await.expect("the connection is there").unwrap() {
            Message::Text(text) => said.push(text.as_str().to_owned()),
            Message::Close(Some(frame)) => said.push(u16::from(frame.code).to_string()),
            other => panic!("a text or a close, not {other:?}"),
        }
    }
    said
}

/// Where the token travels in the first message, that alone signs in; whatever else comes first, or nothing for as long as a handshake
/// may take, ends in a close (AUTH-2, CONN-8).
#[tokio::test]
async fn the_first_message_signs_in() {
    let mut config = config();
    config.gateway.dialect = Dialect::builtin("first-message").unwrap();
    let mut hasty = config.clone();
    hasty.connect_timeout = Duration::from_millis(50);
    let sign_in = config.gateway.dialect.sign_in.clone().unwrap();
    let (_gateway, address) = start(config).await;
    let good = sign_in.write(Some(&token("ann", Role::Vendor)));
    let said = said_after(address, Some(Message::text(good)), 2).await;
    assert_eq!(said[0], r#"{"type":"connection_ack"}"#);
    assert!(said[1].contains("connection:established") && said[1].contains("user:ann"), "{said:?}");
    let bad = [sign_in.write(Some("bad")), sign_in.write(None), r#"{"type":"ping"}"#.to_owned()];
    for first in bad.map(Message::text).into_iter().chain([Message::binary(vec![0])]) {
        assert_eq!(said_after(address, Some(first), 1).await, ["4401"]);
    }
    let (_hasty, address) = start(hasty).await;
    assert_eq!(said_after(address, None, 1).await, ["4401"]);
}

/// A token in the path is one segment behind the gateway's own.
#[tokio::test]
async fn the_path_may_sign_in() {
    let mut config = config();
    config.gateway.dialect = Dialect::builtin("path").unwrap();
    let (_gateway, address) = start(config).await;
    let token = token("ann", Role::Customer);
    for (path, status) in [
        (format!("/ws/{token}"), 101),
        ("/ws/bad".to_owned(), 401),
        ("/ws".to_owned(), 401),
        (format!("/ws/x/{token}"), 404),
    ] {
        let head = Wire::connect(address).await.request(&upgrade_request(&path, "")).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{path}: {head}");
    }
}
