//! The client behind its adapter.

#![expect(clippy::disallowed_methods, reason = "what prints the lines is this workspace's own")]

use protocol::CloseCode;
use protocol::adapter::MAX_LINE_BYTES;
use reference_client::{TcpDial, adapter};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, Lines, ReadHalf, WriteHalf};
use tokio_tungstenite::tungstenite::Message;

use crate::gateway::{Gateway, soon, wall};

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
        let adapter = tokio::spawn(adapter::run(input, output, TcpDial, wall()));
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

/// A request that is longer than the protocol allows ends the adapter, which says so.
#[tokio::test]
async fn an_endless_request_is_not_kept() {
    let mut judge = Judge::start();
    // What comes behind the limit is refused once the adapter has ended.
    let _ = soon("a flood", judge.requests.write_all(&vec![b'x'; 2 * MAX_LINE_BYTES])).await;
    let error = soon("the end", judge.adapter).await.unwrap().unwrap_err();
    assert_eq!(error.to_string(), "a request is longer than 4194304 bytes");
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
