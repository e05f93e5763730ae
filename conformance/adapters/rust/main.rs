//! What Gatecheck starts: a client, wrapped. It reads requests from standard input, and writes answers and reports to
//! standard output, JSON objects, one a line. Whatever else is to be printed belongs on standard error.

mod client;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_util::codec::{FramedRead, LinesCodec};

use client::{Client, Report, Settings};

/// Longest line of the protocol.
const MAX_LINE_BYTES: usize = 4 * 1024 * 1024;

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let (reports, mut reported) = mpsc::unbounded_channel();
    let mut adapter = Adapter { reports, client: None, listeners: BTreeMap::new() };
    let mut requests = FramedRead::new(tokio::io::stdin(), LinesCodec::new_with_max_length(MAX_LINE_BYTES));
    loop {
        tokio::select! {
            // Pending reports are written before the next request is read.
            biased;
            Some(report) = reported.recv() => adapter.report(report)?,
            line = requests.next() => match line {
                Some(line) => if !adapter.serve(&line.map_err(io::Error::other)?)? { break },
                None => break,
            },
        }
    }
    if let Some(client) = adapter.client.take() {
        client.leave().await;
    }
    Ok(())
}

struct Adapter {
    reports: mpsc::UnboundedSender<Report>,
    client: Option<Client>,
    /// The listeners of each event.
    listeners: BTreeMap<String, BTreeSet<String>>,
}

/// How a request went.
enum Answer {
    Ok,
    /// The client has no such thing: cases that need it are not run.
    Unsupported,
    Error(String),
}

impl Adapter {
    /// Serves a line; false when it was the last.
    fn serve(&mut self, line: &str) -> io::Result<bool> {
        if line.trim().is_empty() {
            return Ok(true);
        }
        let request = match serde_json::from_str::<Value>(line) {
            Ok(request) => request,
            Err(error) => {
                return write(&json!({ "id": null, "error": format!("not a request: {error}") }))
                    .map(|()| true);
            }
        };
        let id = &request["id"];
        write(&match self.perform(&request) {
            Answer::Ok => json!({ "id": id, "ok": true }),
            Answer::Unsupported => json!({ "id": id, "unsupported": true }),
            Answer::Error(error) => json!({ "id": id, "error": error }),
        })?;
        Ok(request["op"] != "exit")
    }

    fn perform(&mut self, request: &Value) -> Answer {
        let text = |name: &str| request[name].as_str().unwrap_or_default().to_owned();
        let op = request["op"].as_str().unwrap_or_default();
        if op == "configure" {
            return self.configure(request);
        }
        let Some(client) = &self.client else {
            return match op {
                "exit" => Answer::Ok,
                "connect" | "disconnect" | "send" | "subscribe" | "unsubscribe" | "on" | "off" => {
                    Answer::Error("`configure` comes first".to_owned())
                }
                _ => Answer::Unsupported,
            };
        };
        match op {
            "connect" => client.connect(),
            "disconnect" => client.disconnect(),
            "send" => client.send(&request["message"]["type"], &request["message"]["payload"]),
            "subscribe" | "unsubscribe" => client.send(&request["op"], &request["target"]),
            "on" => {
                self.listeners.entry(text("name")).or_default().insert(text("listener"));
            }
            "off" => {
                self.listeners.entry(text("name")).or_default().remove(&text("listener"));
            }
            "exit" => {}
            _ => return Answer::Unsupported,
        }
        Answer::Ok
    }

    /// Times are in milliseconds; what is missing is the client's own default.
    fn configure(&mut self, request: &Value) -> Answer {
        let options = &request["options"];
        if options["tokenProvider"] == true {
            return Answer::Unsupported;
        }
        let url = request["url"].as_str().map(str::to_owned).or_else(|| std::env::var("NX_WS_URL").ok());
        let settings = Settings {
            url: url.unwrap_or_else(|| "ws://localhost:3000/ws".to_owned()),
            token: request["token"].as_str().unwrap_or_default().to_owned(),
            reconnect_delay: options["reconnectDelay"].as_u64().unwrap_or(1000),
        };
        self.client = Some(Client::start(settings, self.reports.clone()));
        Answer::Ok
    }

    fn report(&self, report: Report) -> io::Result<()> {
        match report {
            Report::Status { old, new } => write(&json!({ "event": "status", "old": old, "status": new })),
            Report::Event { name, payload } => {
                for listener in self.listeners.get(&name).into_iter().flatten() {
                    write(
                        &json!({ "event": "emit", "name": name, "payload": payload, "listener": listener }),
                    )?;
                }
                Ok(())
            }
        }
    }
}

fn write(line: &Value) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}
