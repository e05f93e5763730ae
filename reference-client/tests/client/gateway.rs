//! A gateway scripted by a test, and what a test awaits of it.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use protocol::{CloseCode, Timestamp};
use reference_client::{Client, ClientConfig, Status, TcpDial, WallClock};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async};

/// Longer than anything here takes; a wait of this length has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) async fn soon<T>(what: &str, event: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, event).await {
        Ok(outcome) => outcome,
        Err(_) => panic!("in vain: {what}"),
    }
}

/// A gateway on a port of its own.
pub(crate) struct Gateway {
    listener: TcpListener,
}

/// One connection to it, and the query that it was dialled with.
pub(crate) struct Accepted<S = TcpStream> {
    pub(crate) socket: WebSocketStream<S>,
    pub(crate) query: String,
}

impl Gateway {
    pub(crate) async fn start() -> Self {
        Self { listener: soon("a port", TcpListener::bind(("127.0.0.1", 0))).await.expect("a port") }
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://{}/ws?v=1", self.address())
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.listener.local_addr().expect("an address")
    }

    /// A configuration that reconnects without a delay, so that tests are fast.
    pub(crate) fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new(&self.url(), "a+b").expect("a URL");
        config.timing.reconnect_delay = Duration::from_millis(1);
        config.timing.max_reconnect_delay = Duration::from_millis(4);
        config.check().expect("sound times")
    }

    pub(crate) async fn stream(&self) -> TcpStream {
        soon("a dial", self.listener.accept()).await.expect("a stream").0
    }

    pub(crate) async fn accept(&self) -> Accepted {
        Accepted::over(self.stream().await).await
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Accepted<S> {
    /// The gateway's end of a handshake.
    pub(crate) async fn over(stream: S) -> Self {
        let mut query = String::new();
        let look = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
            request.uri().query().unwrap_or_default().clone_into(&mut query);
            Ok(response)
        };
        let socket = soon("a handshake", accept_hdr_async(stream, look)).await.expect("a WebSocket");
        Accepted { socket, query }
    }

    pub(crate) async fn next(&mut self) -> Message {
        soon("a frame", self.socket.next()).await.expect("an open connection").expect("a sound frame")
    }

    /// The next message, without its timestamp.
    pub(crate) async fn message(&mut self) -> Value {
        let Message::Text(text) = self.next().await else { panic!("no text") };
        let mut message: Value = serde_json::from_str(&text).expect("a JSON message");
        assert!(message["timestamp"].is_string());
        message.as_object_mut().expect("an object").remove("timestamp");
        message
    }

    pub(crate) async fn send(&mut self, message: Message) {
        soon("a frame to be written", self.socket.send(message)).await.expect("an open connection");
    }

    /// The code of the close frame that comes next.
    pub(crate) async fn close_code(&mut self) -> CloseCode {
        let Message::Close(Some(frame)) = self.next().await else { panic!("no close frame") };
        CloseCode(frame.code.into())
    }
}

pub(crate) fn wall() -> WallClock {
    Arc::new(|| Timestamp::EPOCH)
}

/// A client, and every change of its status.
pub(crate) fn client(config: ClientConfig) -> (Client, mpsc::UnboundedReceiver<Status>) {
    let client = Client::start(config, TcpDial, wall());
    let (sender, statuses) = mpsc::unbounded_channel();
    // The receiver is dropped once the test has ended.
    client.on_status(move |_, new| sender.send(new).unwrap_or(()));
    (client, statuses)
}

pub(crate) async fn reaches(statuses: &mut mpsc::UnboundedReceiver<Status>, path: &[Status]) {
    for expected in path {
        assert_eq!(soon(expected.as_str(), statuses.recv()).await, Some(*expected));
    }
}
