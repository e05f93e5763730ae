//! Between a judge and a client's adapter: JSON objects, one a line.

use std::io;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream};

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
pub(crate) async fn speak(
    mut lines: Box<dyn Lines>,
    (judge_in, mut judge_out): (DuplexStream, DuplexStream),
    (mut adapter_in, adapter_out): (DuplexStream, DuplexStream),
) -> io::Result<()> {
    let mut requests = BufReader::new(judge_in).lines();
    let mut reports = BufReader::new(adapter_out).lines();
    loop {
        let said = tokio::select! {
            biased;
            report = reports.next_line() => match report? {
                Some(line) => lines.report(serde_json::from_str(&line)?),
                None => return Ok(()),
            },
            request = requests.next_line() => match request? {
                Some(line) => lines.request(serde_json::from_str(&line)?),
                None => return Ok(()),
            },
        };
        for line in said.to_adapter {
            adapter_in.write_all(format!("{line}\n").as_bytes()).await?;
        }
        for line in said.to_judge {
            judge_out.write_all(format!("{line}\n").as_bytes()).await?;
        }
    }
}
