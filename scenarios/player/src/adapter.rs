//! The harness's end of the adapter protocol: JSON objects, one a line, to and from a client under test.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::AbortOnDropHandle;

use super::journal::Recorder;
use super::stage::PlayError;
use scenarios::trace::{Actor, Event};

/// Requests that wait for the writer.
const REQUESTS: usize = 16;
/// Longest line that an adapter may print.
const MAX_LINE_BYTES: usize = 4 * 1024 * 1024;

/// A running adapter.
pub(super) struct Adapter {
    actor: Actor,
    requests: mpsc::Sender<Request>,
    _task: AbortOnDropHandle<()>,
}

/// How an adapter answered.
#[derive(Debug, PartialEq)]
pub(super) enum Answer {
    /// Done, with the value that was asked for where one was.
    Ok(Value),
    /// The client has no such thing.
    Unsupported,
    /// The client refused.
    Error(String),
}

struct Request {
    body: Map<String, Value>,
    answer: oneshot::Sender<Result<Answer, PlayError>>,
}

/// A line from an adapter: an answer, which has an `id`, or a report.
#[derive(Deserialize)]
struct Line {
    id: Option<u64>,
    #[serde(default)]
    ok: bool,
    #[serde(default)]
    unsupported: bool,
    error: Option<String>,
    event: Option<String>,
    status: Option<String>,
    old: Option<String>,
    name: Option<String>,
    #[serde(default)]
    payload: Value,
    listener: Option<String>,
    #[serde(default)]
    value: Value,
    #[serde(default)]
    config: Value,
    consumer: Option<String>,
    key: Option<Vec<Value>>,
    message: Option<String>,
    #[serde(default)]
    user: Value,
}

impl Adapter {
    /// Starts on the adapter's pipes; `actor` is the client that it wraps.
    pub(super) fn start<W, R>(requests: W, reports: R, actor: Actor, recorder: Recorder) -> Self
    where
        W: AsyncWrite + Unpin + Send + 'static,
        R: AsyncRead + Unpin + Send + 'static,
    {
        let (to, from) = mpsc::channel(REQUESTS);
        let exchange = Exchange {
            to: requests,
            waiting: BTreeMap::new(),
            next: 1,
            actor: actor.clone(),
            recorder,
            broken: None,
        };
        Self { actor, requests: to, _task: AbortOnDropHandle::new(tokio::spawn(exchange.run(reports, from))) }
    }

    /// The client that it wraps.
    pub(super) fn actor(&self) -> &Actor {
        &self.actor
    }

    /// Asks for an operation and waits for its answer. `fields` must be an object.
    pub(super) async fn ask(&self, op: &str, fields: Value) -> Result<Answer, PlayError> {
        let mut body = Map::from_iter([("op".to_owned(), json!(op))]);
        if let Value::Object(fields) = fields {
            body.extend(fields);
        }
        let (answer, answered) = oneshot::channel();
        let gone = || PlayError::Adapter(format!("the adapter ended before it answered `{op}`"));
        self.requests.send(Request { body, answer }).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }
}

/// Owns both pipes.
struct Exchange<W> {
    to: W,
    waiting: BTreeMap<u64, oneshot::Sender<Result<Answer, PlayError>>>,
    next: u64,
    actor: Actor,
    recorder: Recorder,
    /// How the adapter broke the protocol, where it has: no answer can be trusted any more.
    broken: Option<String>,
}

impl<W: AsyncWrite + Unpin> Exchange<W> {
    async fn run(mut self, reports: impl AsyncRead + Unpin, mut requests: mpsc::Receiver<Request>) {
        let mut reports = BufReader::new(reports);
        let mut line = Vec::new();
        loop {
            tokio::select! {
                biased;
                read = reports.read_until(b'\n', &mut line) => {
                    let goes_on = matches!(read, Ok(count) if count > 0) && line.len() <= MAX_LINE_BYTES;
                    if !goes_on {
                        // Dropping the senders ends every request that awaits an answer.
                        return;
                    }
                    self.take(&line).await;
                    line.clear();
                }
                Some(request) = requests.recv() => {
                    if self.write(request).await.is_err() {
                        return;
                    }
                }
                else => return,
            }
        }
    }

    async fn write(&mut self, request: Request) -> std::io::Result<()> {
        if let Some(reason) = &self.broken {
            // A player that stopped waiting needs no answer.
            let _ = request.answer.send(Err(PlayError::Adapter(reason.clone())));
            return Ok(());
        }
        let id = self.next;
        self.next += 1;
        let mut body = request.body;
        body.insert("id".to_owned(), json!(id));
        self.waiting.insert(id, request.answer);
        self.to.write_all((Value::Object(body).to_string() + "\n").as_bytes()).await?;
        self.to.flush().await
    }

    async fn take(&mut self, line: &[u8]) {
        let text = String::from_utf8_lossy(line);
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        let Ok(line) = serde_json::from_str::<Line>(text) else {
            self.fail(format!(
                "the adapter printed what is no JSON object: {text:?}; noise belongs on stderr"
            ));
            return;
        };
        if let Some(id) = line.id {
            let answer = if line.unsupported {
                Answer::Unsupported
            } else if let Some(error) = line.error {
                Answer::Error(error)
            } else if line.ok {
                Answer::Ok(if line.config.is_null() { line.value } else { line.config })
            } else {
                self.fail(format!("an answer has `ok`, `unsupported` or `error`: {text}"));
                return;
            };
            match self.waiting.remove(&id) {
                Some(waiting) => drop(waiting.send(Ok(answer))),
                None => self.fail(format!("the adapter answered a request that was not made: {text}")),
            }
            return;
        }
        match line.event.as_deref() {
            // Unknown kinds of reports are ignored.
            Some(kind) if !REPORTS.contains(&kind) => {}
            _ => match line.report(&self.actor) {
                Some((actor, event)) => self.recorder.record(actor, None, event).await,
                None => {
                    self.fail(format!(
                        "a line is an answer with an `id`, or a report with an `event` and what belongs to it: {text}"
                    ));
                }
            },
        }
    }

    /// Fails every pending and every later request: the protocol was broken.
    fn fail(&mut self, reason: String) {
        let reason = self.broken.get_or_insert(reason);
        for (_, waiting) in std::mem::take(&mut self.waiting) {
            let _ = waiting.send(Err(PlayError::Adapter(reason.clone())));
        }
    }
}

/// The reports that are understood.
const REPORTS: [&str; 5] = ["status", "emit", "refetch", "token_wanted", "report"];

impl Line {
    /// What it reports, and of whom; nothing where something is missing.
    fn report(self, client: &Actor) -> Option<(Actor, Event)> {
        let actor = match &self.consumer {
            Some(name) => Actor::consumer(name),
            None => client.clone(),
        };
        let event = match self.event?.as_str() {
            "status" => Event::Status { old: self.old.unwrap_or_default(), new: self.status? },
            "emit" => {
                let listener = self.listener.unwrap_or_default();
                Event::Emitted { name: self.name?, payload: self.payload, listener }
            }
            "refetch" => Event::Refetched { key: self.key? },
            "token_wanted" => Event::TokenWanted,
            "report" => Event::Reported { message: self.message?, user: self.user },
            _ => return None,
        };
        Some((actor, event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(line: &str) -> Option<(Actor, Event)> {
        serde_json::from_str::<Line>(line).unwrap().report(&Actor::client())
    }

    /// A report is of the client, or of the consumer that it names; one that lacks what belongs to it is none.
    #[test]
    fn reports_say_what_they_must() {
        let status = report(r#"{"event":"status","status":"connected","consumer":"badge"}"#).unwrap();
        assert_eq!(status.0, Actor::consumer("badge"));
        let fetched = report(r#"{"event":"refetch","key":["a",{"page":1}]}"#).unwrap();
        assert_eq!(fetched.1, Event::Refetched { key: vec![json!("a"), json!({ "page": 1 })] });
        let failed = report(r#"{"event":"report","message":"m","user":null}"#).unwrap();
        assert_eq!(failed.1, Event::Reported { message: "m".to_owned(), user: Value::Null });
        assert_eq!(report(r#"{"event":"token_wanted"}"#), Some((Actor::client(), Event::TokenWanted)));
        for line in [r#"{"event":"refetch"}"#, r#"{"event":"report"}"#, r#"{"status":"connected"}"#] {
            assert_eq!(report(line), None, "{line}");
        }
    }
}
