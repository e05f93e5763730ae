//! The program, as a script runs it: arguments, lines in, lines out, exit codes.

#![expect(clippy::disallowed_methods, reason = "what prints the lines is this workspace's own")]

use std::process::Stdio;

use protocol::CloseCode;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio_tungstenite::tungstenite::Message;

use crate::gateway::{Gateway, soon};

/// A running program.
struct Program {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Program {
    /// Runs it without this process's environment.
    fn start(args: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_reference-client"))
            .args(args)
            .env_clear()
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("a program");
        let input = child.stdin.take().expect("a pipe");
        let output = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        Self { child, input, output }
    }

    async fn type_in(&mut self, line: &str) {
        soon("a line", self.input.write_all(format!("{line}\n").as_bytes()))
            .await
            .expect("a program that reads");
    }

    async fn line(&mut self) -> String {
        soon("a line", self.output.next_line()).await.expect("a program that writes").expect("a line")
    }

    async fn json(&mut self) -> Value {
        serde_json::from_str(&self.line().await).expect("JSON")
    }

    /// The exit code, and what standard error said.
    async fn end(self) -> (Option<i32>, String) {
        let Self { child, input, output } = self;
        drop(input);
        let ended = soon("the end", child.wait_with_output()).await.expect("an end");
        drop(output);
        (ended.status.code(), String::from_utf8_lossy(&ended.stderr).into_owned())
    }
}

/// What is typed is done, what comes is printed, and `/quit` closes with 1000 and ends with 0. The URL comes from the
/// environment (CONF-1), the token from the first line typed.
#[tokio::test]
async fn a_conversation_in_json() {
    let gateway = Gateway::start().await;
    let arguments = ["--json", "--token-file", "-", "--subscribe", "a:b"];
    let mut program = Program::start(&arguments, &[("NX_WS_URL", &gateway.url())]);
    program.type_in("typed-token").await;
    let mut accepted = gateway.accept().await;
    assert_eq!(accepted.query, "v=1&token=typed-token");
    assert_eq!(program.json().await, json!({ "status": "connecting" }));
    assert_eq!(program.json().await, json!({ "status": "connected" }));
    assert_eq!(program.json().await["event"], "connected");
    assert_eq!(accepted.message().await, json!({ "type": "subscribe", "payload": { "eventType": "a:b" } }));

    program.type_in("/subscribe user:1").await;
    assert_eq!(accepted.message().await, json!({ "type": "subscribe", "payload": { "room": "user:1" } }));
    program.type_in(r#"/send note {"a": 1}"#).await;
    assert_eq!(accepted.message().await, json!({ "type": "note", "payload": { "a": 1 } }));
    accepted.send(Message::text(r#"{"type":"a:b","payload":[1]}"#)).await;
    assert_eq!(program.json().await, json!({ "event": "a:b", "payload": [1] }));
    program.type_in("/status").await;
    assert_eq!(program.json().await, json!({ "status": "connected" }));

    program.type_in("/quit").await;
    assert_eq!(accepted.close_code().await, CloseCode::NORMAL);
    drop(accepted);
    assert_eq!(program.json().await, json!({ "status": "disconnected" }));
    assert_eq!(program.end().await, (Some(0), String::new()));
}

/// A refused token ends with exit code 1 and a message.
#[tokio::test]
async fn a_refused_token_ends_with_1() {
    let gateway = Gateway::start().await;
    let mut program = Program::start(&["--url", &gateway.url()], &[("GATECHECK_TOKEN", "s3cr3t-t0k3n")]);
    let mut stream = gateway.stream().await;
    let answer = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n";
    soon("the answer", stream.write_all(answer)).await.unwrap();
    assert_eq!(program.line().await, "● connecting");
    assert_eq!(program.line().await, "● error: the gateway refused the token");
    assert_eq!(program.line().await, "● disconnected");
    assert!(program.line().await.starts_with("error {"));
    let (code, said) = program.end().await;
    assert_eq!(code, Some(1), "{said}");
}

/// Exhausted attempts end with 1; the delay of each redial is printed on the way.
#[tokio::test]
async fn exhausted_attempts_end_with_1() {
    let gateway = Gateway::start().await;
    let arguments = ["--json", "--url", &gateway.url(), "--max-reconnect-attempts", "1"];
    let mut program = Program::start(&arguments, &[("GATECHECK_TOKEN", "t")]);
    drop(gateway.stream().await);
    assert_eq!(program.json().await, json!({ "status": "connecting" }));
    let error = program.json().await;
    assert!(error["status"] == "error" && error["reason"].is_string(), "{error}");
    let redial = program.json().await;
    let delay = redial["delayMs"].as_u64().expect("a delay");
    assert!(redial["attempt"] == 1 && (800..=1200).contains(&delay), "{redial}");
    drop(gateway.stream().await);
    while program.json().await["event"] != "max_reconnect_attempts" {}
    assert_eq!(program.end().await.0, Some(1));
}

/// An invalid configuration ends with exit code 2 and an error that names it, without secrets.
#[tokio::test]
async fn wrong_usage_ends_with_2() {
    let token = [("GATECHECK_TOKEN", "s3cr3t-t0k3n")];
    for (arguments, variables, expected) in [
        (
            ["--url", "http://h/?token=s3cr3t-t0k3n"].as_slice(),
            token.as_slice(),
            "does not begin with `ws://`",
        ),
        (&[], &[("NX_WS_URL", "nonsense"), token[0]], "`nonsense` is not a URL"),
        (&[], &[], "no token"),
        (&["--token-file", "no/such/file"], &[], "no/such/file"),
        (&["--ca", "no/such.pem"], &token, "no/such.pem"),
        (&["--proxy", "socks5://me:s3cr3t-t0k3n@h:1"], &token, "no HTTP proxy"),
        (&["--url", "wss://h/"], &[("HTTPS_PROXY", "http://"), token[0]], "the proxy's URL"),
        (&["--no-such-option"], &token, "--no-such-option"),
    ] {
        let (code, said) = Program::start(arguments, variables).end().await;
        assert_eq!(code, Some(2), "{arguments:?}: {said}");
        assert!(said.contains(expected) && !said.contains("s3cr3t"), "{arguments:?}: {said}");
    }
}

/// `--help` prints to standard output and exits with 0.
#[tokio::test]
async fn help_ends_with_0() {
    let (code, said) = Program::start(&["--help"], &[]).end().await;
    assert_eq!((code, said.as_str()), (Some(0), ""));
}
