//! Plays a scenario about a client.

use std::collections::BTreeSet;
use std::time::Duration;

use protocol::adapter::{Configure, Message, Operation, Options, Outcome};
use protocol::{Target, Timing};
use serde_json::{Value, json};

use super::adapter::Adapter;
use super::faulty_listener::FaultyListener;
use super::journal::{Journal, Recorder};
use super::script::ScriptedGateway;
use super::stage::{ClientStage, Play, PlayError, Setting, StageError};
use super::{SETTLING, log_tail};
use scenarios::scenario::{ClientAct, ClientAction, ClientScript, ClientSetup, GatewayAct, Step, UrlSource};
use scenarios::trace::{Actor, Event, Reading};
use wire::link::Network;

/// What every client emits by itself; the harness listens from the start.
const OWN_EVENTS: [&str; 3] = ["connected", "max_reconnect_attempts", "error"];
/// The listener that is there from the start.
const LISTENER: &str = "main";

/// Plays the steps; `scenario` is bound already.
pub async fn play<S: ClientStage>(
    script: &ClientScript,
    setting: &Setting,
    stage: &mut S,
    recorder: &Recorder,
    journal: Journal,
) -> Play {
    let url = stage.url();
    let (listener, spec) = (stage.take_listener(), script.gateway.clone());
    let network = Network::new();
    let gateway = if script.disturbs_client() {
        let listener = FaultyListener::new(listener, network.clone());
        ScriptedGateway::start(listener, spec, setting.clone(), recorder.clone())
    } else {
        ScriptedGateway::start(listener, spec, setting.clone(), recorder.clone())
    };
    let start = |(number, (requests, reports))| {
        let actor = if script.client.fleet { Actor::client_of_fleet(number) } else { Actor::client() };
        let statuses = setting.times.design.statuses.clone();
        Adapter::start(requests, reports, actor, recorder.clone(), statuses)
    };
    let adapters = (1..).zip(stage.take_adapters()).map(start).collect();
    let (longest, printed, done) = (script.answer(), String::new(), BTreeSet::new());
    let mut player = Player { setting, stage, gateway, network, adapters, longest, journal, printed, done };
    let outcome = match player.run(script, &url).await {
        // A process that died says more than a request that it left unanswered.
        Err(PlayError::Adapter(reason)) => {
            let died = player.journal.quiet(setting.times.slack).await;
            Err(died.err().unwrap_or(PlayError::Adapter(reason)))
        }
        outcome => outcome,
    };
    Play { trace: player.journal.finish(), outcome }
}

struct Player<'a, S> {
    setting: &'a Setting,
    stage: &'a mut S,
    gateway: ScriptedGateway,
    /// What is between gateway and clients.
    network: Network,
    /// One, or a fleet.
    adapters: Vec<Adapter>,
    /// How long each may take for an answer.
    longest: Duration,
    journal: Journal,
    /// What of the log has been read.
    printed: String,
    /// Requests that have been done, by name.
    done: BTreeSet<String>,
}

/// Whether the steps go on.
#[derive(PartialEq)]
enum Next {
    Go,
    InVain,
}

impl<S: ClientStage> Player<'_, S> {
    async fn run(&mut self, script: &ClientScript, url: &str) -> Result<(), PlayError> {
        for client in 0..self.adapters.len() {
            let configure = Box::new(self.configuration(&script.client, url, client));
            self.ask(client, Operation::Configure(configure)).await?;
            let own = OWN_EVENTS.into_iter().map(str::to_owned);
            for name in own.chain(script.client.listen.iter().cloned()) {
                let listener = LISTENER.to_owned();
                self.ask(client, Operation::On { name, listener, fails: false }).await?;
            }
        }
        self.steps(script).await?;
        self.catch_up().await?;
        self.journal.write(Actor::scenario(), None, Event::StepsEnded);
        self.journal.quiet(SETTLING).await?;
        if let Ok(log) = self.journal.during(self.stage.log()).await {
            self.journal.write(Actor::client(), None, Event::Log { text: log_tail(&log) });
        }
        self.journal.quiet(Duration::ZERO).await
    }

    async fn steps(&mut self, script: &ClientScript) -> Result<(), PlayError> {
        for (number, step) in (1..).zip(&script.steps) {
            let action = step.action.to_string();
            self.journal.write(Actor::scenario(), None, Event::Step { number, action });
            self.stage.begin_step(number);
            if self.step(number, step).await? == Next::InVain {
                return Ok(());
            }
        }
        self.stage.begin_step(script.steps.len() + 1);
        Ok(())
    }

    async fn step(&mut self, number: usize, step: &Step<ClientAction>) -> Result<Next, PlayError> {
        let times = &self.setting.times;
        match &step.action {
            ClientAction::Wait(wait) => {
                let window = wait.window(times);
                let came = self.journal.until(&wait.pattern, wait.count(times), 0, window).await?;
                // Every step that waits has a label: the file is checked.
                if !came && let Some(label) = &step.label {
                    let detail = wait.pattern.missing_in(self.journal.trace());
                    self.journal.in_vain(number, label.clone(), detail, window);
                    return Ok(Next::InVain);
                }
            }
            ClientAction::Quiet(time) => self.journal.quiet(time.duration(times)).await?,
            ClientAction::Network(act) => {
                let what = format!("the network {act}");
                self.journal.write(Actor::client(), None, Event::Fault { what });
                self.network.apply(act.change(times));
            }
            ClientAction::Client(act) => self.act(act).await?,
            ClientAction::ReadLog => self.read_log().await?,
            ClientAction::Gateway(act) => {
                if let GatewayAct::Stall(_) = act {
                    let what = format!("the gateway: {act}");
                    self.journal.write(Actor::client(), None, Event::Fault { what });
                }
                self.journal.during(self.gateway.act(act.clone())).await;
            }
        }
        Ok(Next::Go)
    }

    /// Sends the request to each client, and records it as an observation.
    async fn act(&mut self, act: &ClientAct) -> Result<(), PlayError> {
        for client in 0..self.adapters.len() {
            for number in 1..=act.requests() {
                let value = self.ask(client, operation(act, number)).await?;
                if let (ClientAct::Read(what), Some(value)) = (act, value) {
                    let actor = self.adapters[client].actor().clone();
                    self.journal.write(actor, None, Event::Read { what: what.clone(), value });
                }
            }
        }
        Ok(())
    }

    /// Asks a client. That it refuses is an observation; that it cannot ends the play.
    async fn ask(&mut self, client: usize, operation: Operation) -> Result<Option<Value>, PlayError> {
        let (adapter, longest) = (&self.adapters[client], self.longest);
        let (op, special) = (operation.name(), special(&operation));
        let answer = self.journal.during(tokio::time::timeout(longest, adapter.ask(operation))).await;
        let silent = || PlayError::Adapter(format!("the adapter did not answer `{op}` within {longest:?}"));
        match answer.map_err(|_| silent())?? {
            Outcome::Done { value, config, .. } => {
                self.done.insert(op);
                Ok(Some(config.or(value).unwrap_or_default()))
            }
            Outcome::Unsupported { .. } => {
                let again = if self.done.contains(&op) { " once more, where it stands" } else { "" };
                Err(PlayError::NotRun(format!("the client does not support `{op}`{special}{again}")))
            }
            Outcome::Error { error } => {
                let event = Event::RequestFailed { op, error };
                self.journal.write(adapter.actor().clone(), None, event);
                Ok(None)
            }
        }
    }

    /// Lets the trace have what the clients have reported by now, and asks each whether it is alive. The wire may be faster than
    /// their pipes: whatever one prints before an answer has been read when that comes. What the answer is does not matter.
    async fn catch_up(&mut self) -> Result<(), PlayError> {
        for adapter in &self.adapters {
            let asked = tokio::time::timeout(self.longest, adapter.ask(Operation::Status));
            let silent = |_| {
                PlayError::Adapter(format!("the adapter did not answer `status` within {:?}", self.longest))
            };
            self.journal.during(asked).await.map_err(silent)??;
        }
        Ok(())
    }

    /// Reads what has been printed since the last time.
    async fn read_log(&mut self) -> Result<(), PlayError> {
        let log = self.journal.during(self.stage.log()).await.map_err(|error| match error {
            StageError::Unavailable(reason) => PlayError::NotRun(reason),
            other => PlayError::Harness(other.to_string()),
        })?;
        // If the beginning of the log was dropped, all that is left is new.
        let text = log.strip_prefix(self.printed.as_str()).unwrap_or(&log).to_owned();
        self.printed = log;
        self.journal.write(Actor::client(), None, Event::Log { text });
        Ok(())
    }

    fn configuration(&self, setup: &ClientSetup, url: &str, client: usize) -> Configure {
        let usual = if setup.defaults {
            Options::default()
        } else {
            // Clients of a fleet that draw the same numbers would return in lockstep.
            let seed = self.setting.seed.wrapping_add(client as u64);
            Options { seed: Some(seed), ..Options::from(&self.setting.times.timing) }
        };
        let url = (setup.url == UrlSource::Configured).then(|| match setup.query.as_str() {
            "" => url.to_owned(),
            query => format!("{url}?{query}"),
        });
        Configure {
            url,
            token: setup.token_of(client + 1),
            options: setup.options.or(usual),
            dialect: self.setting.dialect.clone(),
        }
    }
}

/// What is special about a request that other requests of its name need not have.
fn special(operation: &Operation) -> String {
    match operation {
        Operation::Subscribe { target } | Operation::Unsubscribe { target } => match target {
            Target::EventType(_) => " by `eventType`".to_owned(),
            Target::Room(_) => " by `room`".to_owned(),
        },
        Operation::Configure(configure) => {
            let usual = Options { seed: Some(0), ..Options::from(&Timing::default()) };
            let (usual, asked) = (json!(usual), json!(configure.options));
            let names = asked.as_object().into_iter().flat_map(|options| options.keys());
            let unusual: Vec<_> = names
                .filter(|name| usual.get(name.as_str()).is_none())
                .map(|name| format!("`{name}`"))
                .collect();
            if unusual.is_empty() { String::new() } else { format!(" with {}", unusual.join(", ")) }
        }
        _ => String::new(),
    }
}

/// The request for an act; `number` counts those of one act from 1.
fn operation(act: &ClientAct, number: u32) -> Operation {
    match act.clone() {
        ClientAct::Connect => Operation::Connect,
        ClientAct::Disconnect => Operation::Disconnect,
        ClientAct::Send { kind, mut payload, count } => {
            if count > 1 {
                payload["seq"] = json!(number);
            }
            Operation::Send { message: Message { kind, payload } }
        }
        ClientAct::Subscribe(target) => Operation::Subscribe { target },
        ClientAct::Unsubscribe(target) => Operation::Unsubscribe { target },
        ClientAct::Listen { name, listener, fails } => Operation::On { name, listener, fails },
        ClientAct::Unlisten { name, listener } => Operation::Off { name, listener },
        ClientAct::SetToken(token) => Operation::SetToken { token },
        ClientAct::GiveToken(token) => Operation::Token { token },
        ClientAct::SetUser(user) => Operation::SetUser { user },
        ClientAct::Mount { name, hook } => Operation::Mount { name, hook },
        ClientAct::Unmount(name) => Operation::Unmount { name },
        ClientAct::Observe(key) => Operation::Observe { key },
        ClientAct::SetQuery { key, value } => Operation::SetQuery { key, value },
        ClientAct::Read(Reading::Query(key)) => Operation::GetQuery { key },
        ClientAct::Read(Reading::Consumer(name)) => Operation::Read { name },
        ClientAct::Read(Reading::Configuration) => Operation::Config,
    }
}
