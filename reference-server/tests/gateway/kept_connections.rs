//! Connections that ask for status pages again and again, as scrapers do (CONN-8, CONN-9).

use std::time::Duration;

use protocol::Role;
use reference_server::Config;

use crate::client::Client;
use crate::running::{config, start, token};
use crate::wire::{TEXT, Wire, upgrade_request};

/// A request for a page, with more header lines.
fn get(path: &str, lines: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: gateway\r\n{lines}\r\n")
}

fn closes(head: &str) -> bool {
    head.lines().any(|line| line == "Connection: close")
}

/// One connection gets page after page, and may become a WebSocket in the end.
#[tokio::test]
async fn pages_come_on_one_connection() {
    let (_gateway, address) = start(config()).await;
    let mut wire = Wire::connect(address).await;
    for (path, status) in [("/healthz", 200), ("/readyz", 503), ("/stats", 200), ("/metrics", 200)] {
        let (head, content) = wire.page(&get(path, "")).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")) && !closes(&head), "{path}: {head}");
        assert!(!content.is_empty(), "{path}");
    }
    wire.write((get("/healthz", "") + &get("/healthz", "")).as_bytes()).await;
    for _ in 0..2 {
        assert_eq!(wire.page("").await.1, "OK\n", "two requests at once have two answers");
    }
    let head =
        wire.request(&upgrade_request(&format!("/ws?token={}", token("ann", Role::Customer)), "")).await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert_eq!(wire.frame().await.expect("a welcome").opcode, TEXT);
}

/// A client that wants no more, one that could not tell where the next answer begins, and one that asks for what is not there are let go.
#[tokio::test]
async fn some_answers_are_the_last() {
    let (_gateway, address) = start(config()).await;
    for request in [
        get("/healthz", "Connection: Close\r\n"),
        get("/healthz", "").replace("HTTP/1.1", "HTTP/1.0"),
        get("/healthz", "Content-Length: 3\r\n"),
        get("/healthz", "").replace("GET", "POST"),
        get("/nowhere", ""),
        get("/ws", ""),
    ] {
        let mut wire = Wire::connect(address).await;
        let (head, _) = wire.page(&request).await;
        assert!(closes(&head), "{request}{head}");
        assert_eq!(wire.status_line().await, None, "{request}");
    }
}

/// After so many pages a connection is ended, and the last answer says so.
#[tokio::test]
async fn requests_of_one_connection_are_limited() {
    let (_gateway, address) = start(config()).await;
    let mut wire = Wire::connect(address).await;
    let mut answers = 1;
    while !closes(&wire.page(&get("/healthz", "")).await.0) {
        answers += 1;
    }
    assert_eq!((answers, wire.status_line().await), (1000, None));
}

/// A request that is begun must be finished in time, be it the first or a later one (CONN-8); between two there is more time.
#[tokio::test]
async fn a_half_request_is_dropped() {
    let config = Config { connect_timeout: Duration::from_millis(100), ..config() };
    let (_gateway, address) = start(config).await;
    let [mut idle, mut half] = [Wire::connect(address).await, Wire::connect(address).await];
    for wire in [&mut idle, &mut half] {
        wire.page(&get("/healthz", "")).await;
    }
    half.write(b"GET /healthz HT").await;
    assert_eq!(half.status_line().await, None);
    // It has been idle for as long as that took.
    assert_eq!(idle.page(&get("/healthz", "")).await.1, "OK\n");
}

/// Idle connections take no place from handshakes, and are no reason to wait when the gateway ends.
#[tokio::test]
async fn idle_connections_are_in_no_way() {
    // A quarter of them is for one address.
    let config = Config { max_handshakes: 4, shutdown_grace: Duration::from_secs(3600), ..config() };
    let (gateway, address) = start(config).await;
    let mut idle = Vec::new();
    for _ in 0..5 {
        let mut wire = Wire::connect(address).await;
        wire.page(&get("/healthz", "")).await;
        idle.push(wire);
    }
    let mut client = Client::sign_in(address, "ann").await;
    assert!(client.is_served().await);
    let (_broker, ended) = gateway.stop();
    assert_eq!(client.close_code().await, 1001);
    ended.await.unwrap();
    for mut wire in idle {
        assert_eq!(wire.status_line().await, None);
    }
}
