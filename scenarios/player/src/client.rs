//! Plays a scenario about a client.

use scenarios::NotPlayed;
use std::time::Duration;

use protocol::adapter::{Configure, Operation, Options};

use super::adapter::Adapter;
use super::adapters::Adapters;
use super::faulty_listener::FaultyListener;
use super::journal::{Journal, Recorder};
use super::script::ScriptedGateway;
use super::stage::{ClientStage, Play, PlayError, Setting, StageError};
use super::{SETTLING, log_tail};
use scenarios::scenario::{ClientAction, ClientScript, ClientSetup, GatewayAct, Step, UrlSource};
use scenarios::trace::{Actor, Event};
use wire::link::Network;

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
    let started = (1..).zip(stage.take_adapters()).map(start).collect();
    let (adapters, printed) = (Adapters::new(started, script.answer()), String::new());
    let mut player = Player { setting, stage, gateway, network, adapters, journal, printed };
    let flood = player.journal.flood();
    let outcome = match flood.end(player.run(script, &url)).await {
        // A process that died says more than a request that it left unanswered.
        Err(PlayError::Adapter(reason)) => {
            let died = player.journal.quiet(setting.times.slack).await;
            Err(died.err().unwrap_or(PlayError::Adapter(reason)))
        }
        outcome => outcome,
    };
    Play { trace: player.journal.finish(&outcome), outcome }
}

struct Player<'a, S> {
    setting: &'a Setting,
    stage: &'a mut S,
    gateway: ScriptedGateway,
    /// What is between gateway and clients.
    network: Network,
    /// One, or a fleet.
    adapters: Adapters,
    journal: Journal,
    /// What of the log has been read.
    printed: String,
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
            self.adapters.ask(&mut self.journal, client, Operation::Configure(configure)).await?;
            self.adapters.listen(&mut self.journal, client, &script.client.listen).await?;
        }
        self.steps(script).await?;
        self.adapters.catch_up(&mut self.journal).await?;
        self.journal.write(Actor::scenario(), None, Event::StepsEnded);
        self.journal.quiet(SETTLING).await?;
        if let Ok(log) = self.journal.during(self.stage.log()).await {
            self.journal.write(Actor::client(), None, Event::Log { text: log_tail(&log) });
        }
        self.journal.quiet(Duration::ZERO).await
    }

    async fn steps(&mut self, script: &ClientScript) -> Result<(), PlayError> {
        let mut begins = 0;
        for (number, step) in (1..).zip(&script.steps) {
            let action = step.action.to_string();
            if number == script.preamble + 1 {
                begins = self.journal.trace().observations.len();
            }
            self.journal.write(Actor::scenario(), None, Event::Step { number, action });
            self.stage.begin_step(number);
            if self.step(number, step, begins).await? == Next::InVain {
                return Ok(());
            }
        }
        self.stage.begin_step(script.steps.len() + 1);
        Ok(())
    }

    /// Plays a step; what it waits for is counted from this index of the trace on.
    async fn step(
        &mut self,
        number: usize,
        step: &Step<ClientAction>,
        begins: usize,
    ) -> Result<Next, PlayError> {
        let times = &self.setting.times;
        match &step.action {
            ClientAction::Wait(wait) => {
                let window = wait.window(times);
                let came = self.journal.until(&wait.pattern, wait.count(times), begins, window).await?;
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
            ClientAction::Client(act) => self.adapters.act(&mut self.journal, act).await?,
            ClientAction::Process(act) => {
                let done = self.journal.during(self.stage.signal(*act)).await;
                done.map_err(backstage)?;
                let what = act.fault().to_owned();
                self.journal.write(Actor::client(), None, Event::Fault { what });
            }
            ClientAction::ReadResources => {
                let held = self.journal.during(self.stage.resources()).await.map_err(backstage)?;
                self.journal.write(Actor::client(), None, Event::Resources(held));
            }
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

    /// Reads what has been printed since the last time.
    async fn read_log(&mut self) -> Result<(), PlayError> {
        let log = self.journal.during(self.stage.log()).await.map_err(backstage)?;
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

/// What a stage lacks makes a case not run; anything else is the harness's.
fn backstage(error: StageError) -> PlayError {
    match error {
        StageError::Unavailable(reason) => PlayError::NotRun(NotPlayed::in_this_run(reason)),
        other => PlayError::Harness(other.to_string()),
    }
}
