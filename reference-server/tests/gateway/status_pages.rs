//! What plain HTTP gets (AUTH-9, CONN-9, BRIDGE-10).

use std::net::SocketAddr;

use protocol::Role;
use reference_server::Config;
use reference_server::config::StatsToken;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::Client;
use crate::running::{config, start, start_with_admin, token, within};
use crate::wire::{Wire, upgrade_request};

async fn get(address: SocketAddr, path: &str) -> String {
    status(address, &format!("GET {path} HTTP/1.1\r\nHost: gateway\r\n\r\n")).await
}

/// The status of the answer.
async fn status(address: SocketAddr, request: &str) -> String {
    let head = Wire::connect(address).await.request(request).await;
    head.split(' ').nth(1).unwrap().to_owned()
}

/// Only the exact path upgrades, only by an upgrade, and only by GET.
#[tokio::test]
async fn other_requests_are_refused() {
    let (_gateway, address) = start(config()).await;
    let token = token("ann", Role::Customer);
    for path in ["/", "/wsx", "/ws-evil", "/ws/", "/WS"] {
        let request = upgrade_request(&format!("{path}?token={token}"), "");
        assert_eq!(status(address, &request).await, "404", "{path}");
    }
    assert_eq!(get(address, &format!("/ws?token={token}")).await, "426", "a plain GET");
    let old = upgrade_request(&format!("/ws?token={token}"), "").replace("Version: 13", "Version: 8");
    assert_eq!(status(address, &old).await, "426", "another version of the protocol");
    for path in ["/ws", "/healthz", "/readyz"] {
        let request = format!("POST {path} HTTP/1.1\r\nHost: gateway\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(status(address, &request).await, "405", "{path}");
    }
    assert_eq!(status(address, "\u{1}\u{2}\u{3} what\r\n\r\n").await, "400");
}

/// HEAD gets what GET gets, the length included, without the content (RFC 9110 section 9.3.2); it never upgrades.
#[tokio::test]
async fn head_is_get_without_content() {
    let (_gateway, address) = start(config()).await;
    for (path, status) in [("/healthz", "200"), ("/stats", "200"), ("/nowhere", "404"), ("/ws", "405")] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("HEAD {path} HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        within(stream.read_to_string(&mut answer)).await.unwrap();
        let (head, content) = answer.split_once("\r\n\r\n").unwrap();
        assert_eq!((head.split(' ').nth(1), content), (Some(status), ""), "{path}");
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
        assert!(length.is_some_and(|length| length != "0"), "{path}: {head}");
    }
}

/// The gateway is healthy without a broker, and ready with one; connections outlive it (BRIDGE-9).
#[tokio::test]
async fn readiness_follows_the_broker() {
    let (mut gateway, address) = start(config()).await;
    let mut client = Client::sign_in(address, "ann").await;
    assert_eq!((get(address, "/healthz").await, get(address, "/readyz").await), ("200".into(), "503".into()));
    for _ in 0..2 {
        gateway.broker.up();
        gateway.broker.caught_up().await;
        assert_eq!(get(address, "/readyz").await, "200");
        gateway.broker.down();
        gateway.broker.caught_up().await;
        assert_eq!(
            (get(address, "/healthz").await, get(address, "/readyz").await),
            ("200".into(), "503".into())
        );
        assert!(client.is_served().await);
    }
}

/// The numbers of one connection, and then of none (CONN-5, CONN-9).
#[tokio::test]
async fn stats_and_metrics_tell_who_is_here() {
    let (mut gateway, address) = start(config()).await;
    let client = Client::sign_in(address, "ann").await;
    let mut other = Client::sign_in(address, "ann").await;
    gateway.broker.up();
    gateway.broker.publish("payment:created", &json!({}));
    other.event().await;
    assert!(other.is_served().await);
    let stats: Value = serde_json::from_str(&body(address, "/stats").await).unwrap();
    let expected = json!({
        "connections": { "total": 2, "byUser": { "ann": 2 }, "byRole": { "CUSTOMER": 2 } },
        "rooms": { "broadcast": 2, "user:ann": 2, "role:customer": 2 },
        "names": { "users": 1, "rooms": 3 },
        "messages": { "in": 1, "out": 5 },
        "ready": true,
    });
    assert_eq!(stats, expected, "two welcomes, two deliveries, one pong");
    let metrics = body(address, "/metrics").await;
    for line in [
        "gateway_connections 2",
        "gateway_deliveries_total 2",
        "gateway_events_total 1",
        "gateway_broker_up 1",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} in\n{metrics}");
    }
    drop((client, other));
    while body(address, "/stats").await.contains("broadcast") {}
    assert!(body(address, "/metrics").await.contains("\ngateway_connections 0\n"));
}

/// Status pages on a listener of their own are there alone, but for health; they answer while the clients' listener is blocked.
#[tokio::test]
async fn status_pages_have_a_listener_of_their_own() {
    let config = Config { max_handshakes: 1, ..config() };
    let (_gateway, address, admin) = start_with_admin(config).await;
    for (path, public, private) in [
        ("/healthz", "200", "200"),
        ("/readyz", "503", "503"),
        ("/stats", "404", "200"),
        ("/metrics", "404", "200"),
        ("/", "200", "404"),
        ("/ws", "426", "404"),
    ] {
        assert_eq!(get(address, path).await, public, "{path}");
        assert_eq!(get(admin, path).await, private, "{path}");
    }
    assert_eq!(status(admin, "POST /stats HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n").await, "405");
    let mut slow = Wire::connect(address).await;
    slow.write(b"GET /").await;
    let mut kept = Wire::connect(admin).await;
    for _ in 0..2 {
        let (head, body) = kept.page("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert!(head.starts_with("HTTP/1.1 200 ") && body == "OK\n", "{head}");
    }
}

/// Pages that a browser could show are there by names that no stranger can have; the numbers may ask for a token.
#[tokio::test]
async fn pages_are_for_their_own() {
    let stats_token = Some(StatsToken::new("a token"));
    let config = Config { allowed_hosts: vec!["gate.example.org".to_owned()], stats_token, ..config() };
    let (_gateway, address) = start(config).await;
    for (path, host, token, expected) in [
        ("/", "gate.example.org", "", "200"),
        ("/", "evil.example", "", "421"),
        ("/stats", "evil.example", "a token", "421"),
        ("/stats", "127.0.0.1:3000", "", "401"),
        ("/stats", "127.0.0.1:3000", "another token", "401"),
        ("/stats", "127.0.0.1:3000", "a token", "200"),
        ("/metrics", "gate.example.org", "", "401"),
        ("/metrics", "evil.example", "a token", "200"),
        ("/healthz", "evil.example", "", "200"),
    ] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n");
        assert_eq!(status(address, &request).await, expected, "{path} {host} {token}");
    }
    assert_eq!(status(address, "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n").await, "400");
}

/// The body of an answer that says how long it is.
async fn body(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    within(stream.read_to_string(&mut answer)).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{head}");
    body.to_owned()
}
