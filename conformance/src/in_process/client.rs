//! A client that a test runs in its own process, behind an adapter that is a type.

use std::fmt;
use std::io;
use std::pin::pin;
use std::sync::Arc;

use futures_util::StreamExt;
use protocol::adapter::{Answer, MAX_LINE_BYTES, Operation, Outcome, Report, Request};
use serde::Serialize;
use tokio::io::{AsyncWrite, AsyncWriteExt, DuplexStream, split};
use tokio::sync::{mpsc, watch};
use tokio_util::codec::{FramedRead, LinesCodec};

use super::{InProcess, SubjectError};

/// Reports that may wait to be written: a client does not wait for its judge. One that has more waiting has failed.
const REPORTS: usize = 16 * 1024;
/// Bytes between harness and adapter.
const PIPE_BYTES: usize = 64 * 1024;

/// A client under test, driven by the requests of the adapter protocol.
pub trait Adapter: 'static {
    /// Does what is asked for, and says how it went; [`Outcome::UNSUPPORTED`] where the client has no such thing: the cases that
    /// need it are not run. `configure` comes first. The adapter is dropped after `exit`, or where the harness is done with it.
    fn perform(&mut self, operation: Operation) -> impl Future<Output = Outcome>;
}

/// Takes what the client does by itself.
#[derive(Clone)]
pub struct Reports {
    reports: mpsc::Sender<Report>,
    overflow: watch::Sender<bool>,
}

impl Reports {
    /// Reports what the client did, in the order in which it happened; callable from any thread. It never waits: a client that
    /// reports faster than it is read, by far, has failed.
    pub fn send(&self, report: impl Into<Report>) {
        if let Err(mpsc::error::TrySendError::Full(_)) = self.reports.try_send(report.into()) {
            self.overflow.send_replace(true);
        }
    }
}

/// Starts clients inside this process.
#[derive(Clone)]
pub struct ClientStarter(Arc<dyn Fn(DuplexStream) -> io::Result<InProcess> + Send + Sync>);

impl ClientStarter {
    /// Each call of `adapter` makes one client, on a thread and a runtime of its own.
    pub fn new<A: Adapter>(adapter: impl Fn(Reports) -> A + Send + Sync + 'static) -> Self {
        let adapter = Arc::new(adapter);
        Self(Arc::new(move |pipe| {
            let adapter = Arc::clone(&adapter);
            InProcess::start("client", move || serve(move |reports| adapter(reports), pipe))
        }))
    }

    /// Starts one, and gives the harness's end of its pipe.
    pub(crate) fn start(&self) -> io::Result<(InProcess, DuplexStream)> {
        let (here, there) = tokio::io::duplex(PIPE_BYTES);
        Ok((self.0(there)?, here))
    }
}

impl fmt::Debug for ClientStarter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientStarter")
    }
}

/// Serves one client until `exit`, or until the harness closes its end.
async fn serve<A: Adapter>(
    adapter: impl FnOnce(Reports) -> A,
    pipe: DuplexStream,
) -> Result<(), SubjectError> {
    let (reports, mut reported) = mpsc::channel(REPORTS);
    let (overflow, mut overflown) = watch::channel(false);
    let mut adapter = adapter(Reports { reports, overflow });
    let (input, mut output) = split(pipe);
    let mut lines = FramedRead::new(input, LinesCodec::new_with_max_length(MAX_LINE_BYTES));
    loop {
        let line = tokio::select! {
            biased;
            Ok(_) = overflown.wait_for(|is_over| *is_over) => return Err(overflowed()),
            Some(report) = reported.recv() => {
                write(&mut output, &report).await?;
                continue;
            }
            line = lines.next() => line,
        };
        let Some(line) = line else { return Ok(()) };
        let Request { id, operation } = serde_json::from_str(&line?)?;
        let is_last = operation == Operation::Exit;
        let outcome = {
            let mut performed = pin!(adapter.perform(operation));
            loop {
                tokio::select! {
                    biased;
                    Some(report) = reported.recv() => write(&mut output, &report).await?,
                    outcome = &mut performed => break outcome,
                }
            }
        };
        // What happened before the answer stands before it.
        while let Ok(report) = reported.try_recv() {
            write(&mut output, &report).await?;
        }
        write(&mut output, &Answer { id, outcome }).await?;
        if is_last {
            return Ok(());
        }
    }
}

fn overflowed() -> SubjectError {
    format!("more than {REPORTS} reports wait to be read").into()
}

async fn write(output: &mut (impl AsyncWrite + Unpin), line: &impl Serialize) -> Result<(), SubjectError> {
    let mut line = serde_json::to_string(line)?;
    line.push('\n');
    output.write_all(line.as_bytes()).await?;
    Ok(output.flush().await?)
}
