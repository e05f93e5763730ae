//! The client over real sockets on the loopback, against a gateway that does only what a test tells it to.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use protocol::{CloseCode, Target, Timestamp};
use reference_client::{Client, ClientConfig, ListenerError, Status, TcpDial, WallClock, adapter};
use serde_json::{Value, json};
use tokio::io::{
    AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, DuplexStream, Lines, ReadHalf, WriteHalf,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Bytes, Message};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async};

/// Longer than anything here takes; whoever waits so long waits for something that does not come.
const PATIENCE: Duration = Duration::from_secs(20);

async fn soon<T>(what: &str, event: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, event).await {
        Ok(outcome) => outcome,
        Err(_) => panic!("in vain: {what}"),
    }
}

/// A gateway on a port of its own.
struct Gateway {
    listener: TcpListener,
}

/// One connection to it, and the query that it was dialled with.
struct Accepted {
    socket: WebSocketStream<TcpStream>,
    query: String,
}

impl Gateway {
    async fn start() -> Self {
        Self { listener: soon("a port", TcpListener::bind(("127.0.0.1", 0))).await.expect("a port") }
    }

    fn url(&self) -> String {
        format!("ws://{}/ws?v=1", self.listener.local_addr().expect("an address"))
    }

    /// A configuration that comes back at once, so that a test need not wait for it.
    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new(&self.url(), "a+b").expect("a URL");
        config.timing.reconnect_delay = Duration::from_millis(1);
        config.timing.max_reconnect_delay = Duration::from_millis(4);
        config.check().expect("sound times")
    }

    async fn stream(&self) -> TcpStream {
        soon("a dial", self.listener.accept()).await.expect("a stream").0
    }

    async fn accept(&self) -> Accepted {
        let stream = self.stream().await;
        let mut query = String::new();
        let look = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
            request.uri().query().unwrap_or_default().clone_into(&mut query);
            Ok(response)
        };
        let socket = soon("a handshake", accept_hdr_async(stream, look)).await.expect("a WebSocket");
        Accepted { socket, query }
    }
}

impl Accepted {
    async fn next(&mut self) -> Message {
        soon("a frame", self.socket.next()).await.expect("an open connection").expect("a sound frame")
    }

    /// The next message, without its timestamp.
    async fn message(&mut self) -> Value {
        let Message::Text(text) = self.next().await else { panic!("no text") };
        let mut message: Value = serde_json::from_str(&text).expect("a JSON message");
        assert!(message["timestamp"].is_string());
        message.as_object_mut().expect("an object").remove("timestamp");
        message
    }

    async fn send(&mut self, message: Message) {
        soon("a frame to be taken", self.socket.send(message)).await.expect("an open connection");
    }

    /// The code of the close frame that comes next.
    async fn close_code(&mut self) -> CloseCode {
        let Message::Close(Some(frame)) = self.next().await else { panic!("no close frame") };
        CloseCode(frame.code.into())
    }
}

fn wall() -> WallClock {
    Arc::new(|| Timestamp::EPOCH)
}

/// A client, and every change of its status.
fn client(config: ClientConfig) -> (Client, mpsc::UnboundedReceiver<Status>) {
    let client = Client::start(config, TcpDial, wall());
    let (tell, statuses) = mpsc::unbounded_channel();
    // A test that has ended hears no more.
    client.on_status(move |_, new| tell.send(new).unwrap_or(()));
    (client, statuses)
}

async fn reaches(statuses: &mut mpsc::UnboundedReceiver<Status>, path: &[Status]) {
    for expected in path {
        assert_eq!(soon(expected.as_str(), statuses.recv()).await, Some(*expected));
    }
}

/// STATE-1, DIAL-1, QUEUE-1, IN-1: a message sent before connecting arrives, and what the gateway sends is emitted.
#[tokio::test]
async fn a_client_connects_and_delivers() {
    let gateway = Gateway::start().await;
    let (client, mut statuses) = client(gateway.config());
    let (tell, mut events) = mpsc::unbounded_channel();
    client.on("payment:created", move |payload| {
        tell.send(payload.clone()).map_err(|error| ListenerError(error.to_string()))
    });
    soon("the queue", client.send("note", json!(1))).await.unwrap();
    soon("the order", client.connect()).await.unwrap();

    let mut accepted = gateway.accept().await;
    assert_eq!(accepted.query, "v=1&token=a%2Bb");
    reaches(&mut statuses, &[Status::Connecting, Status::Connected]).await;
    assert_eq!(accepted.message().await, json!({ "type": "note", "payload": 1 }));
    soon("the order", client.send("note", json!(2))).await.unwrap();
    assert_eq!(accepted.message().await, json!({ "type": "note", "payload": 2 }));

    accepted.send(Message::text("{")).await;
    accepted.send(Message::binary(vec![0, 1])).await;
    accepted.send(Message::text(r#"{"type":"payment:created","payload":{"id":7}}"#)).await;
    assert_eq!(soon("the event", events.recv()).await, Some(json!({ "id": 7 })));
}

/// STATE-3, QUEUE-4, SUB-2: after a drop without a close frame the client comes back, renews its subscription, and repeats nothing.
#[tokio::test]
async fn a_client_comes_back_after_a_drop() {
    let gateway = Gateway::start().await;
    let (client, mut statuses) = client(gateway.config());
    soon("the order", client.subscribe(Target::Room("r".to_owned()))).await.unwrap();
    soon("the order", client.connect()).await.unwrap();
    let subscribe = json!({ "type": "subscribe", "payload": { "room": "r" } });

    let mut first = gateway.accept().await;
    assert_eq!(first.message().await, subscribe);
    soon("the order", client.send("note", json!(1))).await.unwrap();
    assert_eq!(first.message().await["payload"], 1);
    drop(first);

    let mut second = gateway.accept().await;
    let path =
        [Status::Connecting, Status::Connected, Status::Reconnecting, Status::Connecting, Status::Connected];
    reaches(&mut statuses, &path).await;
    assert_eq!(second.message().await, subscribe);
    soon("the order", client.send("note", json!(2))).await.unwrap();
    assert_eq!(second.message().await["payload"], 2);
}

/// STATE-6: disconnecting, and letting go of the last handle too, closes with 1000.
#[tokio::test]
async fn leaving_closes_with_1000() {
    let gateway = Gateway::start().await;
    let (client, mut statuses) = client(gateway.config());
    soon("the order", client.connect()).await.unwrap();
    let mut accepted = gateway.accept().await;
    reaches(&mut statuses, &[Status::Connecting, Status::Connected]).await;
    soon("the order", client.disconnect()).await.unwrap();
    assert_eq!(accepted.close_code().await, CloseCode::NORMAL);
    reaches(&mut statuses, &[Status::Disconnected]).await;

    soon("the order", client.connect()).await.unwrap();
    let mut accepted = gateway.accept().await;
    reaches(&mut statuses, &[Status::Connecting, Status::Connected]).await;
    drop(client);
    assert_eq!(accepted.close_code().await, CloseCode::NORMAL);
}

/// TOKEN-1, QUEUE-4: a message and a new token in one breath: the old connection gets the message and 1000, and only once
/// it is over the new one is dialled, which does not get the message again.
#[tokio::test]
async fn a_new_token_repeats_no_message() {
    let gateway = Gateway::start().await;
    let (client, mut statuses) = client(gateway.config());
    soon("the order", client.connect()).await.unwrap();
    let mut old = gateway.accept().await;
    reaches(&mut statuses, &[Status::Connecting, Status::Connected]).await;
    let orders = async {
        tokio::join!(client.send("note", json!(1)), client.set_token("new"), client.send("note", json!(2)))
    };
    assert_eq!(soon("the orders", orders).await, (Ok(()), Ok(()), Ok(())));
    assert_eq!(old.message().await["payload"], 1);
    assert_eq!(old.close_code().await, CloseCode::NORMAL);
    assert!(soon("the end", old.socket.next()).await.is_none());
    drop(old);

    let mut new = gateway.accept().await;
    assert_eq!(new.query, "v=1&token=new");
    assert_eq!(new.message().await["payload"], 2);
}

/// STATE-8: a gateway that answers 401 is dialled once.
#[tokio::test]
async fn a_refusal_is_final() {
    let gateway = Gateway::start().await;
    let (client, mut statuses) = client(gateway.config());
    soon("the order", client.connect()).await.unwrap();
    let mut stream = gateway.stream().await;
    let answer = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n";
    soon("the answer", stream.write_all(answer)).await.unwrap();
    reaches(&mut statuses, &[Status::Connecting, Status::Error, Status::Disconnected]).await;
}

/// STATE-7: the gateway's 1000 is final; its 1001 is not.
#[tokio::test]
async fn the_close_code_decides() {
    let gateway = Gateway::start().await;
    let (client, mut statuses) = client(gateway.config());
    soon("the order", client.connect()).await.unwrap();
    for (code, after) in
        [(CloseCode::GOING_AWAY, Status::Reconnecting), (CloseCode::NORMAL, Status::Disconnected)]
    {
        let mut accepted = gateway.accept().await;
        reaches(&mut statuses, &[Status::Connecting, Status::Connected]).await;
        accepted.send(Message::Close(Some(CloseFrame { code: code.0.into(), reason: "".into() }))).await;
        assert_eq!(accepted.close_code().await, code, "the client echoes it");
        drop(accepted);
        reaches(&mut statuses, &[after]).await;
    }
}

/// PING-4: a ping frame is answered by a pong frame with its payload.
#[tokio::test]
async fn ping_frames_are_answered() {
    let gateway = Gateway::start().await;
    let (client, _statuses) = client(gateway.config());
    soon("the order", client.connect()).await.unwrap();
    let mut accepted = gateway.accept().await;
    let payload = Bytes::from_static(b"\x00are you there\xff");
    accepted.send(Message::Ping(payload.clone())).await;
    assert_eq!(accepted.next().await, Message::Pong(payload));
}

/// PING-1, PING-3: pings go out by the clock, and a gateway that answers none loses the connection.
#[tokio::test]
async fn a_silent_gateway_is_left() {
    let gateway = Gateway::start().await;
    let mut config = gateway.config();
    config.timing.ping_interval = Duration::from_millis(20);
    config.timing.pong_timeout = Duration::from_millis(10);
    let (client, mut statuses) = client(config.check().unwrap());
    soon("the order", client.connect()).await.unwrap();
    let mut accepted = gateway.accept().await;
    assert_eq!(accepted.message().await["type"], "ping");
    let path = [Status::Connecting, Status::Connected, Status::Reconnecting, Status::Connecting];
    reaches(&mut statuses, &path).await;
}

/// DIAL-2: a gateway that accepts and never answers the handshake is given up: its stream ends, and another is dialled.
#[tokio::test]
async fn a_hanging_handshake_is_given_up() {
    let gateway = Gateway::start().await;
    let mut config = gateway.config();
    config.timing.connect_timeout = Duration::from_millis(50);
    let (client, mut statuses) = client(config.check().unwrap());
    soon("the order", client.connect()).await.unwrap();
    let mut hanging = gateway.stream().await;
    reaches(&mut statuses, &[Status::Connecting, Status::Error, Status::Reconnecting, Status::Connecting])
        .await;
    soon("its end", hanging.read_to_end(&mut Vec::new())).await.unwrap();
    gateway.stream().await;
}

/// An adapter, and the far ends of its pipes.
struct Judge {
    requests: WriteHalf<DuplexStream>,
    lines: Lines<BufReader<ReadHalf<DuplexStream>>>,
    adapter: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Judge {
    fn start() -> Self {
        let (near, far) = tokio::io::duplex(4096);
        let (input, output) = tokio::io::split(far);
        let adapter = tokio::spawn(adapter::run(BufReader::new(input), output, TcpDial, wall()));
        let (reports, requests) = tokio::io::split(near);
        Self { requests, lines: BufReader::new(reports).lines(), adapter }
    }

    async fn ask(&mut self, request: &str) {
        soon("a request", self.requests.write_all(format!("{request}\n").as_bytes()))
            .await
            .expect("an adapter that reads");
    }

    async fn line(&mut self) -> Value {
        let line =
            soon("a line", self.lines.next_line()).await.expect("an adapter that writes").expect("a line");
        serde_json::from_str(&line).expect("a line of JSON")
    }

    /// Reads up to the answer to this request; answers it and the reports before it.
    async fn answer(&mut self, id: u64) -> (Value, Vec<Value>) {
        let mut reports = Vec::new();
        loop {
            let line = self.line().await;
            if line["id"] == id {
                return (line, reports);
            }
            reports.push(line);
        }
    }
}

/// A whole life over pipes: reports come in order, and the end is polite.
#[tokio::test]
async fn an_adapter_serves_its_judge() {
    let gateway = Gateway::start().await;
    let mut judge = Judge::start();
    judge.ask(&json!({ "id": 1, "op": "configure", "url": gateway.url(), "token": "t" }).to_string()).await;
    assert_eq!(judge.line().await, json!({ "id": 1, "ok": true }));
    judge.ask(r#"{"id":2,"op":"on","name":"a:b","listener":"x"}"#).await;
    assert_eq!(judge.line().await, json!({ "id": 2, "ok": true }));
    judge.ask(r#"{"id":3,"op":"connect"}"#).await;
    let mut accepted = gateway.accept().await;
    let (_, mut reports) = judge.answer(3).await;
    while reports.len() < 2 {
        reports.push(judge.line().await);
    }
    assert_eq!(
        reports,
        [
            json!({ "event": "status", "status": "connecting", "old": "disconnected" }),
            json!({ "event": "status", "status": "connected", "old": "connecting" }),
        ]
    );

    judge.ask(r#"{"id":4,"op":"send","message":{"type":"note","payload":[1]}}"#).await;
    assert_eq!(judge.line().await, json!({ "id": 4, "ok": true }));
    assert_eq!(accepted.message().await, json!({ "type": "note", "payload": [1] }));
    accepted.send(Message::text(r#"{"type":"a:b","payload":1}"#)).await;
    assert_eq!(judge.line().await, json!({ "event": "emit", "name": "a:b", "payload": 1, "listener": "x" }));
    judge.ask(r#"{"id":5,"op":"status"}"#).await;
    assert_eq!(judge.line().await, json!({ "id": 5, "ok": true, "status": "connected" }));

    judge.ask(r#"{"id":6,"op":"exit"}"#).await;
    assert_eq!(judge.line().await, json!({ "id": 6, "ok": true }));
    assert_eq!(accepted.close_code().await, CloseCode::NORMAL);
    soon("the end", judge.adapter).await.unwrap().unwrap();
}

/// What is no request is answered by an error with its id where it has one, and the next request is served.
#[tokio::test]
async fn a_broken_line_is_answered_with_an_error() {
    let mut judge = Judge::start();
    judge.ask("{").await;
    let answer = judge.line().await;
    assert!(answer["id"].is_null() && answer["error"].is_string(), "{answer}");
    judge.ask(r#"{"id":7,"op":"send"}"#).await;
    let answer = judge.line().await;
    assert!(answer["id"] == 7 && answer["error"].is_string(), "{answer}");
    judge.ask(r#"{"id":8,"op":"connect"}"#).await;
    assert_eq!(judge.line().await, json!({ "id": 8, "error": "`configure` comes first" }));
    judge.ask(r#"{"id":9,"op":"dance"}"#).await;
    assert_eq!(judge.line().await, json!({ "id": 9, "unsupported": true }));
    judge.ask(r#"{"id":10,"op":"exit"}"#).await;
    assert_eq!(judge.line().await, json!({ "id": 10, "ok": true }));
    soon("the end", judge.adapter).await.unwrap().unwrap();
}
