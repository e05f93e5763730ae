//! Lines to and from an adapter.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{ChildStdin, ChildStdout};
use tokio::time::timeout;

/// How much of a line is shown.
const SHOWN_CHARS: usize = 100;

/// Both pipes of an adapter. Answers are waited for one at a time.
pub(super) struct Exchange {
    to: Option<ChildStdin>,
    from: Lines<BufReader<ChildStdout>>,
    asked: u64,
    /// The kinds of reports that have come.
    reports: BTreeSet<String>,
    /// The first line that belongs to no protocol.
    noise: Option<String>,
}

/// An answer.
pub(super) enum Answer {
    Done,
    Unsupported,
    Failed(String),
    /// It says none of these.
    Shapeless(String),
}

/// Why there is no answer.
#[derive(Clone, Copy)]
pub(super) enum Silence {
    Late,
    Ended,
}

impl Exchange {
    pub(super) fn start((to, from): (ChildStdin, ChildStdout)) -> Self {
        let from = BufReader::new(from).lines();
        Self { to: Some(to), from, asked: 0, reports: BTreeSet::new(), noise: None }
    }

    /// Asks for `op` and waits for its answer; what comes before it is noted.
    pub(super) async fn ask(
        &mut self,
        op: &str,
        fields: Value,
        patience: Duration,
    ) -> Result<Answer, Silence> {
        self.asked += 1;
        let mut body = Map::from_iter([("id".to_owned(), json!(self.asked)), ("op".to_owned(), json!(op))]);
        if let Value::Object(fields) = fields {
            body.extend(fields);
        }
        self.say(&Value::Object(body).to_string()).await;
        let answer = async {
            loop {
                let line = self.line().await?;
                if line["id"] == self.asked {
                    return Ok(Answer::of(&line));
                }
            }
        };
        timeout(patience, answer).await.unwrap_or(Err(Silence::Late))
    }

    /// Waits for a report of this kind, which may have come already.
    pub(super) async fn reported(&mut self, kind: &str, patience: Duration) -> bool {
        let report = async {
            while !self.reports.contains(kind) {
                if self.line().await.is_err() {
                    return false;
                }
            }
            true
        };
        timeout(patience, report).await.unwrap_or(false)
    }

    /// Writes a line, whatever it is.
    pub(super) async fn say(&mut self, line: &str) {
        if let Some(to) = &mut self.to {
            // If the adapter has stopped reading, the missing answer is reported later.
            let _ = to.write_all(format!("{line}\n").as_bytes()).await;
            let _ = to.flush().await;
        }
    }

    /// Ends the adapter's input, and reads what it still says.
    pub(super) async fn close(&mut self, patience: Duration) {
        self.to = None;
        let rest = async { while self.line().await.is_ok() {} };
        // An adapter that keeps writing is reported as a process that does not end.
        let _ = timeout(patience, rest).await;
    }

    pub(super) fn noise(&self) -> Option<&str> {
        self.noise.as_deref()
    }

    /// The next line that belongs to the protocol.
    async fn line(&mut self) -> Result<Value, Silence> {
        loop {
            let Ok(Some(text)) = self.from.next_line().await else { return Err(Silence::Ended) };
            if text.trim().is_empty() {
                continue;
            }
            match serde_json::from_str::<Value>(&text) {
                Ok(line) if line["event"].is_string() => {
                    self.reports.extend(line["event"].as_str().map(str::to_owned));
                    return Ok(line);
                }
                Ok(line) if line.get("id").is_some() => return Ok(line),
                _ => {
                    self.noise.get_or_insert(text.chars().take(SHOWN_CHARS).collect());
                }
            }
        }
    }
}

impl Answer {
    fn of(line: &Value) -> Self {
        if line["unsupported"] == true {
            Self::Unsupported
        } else if let Some(error) = line["error"].as_str() {
            Self::Failed(error.to_owned())
        } else if line["ok"] == true {
            Self::Done
        } else {
            Self::Shapeless(line.to_string().chars().take(SHOWN_CHARS).collect())
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => write!(f, "`ok`"),
            Self::Unsupported => write!(f, "`unsupported`"),
            Self::Failed(error) => write!(f, "with the error {error:?}"),
            Self::Shapeless(line) => write!(f, "{line}"),
        }
    }
}
