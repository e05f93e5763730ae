//! Writes to many sockets by one system call (io_uring), and what takes its place where the kernel has none or forbids it. On a kernel
//! without it these tests hold plain writes to the same.
#![cfg(target_os = "linux")]

use std::collections::BTreeMap;
use std::net::SocketAddr;

use reference_server::Config;
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};
use send_ring::SendRing;
use serde_json::json;
use tokio::net::TcpSocket;

use crate::client::Client;
use crate::running::{Running, config, start};
use crate::wire::{CLOSE, TEXT, Wire};

const CLIENTS: usize = 12;

/// Whether a gateway can have a ring, and what forbids it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ring {
    Auto,
    Off,
    /// By a filter of system calls, as containers have it, which answers with this error.
    Forbidden(i32),
}

impl Ring {
    async fn start(self, mut config: Config) -> (Running, SocketAddr) {
        match self {
            Self::Auto => start(config).await,
            Self::Off => {
                config.io_uring = false;
                start(config).await
            }
            // Threads inherit the filter.
            Self::Forbidden(answer) => std::thread::spawn(move || {
                forbid_io_uring(answer);
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                runtime.unwrap().block_on(start(config))
            })
            .join()
            .unwrap(),
        }
    }

    fn is_used(self) -> bool {
        self == Self::Auto && SendRing::new().is_ok()
    }
}

/// Every client gets every event once and in order, with and without a ring, and the metrics say which it was.
#[tokio::test]
async fn events_are_the_same_with_and_without() {
    let rings = [Ring::Auto, Ring::Off, Ring::Forbidden(libc::EPERM), Ring::Forbidden(libc::ENOSYS)];
    for (ring, shards) in rings.into_iter().flat_map(|ring| [(ring, 1), (ring, 2)]) {
        let (mut gateway, address) = ring.start(Config { shards, ..config() }).await;
        let mut clients = Vec::new();
        for number in 0..CLIENTS {
            clients.push(Client::sign_in(address, &format!("u{number}")).await);
        }
        for n in 0..50 {
            gateway.broker.publish("payment:created", &json!(n));
            if n % 10 == 9 {
                gateway.broker.caught_up().await;
            }
        }
        for client in &mut clients {
            for n in 0..50 {
                assert_eq!(client.event().await.1, json!(n), "{ring:?}");
            }
            assert!(client.is_served().await, "and nothing twice: {ring:?}");
        }
        let batched = metric(address, "gateway_batched_writes_total").await;
        assert_eq!(batched > 0, ring.is_used(), "{batched} batched writes: {ring:?}, {shards} shards");
    }
}

/// A socket that takes a part of a frame, and then nothing, delays no other; what it was owed comes whole and in order once it reads.
#[tokio::test]
async fn a_full_socket_gets_the_rest_later() {
    const EVENTS: usize = 400;
    // Together more than the kernel's buffers hold.
    let pad = "x".repeat(40_000);
    let (mut gateway, address) = start(Config { outbox_bytes: 64 << 20, ..config() }).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut stalled = Wire::new(socket.connect(address).await.unwrap());
    stalled.upgrade("stalled").await;
    let mut readers = Vec::new();
    for number in 0..4 {
        readers.push(Wire::sign_in(address, &format!("u{number}")).await);
    }
    for n in 0..EVENTS {
        let number = gateway.broker.publish("payment:created", &json!({ "n": n, "pad": pad }));
        for reader in &mut readers {
            assert_event(reader, n).await;
        }
        gateway.broker.acknowledged(number).await;
    }
    let waits = metric(address, "gateway_outbox_bytes").await;
    assert!(waits > pad.len(), "{waits} bytes wait: its socket was never full");
    for n in 0..EVENTS {
        assert_event(&mut stalled, n).await;
    }
    gateway.broker.publish("payment:created", &json!({ "n": EVENTS }));
    assert_event(&mut stalled, EVENTS).await;
}

/// Connections that are cut between two events, or while events are written, take nothing from the others, and leave.
#[tokio::test]
async fn connections_that_are_cut_take_nothing_with_them() {
    let (mut gateway, address) = start(config()).await;
    let mut leaving = Vec::new();
    for number in 0..CLIENTS {
        leaving.push(Wire::sign_in(address, &format!("l{number}")).await);
    }
    let mut staying = Vec::new();
    for number in 0..5 {
        staying.push(Wire::sign_in(address, &format!("u{number}")).await);
    }
    for n in 0..10 * CLIENTS {
        // What it has not read makes it a reset. The gateway learns of some of them from a failing write.
        if n % 10 == 5 {
            drop(leaving.pop());
        }
        let number = gateway.broker.publish("payment:created", &json!({ "n": n }));
        // What is acknowledged has been written, so that there are at least half as many batches as events.
        if n % 2 == 0 {
            gateway.broker.acknowledged(number).await;
        }
    }
    for wire in &mut staying {
        for n in 0..10 * CLIENTS {
            assert_event(wire, n).await;
        }
    }
    let batched = metric(address, "gateway_batched_writes_total").await;
    assert!(batched > 10 * CLIENTS || !Ring::Auto.is_used(), "{batched} batched writes");
    while metric(address, "gateway_connections").await != staying.len() {
        tokio::task::yield_now().await;
    }
}

/// What was taken over before the end comes before the close, to every client.
#[tokio::test]
async fn events_come_before_the_last_close() {
    let (mut gateway, address) = start(config()).await;
    let mut wires = Vec::new();
    for number in 0..CLIENTS {
        wires.push(Wire::sign_in(address, &format!("u{number}")).await);
    }
    let mut last = 0;
    for n in 0..100 {
        last = gateway.broker.publish("payment:created", &json!({ "n": n }));
    }
    gateway.broker.acknowledged(last).await;
    let (_broker, ended) = gateway.stop();
    for wire in &mut wires {
        for n in 0..100 {
            assert_event(wire, n).await;
        }
        let close = wire.frame().await.expect("a close");
        assert_eq!((close.opcode, close.payload), (CLOSE, 1001_u16.to_be_bytes().to_vec()));
    }
    drop(wires);
    ended.await.unwrap();
}

async fn assert_event(wire: &mut Wire<tokio::net::TcpStream>, n: usize) {
    let frame = wire.frame().await.unwrap_or_else(|| panic!("event {n}, and not the end"));
    let text = String::from_utf8(frame.payload).unwrap();
    let expected = format!(r#""n":{n}"#);
    let at = text.find(&expected).map(|at| text.as_bytes()[at + expected.len()]);
    assert!(frame.opcode == TEXT && matches!(at, Some(b',' | b'}')), "event {n}, and not {text:.80}");
}

/// What the metrics say.
async fn metric(address: SocketAddr, name: &str) -> usize {
    let (_, page) = Wire::connect(address).await.page("GET /metrics HTTP/1.1\r\nHost: gateway\r\n\r\n").await;
    let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{name} in\n{page}")).parse().unwrap()
}

/// Forbids io_uring to this thread, and to those that it starts.
fn forbid_io_uring(answer: i32) {
    let filter = SeccompFilter::new(
        BTreeMap::from([(libc::SYS_io_uring_setup, Vec::new())]),
        SeccompAction::Allow,
        SeccompAction::Errno(answer.cast_unsigned()),
        std::env::consts::ARCH.try_into().unwrap(),
    );
    let program: BpfProgram = filter.unwrap().try_into().unwrap();
    seccompiler::apply_filter(&program).unwrap();
}
