//! Lines to and from an adapter.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use futures_util::StreamExt;
use player::lines::{Line, LineDecoder};
use protocol::adapter::{AdapterOutput, Answer, MAX_LINE_BYTES, Outcome, OutputError, ReportEvent};
use serde::Serialize;
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::process::{ChildStdin, ChildStdout};
use tokio::time::timeout;
use tokio_util::codec::FramedRead;

/// Lines that are read of an adapter; one that says more floods.
const MAX_LINES: u32 = 20_000;
/// How much of a line is shown.
const SHOWN_CHARS: usize = 100;

/// Both pipes of an adapter. Answers are waited for one at a time.
pub(super) struct Exchange {
    to: Option<ChildStdin>,
    from: FramedRead<ChildStdout, LineDecoder>,
    asked: u64,
    /// Lines that have been read.
    heard: u32,
    /// The kinds of reports that have come.
    reports: BTreeSet<ReportKind>,
    /// The first line that belongs to no protocol, and why it does not.
    noise: Option<String>,
}

/// The reports that every adapter makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ReportKind {
    Status,
    Emit,
}

/// An answer.
pub(super) enum Reply {
    Outcome(Outcome),
    /// It says nothing of how the request went.
    Shapeless(String),
}

/// A line that belongs to the protocol.
enum Heard {
    Answer(Answer),
    Shapeless(String),
    Report,
}

/// Why there is no answer.
#[derive(Clone, Copy)]
pub(super) enum Silence {
    Late,
    Ended,
}

/// A request of which not even the operation need exist.
#[derive(Serialize)]
struct Numbered<'a, O> {
    id: u64,
    #[serde(flatten)]
    operation: &'a O,
}

impl Exchange {
    pub(super) fn start((to, from): (ChildStdin, ChildStdout)) -> Self {
        let from = FramedRead::new(from, LineDecoder::new(MAX_LINE_BYTES));
        Self { to: Some(to), from, asked: 0, heard: 0, reports: BTreeSet::new(), noise: None }
    }

    /// Asks for an operation and waits for its answer; what comes before it is noted.
    pub(super) async fn ask(
        &mut self,
        operation: &impl Serialize,
        patience: Duration,
    ) -> Result<Reply, Silence> {
        self.asked += 1;
        let request = Numbered { id: self.asked, operation };
        self.say(&serde_json::to_string(&request).expect("a request has string keys")).await;
        let reply = async {
            loop {
                match self.hear().await? {
                    Heard::Answer(answer) if answer.id == self.asked => {
                        return Ok(Reply::Outcome(answer.outcome));
                    }
                    Heard::Shapeless(line) => return Ok(Reply::Shapeless(line)),
                    Heard::Answer(_) | Heard::Report => {}
                }
            }
        };
        timeout(patience, reply).await.unwrap_or(Err(Silence::Late))
    }

    /// Waits for a report of this kind, which may have come already.
    pub(super) async fn reported(&mut self, kind: ReportKind, patience: Duration) -> bool {
        let report = async {
            while !self.reports.contains(&kind) {
                if self.hear().await.is_err() {
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
        let rest = async { while self.hear().await.is_ok() {} };
        // An adapter that keeps writing is reported as a process that does not end.
        let _ = timeout(patience, rest).await;
    }

    /// Whether it said more than is read.
    pub(super) fn has_flooded(&self) -> bool {
        self.heard > MAX_LINES
    }

    pub(super) fn noise(&self) -> Option<&str> {
        self.noise.as_deref()
    }

    /// The next line that belongs to the protocol.
    async fn hear(&mut self) -> Result<Heard, Silence> {
        loop {
            self.heard = self.heard.saturating_add(1);
            if self.has_flooded() {
                return Err(Silence::Ended);
            }
            let noise = match self.from.next().await {
                Some(Ok(Line::Whole(line))) if line.trim().is_empty() => continue,
                Some(Ok(Line::Whole(line))) => match AdapterOutput::parse(line.trim()) {
                    Ok(AdapterOutput::Answer(answer)) => return Ok(Heard::Answer(answer)),
                    Ok(AdapterOutput::Report(report)) => {
                        self.reports.extend(ReportKind::of(&report.event));
                        return Ok(Heard::Report);
                    }
                    // It complains of a line that it could not read, and may.
                    Err(OutputError::NoAnswer { id: Value::Null, .. }) => continue,
                    Err(OutputError::NoAnswer { line, .. }) => return Ok(Heard::Shapeless(shown(&line))),
                    Err(OutputError::NoReport { line, reason }) => {
                        format!("{:?}, which is no report: {reason}", shown(&line))
                    }
                    Err(OutputError::NoObject { line }) => format!("{:?}", shown(&line)),
                },
                Some(Ok(Line::TooLong(beginning))) => {
                    format!("{:?} and so on, more than {MAX_LINE_BYTES} bytes in one line", shown(&beginning))
                }
                Some(Err(_)) | None => return Err(Silence::Ended),
            };
            self.noise.get_or_insert(noise);
        }
    }
}

impl ReportKind {
    fn of(event: &ReportEvent) -> Option<Self> {
        match event {
            ReportEvent::Status { .. } => Some(Self::Status),
            ReportEvent::Emit { .. } => Some(Self::Emit),
            ReportEvent::Refetch { .. }
            | ReportEvent::TokenWanted
            | ReportEvent::Report { .. }
            | ReportEvent::Unknown => None,
        }
    }
}

impl fmt::Display for ReportKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Status => "status",
            Self::Emit => "emit",
        })
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outcome(Outcome::Done { .. }) => write!(f, "`ok`"),
            Self::Outcome(Outcome::Unsupported { .. }) => write!(f, "`unsupported`"),
            Self::Outcome(Outcome::Error { error }) => write!(f, "with the error {error:?}"),
            Self::Shapeless(line) => write!(f, "{line}"),
        }
    }
}

/// The beginning of a line.
pub(super) fn shown(line: &str) -> String {
    line.chars().take(SHOWN_CHARS).collect()
}
