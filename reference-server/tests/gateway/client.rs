//! A well-behaved client, by a library of others.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use protocol::{Dialect, Role, ServerMessage};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::running::{token, within};

pub(crate) struct Client<S = TcpStream> {
    socket: WebSocketStream<S>,
}

impl Client {
    /// Signs a customer in, and takes the welcome.
    pub(crate) async fn sign_in(address: SocketAddr, user: &str) -> Self {
        Self::over(TcpStream::connect(address).await.unwrap(), user).await
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    /// Signs a customer in on a connection that is there, and takes the welcome.
    pub(crate) async fn over(stream: S, user: &str) -> Self {
        let url = format!("ws://gateway/ws?token={}", token(user, Role::Customer));
        let (socket, _) = within(tokio_tungstenite::client_async(url, stream)).await.unwrap();
        let mut client = Self { socket };
        let welcome = client.message().await;
        assert!(matches!(&welcome, ServerMessage::Welcome { user_id, .. } if user_id == user), "{welcome:?}");
        client
    }

    pub(crate) async fn say(&mut self, text: &str) {
        within(self.socket.send(Message::text(text))).await.unwrap();
    }

    pub(crate) async fn send(&mut self, message: Message) {
        within(self.socket.send(message)).await.unwrap();
    }

    /// The next message; pings are answered by the way.
    pub(crate) async fn message(&mut self) -> ServerMessage {
        loop {
            match within(self.socket.next()).await.expect("the connection is there").unwrap() {
                Message::Text(text) => return Dialect::default().decode_server(&text).unwrap().message,
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("a message, not {other:?}"),
            }
        }
    }

    /// The next message, which is an event: its name and its data.
    pub(crate) async fn event(&mut self) -> (String, Value) {
        match self.message().await {
            ServerMessage::Event { name, payload } => (name, payload),
            other => panic!("an event, not {other:?}"),
        }
    }

    /// Answers pings until the library has seen this many.
    pub(crate) async fn answer_pings(&mut self, count: usize) {
        let mut seen = 0;
        while seen < count {
            match within(self.socket.next()).await.expect("the connection is there").unwrap() {
                Message::Ping(_) => seen += 1,
                other => panic!("a ping, not {other:?}"),
            }
        }
        within(self.socket.flush()).await.unwrap();
    }

    /// Whether the gateway answers, and nothing else came first.
    pub(crate) async fn is_served(&mut self) -> bool {
        self.say(r#"{"type":"ping"}"#).await;
        self.message().await == ServerMessage::Pong
    }

    /// The code of the close that comes next; its answer is sent, and the connection ends without an error.
    pub(crate) async fn close_code(&mut self) -> u16 {
        match within(self.socket.next()).await {
            Some(Ok(Message::Close(Some(frame)))) => {
                let end = within(self.socket.next()).await;
                assert!(end.is_none(), "{end:?}");
                frame.code.into()
            }
            other => panic!("a close, not {other:?}"),
        }
    }
}
