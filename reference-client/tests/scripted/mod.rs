// A gateway scripted by a test. Examples in the documentation include this file, so it begins with no `//!`.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{broadcast, mpsc};
use tokio_tungstenite::accept_hdr_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};

/// Longest time that anything may take.
#[allow(dead_code, reason = "not every test that includes this file waits")]
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A gateway on a port of its own. It answers pings; everything else is the test's affair.
#[allow(dead_code, reason = "not every test that includes this file uses all of it")]
pub(crate) struct ScriptedGateway {
    address: std::net::SocketAddr,
    orders: broadcast::Sender<GatewayCommand>,
    seen: mpsc::UnboundedReceiver<Seen>,
}

/// What a gateway saw of a client.
#[derive(Debug, PartialEq)]
#[allow(dead_code, reason = "not every test that includes this file looks at all of it")]
pub(crate) enum Seen {
    /// A connection, and the query that it was dialled with.
    Opened { query: String },
    /// A message other than `ping`, without its timestamp.
    Message(Value),
    /// The end of a connection, and the code that the client closed with.
    Closed { code: Option<u16> },
}

#[derive(Clone)]
enum GatewayCommand {
    Send(String),
    Drop,
}

#[allow(dead_code, reason = "not every test that includes this file uses all of it")]
impl ScriptedGateway {
    pub(crate) async fn start() -> Self {
        Self::with_events(Vec::new()).await
    }

    /// A gateway that answers a subscription to one of these types with its events.
    pub(crate) async fn with_events(events: Vec<(&'static str, Value)>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (orders, _) = broadcast::channel(64);
        let (sender, seen) = mpsc::unbounded_channel();
        let ordered = orders.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, ordered.subscribe(), sender.clone(), events.clone()));
            }
        });
        Self { address, orders, seen }
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://{}/ws", self.address)
    }

    /// What was seen next.
    pub(crate) async fn next(&mut self) -> Seen {
        let next = tokio::time::timeout(PATIENCE, self.seen.recv()).await;
        next.expect("in vain: something to be seen").expect("a gateway that lives")
    }

    /// Waits for a connection, and answers the query that it was dialled with.
    pub(crate) async fn opened(&mut self) -> String {
        match self.next().await {
            Seen::Opened { query } => query,
            other => panic!("no connection, but {other:?}"),
        }
    }

    /// Waits for a subscription to an event type.
    pub(crate) async fn subscribed(&mut self, event_type: &str) {
        let expected = json!({ "type": "subscribe", "payload": { "eventType": event_type } });
        assert_eq!(self.next().await, Seen::Message(expected));
    }

    /// Whether nothing has been seen that was not asked for.
    pub(crate) fn is_quiet(&mut self) -> bool {
        self.seen.try_recv().is_err()
    }

    /// Sends an event to every connection.
    pub(crate) fn publish(&self, event_type: &str, data: &Value) {
        let text = json!({ "type": event_type, "payload": data }).to_string();
        assert!(self.orders.send(GatewayCommand::Send(text)).is_ok(), "a client is connected");
    }

    /// Drops every connection without a close frame.
    pub(crate) fn drop_connections(&self) {
        assert!(self.orders.send(GatewayCommand::Drop).is_ok(), "a client is connected");
    }
}

/// A provider that is connected to the gateway, or is about to be.
#[allow(dead_code, reason = "not every test that includes this file uses it")]
pub(crate) async fn scripted_provider(
    gateway: &ScriptedGateway,
) -> Result<reference_client::Provider, Box<dyn std::error::Error>> {
    use reference_client::{Client, ClientConfig, Provider, TcpDial, system_clock};
    let client = Client::start(ClientConfig::new(&gateway.url(), "a token")?, TcpDial, system_clock());
    Ok(Provider::signed_in(client, true).await?)
}

#[allow(clippy::result_large_err, reason = "the handshake's callback has the library's type")]
async fn serve(
    stream: TcpStream,
    mut orders: broadcast::Receiver<GatewayCommand>,
    sender: mpsc::UnboundedSender<Seen>,
    events: Vec<(&'static str, Value)>,
) {
    let mut query = String::new();
    let look = |request: &Request, response: Response| {
        request.uri().query().unwrap_or_default().clone_into(&mut query);
        Ok(response)
    };
    let Ok(mut socket) = accept_hdr_async(stream, look).await else { return };
    // The receiver is dropped once the test has ended; this holds for every `send` here.
    let _ = sender.send(Seen::Opened { query });
    let mut code = None;
    loop {
        tokio::select! {
            order = orders.recv() => match order {
                Ok(GatewayCommand::Send(text)) => if socket.send(Message::text(text)).await.is_err() { break },
                Ok(GatewayCommand::Drop) | Err(_) => break,
            },
            message = socket.next() => match message {
                Some(Ok(Message::Text(text))) => {
                    let mut message: Value = serde_json::from_str(&text).expect("a client sends JSON");
                    message.as_object_mut().expect("a client sends objects").remove("timestamp");
                    if message["type"] == "ping" {
                        let _ = socket.send(Message::text(r#"{"type":"pong"}"#)).await;
                        continue;
                    }
                    let asked = message["payload"]["eventType"].clone();
                    let _ = sender.send(Seen::Message(message));
                    for (name, data) in events.iter().filter(|(name, _)| asked == *name) {
                        let text = json!({ "type": name, "payload": data }).to_string();
                        let _ = socket.send(Message::text(text)).await;
                    }
                }
                Some(Ok(Message::Close(frame))) => code = frame.map(|frame| frame.code.into()),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => break,
            },
        }
    }
    drop(socket);
    let _ = sender.send(Seen::Closed { code });
}
