//! A client under test, or a fleet of them: its adapter is started, and dials a scripted gateway over TCP.

use std::io;
use std::mem;
use std::net::Ipv4Addr;
use std::path::Path;

use player::{Accept, ClientStage, Play, PlayError, StageError, journal, play_client};
use scenarios::scenario::{Bindings, ClientScript, ProcessAct, UrlSource};
use scenarios::token::Issuer;
use scenarios::trace::{Actor, Event, Resources, Trace};
use scenarios::{NotPlayed, Scenario};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;

use super::instance::Instance;
use super::{Execution, ExecutionError, Executor, clock, now};
use crate::limits::{HostLimit, Refusals};
use crate::noise::{self, Watch};
use crate::process::{ENDPOINT_VARIABLE, Streams, Subject};
use crate::profile::{ClientAccess, ClientProfile};
use crate::proxy;

/// The scripted gateway's path.
const PATH: &str = "/ws";
/// Bytes that the kernel keeps of what the scripted gateway does not read.
const RECEIVE_BYTES: u32 = 64 * 1024;
/// Connections that may wait to be accepted: a fleet dials at once.
const BACKLOG: u32 = 1024;
/// What each client of a fleet takes of this process's descriptors: three pipes, the process itself, its connection, and the one
/// that follows it while it ends.
const DESCRIPTORS: u64 = 6;

pub(super) async fn execute(
    executor: &Executor,
    profile: &ClientProfile,
    (scenario, script): (Scenario, ClientScript),
    bindings: Bindings,
) -> Result<Execution, ExecutionError> {
    let clients = if script.client.fleet { profile.fleet } else { 1 };
    let what = format!("cannot start {clients} of the client");
    HostLimit::check_descriptors(&what, DESCRIPTORS * u64::from(clients))?;
    let harness = |error| ExecutionError::Harness(HostLimit::explain("cannot listen", &error));
    let listener = listen().map_err(harness)?;
    let url = format!("ws://{}{PATH}", listener.local_addr().map_err(harness)?);
    let by_environment = script.client.url == UrlSource::Environment;
    if by_environment && let ClientAccess::InProcess(_) = &profile.access {
        let why = "needs a client that is a process of its own: its environment names the gateway".to_owned();
        let play =
            Play { trace: Trace::default(), outcome: Err(PlayError::NotRun(NotPlayed::in_this_run(why))) };
        let (waits, output) = (Vec::new(), Vec::new());
        return Ok(Execution { began: now(), scenario, play, waits, output, rig: None });
    }
    let named = by_environment.then_some(url.as_str());
    let began = now();
    let (recorder, journal) = journal(clock(began));
    let mut fleet = Fleet { subjects: Vec::new(), ends: JoinSet::new(), watches: Vec::new() };
    let mut adapters = Vec::new();
    for _ in 0..clients {
        let (subject, pipes) = start(executor, &executor.profile().folder, &profile.access, named)?;
        adapters.push(pipes);
        let (end, death) = (subject.end(), recorder.clone());
        fleet.ends.spawn(async move {
            let status = end.await;
            death.record(Actor::client(), None, Event::SubjectDied { status }).await;
        });
        fleet.subjects.push(subject);
    }
    fleet.watches =
        fleet.subjects.iter().filter_map(|subject| executor.probe.watch(subject.measured()?)).collect();
    let refusals = Refusals::none();
    let setting = executor.setting(bindings, Issuer::with_secret(""), PATH.to_owned());
    let mut stage = Stage { url, listener: Some(Listener(listener, refusals.clone())), adapters, fleet };
    let playing = play_client(&script, &setting, &mut stage, &recorder, journal);
    let play = executor.in_time(&scenario, &refusals, playing).await?;
    // From here on they know that their pipes are closed, and may say so.
    let output = stage.fleet.output().await;
    let waits = Watch::waits_since(&stage.fleet.watches, began).await;
    stage.fleet.kill().await;
    Ok(Execution { began, scenario, play, waits, output, rig: None })
}

/// Both ends of an adapter's pipes.
pub(super) type Pipes = (Box<dyn AsyncWrite + Unpin + Send>, Box<dyn AsyncRead + Unpin + Send>);

/// Starts one client; `named` is the URL that its environment names.
pub(super) fn start(
    executor: &Executor,
    folder: &Path,
    access: &ClientAccess,
    named: Option<&str>,
) -> Result<(Instance, Pipes), ExecutionError> {
    match access {
        ClientAccess::Spawn(command) => {
            let mut command = command.clone();
            command.env.extend(named.map(|url| (ENDPOINT_VARIABLE.to_owned(), url.to_owned())));
            let mut subject = Subject::spawn(&command, &executor.values(), folder, Streams::Piped)?;
            let pipes = subject.take_pipes();
            let (requests, reports) =
                pipes.ok_or_else(|| ExecutionError::Harness("the adapter has no pipes".to_owned()))?;
            Ok((Instance::Process(subject), (Box::new(requests), Box::new(reports))))
        }
        ClientAccess::InProcess(starter) => {
            let (subject, pipe) = starter.start().map_err(|error| {
                ExecutionError::Harness(HostLimit::explain("cannot start a client", &error))
            })?;
            let (reports, requests) = tokio::io::split(pipe);
            Ok((Instance::InProcess(subject), (Box::new(requests), Box::new(reports))))
        }
    }
}

/// A listening socket whose connections hold little: a client that is not read from must notice it.
pub(super) fn listen() -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(RECEIVE_BYTES)?;
    socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
    socket.listen(BACKLOG)
}

/// The clients of a case: one, or a fleet.
struct Fleet {
    subjects: Vec<Instance>,
    /// Each records in the trace when one of them ends.
    ends: JoinSet<()>,
    /// Each measures one of them, where this host can.
    watches: Vec<Watch>,
}

impl Fleet {
    /// What each has printed last, one after the other.
    async fn output(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for subject in &self.subjects {
            lines.extend(subject.output().await);
        }
        lines
    }

    /// The clients' processes, for what can be done to a process only.
    fn processes(&self) -> Result<Vec<&Subject>, StageError> {
        let processes: Option<Vec<_>> = self.subjects.iter().map(Instance::process).collect();
        let why = "needs a client that is a process of its own: it is stopped, or looked at";
        processes.ok_or_else(|| StageError::Unavailable(why.to_owned()))
    }

    /// Kills all of them; their end is no news.
    async fn kill(&mut self) {
        self.ends.abort_all();
        for subject in &mut self.subjects {
            subject.kill().await;
        }
    }
}

struct Stage {
    url: String,
    listener: Option<Listener>,
    adapters: Vec<Pipes>,
    fleet: Fleet,
}

pub(super) struct Listener(pub(super) TcpListener, pub(super) Refusals);

impl Accept for Listener {
    type Stream = TcpStream;

    async fn accept(&mut self) -> io::Result<TcpStream> {
        loop {
            let accepted = self.1.look("cannot accept a connection of the client", self.0.accept().await);
            match accepted {
                // A dial that the client gave up before it was accepted says nothing of the next one.
                Ok((stream, _)) if stream.set_nodelay(true).is_ok() => return Ok(stream),
                Ok(_) => {}
                Err(error) if is_of_the_dial(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn reset(stream: TcpStream) {
        proxy::reset(stream);
    }
}

/// Whether it is the connection that failed, and not the listening socket: accept(2) reports what is pending on a new socket.
fn is_of_the_dial(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset)
}

impl ClientStage for Stage {
    type Stream = TcpStream;
    type Listener = Listener;
    type Requests = Box<dyn AsyncWrite + Unpin + Send>;
    type Reports = Box<dyn AsyncRead + Unpin + Send>;

    fn url(&self) -> String {
        self.url.clone()
    }

    fn take_listener(&mut self) -> Listener {
        self.listener.take().expect("the player takes it once")
    }

    fn take_adapters(&mut self) -> Vec<Pipes> {
        mem::take(&mut self.adapters)
    }

    async fn signal(&mut self, act: ProcessAct) -> Result<(), StageError> {
        for subject in self.fleet.processes()? {
            subject.pause(act);
        }
        Ok(())
    }

    async fn resources(&mut self) -> Result<Resources, StageError> {
        let mut all = Resources::default();
        for subject in self.fleet.processes()? {
            let held = subject.id().and_then(noise::resources);
            let held = held.ok_or_else(|| StageError::Unavailable("needs `/proc` of Linux".to_owned()))?;
            all.processes += held.processes;
            all.memory_kib += held.memory_kib;
            all.descriptors += held.descriptors;
        }
        Ok(all)
    }

    async fn log(&mut self) -> Result<String, StageError> {
        if self.fleet.subjects.iter().any(|subject| subject.process().is_none()) {
            let why = "needs a client that is a process of its own: its log is read";
            return Err(StageError::Unavailable(why.to_owned()));
        }
        Ok(self.fleet.output().await.join("\n"))
    }
}
