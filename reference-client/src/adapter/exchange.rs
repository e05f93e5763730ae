//! Requests in, answers and reports out, in the order in which things happened.

use std::collections::BTreeMap;
use std::io;

use serde_json::{Value, json};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

use super::request::{Op, Request};
use crate::client::{Client, ListenerError, ListenerId, SendError};
use crate::net::{Dial, WallClock};

/// Lines that wait to be written. The client's task does not wait for its judge: beyond this the adapter ends.
const LINES: usize = 16 * 1024;

/// Serves one client until the input ends or `exit` is asked for.
///
/// # Errors
/// When a pipe breaks, or whoever reads the reports falls so far behind that they would not be in order any more.
pub async fn run<D: Dial>(
    input: impl AsyncBufRead + Unpin,
    mut output: impl AsyncWrite + Unpin,
    dial: D,
    wall: WallClock,
) -> io::Result<()> {
    let (lines, mut written) = mpsc::channel(LINES);
    let mut adapter = Adapter { lines, client: None, listeners: BTreeMap::new(), dial, wall };
    let mut input = input.lines();
    let mut going = true;
    while going {
        tokio::select! {
            biased;
            Some(line) = written.recv() => write(&mut output, &line).await?,
            line = input.next_line() => match line? {
                Some(line) => going = adapter.serve(&line).await?,
                None => going = false,
            },
        }
    }
    if let Some(client) = &adapter.client {
        // Leaving is polite: the connection closes with 1000. A client that is gone has left already.
        let _ = client.disconnect().await;
    }
    while let Ok(line) = written.try_recv() {
        write(&mut output, &line).await?;
    }
    Ok(())
}

async fn write(output: &mut (impl AsyncWrite + Unpin), line: &Value) -> io::Result<()> {
    output.write_all(format!("{line}\n").as_bytes()).await?;
    output.flush().await
}

struct Adapter<D> {
    lines: mpsc::Sender<Value>,
    client: Option<Client>,
    listeners: BTreeMap<(String, String), ListenerId>,
    dial: D,
    wall: WallClock,
}

/// How a request went.
enum Answer {
    Ok,
    Status(String),
    Unsupported,
    Error(String),
    Bye,
}

impl<D: Dial> Adapter<D> {
    /// Serves a line; false when it was the last.
    async fn serve(&mut self, line: &str) -> io::Result<bool> {
        if line.trim().is_empty() {
            return Ok(true);
        }
        let (id, answer) = match serde_json::from_str::<Request>(line) {
            Ok(Request { id, op }) => (json!(id), self.perform(op).await),
            Err(error) => {
                let id = serde_json::from_str::<Value>(line).map_or(Value::Null, |value| value["id"].clone());
                (id, Answer::Error(format!("not a request: {error}")))
            }
        };
        let (line, going) = match answer {
            Answer::Ok => (json!({ "id": id, "ok": true }), true),
            Answer::Status(status) => (json!({ "id": id, "ok": true, "status": status }), true),
            Answer::Unsupported => (json!({ "id": id, "unsupported": true }), true),
            Answer::Error(error) => (json!({ "id": id, "error": error }), true),
            Answer::Bye => (json!({ "id": id, "ok": true }), false),
        };
        report(&self.lines, line)?;
        Ok(going)
    }

    async fn perform(&mut self, op: Op) -> Answer {
        let client = match op {
            Op::Configure(configure) => {
                return match configure.config() {
                    Ok(config) => {
                        self.client = Some(self.start(config));
                        self.listeners.clear();
                        Answer::Ok
                    }
                    Err(error) => Answer::Error(error.to_string()),
                };
            }
            Op::Exit => return Answer::Bye,
            Op::Unknown => return Answer::Unsupported,
            _ => match &self.client {
                Some(client) => client.clone(),
                None => return Answer::Error("`configure` comes first".to_owned()),
            },
        };
        let outcome = match op {
            Op::Connect => client.connect().await,
            Op::Disconnect => client.disconnect().await,
            Op::Send { message } => client.send(message.kind, message.payload).await,
            Op::Subscribe { target } => client.subscribe(target).await,
            Op::Unsubscribe { target } => client.unsubscribe(target).await,
            Op::SetToken { token } => client.set_token(token).await,
            Op::On { name, listener, fails } => {
                self.listen(&client, name, listener, fails);
                Ok(())
            }
            Op::Off { name, listener } => {
                if let Some(id) = self.listeners.remove(&(name, listener)) {
                    client.off(id);
                }
                Ok(())
            }
            Op::Status => return Answer::Status(client.status().to_string()),
            Op::Configure(_) | Op::Exit | Op::Unknown => Ok(()),
        };
        outcome.map_or_else(|error: SendError| Answer::Error(error.to_string()), |()| Answer::Ok)
    }

    fn start(&self, config: crate::config::ClientConfig) -> Client {
        let client = Client::start(config, self.dial.clone(), self.wall.clone());
        let lines = self.lines.clone();
        client.on_status(move |old, new| {
            let line = json!({ "event": "status", "status": new.as_str(), "old": old.as_str() });
            if let Err(error) = report(&lines, line) {
                tracing::error!("a status is lost: {error}");
            }
        });
        client
    }

    fn listen(&mut self, client: &Client, name: String, listener: String, fails: bool) {
        let lines = self.lines.clone();
        let (event, own_name) = (name.clone(), listener.clone());
        let id = client.on(name.clone(), move |payload| {
            let line = json!({ "event": "emit", "name": event, "payload": payload, "listener": own_name });
            report(&lines, line).map_err(|error| ListenerError(error.to_string()))?;
            if fails { Err(ListenerError("told to fail".to_owned())) } else { Ok(()) }
        });
        if let Some(before) = self.listeners.insert((name, listener), id) {
            client.off(before);
        }
    }
}

fn report(lines: &mpsc::Sender<Value>, line: Value) -> io::Result<()> {
    lines.try_send(line).map_err(|_| io::Error::other("nobody reads the reports"))
}
