//! A gateway under test: started or attached, fed by a broker, dialled over TCP.

use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use scenarios::Scenario;
use scenarios::player::{GatewayStage, StageError, TopologyReport, journal, play_gateway};
use scenarios::scenario::Bindings;
use scenarios::trace::{Actor, Event};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::{BrokerChoice, Execution, ExecutionError, Executor, PATIENCE, clock};
use crate::amqp::BrokerLink;
use crate::broker::{Broker, BrokerConfig};
use crate::process::{Streams, Subject};
use crate::profile::{CommandProfile, GatewayAccess, GatewayProfile, Ready};

/// How often a gateway that is starting is asked whether it is ready.
const ASK_AGAIN: Duration = Duration::from_millis(10);
/// Times that a gateway is started anew when its port was taken in between.
const STARTS: u32 = 3;

pub(super) async fn execute(
    executor: &Executor,
    profile: &GatewayProfile,
    scenario: Scenario,
    bindings: Bindings,
) -> Result<Execution, ExecutionError> {
    let harness = |error: &dyn ToString| ExecutionError::Harness(error.to_string());
    let embedded = match executor.broker {
        BrokerChoice::Embedded => {
            Some(Broker::start(BrokerConfig::default()).await.map_err(|error| harness(&error))?)
        }
        BrokerChoice::Url(_) => None,
    };
    let url = match (&embedded, &executor.broker) {
        (Some(broker), _) => broker.url(),
        (None, BrokerChoice::Url(url)) => url.clone(),
        (None, BrokerChoice::Embedded) => return Err(harness(&"the embedded broker is gone")),
    };
    let names = executor.names(profile, &bindings);
    let own_names = names.queue != profile.queue;
    let link = BrokerLink::open(&url, names.clone(), PATIENCE).await.map_err(|error| harness(&error))?;
    if embedded.is_none() && !own_names {
        link.purge().await.map_err(|error| harness(&error))?;
    }

    let (recorder, journal) = journal(clock());
    let (process, authority, jwt_secret) = match &profile.access {
        GatewayAccess::Attach { authority, jwt_secret } => (None, authority.clone(), jwt_secret.clone()),
        GatewayAccess::Spawn { command, ready } => {
            let jwt_secret = format!("a-secret-of-{}-that-is-long-enough", bindings.case);
            let mut values = executor.values();
            values.set("jwt_secret", jwt_secret.as_str());
            values.set("amqp_url", url);
            values.set("exchange", names.exchange);
            values.set("queue", names.queue);
            values.set("path", profile.path.as_str());
            let (subject, port) = start(executor, command, ready, values).await?;
            let end = subject.end();
            let recorder = recorder.clone();
            let watch = tokio::spawn(async move {
                let status = end.await;
                recorder.record(Actor::gateway(), None, Event::SubjectDied { status }).await;
            });
            (Some(Process { subject, watch }), format!("127.0.0.1:{port}"), jwt_secret)
        }
    };
    let setting = executor.setting(bindings, jwt_secret, profile.path.clone());
    let mut stage = Stage { authority, link, process };
    let play = play_gateway(&scenario, &setting, &mut stage, &recorder, journal).await;
    let output = match &mut stage.process {
        Some(process) => {
            process.watch.abort();
            process.subject.kill().await;
            process.subject.output().await
        }
        None => Vec::new(),
    };
    if own_names {
        stage.link.delete().await;
    }
    stage.link.close().await;
    if let Some(broker) = embedded {
        broker.shutdown().await;
    }
    Ok(Execution { scenario, play, output })
}

struct Stage {
    authority: String,
    link: BrokerLink,
    process: Option<Process>,
}

struct Process {
    subject: Subject,
    /// Tells the trace when the process ends by itself.
    watch: JoinHandle<()>,
}

impl GatewayStage for Stage {
    type Stream = TcpStream;

    fn host(&self) -> String {
        self.authority.clone()
    }

    async fn dial(&self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(&self.authority).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    async fn publish(&mut self, body: &str, routing_key: &str) -> Result<(), StageError> {
        self.link.publish(body, routing_key).await
    }

    async fn topology(&mut self) -> Result<TopologyReport, StageError> {
        self.link.topology().await
    }

    async fn queue_ready(&mut self) -> Result<u32, StageError> {
        self.link.ready_when_unconsumed().await
    }

    async fn kill_gateway(&mut self) -> Result<(), StageError> {
        let Some(process) = &mut self.process else {
            return Err(StageError::Unavailable("needs a gateway that gatecheck starts".to_owned()));
        };
        process.watch.abort();
        process.subject.kill().await;
        Ok(())
    }
}

/// Starts the gateway on a free port and waits until it is ready. The port is free when it is chosen; should somebody
/// take it before the gateway does, another is tried.
async fn start(
    executor: &Executor,
    command: &CommandProfile,
    ready: &Ready,
    mut values: crate::template::Values,
) -> Result<(Subject, u16), ExecutionError> {
    let mut attempt = 1;
    loop {
        let port = free_port().await.map_err(|error| ExecutionError::Harness(error.to_string()))?;
        values.set("port", port.to_string());
        let subject = Subject::spawn(command, &values, &executor.profile.folder, Streams::Kept)?;
        let waited = tokio::select! {
            biased;
            status = subject.end() => Err(format!("the gateway ended before it was ready: {status}")),
            readiness = await_ready(port, ready) => readiness,
        };
        match waited {
            Ok(()) => return Ok((subject, port)),
            Err(_) if attempt < STARTS && subject.ended().is_some() => attempt += 1,
            Err(reason) => {
                let output = subject.output().await;
                return Err(ExecutionError::Subject { reason, output });
            }
        }
    }
}

async fn await_ready(port: u16, ready: &Ready) -> Result<(), String> {
    let mut last = "it was not asked".to_owned();
    let ask = async {
        loop {
            last = match ask_ready(port, ready.path.as_deref()).await {
                Ok(None | Some(200)) => return,
                Ok(Some(status)) => format!("it answered HTTP {status}"),
                Err(error) => error.to_string(),
            };
            tokio::time::sleep(ASK_AGAIN).await;
        }
    };
    let in_time = tokio::time::timeout(ready.timeout, ask).await.is_ok();
    let what = ready
        .path
        .as_deref()
        .map_or("taking connections".to_owned(), |path| format!("answering 200 on {path}"));
    if in_time {
        Ok(())
    } else {
        Err(format!("the gateway was not {what} after {:?}: {last}", ready.timeout))
    }
}

/// The status that the readiness path answers with; none where the port alone is asked.
async fn ask_ready(port: u16, path: Option<&str>) -> io::Result<Option<u16>> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    let Some(path) = path else { return Ok(None) };
    let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    while !answer.contains(&b'\n') && stream.read_buf(&mut answer).await? > 0 {}
    let line = String::from_utf8_lossy(&answer);
    let status = line.split_whitespace().nth(1).and_then(|status| status.parse().ok());
    status.map(Some).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "its answer is not HTTP"))
}

async fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?.local_addr()?.port())
}
