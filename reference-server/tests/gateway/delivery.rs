//! From the broker to the members of rooms, and back to the broker (BRIDGE-2 to BRIDGE-9).

use reference_server::Config;
use serde_json::json;

use crate::client::Client;
use crate::running::{config, start};
use crate::script::Settled;

const EVENTS: u64 = 300;

/// Every member gets every event, once and in order, whichever shard serves it; then all are acknowledged.
#[tokio::test]
async fn events_reach_all_members_in_order() {
    for shards in [1, 3] {
        let mut config = config();
        config.shards = shards;
        let (mut gateway, address) = start(config).await;
        let mut clients = Vec::new();
        for user in ["ann", "bob", "ann", "cat"] {
            clients.push(Client::sign_in(address, user).await);
        }
        let mut last = 0;
        for n in 0..EVENTS {
            // Ann is in two of its rooms.
            last = gateway.broker.publish("payment:updated", &json!({ "userId": "ann", "n": n }));
        }
        let before = gateway.broker.acknowledged(last).await;
        assert!(before.iter().all(|settled| matches!(settled, Settled::AcknowledgedUpTo(_))), "{before:?}");
        for client in &mut clients {
            for n in 0..EVENTS {
                let (name, data) = client.event().await;
                assert_eq!((name.as_str(), data), ("payment:updated", json!({ "userId": "ann", "n": n })));
            }
            assert!(client.is_served().await, "and nothing twice");
        }
    }
}

/// What is private reaches its owner alone, and what is subscribed to its subscribers (BRIDGE-4, ROOM-1 to ROOM-3).
#[tokio::test]
async fn rooms_are_kept_apart() {
    let (mut gateway, address) = start(config()).await;
    let mut ann = Client::sign_in(address, "ann").await;
    let mut bob = Client::sign_in(address, "bob").await;
    for request in [
        r#"{"type":"subscribe","payload":{"room":"user:ann"}}"#,
        r#"{"type":"subscribe","payload":{"room":"role:admin"}}"#,
    ] {
        bob.say(request).await;
        assert!(
            matches!(bob.message().await, protocol::ServerMessage::Error { code, .. } if code == "forbidden")
        );
    }
    bob.say(r#"{"type":"subscribe","payload":{"eventType":"weather"}}"#).await;
    assert!(matches!(bob.message().await, protocol::ServerMessage::Subscribed(_)));
    gateway.broker.publish("profile:updated", &json!({ "userId": "ann" }));
    gateway.broker.publish("admin:alert", &json!({}));
    gateway.broker.publish("weather", &json!("fair"));
    gateway.broker.publish("payment:created", &json!({}));
    assert_eq!(ann.event().await.0, "profile:updated");
    assert_eq!(ann.event().await.0, "payment:created");
    assert_eq!(bob.event().await, ("weather".to_owned(), json!("fair")));
    assert_eq!(bob.event().await.0, "payment:created");
    bob.say(r#"{"type":"unsubscribe","payload":{"eventType":"weather"}}"#).await;
    assert!(matches!(bob.message().await, protocol::ServerMessage::Unsubscribed(_)));
    gateway.broker.publish("weather", &json!("foul"));
    let last = gateway.broker.publish("payment:created", &json!({}));
    gateway.broker.acknowledged(last).await;
    assert_eq!(bob.event().await.0, "payment:created");
}

/// An event is handed over before it is acknowledged, on every shard (BRIDGE-7).
#[tokio::test]
async fn delivery_comes_before_acknowledgement() {
    let mut config = config();
    config.shards = 3;
    let (mut gateway, address) = start(config).await;
    let mut clients = Vec::new();
    for user in ["ann", "bob", "cat"] {
        clients.push(Client::sign_in(address, user).await);
    }
    gateway.broker.hold_acknowledgements(true);
    let number = gateway.broker.publish("payment:created", &json!({}));
    for client in &mut clients {
        client.event().await;
    }
    gateway.broker.hold_acknowledgements(false);
    assert_eq!(gateway.broker.acknowledged(number).await, []);
}

/// Poison is rejected once, and what comes behind it flows (BRIDGE-8).
#[tokio::test]
async fn poison_holds_nothing_up() {
    let (mut gateway, address) = start(Config { max_event_bytes: 1000, ..config() }).await;
    let mut client = Client::sign_in(address, "ann").await;
    let mut poison = Vec::new();
    let too_large = json!({ "type": "payment:created", "data": "x".repeat(1000) }).to_string();
    gateway.broker.publish("payment:created", &json!(1));
    for body in ["", "{", "[]", r#"{"data":1}"#, r#"{"type":7}"#, "\u{0}", &too_large] {
        poison.push(Settled::Rejected(gateway.broker.deliver(body)));
    }
    let last = gateway.broker.publish("payment:created", &json!(2));
    let mut settled = gateway.broker.acknowledged(last).await;
    settled.retain(|settled| matches!(settled, Settled::Rejected(_)));
    assert_eq!(settled, poison);
    assert_eq!((client.event().await.1, client.event().await.1), (json!(1), json!(2)));
}

/// An outage of the broker is none of the clients' (BRIDGE-9).
#[tokio::test]
async fn connections_outlive_the_broker() {
    let (mut gateway, address) = start(config()).await;
    let mut client = Client::sign_in(address, "ann").await;
    for n in 0..3 {
        gateway.broker.up();
        gateway.broker.publish("payment:created", &json!(n));
        gateway.broker.down();
        assert_eq!(client.event().await.1, json!(n));
    }
    assert!(client.is_served().await);
}
