//! The live page at `/`, and what development mode offers under `/dev`.

use std::net::SocketAddr;

use protocol::Role;
use reference_server::Config;
use reference_server::broker::{QueueKind, RabbitMqConfig};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::running::{config, start, token, within};
use crate::wire::{Wire, upgrade_request};

/// A whole answer.
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

async fn exchange(address: SocketAddr, request: &str) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut bytes = Vec::new();
    within(stream.write_all(request.as_bytes())).await.unwrap();
    within(stream.read_to_end(&mut bytes)).await.unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

async fn get(address: SocketAddr, path: &str) -> Answer {
    exchange(address, &format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")).await
}

/// Posts with these header lines besides `Host` and `Content-Length`.
async fn post(address: SocketAddr, path: &str, lines: &str, body: &str) -> Answer {
    let length = body.len();
    let head = format!("POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {length}\r\n{lines}\r\n");
    exchange(address, &(head + body)).await
}

const JSON: &str = "Content-Type: application/json\r\n";
const ADA: &str = r#"{"userId":"ada","role":"ADMIN"}"#;

fn dev() -> Config {
    Config { dev: true, ..config() }
}

/// The page knows its gateway's path, and may run nothing but itself.
#[tokio::test]
async fn the_page_is_served() {
    let config = Config { path: "/live/ws".to_owned(), ..config() };
    let (_gateway, address) = start(config).await;
    let page = get(address, "/").await;
    assert_eq!(page.status, 200);
    assert!(page.body.starts_with("<!doctype html>") && page.body.contains(r#""path":"/live/ws""#));
    for field in ["Content-Type: text/html", "X-Content-Type-Options: nosniff", "default-src 'none'"] {
        assert!(page.head.contains(field), "{field}: {}", page.head);
    }
    assert!(!page.head.contains("unsafe-inline"), "{}", page.head);
}

/// The page's place never upgrades (AUTH-9), and holds nothing where the page is switched off.
#[tokio::test]
async fn the_page_is_no_endpoint() {
    let (_gateway, address) = start(config()).await;
    let target = format!("/?token={}", token("ann", Role::Customer));
    assert_eq!(exchange(address, &upgrade_request(&target, "")).await.status, 404);
    assert_eq!(get(address, "/index.html").await.status, 404);
    assert_eq!(post(address, "/", "", "").await.status, 404);
    let (_gateway, address) = start(Config { page: false, ..config() }).await;
    assert_eq!(get(address, "/").await.status, 404);
}

/// Without development mode there is nothing of it.
#[tokio::test]
async fn production_offers_nothing() {
    let (_gateway, address) = start(config()).await;
    assert_eq!(get(address, "/dev").await.status, 404);
    for path in ["/dev/token", "/dev/publish"] {
        assert_eq!(post(address, path, JSON, ADA).await.status, 404, "{path}");
    }
}

/// Development mode issues a token on request, and the token is accepted.
#[tokio::test]
async fn development_makes_tokens() {
    let (_gateway, address) = start(dev()).await;
    assert_eq!(get(address, "/dev").await.json(), json!({ "path": "/ws", "token": true, "publish": false }));
    let made = post(address, "/dev/token", JSON, ADA).await;
    assert_eq!(made.status, 200, "{}", made.body);
    let target = format!("/ws?token={}", made.json()["token"].as_str().unwrap());
    let mut wire = Wire::connect(address).await;
    assert!(wire.request(&upgrade_request(&target, "")).await.starts_with("HTTP/1.1 101 "));
    let welcome: Value = serde_json::from_slice(&wire.frame().await.unwrap().payload).unwrap();
    assert_eq!(welcome["payload"]["rooms"], json!(["broadcast", "user:ada", "role:admin"]));
    assert_eq!(get(address, "/dev/token").await.status, 405);
    assert_eq!(post(address, "/dev", JSON, ADA).await.status, 405);
    assert_eq!(post(address, "/dev/other", JSON, ADA).await.status, 404);
}

/// A page of another site cannot drive a developer's gateway: neither by a form, nor by a script, nor by a name that it
/// has point here.
#[tokio::test]
async fn other_sites_are_refused() {
    let (_gateway, address) = start(dev()).await;
    for (lines, status) in [
        (format!("{JSON}Origin: http://{address}\r\n"), 200),
        (format!("{JSON}Origin: http://evil.example\r\n"), 403),
        (format!("{JSON}Origin: http://127.0.0.1:1\r\n"), 403),
        (format!("{JSON}Origin: null\r\n"), 403),
        ("Content-Type: application/json; charset=utf-8\r\n".to_owned(), 200),
        ("Content-Type: text/plain\r\n".to_owned(), 415),
        ("Content-Type: application/x-www-form-urlencoded\r\n".to_owned(), 415),
        (String::new(), 415),
    ] {
        for path in ["/dev/token", "/dev/publish"] {
            // There is no broker to publish to, which shows that the request was let through.
            let status = if path == "/dev/publish" && status == 200 { 404 } else { status };
            let body = if path == "/dev/publish" { r#"{"type":"a:b"}"# } else { ADA };
            assert_eq!(post(address, path, &lines, body).await.status, status, "{path} {lines}");
        }
    }
    let rebound = format!(
        "POST /dev/token HTTP/1.1\r\nHost: evil.example\r\nOrigin: http://evil.example\r\n{JSON}Content-Length: {}\r\n\r\n{ADA}",
        ADA.len()
    );
    assert_eq!(exchange(address, &rebound).await.status, 403);
}

/// Bodies are measured before they are read.
#[tokio::test]
async fn bodies_are_bounded() {
    let (_gateway, address) = start(dev()).await;
    let request = |line: &str| format!("POST /dev/token HTTP/1.1\r\nHost: h\r\n{JSON}{line}\r\n\r\n");
    assert_eq!(exchange(address, &request("Content-Length: 65537")).await.status, 413);
    assert_eq!(exchange(address, &request("Transfer-Encoding: chunked")).await.status, 411);
    assert_eq!(exchange(address, &request("X: y")).await.status, 411);
    let long = format!("{ADA}{}", " ".repeat(65536 - ADA.len()));
    assert_eq!(post(address, "/dev/token", JSON, &long).await.status, 200);
    let wrong = post(address, "/dev/token", JSON, r#"{"userId":"ada","role":"KING"}"#).await;
    assert_eq!(wrong.status, 400);
    assert!(wrong.json()["error"].as_str().unwrap().contains("KING"), "{}", wrong.body);
}

/// An event that the broker does not take is not said to be published.
#[tokio::test]
async fn an_unreachable_broker_is_reported() {
    // The local port of an outgoing connection: nothing listens there.
    let (_peer, peer) = start(config()).await;
    let outgoing = TcpStream::connect(peer).await.unwrap();
    let port = outgoing.local_addr().unwrap().port();
    let rabbitmq = RabbitMqConfig {
        url: format!("amqp://guest:hush@127.0.0.1:{port}/%2f"),
        exchange: "payments_events".to_owned(),
        queue: "ws_events".to_owned(),
        queue_kind: QueueKind::Shared,
        binding: "#".to_owned(),
        prefetch: 1,
        max_event_bytes: 1024 * 1024,
        dead_letter_exchange: None,
    };
    let (_gateway, address) = start(Config { rabbitmq: Some(rabbitmq), ..dev() }).await;
    assert_eq!(get(address, "/dev").await.json()["publish"], true);
    let answer = post(address, "/dev/publish", JSON, r#"{"type":"catalog:changed","data":{}}"#).await;
    assert_eq!(answer.status, 502, "{}", answer.body);
    assert!(!answer.body.contains("hush"), "{}", answer.body);
}
