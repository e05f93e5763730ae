//! What plain HTTP gets (AUTH-9, CONN-9, BRIDGE-10).

use std::net::SocketAddr;

use protocol::Role;

use crate::client::Client;
use crate::running::{config, start, token};
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
async fn other_requests_are_told_off() {
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
