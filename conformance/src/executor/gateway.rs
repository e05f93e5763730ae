//! A gateway under test: started or attached, fed by a broker, dialled over TCP.

use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use scenarios::Scenario;
use scenarios::player::{
    GatewayStage, Play, PlayError, Recorder, StageError, TopologyReport, journal, play_gateway,
};
use scenarios::scenario::{Bindings, BrokerState, NetworkAct};
use scenarios::times::Times;
use scenarios::token::Secrets;
use scenarios::trace::{Actor, Event, Trace};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use url::Url;

use super::{BrokerChoice, Execution, ExecutionError, Executor, PATIENCE, clock, now};
use crate::amqp::BrokerLink;
use crate::broker::{Broker, BrokerConfig};
use crate::process::{Streams, Subject};
use crate::profile::{CommandProfile, EventShape, GatewayAccess, GatewayProfile, Ready};
use crate::proxy::{self, Proxy};

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
    if let Some(why) = cannot_be_judged(profile, &scenario) {
        let play = Play { trace: Trace::default(), outcome: Err(PlayError::NotRun(why)) };
        return Ok(Execution { began: now(), scenario, play, output: Vec::new() });
    }
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
    let link = if scenario.gateways > 1 { link.publishing_unconsumed() } else { link };
    if embedded.is_none() && !own_names {
        link.purge().await.map_err(|error| harness(&error))?;
    }
    let (proxy, gateway_url) = match scenario.disturbs_broker() {
        false => (None, url),
        true => {
            let (proxy, url) = in_between(&url, scenario.broker).await.map_err(|error| harness(&error))?;
            (Some(proxy), url)
        }
    };

    let began = now();
    let (recorder, journal) = journal(clock(began));
    let mut stage = Stage {
        authorities: Vec::new(),
        link,
        events: executor.profile.events.clone(),
        proxy,
        processes: Vec::new(),
        recorder: recorder.clone(),
    };
    let secrets = match &profile.access {
        GatewayAccess::Attach { authority, jwt_secret } => {
            stage.authorities.push(authority.clone());
            Secrets::from_current(jwt_secret.as_str())
        }
        GatewayAccess::Spawn { command, ready } => {
            let secrets = Secrets::from_current(format!("a-secret-of-{}-that-is-long-enough", bindings.case));
            let mut values = executor.values();
            values.set_settings(&scenario.settings, scenario.gateways);
            values.set("jwt_secret", secrets.current.as_str());
            values.set("jwt_secret_previous", secrets.previous.as_str());
            values.set("amqp_url", gateway_url);
            values.set("exchange", names.exchange);
            values.set("queue", names.queue);
            values.set("path", profile.path.as_str());
            let ready = match scenario.broker {
                BrokerState::Up => ready.clone(),
                // It cannot be ready; that it takes connections must do.
                BrokerState::Down => Ready { path: None, ..ready.clone() },
            };
            for _ in 0..scenario.gateways {
                match start(executor, command, &ready, values.clone()).await {
                    Ok((subject, port)) => stage.watch(subject, port),
                    // That it starts without a broker is what the scenario is about.
                    Err(ExecutionError::Subject { reason, output })
                        if scenario.broker == BrokerState::Down =>
                    {
                        let outcome = Err(PlayError::DidNotStart(reason));
                        let play = Play { trace: Trace::default(), outcome };
                        return Ok(Execution { began, scenario, play, output });
                    }
                    Err(error) => return Err(error),
                }
            }
            secrets
        }
    };
    let setting = executor.setting(bindings, secrets, profile.path.clone());
    let play = play_gateway(&scenario, &setting, &mut stage, &recorder, journal).await;
    let mut output = Vec::new();
    for process in &mut stage.processes {
        process.watch.abort();
        process.subject.kill().await;
        output.extend(process.subject.output().await);
    }
    if own_names {
        stage.link.delete().await;
    }
    stage.link.close().await;
    if let Some(broker) = embedded {
        broker.shutdown().await;
    }
    Ok(Execution { began, scenario, play, output })
}

/// Why this gateway cannot be judged by a scenario, where it cannot: it is not started by the harness, or cannot be told
/// what the scenario needs.
fn cannot_be_judged(profile: &GatewayProfile, scenario: &Scenario) -> Option<String> {
    let placeholders = scenario.settings.placeholders();
    match &profile.access {
        GatewayAccess::Attach { .. } => {
            let needs_own = scenario.fresh
                || scenario.gateways > 1
                || scenario.disturbs_broker()
                || !placeholders.is_empty();
            needs_own.then(|| "needs a gateway that gatecheck starts".to_owned())
        }
        // Whose queue is its own cannot be waited for at the broker.
        GatewayAccess::Spawn { ready: Ready { path: None, .. }, .. } if scenario.gateways > 1 => {
            Some("needs `ready.path`: events are lost on a gateway that does not consume yet".to_owned())
        }
        GatewayAccess::Spawn { command, .. } => {
            let missing = placeholders.into_iter().find(|name| !command.uses(name))?;
            Some(format!("needs `{{{missing}}}` in the command or its environment"))
        }
    }
}

/// A proxy before the broker, and the URL by which the gateway goes through it.
async fn in_between(url: &str, state: BrokerState) -> Result<(Proxy, String), String> {
    /// The port of AMQP where a URL names none.
    const AMQP: u16 = 5672;
    let mut through = Url::parse(url).map_err(|error| error.to_string())?;
    let host = through.host_str().unwrap_or("127.0.0.1").to_owned();
    let proxy = Proxy::start(&host, through.port().unwrap_or(AMQP), state == BrokerState::Up)
        .await
        .map_err(|error| error.to_string())?;
    // An AMQP URL that has a host takes another one, and a port.
    let _ = through.set_host(Some("127.0.0.1"));
    let _ = through.set_port(Some(proxy.port()));
    Ok((proxy, through.to_string()))
}

struct Stage {
    authorities: Vec<String>,
    link: BrokerLink,
    events: EventShape,
    proxy: Option<Proxy>,
    processes: Vec<Process>,
    recorder: Recorder,
}

struct Process {
    subject: Subject,
    /// Tells the trace when the process ends.
    watch: JoinHandle<()>,
}

impl Stage {
    fn watch(&mut self, subject: Subject, port: u16) {
        self.authorities.push(format!("127.0.0.1:{port}"));
        let watch = self.tell_end(&subject, |status| Event::SubjectDied { status });
        self.processes.push(Process { subject, watch });
    }

    fn tell_end(&self, subject: &Subject, as_event: fn(String) -> Event) -> JoinHandle<()> {
        let (end, recorder) = (subject.end(), self.recorder.clone());
        tokio::spawn(async move {
            let event = as_event(end.await);
            recorder.record(Actor::gateway(), None, event).await;
        })
    }

    /// What stands between gateway and broker.
    fn proxy(&self) -> Result<&Proxy, StageError> {
        let nothing = || StageError::Failed("nothing stands between gateway and broker".to_owned());
        self.proxy.as_ref().ok_or_else(nothing)
    }

    /// The process that steps act on.
    fn first(&mut self) -> Result<&mut Process, StageError> {
        let unavailable = || StageError::Unavailable("needs a gateway that gatecheck starts".to_owned());
        self.processes.first_mut().ok_or_else(unavailable)
    }
}

impl GatewayStage for Stage {
    type Stream = TcpStream;

    fn host(&self, gateway: usize) -> String {
        self.authorities[gateway - 1].clone()
    }

    async fn dial(&self, gateway: usize) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(&self.authorities[gateway - 1]).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    fn reset(stream: TcpStream) {
        proxy::reset(stream);
    }

    async fn publish(&mut self, body: &str, routing_key: &str) -> Result<(), StageError> {
        self.link.publish(&self.events.body(body), &self.events.routing_key(routing_key)).await
    }

    async fn topology(&mut self) -> Result<TopologyReport, StageError> {
        self.link.topology().await
    }

    async fn queue_ready(&mut self) -> Result<u32, StageError> {
        self.link.ready_when_unconsumed().await
    }

    async fn set_broker(&mut self, state: BrokerState) -> Result<(), StageError> {
        self.proxy()?.set_open(state == BrokerState::Up);
        Ok(())
    }

    async fn act_on_broker_link(&mut self, act: &NetworkAct, times: &Times) -> Result<(), StageError> {
        act.apply(self.proxy()?.network(), times);
        Ok(())
    }

    async fn log(&mut self) -> Result<String, StageError> {
        Ok(self.first()?.subject.output().await.join("\n"))
    }

    async fn shut_down(&mut self) -> Result<(), StageError> {
        self.first()?.watch.abort();
        let asked = &self.processes[0].subject;
        let watch = self.tell_end(asked, |status| Event::Ended { status });
        asked.terminate();
        self.processes[0].watch = watch;
        Ok(())
    }

    async fn kill_gateway(&mut self) -> Result<(), StageError> {
        let process = self.first()?;
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
        let mut subject = Subject::spawn(command, &values, &executor.profile.folder, Streams::Kept)?;
        let waited = tokio::select! {
            biased;
            status = subject.end() => Err(format!("the gateway ended before it was ready: {status}")),
            readiness = await_ready(port, ready) => readiness,
        };
        match waited {
            Ok(()) => return Ok((subject, port)),
            Err(_) if attempt < STARTS && subject.ended().is_some() => attempt += 1,
            Err(reason) => {
                subject.kill().await;
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
