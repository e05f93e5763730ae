//! Between a judge and a client's adapter: JSON objects, one a line.

use std::io;

use futures_util::StreamExt;
use protocol::adapter::MAX_LINE_BYTES;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio_util::codec::{FramedRead, LinesCodec};

/// What one line becomes.
#[derive(Debug, Default)]
pub struct AdapterLine {
    /// Lines for the adapter.
    pub to_adapter: Vec<Value>,
    /// Lines for the judge.
    pub to_judge: Vec<Value>,
}

/// Changes what an adapter hears and says.
pub trait Lines: Send {
    /// What becomes of a request.
    fn request(&mut self, line: Value) -> AdapterLine {
        AdapterLine { to_adapter: vec![line], to_judge: Vec::new() }
    }

    /// What becomes of an answer or a report.
    fn report(&mut self, line: Value) -> AdapterLine {
        AdapterLine { to_adapter: Vec::new(), to_judge: vec![line] }
    }
}

/// Carries lines between a judge's pipes and an adapter's until one of them ends.
///
/// # Errors
/// When a pipe fails, or a line is no JSON.
pub async fn speak(
    mut lines: Box<dyn Lines>,
    (judge_in, mut judge_out): (impl AsyncRead + Unpin, impl AsyncWrite + Unpin),
    (mut adapter_in, adapter_out): (impl AsyncWrite + Unpin, impl AsyncRead + Unpin),
) -> io::Result<()> {
    let codec = || LinesCodec::new_with_max_length(MAX_LINE_BYTES);
    let mut requests = FramedRead::new(judge_in, codec());
    let mut reports = FramedRead::new(adapter_out, codec());
    loop {
        let said = tokio::select! {
            biased;
            report = reports.next() => match report {
                Some(line) => lines.report(serde_json::from_str(&line.map_err(io::Error::other)?)?),
                None => return Ok(()),
            },
            request = requests.next() => match request {
                Some(line) => lines.request(serde_json::from_str(&line.map_err(io::Error::other)?)?),
                None => return Ok(()),
            },
        };
        for line in said.to_adapter {
            adapter_in.write_all(format!("{line}\n").as_bytes()).await?;
        }
        for line in said.to_judge {
            judge_out.write_all(format!("{line}\n").as_bytes()).await?;
            judge_out.flush().await?;
        }
    }
}
