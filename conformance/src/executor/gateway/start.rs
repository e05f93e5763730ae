//! Starts a gateway on a free port, and waits until it is ready.

use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use scenarios::trace::{Actor, Event, Observation, Trace};
use scenarios::{Label, Scenario};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::launched::Launched;
use super::port::Port;
use crate::executor::{ExecutionError, Executor, now};
use crate::limits::HostLimit;
use crate::profile::Ready;

/// How often a gateway that is starting is asked whether it is ready.
const ASK_AGAIN: Duration = Duration::from_millis(10);
/// What is read of its answer, in bytes: the status stands in the first line.
const STATUS_LINE_BYTES: u64 = 4 * 1024;
/// Times that a gateway is restarted when another process has bound its port in between.
const STARTS: u32 = 3;

/// Launches the gateway on a free port and waits until it is ready. If another process binds the port before the gateway
/// does, another port is tried.
pub(super) async fn start(
    executor: &Executor,
    ready: &Ready,
    mut launch: impl FnMut(u16) -> Result<Launched, ExecutionError>,
) -> Result<(Launched, Port), ExecutionError> {
    let _turn =
        executor.starts.acquire().await.map_err(|error| ExecutionError::Harness(error.to_string()))?;
    let begun = now();
    let mut attempt = 1;
    loop {
        let port = Port::lease()
            .map_err(|error| ExecutionError::Harness(HostLimit::explain("cannot find a port", &error)))?;
        let mut launched = launch(port.number())?;
        let subject = &mut launched.instance;
        let waited = tokio::select! {
            biased;
            status = subject.end() => Err(format!("the gateway ended before it was ready: {status}")),
            readiness = await_ready(port.number(), ready) => readiness?,
        };
        match waited {
            Ok(()) => {
                executor.first_start.get_or_init(|| begun.elapsed());
                return Ok((launched, port));
            }
            Err(_) if attempt < STARTS && subject.ended().is_some() => attempt += 1,
            Err(reason) => {
                let is_alive = subject.ended().is_none();
                subject.kill().await;
                let output = subject.output().await;
                return Err(match is_alive {
                    true => ExecutionError::NotReady { reason, output },
                    false => ExecutionError::Subject { reason, output },
                });
            }
        }
    }
}

/// The trace of a gateway that lived and was waited for in vain, where its scenario is about its start.
pub(super) fn never_ready(scenario: &Scenario, reason: String, waited: Duration) -> Trace {
    let waited_us = u64::try_from(waited.as_micros()).unwrap_or(u64::MAX);
    let observation = |at_us, event| Observation { at_us, actor: Actor::scenario(), connection: None, event };
    let action = "the gateway takes connections while its broker is down".to_owned();
    let begun = observation(0, Event::Step { number: 0, action });
    let in_vain = scenario.requirements().into_iter().next().map(|requirement| {
        let label = Label::Shows(requirement);
        observation(waited_us, Event::InVain { step: 0, label, detail: reason, waited_us })
    });
    Trace { observations: [begun].into_iter().chain(in_vain).collect() }
}

/// Waits until the gateway is ready, and says why it is not where it takes too long.
async fn await_ready(port: u16, ready: &Ready) -> Result<Result<(), String>, HostLimit> {
    let mut last = "it was not asked".to_owned();
    let ask = async {
        loop {
            last = match ask_ready(port, ready.path.as_deref()).await {
                Ok(None | Some(200)) => return Ok(()),
                Ok(Some(status)) => format!("it answered HTTP {status}"),
                Err(error) => match HostLimit::of("cannot ask whether the gateway is ready", &error) {
                    Some(limit) => return Err(limit),
                    None => error.to_string(),
                },
            };
            tokio::time::sleep(ASK_AGAIN).await;
        }
    };
    let in_time = tokio::time::timeout(ready.timeout, ask).await.ok().transpose()?.is_some();
    let what = ready
        .path
        .as_deref()
        .map_or("taking connections".to_owned(), |path| format!("answering 200 on {path}"));
    Ok(match in_time {
        true => Ok(()),
        false => Err(format!("the gateway was not {what} after {:?}: {last}", ready.timeout)),
    })
}

/// The status that the readiness path answers with; none where the port alone is asked.
async fn ask_ready(port: u16, path: Option<&str>) -> io::Result<Option<u16>> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    let Some(path) = path else { return Ok(None) };
    let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    let mut stream = stream.take(STATUS_LINE_BYTES);
    while !answer.contains(&b'\n') && stream.read_buf(&mut answer).await? > 0 {}
    let line = String::from_utf8_lossy(&answer);
    let status = line.split_whitespace().nth(1).and_then(|status| status.parse().ok());
    status.map(Some).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "its answer is not HTTP"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    /// An answer without an end is read as far as a status may stand, and costs no more than the time that was allowed.
    #[tokio::test]
    async fn an_endless_answer_is_none() {
        for (begins, says) in [("", "its answer is not HTTP"), ("HTTP/1.1 503 ", "it answered HTTP 503")] {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            let port = listener.local_addr().unwrap().port();
            tokio::spawn(async move {
                while let Ok((mut stream, _)) = listener.accept().await {
                    tokio::spawn(async move {
                        let _ = stream.write_all(begins.as_bytes()).await;
                        while stream.write_all(&[b'x'; 64 * 1024]).await.is_ok() {}
                    });
                }
            });
            let ready = Ready { path: Some("/healthz".to_owned()), timeout: Duration::from_millis(500) };
            let waited = tokio::time::timeout(Duration::from_secs(20), await_ready(port, &ready)).await;
            let reason = waited.expect("it ends").unwrap().unwrap_err();
            assert!(reason.ends_with(says), "{reason}");
        }
    }
}
