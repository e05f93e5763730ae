//! What the client does while its gateway does not read (IN-2).

use std::io;
use std::time::Duration;

use futures_util::SinkExt;
use reference_client::{Client, ClientConfig, Dial, ListenerError, SendError, Status};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, DuplexStream, duplex};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;

use crate::gateway::{Accepted, reaches, soon, wall};

/// Bytes that a pipe takes before it is read.
const PIPE_BYTES: usize = 1024;
/// Padding of a message that no pipe takes whole.
const PADDING: usize = 64 * PIPE_BYTES;
/// More pings than what waits to be written could hold, were each pong to wait.
const PINGS: u32 = 2000;

/// Dials by pipes, which hold so little that every write soon waits for the other end.
#[derive(Clone)]
struct PipeDial {
    accepted: mpsc::UnboundedSender<DuplexStream>,
}

impl Dial for PipeDial {
    type Stream = DuplexStream;

    async fn dial(&self, _: &str, _: u16) -> io::Result<DuplexStream> {
        let (near, far) = duplex(PIPE_BYTES);
        self.accepted.send(far).map_err(|_| io::ErrorKind::ConnectionRefused)?;
        Ok(near)
    }
}

/// A client over pipes, and their other ends.
fn piped(
    adjust: impl FnOnce(&mut ClientConfig),
) -> (Client, mpsc::UnboundedReceiver<Status>, mpsc::UnboundedReceiver<DuplexStream>) {
    let (accepted, dialled) = mpsc::unbounded_channel();
    let mut config = ClientConfig::new("ws://gateway/ws", "a token").expect("a URL");
    config.timing.reconnect_delay = Duration::from_millis(1);
    config.timing.max_reconnect_delay = Duration::from_millis(4);
    adjust(&mut config);
    let config = config.check().expect("sound times");
    let client = Client::start(config, PipeDial { accepted }, wall());
    let (statuses_tx, statuses) = mpsc::unbounded_channel();
    client.on_status(move |_, new| statuses_tx.send(new).unwrap_or(()));
    (client, statuses, dialled)
}

async fn accept(dialled: &mut mpsc::UnboundedReceiver<DuplexStream>) -> Accepted<DuplexStream> {
    Accepted::over(soon("a dial", dialled.recv()).await.expect("a client")).await
}

/// A message identified by its number, and larger than a pipe.
fn large(number: u32) -> Value {
    json!({ "number": number, "padding": "x".repeat(PADDING) })
}

/// IN-2, QUEUE-3, PING-4: while the gateway does not read, events are emitted, pings take no memory, and what is sent is
/// bounded by the queue; once it reads, everything arrives, including the newest pong.
#[tokio::test]
async fn reading_goes_on_while_the_gateway_does_not_read() {
    let (client, mut statuses, mut dialled) = piped(|config| config.queue_capacity = 2);
    let (events_tx, mut events) = mpsc::unbounded_channel();
    client.on("a:b", move |payload| {
        events_tx.send(payload.clone()).map_err(|error| ListenerError(error.to_string()))
    });
    soon("the order", client.connect()).await.unwrap();
    let mut accepted = accept(&mut dialled).await;
    reaches(&mut statuses, &[Status::Connecting, Status::Connected]).await;

    for number in 1..=2 {
        soon("the order", client.send("large", large(number))).await.unwrap();
    }
    let refused = soon("the order", client.send("large", large(3))).await;
    assert!(matches!(refused, Err(SendError::QueueFull(_))), "{refused:?}");
    for number in 0..PINGS {
        accepted.send(Message::Ping(number.to_be_bytes().to_vec().into())).await;
    }
    accepted.send(Message::text(r#"{"type":"a:b","payload":7}"#)).await;
    assert_eq!(soon("the event", events.recv()).await, Some(json!(7)));

    let (mut numbers, mut pongs) = (Vec::new(), Vec::new());
    while numbers.len() < 2 || pongs.last() != Some(&(PINGS - 1)) {
        match accepted.next().await {
            Message::Text(text) => {
                let message: Value = serde_json::from_str(&text).unwrap();
                numbers.push(message["payload"]["number"].clone());
            }
            Message::Pong(payload) => pongs.push(u32::from_be_bytes(payload[..].try_into().unwrap())),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(numbers, [1, 2]);
    assert!(pongs.is_sorted() && pongs.len() < 4, "RFC 6455 section 5.5.3: {} pongs", pongs.len());
}

/// PING-3, QUEUE-4: a gateway that neither reads nor answers is left in time, however much it says; nothing holds its stream any
/// longer, and what it did not read whole goes to the next connection.
#[tokio::test]
async fn a_gateway_that_only_talks_is_left() {
    let (client, mut statuses, mut dialled) = piped(|config| {
        config.timing.ping_interval = Duration::from_millis(20);
        config.timing.pong_timeout = Duration::from_millis(10);
    });
    soon("the order", client.connect()).await.unwrap();
    let mut accepted = accept(&mut dialled).await;
    reaches(&mut statuses, &[Status::Connecting, Status::Connected]).await;
    soon("the order", client.send("large", large(1))).await.unwrap();
    let talk = async {
        // It ends with its connection.
        while accepted.socket.send(Message::text(r#"{"type":"a:b"}"#)).await.is_ok() {}
    };
    soon("the end of the connection", talk).await;
    reaches(&mut statuses, &[Status::Reconnecting, Status::Connecting]).await;
    let mut rest = Vec::new();
    soon("the end of the stream", accepted.socket.get_mut().read_to_end(&mut rest)).await.unwrap();
    assert!(rest.len() <= PIPE_BYTES);

    let mut next = accept(&mut dialled).await;
    assert_eq!(next.message().await["payload"]["number"], 1);
}
