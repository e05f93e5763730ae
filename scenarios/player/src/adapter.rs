//! The harness's end of the adapter protocol: JSON objects, one a line, to and from a client under test.

use std::collections::BTreeMap;
use std::io;

use futures_util::StreamExt;
use protocol::adapter::{
    AdapterOutput, Answer, MAX_LINE_BYTES, Operation, Outcome, Report, ReportEvent, Request,
};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};
use tokio_util::codec::FramedRead;
use tokio_util::task::AbortOnDropHandle;

use super::journal::Recorder;
use super::lines::{Line, LineDecoder};
use super::stage::PlayError;
use scenarios::design::Statuses;
use scenarios::trace::{Actor, Event};

/// Requests that wait for the writer.
const REQUESTS: usize = 16;
/// How much of a line is shown that is too long.
const SHOWN_CHARS: usize = 100;

/// A running adapter.
pub(super) struct Adapter {
    actor: Actor,
    requests: mpsc::Sender<Question>,
    _task: AbortOnDropHandle<()>,
}

/// A request that waits for its turn.
struct Question {
    operation: Operation,
    answer: oneshot::Sender<Result<Outcome, PlayError>>,
}

impl Adapter {
    /// Starts on the adapter's pipes; `actor` is the client that it wraps.
    pub(super) fn start<W, R>(
        requests: W,
        reports: R,
        actor: Actor,
        recorder: Recorder,
        statuses: Statuses,
    ) -> Self
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
            statuses,
            broken: None,
        };
        Self { actor, requests: to, _task: AbortOnDropHandle::new(tokio::spawn(exchange.run(reports, from))) }
    }

    /// The client that it wraps.
    pub(super) fn actor(&self) -> &Actor {
        &self.actor
    }

    /// Asks for an operation and waits for its answer.
    pub(super) async fn ask(&self, operation: Operation) -> Result<Outcome, PlayError> {
        let op = operation.name();
        let (answer, answered) = oneshot::channel();
        let gone = || PlayError::Adapter(format!("the adapter ended before it answered `{op}`"));
        self.requests.send(Question { operation, answer }).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }
}

/// Owns both pipes.
struct Exchange<W> {
    to: W,
    waiting: BTreeMap<u64, oneshot::Sender<Result<Outcome, PlayError>>>,
    next: u64,
    actor: Actor,
    recorder: Recorder,
    /// What the client calls its statuses.
    statuses: Statuses,
    /// How the adapter broke the protocol, where it has: no answer can be trusted any more.
    broken: Option<String>,
}

impl<W: AsyncWrite + Unpin> Exchange<W> {
    async fn run(mut self, reports: impl AsyncRead + Unpin, mut questions: mpsc::Receiver<Question>) {
        let mut reports = FramedRead::new(reports, LineDecoder::new(MAX_LINE_BYTES));
        loop {
            tokio::select! {
                biased;
                line = reports.next() => match line {
                    Some(Ok(Line::Whole(line))) => self.take(line.trim()).await,
                    Some(Ok(Line::TooLong(beginning))) => self.fail(too_long(&beginning)),
                    // Dropping the senders ends every request that awaits an answer.
                    Some(Err(_)) | None => return,
                },
                Some(question) = questions.recv() => {
                    if self.write(question).await.is_err() {
                        return;
                    }
                }
                else => return,
            }
        }
    }

    async fn write(&mut self, Question { operation, answer }: Question) -> io::Result<()> {
        if let Some(reason) = &self.broken {
            // A player that stopped waiting needs no answer.
            let _ = answer.send(Err(PlayError::Adapter(reason.clone())));
            return Ok(());
        }
        let request = Request { id: self.next, operation };
        self.next += 1;
        self.waiting.insert(request.id, answer);
        let line = serde_json::to_string(&request)? + "\n";
        self.to.write_all(line.as_bytes()).await?;
        self.to.flush().await
    }

    async fn take(&mut self, line: &str) {
        if !self.recorder.admits(line.as_bytes(), "adapter") || line.is_empty() {
            return;
        }
        match AdapterOutput::parse(line) {
            Ok(AdapterOutput::Answer(Answer { id, outcome })) => match self.waiting.remove(&id) {
                Some(waiting) => drop(waiting.send(Ok(outcome))),
                None => self.fail(format!("the adapter answered a request that was not made: {line}")),
            },
            Ok(AdapterOutput::Report(report)) => {
                if let Some((actor, event)) = observed(report, &self.actor, &self.statuses) {
                    self.recorder.record(actor, None, event).await;
                }
            }
            Err(error) => self.fail(error.to_string()),
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

fn too_long(beginning: &str) -> String {
    let shown: String = beginning.chars().take(SHOWN_CHARS).collect();
    format!("the adapter printed a line of more than {MAX_LINE_BYTES} bytes, which begins with {shown:?}")
}

/// What a report says, and of whom; nothing where its kind is unknown.
fn observed(report: Report, client: &Actor, statuses: &Statuses) -> Option<(Actor, Event)> {
    let event = match report.event {
        ReportEvent::Status { old, status } => Event::Status {
            old: statuses.ours(&old.unwrap_or_default()).to_owned(),
            new: statuses.ours(&status).to_owned(),
        },
        ReportEvent::Emit { name, payload, listener } => Event::Emitted {
            name,
            payload: payload.unwrap_or_default(),
            listener: listener.unwrap_or_default(),
        },
        ReportEvent::Refetch { key } => Event::Refetched { key },
        ReportEvent::TokenWanted => Event::TokenWanted,
        ReportEvent::Report { message, user } => Event::Reported { message, user: user.unwrap_or_default() },
        ReportEvent::Unknown => return None,
    };
    let actor = report.consumer.map_or_else(|| client.clone(), |name| Actor::consumer(&name));
    Some((actor, event))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::io::duplex;

    use super::*;
    use crate::journal::journal;

    /// Once the protocol is broken, every request fails and says how, whatever is printed later.
    #[tokio::test]
    async fn a_broken_protocol_fails_every_request() {
        for (line, says) in [
            (b"listening".to_vec(), "is no JSON object: \"listening\"; noise belongs on stderr"),
            (b"{\"event\":\"refetch\"}".to_vec(), "(missing field `key`): {\"event\":\"refetch\"}"),
            (b"{\"id\":7,\"ok\":true}".to_vec(), "a request that was not made: {\"id\":7"),
            (b"x".repeat(MAX_LINE_BYTES + 1), "a line of more than 4194304 bytes, which begins with \"xxx"),
        ] {
            let (requests, _asked) = duplex(1024);
            let (mut prints, reports) = duplex(1024);
            let (recorder, _journal) = journal(Arc::new(|| Duration::ZERO));
            let adapter = Adapter::start(requests, reports, Actor::client(), recorder, Statuses::default());
            prints.write_all(&[line.as_slice(), b"\n{\"id\":1,\"ok\":true}\n"].concat()).await.unwrap();
            for _ in 0..2 {
                let failed = adapter.ask(Operation::Connect).await.unwrap_err();
                assert!(matches!(&failed, PlayError::Adapter(reason) if reason.contains(says)), "{failed:?}");
            }
        }
    }

    /// A report is of the client, or of the consumer that it names; one that this version does not know is ignored.
    #[test]
    fn a_report_is_an_observation() {
        let status = ReportEvent::Status { old: None, status: "connected".to_owned() };
        let event = Event::Status { old: String::new(), new: "connected".to_owned() };
        let of_badge = Report { consumer: Some("badge".to_owned()), event: status.clone() };
        assert_eq!(
            observed(of_badge, &Actor::client(), &Statuses::default()),
            Some((Actor::consumer("badge"), event.clone()))
        );
        assert_eq!(
            observed(status.into(), &Actor::client(), &Statuses::default()),
            Some((Actor::client(), event))
        );
        assert_eq!(observed(ReportEvent::Unknown.into(), &Actor::client(), &Statuses::default()), None);
    }
}
