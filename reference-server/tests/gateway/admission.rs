//! Who may come in, when many want to (CONN-7, CONN-8).

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use protocol::Role;
use reference_gateway::ConnectionLimits;
use reference_server::Config;
use reference_server::net::TrustedProxies;
use tokio::net::TcpStream;

use crate::client::Client;
use crate::running::{config, start, token};
use crate::wire::{Wire, upgrade_request};

fn request(user: &str, lines: &str) -> String {
    upgrade_request(&format!("/ws?token={}", token(user, Role::Customer)), lines)
}

/// Who cannot be served yet waits, and is served when another is done.
#[tokio::test]
async fn who_has_no_place_waits() {
    let (_gateway, address) = start(Config { max_handshakes: 1, ..config() }).await;
    let mut slow = Wire::connect(address).await;
    slow.write(b"GET /ws HT").await;
    let mut waiting = Wire::connect(address).await;
    waiting.write(request("ann", "").as_bytes()).await;
    slow.write(b"TP/1.1\r\n\r\n").await;
    assert_eq!(slow.status_line().await.as_deref(), Some("HTTP/1.1 426 Upgrade Required"));
    assert_eq!(waiting.status_line().await.as_deref(), Some("HTTP/1.1 101 Switching Protocols"));
}

/// Who sends nothing takes no place, and where no more can be accepted, the oldest of them make room, with an orderly end.
#[tokio::test]
async fn the_silent_make_room() {
    // The lobby has 8 places for each handshake, and 64.
    const LOBBY: usize = 72;
    let (_gateway, address) = start(Config { max_handshakes: 1, ..config() }).await;
    let mut silent = Vec::new();
    for _ in 0..LOBBY - 1 {
        silent.push(Wire::connect(address).await);
    }
    let mut client = Client::sign_in(address, "ann").await;
    for _ in 0..2 {
        silent.push(Wire::connect(address).await);
    }
    let _other = Client::sign_in(address, "bob").await;
    assert!(silent[0].ends_in_order().await);
    assert!(client.is_served().await);
    let last = silent.last_mut().unwrap();
    last.write(request("cat", "").as_bytes()).await;
    assert_eq!(last.status_line().await.as_deref(), Some("HTTP/1.1 101 Switching Protocols"));
}

/// Who waits in vain is told so, and when to come again. No connection is reset, whatever it has sent.
#[tokio::test]
async fn who_waits_in_vain_is_told() {
    const WAITING: usize = 6;
    let config = Config { max_handshakes: 1, connect_timeout: Duration::from_millis(500), ..config() };
    let (_gateway, address) = start(config).await;
    let mut wires = Vec::new();
    for _ in 0..=WAITING {
        let mut wire = Wire::connect(address).await;
        wire.write(b"GET / HTTP/1.1\r\nX: ").await;
        wires.push(wire);
    }
    let mut turned_away = 0;
    for wire in &mut wires {
        let head = wire.status_line().await;
        turned_away += usize::from(head.as_deref() == Some("HTTP/1.1 503 Too Many Connections"));
        assert!(wire.ends_in_order().await, "{head:?}");
    }
    // One had the place, and one may have got it then.
    assert!(turned_away >= WAITING - 1, "{turned_away}");
}

/// Everybody gets in who dials at once from one address, beside peers of that address that never finish their handshake.
#[tokio::test]
async fn many_dial_at_once() {
    const HALF_OPEN: usize = 512;
    // A gateway and its clients are in one process here: two descriptors for each connection.
    let clients = (open_files() / 2 - HALF_OPEN - 100).min(2000);
    let (_gateway, address) = start(config()).await;
    let half_open = join_all((0..HALF_OPEN).map(|_| TcpStream::connect(address))).await;
    assert!(half_open.iter().all(Result::is_ok));
    let request = request("ann", "");
    #[expect(clippy::disallowed_methods, reason = "the time is printed, not judged")]
    let begin = Instant::now();
    let dial = async || {
        let mut wire = Wire::connect(address).await;
        wire.write(request.as_bytes()).await;
        let status = wire.status_line().await;
        (status, wire)
    };
    let dialled = join_all(std::iter::repeat_with(dial).take(clients)).await;
    println!("{clients} sign-ins beside {HALF_OPEN} half-open connections took {:?}", begin.elapsed());
    for (status, _wire) in &dialled {
        assert_eq!(status.as_deref(), Some("HTTP/1.1 101 Switching Protocols"));
    }
}

/// The soft limit on open files.
fn open_files() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(4096)
}

/// The status of an upgrade, `first` standing before the request.
async fn status(address: SocketAddr, first: &[u8], lines: &str) -> (String, Wire<TcpStream>) {
    let mut wire = Wire::connect(address).await;
    wire.write(&[first, request("ann", lines).as_bytes()].concat()).await;
    let status = wire.status_line().await.unwrap();
    (status.split(' ').nth(1).unwrap().to_owned(), wire)
}

/// A trusted proxy says whose its connections are, by a header of the PROXY protocol or in the request; others are not believed.
#[tokio::test]
async fn a_trusted_proxy_speaks_for_its_clients() {
    let limits = ConnectionLimits { per_address: Some(1), ..ConnectionLimits::default() };
    let config = |proxies: &[&str]| Config {
        connection_limits: limits,
        trusted_proxies: TrustedProxies::parse(proxies.iter().copied()).unwrap(),
        ..config()
    };
    let header = |last: u8| {
        let v4 = [192, 0, 2, last, 10, 0, 0, 1, 0x12, 0x34, 0, 80];
        [&b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"[..], &v4].concat()
    };
    let forwarded = |last: u8| format!("X-Forwarded-For: 192.0.2.{last}\r\n");
    let (_gateway, address) = start(config(&["127.0.0.0/8"])).await;
    let mut open = Vec::new();
    for (first, lines, expected) in [
        (header(1), String::new(), "101"),
        (header(1), String::new(), "503"),
        (header(2), String::new(), "101"),
        (header(1), forwarded(9), "503"),
        (Vec::new(), forwarded(2), "503"),
        (Vec::new(), forwarded(3), "101"),
        (Vec::new(), "Forwarded: for=192.0.2.4\r\n".to_owned(), "101"),
        (Vec::new(), "Forwarded: for=192.0.2.4\r\n".to_owned(), "503"),
    ] {
        let (status, wire) = status(address, &first, &lines).await;
        assert_eq!(status, expected, "{first:?} {lines}");
        open.push(wire);
    }
    let (_gateway, address) = start(config(&["10.0.0.0/8"])).await;
    let (first, _wire) = status(address, b"", &forwarded(1)).await;
    let (second, _wire) = status(address, b"", &forwarded(2)).await;
    assert_eq!((first.as_str(), second.as_str()), ("101", "503"), "that is no proxy");
    assert_eq!(status(address, &header(3), "").await.0, "400");
}
