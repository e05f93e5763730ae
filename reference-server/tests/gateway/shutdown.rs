//! How a gateway goes (CONN-6).

use std::time::Duration;

use serde_json::json;
use tokio::net::TcpStream;

use crate::client::Client;
use crate::running::{config, start};
use crate::script::Settled;
use crate::wire::{CLOSE, Wire};

/// Every connection is closed with 1001, no new one is accepted, and the gateway ends without an error.
#[tokio::test]
async fn every_connection_is_closed() {
    for shards in [1, 3] {
        let mut config = config();
        config.shards = shards;
        let (gateway, address) = start(config).await;
        let mut clients = Vec::new();
        for user in ["ann", "bob", "cat", "dan"] {
            clients.push(Client::sign_in(address, user).await);
        }
        let (_broker, ended) = gateway.stop();
        for client in &mut clients {
            assert_eq!(client.close_code().await, 1001);
        }
        ended.await.unwrap();
        assert!(TcpStream::connect(address).await.is_err(), "the listener is closed");
    }
}

/// What was delivered and not acknowledged stays the broker's.
#[tokio::test]
async fn what_is_unacknowledged_stays_so() {
    let (mut gateway, address) = start(config()).await;
    let mut client = Client::sign_in(address, "ann").await;
    let first = gateway.broker.publish("payment:created", &json!(1));
    client.event().await;
    assert_eq!(gateway.broker.acknowledged(first).await, []);
    gateway.broker.hold_acknowledgements(true);
    gateway.broker.publish("payment:created", &json!(2));
    client.event().await;
    let (mut broker, ended) = gateway.stop();
    assert_eq!(client.close_code().await, 1001);
    broker.publish("payment:created", &json!(3));
    ended.await.unwrap();
    broker.hold_acknowledgements(false);
    assert_eq!(broker.settled_to_the_end().await, Vec::<Settled>::new());
}

/// A peer that does not answer, and one that has not even signed in, hold nothing up beyond the grace time.
#[tokio::test]
async fn no_client_delays_it() {
    let mut config = config();
    config.shutdown_grace = Duration::from_millis(100);
    let (gateway, address) = start(config).await;
    let _lurking = Wire::connect(address).await;
    let mut silent = Wire::sign_in(address, "ann").await;
    let (_broker, ended) = gateway.stop();
    assert_eq!(silent.frame().await.map(|frame| frame.opcode), Some(CLOSE));
    let soon = tokio::time::timeout(Duration::from_secs(3), ended).await;
    soon.expect("sooner than a closing handshake may take").unwrap();
    assert_eq!(silent.frame().await, None);
}

/// One that has not even signed in is no reason to wait at all, however long the grace time is.
#[tokio::test]
async fn a_lurker_is_not_waited_for() {
    let mut config = config();
    config.shutdown_grace = Duration::from_secs(3600);
    let (gateway, address) = start(config).await;
    let mut lurking = Wire::connect(address).await;
    lurking.write(b"GET /ws HT").await;
    // Connections are accepted in order: once this one is served, both earlier ones have been accepted.
    drop(Wire::sign_in(address, "ann").await);
    let (_broker, ended) = gateway.stop();
    ended.await.unwrap();
}
