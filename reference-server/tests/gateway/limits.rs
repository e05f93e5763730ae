//! How much of everything one may have (CONN-7, MSG-6, AUTH-10).

use std::net::SocketAddr;

use protocol::Role;
use reference_gateway::{ConnectionLimits, RateLimit};
use reference_server::Config;

use crate::client::Client;
use crate::running::{config, start, token};
use crate::wire::{CLOSE, CONTINUATION, PING, PONG, TEXT, Wire, masked, upgrade_request};

async fn status(address: SocketAddr, user: &str, lines: &str) -> String {
    let target = format!("/ws?token={}", token(user, Role::Customer));
    let head = Wire::connect(address).await.request(&upgrade_request(&target, lines)).await;
    head.split(' ').nth(1).unwrap().to_owned()
}

fn limited(connection_limits: ConnectionLimits) -> Config {
    Config { connection_limits, ..config() }
}

/// A connection beyond a user's limit is refused, other users' are not, and a closed connection frees its place.
#[tokio::test]
async fn a_users_connections_are_limited() {
    let limits = ConnectionLimits { per_user: Some(2), ..ConnectionLimits::default() };
    let (_gateway, address) = start(limited(limits)).await;
    let first = Client::sign_in(address, "ann").await;
    let _second = Client::sign_in(address, "ann").await;
    assert_eq!(status(address, "ann", "").await, "503");
    let _other = Client::sign_in(address, "bob").await;
    drop(first);
    while status(address, "ann", "").await != "101" {}
}

/// A connection beyond the total or per-address limit is refused for any user; HTTP pages are still served.
#[tokio::test]
async fn connections_in_all_are_limited() {
    for limits in [
        ConnectionLimits { total: Some(1), ..ConnectionLimits::default() },
        ConnectionLimits { per_address: Some(1), ..ConnectionLimits::default() },
    ] {
        let (_gateway, address) = start(limited(limits)).await;
        let _first = Client::sign_in(address, "ann").await;
        assert_eq!(status(address, "bob", "").await, "503");
        let head = Wire::connect(address).await.request("GET /healthz HTTP/1.1\r\nHost: g\r\n\r\n").await;
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    }
}

/// Frames that are no message are counted as well: a peer that sends too many is closed with 1008, what it goes on to send is thrown
/// away, and not for long. Others are served meanwhile.
#[tokio::test]
async fn a_flood_of_empty_fragments_is_cut_off() {
    let config = Config { frame_rate: RateLimit { per_second: 200 }, ..config() };
    let (_gateway, address) = start(config).await;
    let mut other = Client::sign_in(address, "ann").await;
    for first in [CONTINUATION, 0x80 | PING, 0x80 | PONG] {
        let mut flooding = Wire::connect(address).await;
        flooding.upgrade("bob").await;
        flooding.write(&masked(TEXT, b"")).await;
        flooding.write(&masked(first, b"").repeat(100)).await;
        assert!(other.is_served().await);
        flooding.write(&masked(first, b"").repeat(2000)).await;
        let code = loop {
            let frame = flooding.frame().await.expect("a close");
            if frame.opcode == CLOSE {
                break u16::from_be_bytes([frame.payload[0], frame.payload[1]]);
            }
            assert_eq!(frame.opcode, PONG);
        };
        assert_eq!(code, 1008);
        let megabyte = masked(first, b"").repeat(175_000);
        // One megabyte is thrown away, and the kernel takes a few.
        while flooding.try_write(&megabyte).await {}
        assert!(other.is_served().await);
    }
}

/// Where origins are listed, pages from elsewhere are refused; what sends no origin is no page.
#[tokio::test]
async fn other_origins_are_refused() {
    let allowed_origins = vec!["https://app.example.org".to_owned()];
    let (_gateway, address) = start(Config { allowed_origins, ..config() }).await;
    for (lines, expected) in [
        ("", "101"),
        ("Origin: https://app.example.org\r\n", "101"),
        ("Origin: https://evil.example.org\r\n", "403"),
        ("Origin: https://app.example.org.evil.org\r\n", "403"),
        ("Origin: http://app.example.org\r\n", "403"),
        ("Origin: null\r\n", "403"),
    ] {
        assert_eq!(status(address, "ann", lines).await, expected, "{lines}");
    }
    let (_gateway, address) = start(config()).await;
    assert_eq!(
        status(address, "ann", "Origin: https://evil.example.org\r\n").await,
        "101",
        "no list, no limit"
    );
}

/// Frames beyond the rate are answered with an error, then closed with 1008; other connections are unaffected.
#[tokio::test]
async fn a_flood_is_ended() {
    let mut config = config();
    config.gateway.message_rate = RateLimit { per_second: 10 };
    let (_gateway, address) = start(config).await;
    let mut bystander = Client::sign_in(address, "ann").await;
    let mut flooding = Wire::sign_in(address, "bob").await;
    for _ in 0..200 {
        flooding.send(TEXT, br#"{"type":"ping"}"#).await;
    }
    let mut errors = 0;
    let close = loop {
        let frame = flooding.frame().await.expect("a close at the end");
        match frame.opcode {
            TEXT => errors += usize::from(String::from_utf8_lossy(&frame.payload).contains("rate_limited")),
            _ => break frame,
        }
    };
    assert_eq!((errors > 0, close.payload), (true, 1008_u16.to_be_bytes().to_vec()));
    assert!(bystander.is_served().await);
}
