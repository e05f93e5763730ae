//! A gateway in the test's own process, with a broker of its own: it sends every event to every client, but those that it is to
//! lose, and some twice.

use std::time::{Duration, SystemTime};

use embedded_broker::{Broker, BrokerConfig};
use jiff::Timestamp;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{Connection, ConnectionProperties, ExchangeKind};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;

/// What it verifies tokens with; it lets everybody in.
const SECRET: &str = "a secret of a test";
/// Events that may wait for a client.
const BACKLOG: usize = 10_000;

/// The gateway. Dropping it ends it.
pub(crate) struct SmallGateway {
    url: String,
    broker: Broker,
    _tasks: JoinSet<()>,
}

impl SmallGateway {
    /// Starts it; `copies` says how often it sends which number.
    pub(crate) async fn start(copies: fn(u64) -> usize) -> Self {
        Self::start_that_greets(copies, None).await
    }

    /// One that serves a client only once it has sent this first, which it answers by the other; any other message ends the connection.
    pub(crate) async fn start_that_waits(opening: [&'static str; 2]) -> Self {
        Self::start_that_greets(|_| 1, Some(opening)).await
    }

    async fn start_that_greets(copies: fn(u64) -> usize, opening: Option<[&'static str; 2]>) -> Self {
        let broker = Broker::start(BrokerConfig::default()).await.expect("a broker");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("ws://{}/ws", listener.local_addr().expect("an address"));
        let (events, _) = broadcast::channel(BACKLOG);
        let mut tasks = JoinSet::new();
        tasks.spawn(consume(broker.url(), events.clone(), copies));
        tasks.spawn(accept(listener, events, opening));
        Self { url, broker, _tasks: tasks }
    }

    /// What attaches to it.
    pub(crate) fn arguments(&self) -> Vec<&'static str> {
        let leak = |text: String| -> &'static str { Box::leak(text.into_boxed_str()) };
        let url = leak(self.url.clone());
        vec!["--attach", url, "--jwt-secret", SECRET, "--broker", leak(self.broker.url())]
    }
}

/// The time so many seconds from now, as the command line takes it.
#[expect(clippy::disallowed_methods, reason = "two processes begin at one time")]
pub(crate) fn in_seconds(seconds: u64) -> String {
    let time = SystemTime::now() + Duration::from_secs(seconds);
    Timestamp::try_from(time).expect("a time").to_string()
}

async fn consume(url: String, events: broadcast::Sender<String>, copies: fn(u64) -> usize) {
    let connection = Connection::connect(&url, ConnectionProperties::default()).await.expect("the broker");
    let channel = connection.create_channel().await.expect("a channel");
    let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    let (exchange, queue) = ("payments_events", "ws_events");
    let table = FieldTable::default;
    channel
        .exchange_declare(exchange.into(), ExchangeKind::Topic, durable, table())
        .await
        .expect("an exchange");
    let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(queue.into(), durable, table()).await.expect("a queue");
    let options = QueueBindOptions::default();
    channel.queue_bind(queue.into(), exchange.into(), "#".into(), options, table()).await.expect("a binding");
    let options = BasicConsumeOptions::default();
    let mut deliveries =
        channel.basic_consume(queue.into(), "".into(), options, table()).await.expect("a consumer");
    while let Some(Ok(delivery)) = futures_util::StreamExt::next(&mut deliveries).await {
        let event: Value = serde_json::from_slice(&delivery.data).expect("an event");
        let mark = event["data"]["mark"].as_str().expect("a mark");
        let number: u64 = mark.split('~').nth(3).and_then(|number| number.parse().ok()).expect("a number");
        for _ in 0..copies(number) {
            let message = json!({ "type": event["type"], "payload": event["data"], "timestamp": "2026-01-01T00:00:00.000Z" });
            // There may be no client yet.
            let _ = events.send(message.to_string());
        }
        delivery.ack(BasicAckOptions::default()).await.expect("an acknowledgement");
    }
}

async fn accept(
    listener: TcpListener,
    events: broadcast::Sender<String>,
    opening: Option<[&'static str; 2]>,
) {
    let mut clients = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let mut events = events.subscribe();
        clients.spawn(async move {
            use futures_util::{SinkExt, StreamExt};
            let Ok(mut socket) = tokio_tungstenite::accept_async(stream).await else { return };
            let welcome =
                json!({ "type": "connection:established", "payload": { "userId": "x", "rooms": [] } });
            let mut next = Ok(welcome.to_string());
            if let Some([first, answer]) = opening {
                match socket.next().await {
                    Some(Ok(Message::Text(text))) if text.as_str() == first => {}
                    _ => return,
                }
                next = Ok(answer.to_owned());
            }
            while let Ok(text) = next {
                if socket.send(Message::text(text)).await.is_err() {
                    return;
                }
                next = events.recv().await;
            }
        });
    }
}
