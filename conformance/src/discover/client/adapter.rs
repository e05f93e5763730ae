//! An adapter that is watched: what it is asked, and what it reports.

use std::time::Duration;

use futures_util::StreamExt;
use player::lines::{Line, LineDecoder};
use protocol::adapter::{
    AdapterOutput, Configure, MAX_LINE_BYTES, Operation, Options, Outcome, ReportEvent, Request,
};
use tokio::io::AsyncWriteExt;
use tokio::process::{ChildStdin, ChildStdout};
use tokio::time::timeout;
use tokio_util::codec::FramedRead;

use super::ClientStart;
use crate::discover::DiscoverError;
use crate::discover::flood_meter::FloodMeter;
use crate::process::{Streams, Subject};
use crate::template::Values;

/// The token that a client is given.
pub(super) const TOKEN: &str = "a-token";
/// How long an answer may take.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);
/// How long its process may take to start.
const STARTS_WITHIN: Duration = Duration::from_secs(20);
/// How long a process takes to end that has closed its output.
const ENDS_WITHIN: Duration = Duration::from_secs(3);
/// Most statuses that are kept.
const MAX_STATUSES: usize = 200;
/// Longest status that is kept, in bytes: it is a word.
const MAX_STATUS_BYTES: usize = 200;

/// A running adapter.
pub(super) struct Adapter {
    process: Subject,
    to: ChildStdin,
    from: FramedRead<ChildStdout, LineDecoder>,
    asked: u64,
    /// From its start until its client was made.
    pub(super) took: Duration,
    /// Every status that it has reported.
    pub(super) statuses: Vec<String>,
    /// Whether a listener was called.
    pub(super) has_emitted: bool,
    meter: FloodMeter,
}

impl Adapter {
    /// Starts one, and configures its client.
    pub(super) async fn start(
        start: &ClientStart,
        url: &str,
        options: Options,
        meter: FloodMeter,
    ) -> Result<Self, DiscoverError> {
        let mut values = Values::of_timing(&start.timing);
        values.set("gatecheck", start.program.display().to_string());
        values.set("dialect", serde_json::to_string(&start.dialect).expect("a dialect has string keys"));
        let begun = crate::discover::now();
        let mut process = Subject::spawn(&start.command, &values, &start.folder, Streams::Piped)?;
        let (to, from) = process.take_pipes().expect("piped, and only used once");
        let from = FramedRead::new(from, LineDecoder::new(MAX_LINE_BYTES));
        let (took, statuses) = (Duration::ZERO, Vec::new());
        let mut adapter = Self { process, to, from, asked: 0, took, statuses, has_emitted: false, meter };
        let configure = Configure {
            url: Some(url.to_owned()),
            token: Some(TOKEN.to_owned()),
            options,
            dialect: start.dialect.clone(),
        };
        match adapter.ask_for(Operation::Configure(Box::new(configure)), STARTS_WITHIN).await {
            Some(Outcome::Done { .. }) => {
                adapter.took = begun.elapsed();
                Ok(adapter)
            }
            answer => {
                let reason = match answer {
                    Some(Outcome::Error { error }) => {
                        format!("`configure` was answered by the error {error:?}")
                    }
                    Some(_) => "`configure` was answered `unsupported`".to_owned(),
                    None => match timeout(ENDS_WITHIN, adapter.process.end()).await {
                        Ok(status) => format!("it ended before it had answered `configure`: {status}"),
                        Err(_) => "`configure` was not answered; `gatecheck adapter check` tries an adapter"
                            .to_owned(),
                    },
                };
                adapter.process.kill().await;
                Err(DiscoverError::Subject { reason, output: adapter.process.output().await })
            }
        }
    }

    /// Asks, and takes the answer; none where none comes.
    pub(super) async fn ask(&mut self, operation: Operation) -> Option<Outcome> {
        self.ask_for(operation, ANSWERS_WITHIN).await
    }

    async fn ask_for(&mut self, operation: Operation, within: Duration) -> Option<Outcome> {
        self.asked += 1;
        let request = Request { id: self.asked, operation };
        let line = serde_json::to_string(&request).expect("a request has string keys");
        self.to.write_all(format!("{line}\n").as_bytes()).await.ok()?;
        self.to.flush().await.ok()?;
        let asked = self.asked;
        let answer = async {
            loop {
                if let AdapterOutput::Answer(answer) = self.hear().await?
                    && answer.id == asked
                {
                    return Some(answer.outcome);
                }
            }
        };
        timeout(within, answer).await.ok().flatten()
    }

    /// Takes what it reports, for so long.
    pub(super) async fn listen(&mut self, time: Duration) {
        let _ = timeout(time, async { while self.hear().await.is_some() {} }).await;
    }

    /// Ends it, and gives the statuses that it has reported.
    pub(super) async fn stop(mut self) -> Vec<String> {
        self.listen(Duration::from_millis(20)).await;
        self.process.kill().await;
        self.statuses
    }

    /// The next line that belongs to the protocol.
    async fn hear(&mut self) -> Option<AdapterOutput> {
        loop {
            let Some(Ok(Line::Whole(line))) = self.from.next().await else { return None };
            self.meter.add(line.len());
            let Ok(output) = AdapterOutput::parse(line.trim()) else { continue };
            if let AdapterOutput::Report(report) = &output {
                match &report.event {
                    ReportEvent::Status { status, .. }
                        if self.statuses.len() < MAX_STATUSES && status.len() <= MAX_STATUS_BYTES =>
                    {
                        self.statuses.push(status.clone());
                    }
                    ReportEvent::Emit { .. } => self.has_emitted = true,
                    _ => {}
                }
            }
            return Some(output);
        }
    }
}
