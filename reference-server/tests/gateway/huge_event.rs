//! A broker that announces more than anybody can hold (BRIDGE-8), byte by byte.

use bytes::Bytes;
use reference_server::broker::{EventSource, QueueKind, RabbitMq, RabbitMqConfig, SourceEvent, Tag};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::running::within;

/// Largest event here.
const LIMIT: usize = 1000;
/// What the broker announces.
const ANNOUNCED: u64 = 8 << 30;
/// What it sends of it, a frame at a time.
const FRAME_BYTES: usize = 100_000;
const FRAMES: usize = 100;

/// One connection from a gateway, as its broker sees it.
struct Broker(TcpStream);

fn frame(kind: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
    let size = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&[kind][..], &channel.to_be_bytes(), &size, payload, &[0xce]].concat()
}

fn method(channel: u16, class: u16, id: u16, arguments: &[u8]) -> Vec<u8> {
    frame(1, channel, &[&class.to_be_bytes()[..], &id.to_be_bytes(), arguments].concat())
}

fn header(body_bytes: u64) -> Vec<u8> {
    frame(2, 1, &[&[0, 60, 0, 0][..], &body_bytes.to_be_bytes(), &[0, 0]].concat())
}

/// `basic.deliver` with this number, to the consumer `c`.
fn deliver(number: u64) -> Vec<u8> {
    method(1, 60, 60, &[&b"\x01c"[..], &number.to_be_bytes(), b"\0\x01e\x01k"].concat())
}

impl Broker {
    /// Takes a gateway through its topology, until it consumes.
    async fn accept(listener: &TcpListener) -> Self {
        let mut broker = Self(listener.accept().await.unwrap().0);
        broker.0.read_exact(&mut [0; 8]).await.unwrap();
        broker.send(&method(0, 10, 10, b"\0\x09\0\0\0\0\0\0\0\x05PLAIN\0\0\0\x05en_US")).await;
        loop {
            let (channel, class, id) = broker.next().await;
            let answer = match (class, id) {
                // No limit on channels, none on frames, no heartbeat.
                (10, 11) => method(0, 10, 30, &[0; 8]),
                (10, 31) => continue,
                (10, 40) => method(0, 10, 41, &[0]),
                (20, 10) => method(channel, 20, 11, &[0; 4]),
                (50, 10) => method(channel, 50, 11, &[&b"\x01q"[..], &[0; 8]].concat()),
                (60, 20) => {
                    broker.send(&method(channel, 60, 21, b"\x01c")).await;
                    return broker;
                }
                // Each is answered by the method behind it.
                (class, id) => method(channel, class, id + 1, &[]),
            };
            broker.send(&answer).await;
        }
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    /// The next method: its channel, class and number.
    async fn next(&mut self) -> (u16, u16, u16) {
        loop {
            let mut head = [0; 7];
            self.0.read_exact(&mut head).await.unwrap();
            let mut payload = vec![0; u32::from_be_bytes([head[3], head[4], head[5], head[6]]) as usize + 1];
            self.0.read_exact(&mut payload).await.unwrap();
            if head[0] == 1 {
                let number = |at: usize| u16::from_be_bytes([payload[at], payload[at + 1]]);
                return (u16::from_be_bytes([head[1], head[2]]), number(0), number(2));
            }
        }
    }
}

/// A message of more bytes than an event may have is known by its header, and not held: it comes without its body, so that it can be
/// rejected at once. What comes behind it is whole.
#[tokio::test]
async fn what_is_announced_is_not_held() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let config = RabbitMqConfig {
        url: format!("amqp://guest:guest@{}/%2f", listener.local_addr().unwrap()),
        exchange: "e".to_owned(),
        queue: "q".to_owned(),
        queue_kind: QueueKind::Shared,
        binding: "#".to_owned(),
        prefetch: 1,
        max_event_bytes: LIMIT,
        dead_letter_exchange: None,
    };
    let mut source = RabbitMq::new(config, 1);
    let (up, mut broker) = within(async { tokio::join!(source.next(), Broker::accept(&listener)) }).await;
    assert_eq!(up, SourceEvent::Up);
    let delivery = |number, body: Bytes| SourceEvent::Delivery { tag: Tag { epoch: 1, number }, body };
    broker.send(&[deliver(1), header(ANNOUNCED)].concat()).await;
    assert_eq!(within(source.next()).await, delivery(1, Bytes::new()), "before any of it has come");
    source.reject(Tag { epoch: 1, number: 1 }).await;
    assert_eq!(within(broker.next()).await, (1, 60, 90));
    let part = frame(3, 1, &vec![b'x'; FRAME_BYTES]);
    let sending = async {
        for _ in 0..FRAMES {
            broker.send(&part).await;
        }
        // The broker gives up, and goes on with the next.
        broker.send(&[deliver(2), header(4), frame(3, 1, b"body")].concat()).await;
    };
    let ((), next) = within(async { tokio::join!(sending, source.next()) }).await;
    assert_eq!(next, delivery(2, Bytes::from_static(b"body")));
}
