//! Pings over the wire (HB-1 to HB-3).

use std::time::Duration;

use crate::client::Client;
use crate::running::{config, start};
use crate::wire::{PING, PONG, Wire};

const INTERVAL: Duration = Duration::from_millis(100);
const TIMEOUT: Duration = Duration::from_millis(1000);
/// Most pings of a silent connection: those within the patience for the first, and one that a late timer lets through.
const MOST_PINGS: usize = 11;

/// A peer that answers no ping is dropped without a close frame; one that answers stays open.
#[tokio::test]
async fn silence_ends_a_connection() {
    let mut config = config();
    config.gateway.ping_interval = INTERVAL;
    config.gateway.pong_timeout = TIMEOUT;
    let (_gateway, address) = start(config).await;
    let mut answering = Client::sign_in(address, "ann").await;
    let mut silent = Wire::sign_in(address, "bob").await;
    let pings = async {
        let mut pings = 0;
        while let Some(frame) = silent.frame().await {
            assert_eq!((frame.opcode, frame.payload.len()), (PING, 0));
            pings += 1;
            assert!(pings <= MOST_PINGS, "it is pinged for ever");
        }
        assert!(pings > 0, "it is not dropped unasked");
    };
    // Twice as long as the silent one may last.
    tokio::join!(pings, answering.answer_pings(2 * MOST_PINGS));
}

/// An unsolicited pong is ignored, and a pong need not repeat the ping's payload to count.
#[tokio::test]
async fn any_pong_counts() {
    let mut config = config();
    config.gateway.ping_interval = INTERVAL;
    config.gateway.pong_timeout = TIMEOUT;
    let (_gateway, address) = start(config).await;
    let mut wire = Wire::sign_in(address, "ann").await;
    wire.send(PONG, b"unasked").await;
    for _ in 0..15 {
        assert_eq!(wire.frame().await.map(|frame| frame.opcode), Some(PING));
        wire.send(PONG, b"late, or early").await;
    }
}
