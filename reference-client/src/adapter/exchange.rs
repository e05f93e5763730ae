//! Requests in, answers and reports out, in the order in which things happened.

use std::io;

use serde_json::{Value, json};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

use super::request::{Op, Request};
use super::subject::{Answer, Subject};
use crate::net::{Dial, WallClock};

/// Lines that wait to be written. The client's task does not wait for its judge: beyond this the adapter ends.
const LINES: usize = 16 * 1024;

/// Serves one client until the input ends or `exit` is asked for.
///
/// # Errors
/// When a pipe breaks, or the reader of the reports falls so far behind that their queue overflows.
pub async fn run<D: Dial>(
    input: impl AsyncBufRead + Unpin,
    mut output: impl AsyncWrite + Unpin,
    dial: D,
    wall: WallClock,
) -> io::Result<()> {
    let (lines, mut written) = mpsc::channel(LINES);
    let mut adapter = Adapter { lines: Lines(lines), subject: None, dial, wall };
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
    if let Some(subject) = &mut adapter.subject {
        subject.leave().await;
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
    lines: Lines,
    subject: Option<Subject<D>>,
    dial: D,
    wall: WallClock,
}

impl<D: Dial> Adapter<D> {
    /// Serves a line; false when it was the last.
    async fn serve(&mut self, line: &str) -> io::Result<bool> {
        if line.trim().is_empty() {
            return Ok(true);
        }
        let (id, op) = match serde_json::from_str::<Request>(line) {
            Ok(Request { id, op }) => (json!(id), op),
            Err(error) => {
                let id = serde_json::from_str::<Value>(line).map_or(Value::Null, |value| value["id"].clone());
                self.lines.answer(&id, Answer::Error(format!("not a request: {error}")))?;
                return Ok(true);
            }
        };
        let going = !matches!(op, Op::Exit);
        let answer = self.perform(op).await;
        self.lines.answer(&id, answer)?;
        Ok(going)
    }

    async fn perform(&mut self, op: Op) -> Answer {
        match (op, &mut self.subject) {
            (Op::Exit, _) => Answer::Ok,
            (Op::Unknown, _) => Answer::Unsupported,
            (Op::Configure(configure), subject) => match configure.settings() {
                Ok(settings) => {
                    let (dial, wall) = (self.dial.clone(), self.wall.clone());
                    *subject = Some(Subject::start(settings, dial, wall, self.lines.clone()));
                    Answer::Ok
                }
                Err(error) => Answer::Error(error.to_string()),
            },
            (op, Some(subject)) => subject.perform(op).await,
            (_, None) => Answer::Error("`configure` comes first".to_owned()),
        }
    }
}

/// Where lines go.
#[derive(Clone)]
pub(super) struct Lines(mpsc::Sender<Value>);

impl Lines {
    /// Answers a request.
    fn answer(&self, id: &Value, answer: Answer) -> io::Result<()> {
        self.write(match answer {
            Answer::Ok => json!({ "id": id, "ok": true }),
            Answer::With(name, value) => json!({ "id": id, "ok": true, name: value }),
            Answer::Unsupported => json!({ "id": id, "unsupported": true }),
            Answer::Error(error) => json!({ "id": id, "error": error }),
        })
    }

    /// Reports what happened by itself. A report that cannot be written is an error, and the next answer will be too.
    pub(super) fn report(&self, line: Value) {
        if let Err(error) = self.write(line) {
            tracing::error!("a report is lost: {error}");
        }
    }

    fn write(&self, line: Value) -> io::Result<()> {
        self.0.try_send(line).map_err(|_| io::Error::other("nobody reads the reports"))
    }
}
