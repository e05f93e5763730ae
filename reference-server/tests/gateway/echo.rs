//! The echo server, which is judged by suites that know nothing of gateways: it reads and writes as the gateway does.

use std::net::SocketAddr;

use reference_server::TcpListen;
use reference_server::net::EchoServer;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, LocalSet};

use crate::wire::{CLOSE, CONTINUATION, Frame, PING, PONG, TEXT, Wire, masked, upgrade_request};

const BINARY: u8 = 2;
const LIMIT: usize = 16 * 1024 * 1024;

async fn start() -> (JoinHandle<()>, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving =
        tokio::task::spawn_local(async { match EchoServer::new(TcpListen(listener), LIMIT).run().await {} });
    (serving, address)
}

async fn dial(address: SocketAddr) -> Wire<tokio::net::TcpStream> {
    let mut wire = Wire::connect(address).await;
    let head = wire.request(&upgrade_request("/any/path?at=all", "")).await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    wire
}

fn frame(opcode: u8, payload: &[u8]) -> Option<Frame> {
    Some(Frame { opcode, payload: payload.to_vec() })
}

/// Text comes back as text and bytes as bytes, however they were cut; pings are answered in between.
#[tokio::test]
async fn messages_come_back() {
    let test = async {
        let (_serving, address) = start().await;
        let mut wire = dial(address).await;
        wire.send(TEXT, "κόσμε".as_bytes()).await;
        assert_eq!(wire.frame().await, frame(TEXT, "κόσμε".as_bytes()));
        wire.write(&masked(BINARY, &[0, 255])).await;
        wire.send(PING, b"between").await;
        wire.send(CONTINUATION, &[1]).await;
        assert_eq!(wire.frame().await, frame(PONG, b"between"));
        assert_eq!(wire.frame().await, frame(BINARY, &[0, 255, 1]));
        wire.send(TEXT, b"").await;
        assert_eq!(wire.frame().await, frame(TEXT, b""));
        wire.send(CLOSE, &1000_u16.to_be_bytes()).await;
        assert_eq!(wire.close_code().await, 1000);
        assert_eq!(wire.frame().await, None);
    };
    LocalSet::new().run_until(test).await;
}

/// The largest message comes back too; one byte more is too many, and broken text is broken.
#[tokio::test]
async fn limits_are_kept() {
    let test = async {
        let (_serving, address) = start().await;
        let mut wire = dial(address).await;
        let large = vec![b'x'; LIMIT];
        wire.send(BINARY, &large).await;
        assert!(wire.frame().await == frame(BINARY, &large));
        wire.send(TEXT, &[0xff]).await;
        assert_eq!(wire.close_code().await, 1007);
        let mut wire = dial(address).await;
        // Its head says enough.
        wire.write(&masked(0x80 | BINARY, &vec![b'x'; LIMIT + 1])[..14]).await;
        assert_eq!(wire.close_code().await, 1009);
    };
    LocalSet::new().run_until(test).await;
}
