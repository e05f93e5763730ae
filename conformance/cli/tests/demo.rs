//! `gatecheck demo` as a newcomer meets it: what it prints works, nothing of it stays behind, and the form that publishes
//! says the truth.

#![expect(clippy::disallowed_methods, reason = "what prints the lines is this workspace's own")]

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use embedded_broker::{Broker, BrokerConfig, Snapshot};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, ChildStdout, Command};

/// Longest wait for anything that must happen; passing tests never wait this long.
const PATIENCE: Duration = Duration::from_secs(30);

fn gatecheck(arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_gatecheck"))
        .args(arguments)
        .env("NO_COLOR", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("gatecheck runs")
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it happens in time")
}

fn lines(child: &mut Child) -> Lines<BufReader<ChildStdout>> {
    BufReader::new(child.stdout.take().expect("its output")).lines()
}

/// The first line that holds this.
async fn line_with(lines: &mut Lines<BufReader<ChildStdout>>, part: &str) -> String {
    loop {
        let line = within(lines.next_line()).await.expect("text").expect("it does not end before");
        if line.contains(part) {
            return line;
        }
    }
}

fn send(child: &Child, signal: rustix::process::Signal) {
    let id = rustix::process::Pid::from_raw(child.id().expect("it runs").cast_signed()).expect("a process");
    rustix::process::kill_process(id, signal).expect("it can be sent a signal");
}

/// The processes that this one has started.
fn children(id: u32) -> Vec<u32> {
    let text = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
    text.split_whitespace().filter_map(|child| child.parse().ok()).collect()
}

/// The printed instructions lead to a gateway with events; Ctrl-C closes the connections and ends all processes.
#[tokio::test]
async fn a_newcomer_sees_payments() {
    let mut demo = gatecheck(&["demo", "--listen", "127.0.0.1:0", "--rate", "50"]);
    let mut printed = lines(&mut demo);
    let page = line_with(&mut printed, "/#token=").await;
    let hint = line_with(&mut printed, "websocat").await;
    line_with(&mut printed, "Ctrl-C").await;
    let url = hint.split('\'').nth(1).expect("an address in quotes");
    let origin = page.trim().split("/#").next().expect("an address");
    assert_eq!(origin.replace("http", "ws"), url.split("/ws?").next().expect("an address"));
    let (url, token) = url.split_once("?token=").expect("a token");

    let mut client = gatecheck(&["reference-client", "--json", "--url", url, "--token", token]);
    let mut seen = lines(&mut client);
    let mut steps = Vec::new();
    while !steps.contains(&"payment:completed".to_owned()) {
        let line = within(seen.next_line()).await.expect("text").expect("it goes on");
        let said: Value = serde_json::from_str(&line).expect("JSON");
        steps.extend(said["event"].as_str().map(str::to_owned));
    }
    assert!(steps.contains(&"payment:created".to_owned()), "{steps:?}");
    assert!(!steps.contains(&"admin:alert".to_owned()), "carl is no administrator: {steps:?}");

    let gateway = demo.id().map(children).unwrap_or_default();
    assert!(!gateway.is_empty(), "the gateway is a process");
    send(&demo, rustix::process::Signal::INT);
    let status = within(demo.wait()).await.expect("a status");
    assert_eq!(status.code(), Some(0));
    // The goodbye came before the end, so the client seeks its gateway already.
    line_with(&mut seen, "reconnecting").await;
    for id in gateway {
        assert!(fs::metadata(format!("/proc/{id}")).is_err(), "{id} is left behind");
    }
}

/// A gateway that dies is reported with its last output and the exit code of a subject that died.
#[tokio::test]
async fn a_dead_gateway_is_reported() {
    let mut demo = gatecheck(&["demo", "--listen", "127.0.0.1:0"]);
    line_with(&mut lines(&mut demo), "Ctrl-C").await;
    for id in demo.id().map(children).unwrap_or_default() {
        let id = rustix::process::Pid::from_raw(id.cast_signed()).expect("a process");
        rustix::process::kill_process(id, rustix::process::Signal::KILL).expect("it can be killed");
    }
    let (code, text) = complaint(demo).await;
    assert_eq!(code, Some(4), "{text}");
    assert!(text.contains("the gateway ended by itself: signal 9"), "{text}");
    assert!(text.contains("DEVELOPMENT MODE"), "its last words are shown: {text}");
}

/// A port that is in use is reported.
#[tokio::test]
async fn a_port_in_use_is_reported() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let (code, text) = complaint(gatecheck(&["demo", "--listen", &address])).await;
    assert_eq!(code, Some(4), "{text}");
    assert!(text.contains(&format!("cannot listen on {address}")), "{text}");
}

async fn complaint(mut demo: Child) -> (Option<i32>, String) {
    let mut text = String::new();
    let mut stderr = demo.stderr.take().expect("its errors");
    within(stderr.read_to_string(&mut text)).await.expect("text");
    (within(demo.wait()).await.expect("a status").code(), text)
}

/// In development mode an unroutable event is reported as such; a routable one as published.
#[tokio::test]
async fn an_unroutable_event_is_reported() {
    let broker = Broker::start(BrokerConfig::default()).await.expect("a broker");
    let arguments = ["reference-server", "--dev", "--listen", "127.0.0.1:0", "--binding", "payment.#"];
    let mut gateway = gatecheck(&[&arguments[..], &["--amqp-url", &broker.url()]].concat());
    let line = line_with(&mut lines(&mut gateway), "listening on ws://").await;
    let address = line.trim_start_matches("listening on ws://").trim_end_matches("/ws");
    let bound = async {
        while !broker
            .snapshot()
            .await
            .expect("the broker runs")
            .queues
            .values()
            .any(|queue| queue.consumers > 0)
        {
            tokio::task::yield_now().await;
        }
    };
    within(bound).await;
    let answer = publish(address, r#"{"type":"catalog:changed","data":{}}"#).await;
    assert!(answer.starts_with("HTTP/1.1 502 ") && answer.contains("no queue"), "{answer}");
    let answer = publish(address, r#"{"type":"payment:updated","data":{"b":1,"a":2}}"#).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("payment.updated"), "{answer}");
    let Snapshot { published, unroutable, .. } = broker.snapshot().await.expect("the broker runs");
    assert_eq!((published, unroutable), (2, 1));
    within(gateway.kill()).await.expect("it can be killed");
    broker.shutdown().await;
}

async fn publish(address: &str, event: &str) -> String {
    let mut stream = TcpStream::connect(address).await.expect("the gateway listens");
    let request = format!(
        "POST /dev/publish HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{event}",
        event.len()
    );
    within(stream.write_all(request.as_bytes())).await.expect("it reads");
    let mut answer = String::new();
    within(stream.read_to_string(&mut answer)).await.expect("text");
    answer
}
