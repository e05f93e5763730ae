//! A client under test: its adapter is started, and dials a scripted gateway over TCP.

use std::io;
use std::net::Ipv4Addr;

use scenarios::Scenario;
use scenarios::player::{Accept, ClientStage, journal, play_client};
use scenarios::scenario::Bindings;
use scenarios::token::Secrets;
use scenarios::trace::{Actor, Event};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{ChildStdin, ChildStdout};

use super::{Execution, ExecutionError, Executor, clock};
use crate::process::{Streams, Subject};
use crate::profile::ClientProfile;

/// The scripted gateway's path.
const PATH: &str = "/ws";

pub(super) async fn execute(
    executor: &Executor,
    profile: &ClientProfile,
    scenario: Scenario,
    bindings: Bindings,
) -> Result<Execution, ExecutionError> {
    let harness = |error: io::Error| ExecutionError::Harness(error.to_string());
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(harness)?;
    let url = format!("ws://{}{PATH}", listener.local_addr().map_err(harness)?);
    let mut subject =
        Subject::spawn(&profile.command, &executor.values(), &executor.profile().folder, Streams::Piped)?;
    let pipes = subject.take_pipes();
    let pipes = pipes.ok_or_else(|| ExecutionError::Harness("the adapter has no pipes".to_owned()))?;

    let (recorder, journal) = journal(clock());
    let end = subject.end();
    let death = recorder.clone();
    let watch = tokio::spawn(async move {
        let status = end.await;
        death.record(Actor::client(), None, Event::SubjectDied { status }).await;
    });
    let setting = executor.setting(bindings, Secrets::from_current(""), PATH.to_owned());
    let mut stage = Stage { url, ends: Some((Listener(listener), pipes)) };
    let play = play_client(&scenario, &setting, &mut stage, &recorder, journal).await;
    watch.abort();
    subject.kill().await;
    Ok(Execution { scenario, play, output: subject.output().await })
}

struct Stage {
    url: String,
    ends: Option<(Listener, (ChildStdin, ChildStdout))>,
}

struct Listener(TcpListener);

impl Accept for Listener {
    type Stream = TcpStream;

    async fn accept(&mut self) -> io::Result<TcpStream> {
        let (stream, _) = self.0.accept().await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

impl ClientStage for Stage {
    type Stream = TcpStream;
    type Listener = Listener;
    type Requests = ChildStdin;
    type Reports = ChildStdout;

    fn url(&self) -> String {
        self.url.clone()
    }

    fn take(&mut self) -> (Listener, ChildStdin, ChildStdout) {
        let (listener, (requests, reports)) = self.ends.take().expect("the player takes them once");
        (listener, requests, reports)
    }
}
