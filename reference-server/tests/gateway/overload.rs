//! Peers that take too long or too much (CONN-8, BRIDGE-12).

use std::time::Duration;

use serde_json::json;
use tokio::net::TcpSocket;

use crate::client::Client;
use crate::running::{config, start, start_on_pipes};
use crate::wire::{CLOSE, PING, PONG, Wire};

const OUTBOX_BYTES: usize = 64 * 1024;
/// Most bytes of events that travel as one piece.
const PIECE_BYTES: usize = 16 * 1024;
/// What a pipe holds in each direction.
const PIPE_BYTES: usize = 8 * 1024;

/// A handshake that does not get on is dropped, wherever it stops; signed-in connections are not.
#[tokio::test]
async fn a_slow_handshake_is_dropped() {
    let mut config = config();
    config.connect_timeout = Duration::from_millis(100);
    let (_gateway, address) = start(config).await;
    let mut client = Client::sign_in(address, "ann").await;
    for beginning in ["", "G", "GET /ws?token=x HTTP/1.1\r\nHost: gateway\r\n"] {
        let mut wire = Wire::connect(address).await;
        wire.write(beginning.as_bytes()).await;
        assert_eq!(wire.frame().await, None, "{beginning:?}");
    }
    assert!(client.is_served().await);
}

/// A reader that never reads is closed once its outbox is full, and delays no other connection.
#[tokio::test]
async fn a_stalled_reader_delays_no_other() {
    const EVENTS: usize = 500;
    let mut config = config();
    config.outbox_bytes = OUTBOX_BYTES;
    let (mut gateway, address) = start(config).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut stalled = Wire::new(socket.connect(address).await.unwrap());
    stalled.upgrade("bob").await;
    let mut reader = Client::sign_in(address, "ann").await;
    // More than the kernel's buffers and the outbox hold together.
    let data = json!("x".repeat(OUTBOX_BYTES / 2));
    for _ in 0..EVENTS {
        let number = gateway.broker.publish("payment:created", &data);
        reader.event().await;
        gateway.broker.acknowledged(number).await;
    }
    let mut events = 0;
    while let Some(frame) = stalled.frame().await {
        events += usize::from(frame.opcode != CLOSE);
    }
    // Whether it reads the close frame in time depends on load; the next test uses pipes of a fixed size.
    assert!(events < EVENTS, "it got everything");
}

/// What waits for a stalled reader is bounded, and given up when it is shed: it gets what was on its way, and the close.
#[tokio::test]
async fn what_waits_for_a_stalled_reader_is_bounded() {
    let mut config = config();
    config.outbox_bytes = OUTBOX_BYTES;
    let (mut gateway, dial) = start_on_pipes(config);
    let (near, far) = tokio::io::duplex(PIPE_BYTES);
    dial.send(far).unwrap();
    let mut stalled = Wire::new(near);
    stalled.upgrade("bob").await;
    let data = json!("x".repeat(1000));
    let mut last = 0;
    for _ in 0..2 * OUTBOX_BYTES / 1000 {
        last = gateway.broker.publish("payment:created", &data);
    }
    gateway.broker.acknowledged(last).await;
    let mut events = 0;
    let close = loop {
        match stalled.frame().await.expect("a close at the end") {
            frame if frame.opcode == CLOSE => break frame,
            _ => events += 1,
        }
    };
    assert_eq!(close.payload, 1013_u16.to_be_bytes());
    // Events are written in pieces, and a partly written piece cannot be withdrawn.
    let bound = (PIPE_BYTES + PIECE_BYTES) / 1000 + 1;
    assert!(events <= bound, "{events} events are more than were on their way");
}

/// Unread pongs count against the outbox limit: pings cannot bypass it.
#[tokio::test]
async fn unread_pongs_are_bounded() {
    let mut config = config();
    config.outbox_bytes = OUTBOX_BYTES;
    let (_gateway, dial) = start_on_pipes(config);
    let [mut flooding, mut bystander] = [(); 2].map(|()| {
        let (near, far) = tokio::io::duplex(PIPE_BYTES);
        dial.send(far).unwrap();
        Wire::new(near)
    });
    flooding.upgrade("bob").await;
    bystander.upgrade("ann").await;
    let pong_bytes = 2 + 125;
    let on_their_way = PIPE_BYTES / pong_bytes + 1;
    // More than outbox and pipe hold, and few enough that what the gateway does not read fits the pipe.
    for _ in 0..OUTBOX_BYTES / pong_bytes + on_their_way + 30 {
        flooding.send(PING, &[b'x'; 125]).await;
    }
    // Both are served by one thread in turn, so that the flood has been read once the bystander was served often: a turn reads some
    // of what is there, not all of it.
    for _ in 0..500 {
        bystander.send(PING, b"").await;
        assert_eq!(bystander.frame().await.map(|frame| frame.opcode), Some(PONG));
    }
    let mut pongs = 0;
    let close = loop {
        match flooding.frame().await.expect("a close at the end") {
            frame if frame.opcode == CLOSE => break frame,
            _ => pongs += 1,
        }
        assert!(pongs <= on_their_way, "the gateway keeps more answers than its outbox holds");
    };
    assert_eq!(close.payload, 1013_u16.to_be_bytes());
}
