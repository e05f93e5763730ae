use std::time::Duration;

use tokio::io::duplex;
use tokio::sync::{Mutex, mpsc};

use super::*;
use crate::journal::{Journal, journal};
use scenarios::network::{Conditions, Cut, Lane};

const REQUEST: &[u8] = b"GET /ws?token=t HTTP/1.1\r\nHost: h\r\nSec-WebSocket-Key: k\r\n\
    Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
const GRANTED: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\n\r\n";

/// Takes what is sent to it as connections.
struct Listener(mpsc::Receiver<DuplexStream>);

impl Accept for Listener {
    type Stream = DuplexStream;

    async fn accept(&mut self) -> io::Result<DuplexStream> {
        self.0.recv().await.ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    fn reset(stream: DuplexStream) {
        drop(stream);
    }
}

/// Has one connection to the gateway.
#[derive(Clone)]
struct Once(std::sync::Arc<Mutex<Option<DuplexStream>>>);

impl Dial for Once {
    type Stream = DuplexStream;

    async fn dial(&self) -> io::Result<DuplexStream> {
        self.0.lock().await.take().ok_or_else(|| io::ErrorKind::ConnectionRefused.into())
    }

    fn reset(stream: DuplexStream) {
        drop(stream);
    }
}

struct Bench {
    client: DuplexStream,
    gateway: DuplexStream,
    network: Network,
    journal: Journal,
    _listener: mpsc::Sender<DuplexStream>,
    _tap: Tap,
}

async fn bench() -> Bench {
    let (client, near) = duplex(64 * 1024);
    let (gateway, far) = duplex(64 * 1024);
    let (listener, accepts) = mpsc::channel(1);
    let (recorder, journal) = journal(std::sync::Arc::new(|| Duration::ZERO));
    let network = Network::new();
    let setup = TapSetup {
        client: Dialect::default(),
        gateway: Dialect::default(),
        network: network.clone(),
        recorder,
    };
    let dial = Once(std::sync::Arc::new(Mutex::new(Some(far))));
    let tap = Tap::start(Listener(accepts), dial, setup);
    listener.send(near).await.unwrap();
    Bench { client, gateway, network, journal, _listener: listener, _tap: tap }
}

impl Bench {
    /// Passes the handshake, and returns the request that the gateway got.
    async fn open(&mut self) -> String {
        self.client.write_all(REQUEST).await.unwrap();
        let (head, _) = read_head(&mut self.gateway).await.unwrap();
        self.gateway.write_all(GRANTED).await.unwrap();
        read_head(&mut self.client).await.unwrap();
        String::from_utf8(head).unwrap()
    }

    /// What was written down, once that much was.
    async fn events(mut self, count: usize) -> Vec<Event> {
        let all = self.journal.until_count(|_| true, count, 0, Duration::from_secs(5)).await.unwrap();
        assert!(all, "{:?}", self.journal.trace());
        self.journal.finish(&Ok(())).observations.into_iter().map(|seen| seen.event).collect()
    }
}

/// Every byte passes both ways, and each frame is written down as what its sender means; an offer of compression does not pass.
#[tokio::test]
async fn frames_pass_and_are_noted() {
    let mut bench = bench().await;
    let request = bench.open().await;
    assert!(request.contains("token=t") && !request.contains("Extensions"), "{request}");
    let sent = RawFrame::text(r#"{"type":"ping"}"#.to_owned()).encode(Some([1, 2, 3, 4]));
    bench.client.write_all(&sent).await.unwrap();
    let mut came = vec![0; sent.len()];
    bench.gateway.read_exact(&mut came).await.unwrap();
    assert_eq!(came, sent);
    let answer = RawFrame::text(r#"{"type":"pong"}"#.to_owned()).encode(None);
    bench.gateway.write_all(&answer).await.unwrap();
    let mut came = vec![0; answer.len()];
    bench.client.read_exact(&mut came).await.unwrap();
    assert_eq!(came, answer);
    let events = bench.events(5).await;
    assert!(matches!(&events[0], Event::Dialled { query, .. } if query[0].1 == "t"), "{events:?}");
    assert!(matches!(&events[2], Event::Opened));
    assert!(matches!(&events[3], Event::Sent(frame) if frame.body.contains("ping")));
    assert!(matches!(&events[4], Event::Received(frame) if frame.body.contains("pong")));
}

/// While the network carries nothing, that the gateway gives up is written down, though the client sees nothing of it.
#[tokio::test]
async fn the_gateways_end_is_seen_through_a_silent_network() {
    let mut bench = bench().await;
    bench.open().await;
    let hole = Lane { black_hole: true, ..Lane::default() };
    bench.network.set(Conditions { to_subject: hole, from_subject: hole });
    drop(std::mem::replace(&mut bench.gateway, duplex(1).0));
    let events = bench.events(4).await;
    assert_eq!(events.last(), Some(&Event::GatewayClosed));
    assert!(!events.iter().any(|event| matches!(event, Event::Closed { .. })));
}

/// A cut ends the client's connection, and is no end by the gateway.
#[tokio::test]
async fn a_cut_is_no_end_by_the_gateway() {
    let mut bench = bench().await;
    bench.open().await;
    bench.network.cut(Cut::End);
    assert_eq!(bench.client.read(&mut [0]).await.unwrap(), 0);
    let events = bench.events(4).await;
    assert!(matches!(events.last(), Some(Event::Closed { code: None, .. })), "{events:?}");
    assert!(!events.contains(&Event::GatewayClosed));
}

/// A gateway that closes before it says anything has refused.
#[tokio::test]
async fn a_close_before_any_message_is_a_refusal() {
    let mut bench = bench().await;
    bench.open().await;
    let close = RawFrame::control(Control::Close, 1008_u16.to_be_bytes()).encode(None);
    bench.gateway.write_all(&close).await.unwrap();
    let events = bench.events(6).await;
    let code = Some(CloseCode(1008));
    assert_eq!(events[4], Event::Closed { code, by: Side::Gateway });
    assert!(matches!(&events[5], Event::Refused { code: found, .. } if *found == code));
}

/// Bytes that are no frames pass all the same, and are told once.
#[tokio::test]
async fn what_is_no_frame_passes() {
    let mut bench = bench().await;
    bench.open().await;
    // A reserved opcode.
    let wrong = [0x83, 0];
    bench.gateway.write_all(&wrong).await.unwrap();
    let mut came = [0; 2];
    bench.client.read_exact(&mut came).await.unwrap();
    assert_eq!(came, wrong);
    let events = bench.events(4).await;
    assert!(matches!(&events[3], Event::BadFrame { why, .. } if why.contains("opcode")), "{events:?}");
}

/// A frame that is longer than is read passes as well. It is not wrong; it ends the case.
#[tokio::test]
async fn a_frame_that_is_too_long_is_a_flood() {
    let mut bench = bench().await;
    bench.open().await;
    let long = [0x82, 0x7f, 0, 0, 0, 1, 0, 0, 0, 0];
    bench.gateway.write_all(&long).await.unwrap();
    let mut came = [0; 10];
    bench.client.read_exact(&mut came).await.unwrap();
    assert_eq!(came, long);
    let flood = bench.journal.flood();
    let ended = flood.end(std::future::ready(Ok(()))).await.unwrap_err().to_string();
    assert!(ended.starts_with("the gateway floods the connection: a frame of 4294967296 bytes"), "{ended}");
    let events = bench.events(3).await;
    assert!(!events.iter().any(|event| matches!(event, Event::BadFrame { .. })), "{events:?}");
}
