//! Peers that take too long or too much (CONN-8, BRIDGE-12).

use std::time::Duration;

use serde_json::json;
use tokio::net::TcpSocket;

use crate::client::Client;
use crate::running::{config, start, start_on_pipes};
use crate::wire::{CLOSE, PING, PONG, TEXT, Wire};

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

/// What waits for all connections together is bounded, whatever each of them may have: the fullest are shed first. An id that is too long
/// to be repeated is refused.
#[tokio::test]
async fn all_outboxes_have_one_budget() {
    const BUDGET_BYTES: usize = 256 * 1024;
    const STALLED: usize = 20;
    let mut config = config();
    config.outbox_budget_bytes = BUDGET_BYTES;
    let (mut gateway, dial) = start_on_pipes(config);
    let connect = async |user: String| {
        let (near, far) = tokio::io::duplex(PIPE_BYTES);
        dial.send(far).unwrap();
        let mut wire = Wire::new(near);
        wire.upgrade(&user).await;
        wire
    };
    let mut stalled = Vec::new();
    for number in 0..STALLED {
        stalled.push(connect(format!("u{number}")).await);
    }
    let mut asker = connect("asker".to_owned()).await;
    let mut reader = connect("reader".to_owned()).await;
    let long = "i".repeat(60_000);
    asker.send(TEXT, format!(r#"{{"type":"ping","id":"{long}"}}"#).as_bytes()).await;
    let refused = String::from_utf8(asker.frame().await.unwrap().payload).unwrap();
    assert!(refused.contains("bad_message") && refused.contains("256 bytes"), "{refused}");
    asker.send(TEXT, format!(r#"{{"type":"{long}","payload":1,"timestamp":"{long}"}}"#).as_bytes()).await;
    assert!(asker.frame().await.unwrap().payload.len() < 1000, "errors are short");
    // Each stalled reader has its own events, and some have more of them; together they are far more than the budget.
    for round in 0..100 {
        for number in (0..STALLED).filter(|number| round < 20 || number % 2 == 0) {
            let data = json!({ "userId": format!("u{number}"), "text": "x".repeat(1000) });
            gateway.broker.publish("profile:updated", &data);
        }
        let last = gateway.broker.publish("payment:created", &json!({ "round": round }));
        reader.frame().await.expect("the reader stays");
        gateway.broker.acknowledged(last).await;
        let held = held_bytes(&dial).await;
        assert!(held <= BUDGET_BYTES + 64 * 1024, "{held} bytes are held");
    }
    let mut ends = Vec::new();
    for wire in &mut stalled {
        wire.send(PING, b"last").await;
        ends.push(loop {
            match wire.frame().await {
                Some(frame) if frame.opcode == CLOSE => break Some(frame.payload),
                Some(frame) if frame.opcode == PONG => break None,
                Some(_) => {}
                None => panic!("an end without a close"),
            }
        });
    }
    let shed = ends.iter().flatten().collect::<Vec<_>>();
    assert!(!shed.is_empty() && shed.iter().all(|code| **code == 1013_u16.to_be_bytes()), "{ends:?}");
    assert!(
        ends.iter().skip(1).step_by(2).any(Option::is_none),
        "those for whom less waits are spared: {ends:?}"
    );
}

/// What the metrics say that all outboxes hold.
async fn held_bytes(dial: &tokio::sync::mpsc::UnboundedSender<tokio::io::DuplexStream>) -> usize {
    let (near, far) = tokio::io::duplex(PIPE_BYTES);
    dial.send(far).unwrap();
    let (_, page) = Wire::new(near).page("GET /metrics HTTP/1.1\r\nHost: gateway\r\n\r\n").await;
    let line = page.lines().find_map(|line| line.strip_prefix("gateway_outbox_held_bytes ")).unwrap();
    line.parse().unwrap()
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
