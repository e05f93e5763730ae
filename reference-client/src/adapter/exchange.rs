//! Requests in, answers and reports out, in the order in which things happened.

use std::io;

use futures_util::StreamExt;
use protocol::adapter::{Answer, MAX_LINE_BYTES, Operation, Outcome, Report, Request};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio_util::codec::{FramedRead, LinesCodec, LinesCodecError};

use super::settings::Settings;
use super::subject::Subject;
use crate::net::{Dial, WallClock};

/// Lines that wait to be written. The client's task does not wait for its judge: beyond this the adapter ends.
const LINES: usize = 16 * 1024;

/// Serves one client until the input ends or `exit` is asked for.
///
/// # Errors
/// When a pipe breaks, a request is longer than [`MAX_LINE_BYTES`], or the reader of the reports falls so far behind that their
/// queue overflows.
pub async fn run<D: Dial>(
    input: impl AsyncRead + Unpin,
    mut output: impl AsyncWrite + Unpin,
    dial: D,
    wall: WallClock,
) -> io::Result<()> {
    let (lines, mut written) = mpsc::channel(LINES);
    let mut adapter = Adapter { lines: Lines(lines), subject: None, dial, wall };
    let mut input = FramedRead::new(input, LinesCodec::new_with_max_length(MAX_LINE_BYTES));
    let mut going = true;
    while going {
        tokio::select! {
            biased;
            Some(line) = written.recv() => write(&mut output, &line).await?,
            line = input.next() => match line {
                Some(line) => going = adapter.serve(&line.map_err(unreadable)?).await?,
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

async fn write(output: &mut (impl AsyncWrite + Unpin), line: &str) -> io::Result<()> {
    output.write_all(format!("{line}\n").as_bytes()).await?;
    output.flush().await
}

fn unreadable(error: LinesCodecError) -> io::Error {
    match error {
        LinesCodecError::Io(error) => error,
        LinesCodecError::MaxLineLengthExceeded => {
            let says = format!("a request is longer than {MAX_LINE_BYTES} bytes");
            io::Error::new(io::ErrorKind::InvalidData, says)
        }
    }
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
        let Request { id, operation } = match serde_json::from_str(line) {
            Ok(request) => request,
            Err(error) => {
                let id = serde_json::from_str::<Value>(line).map_or(Value::Null, |value| value["id"].clone());
                self.lines.write(&json!({ "id": id, "error": format!("not a request: {error}") }))?;
                return Ok(true);
            }
        };
        let going = operation != Operation::Exit;
        let outcome = self.perform(operation).await;
        self.lines.write(&Answer { id, outcome })?;
        Ok(going)
    }

    async fn perform(&mut self, operation: Operation) -> Outcome {
        match (operation, &mut self.subject) {
            (Operation::Exit, _) => Outcome::DONE,
            (Operation::Unknown, _) => Outcome::UNSUPPORTED,
            (Operation::Configure(configure), subject) => match Settings::try_from(*configure) {
                Ok(settings) => {
                    let (dial, wall) = (self.dial.clone(), self.wall.clone());
                    *subject = Some(Subject::start(settings, dial, wall, self.lines.clone()));
                    Outcome::DONE
                }
                Err(error) => Outcome::Error { error: error.to_string() },
            },
            (operation, Some(subject)) => subject.perform(operation).await,
            (_, None) => Outcome::Error { error: "`configure` comes first".to_owned() },
        }
    }
}

/// Where lines go.
#[derive(Clone)]
pub(super) struct Lines(mpsc::Sender<String>);

impl Lines {
    /// Reports what happened by itself. A report that cannot be written is an error, and the next answer will be too.
    pub(super) fn report(&self, report: impl Into<Report>) {
        if let Err(error) = self.write(&report.into()) {
            tracing::error!("a report is lost: {error}");
        }
    }

    fn write(&self, line: &impl Serialize) -> io::Result<()> {
        let line = serde_json::to_string(line)?;
        self.0.try_send(line).map_err(|_| io::Error::other("nobody reads the reports"))
    }
}
