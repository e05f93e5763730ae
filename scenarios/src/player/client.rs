//! Plays a scenario about a client.

use protocol::Timing;
use serde_json::{Value, json};

use super::adapter::{Adapter, Answer};
use super::journal::{Journal, Recorder};
use super::script::ScriptedGateway;
use super::stage::{ClientStage, Play, PlayError, Setting};
use crate::scenario::{Action, ClientAct, Scenario, Step};
use crate::trace::{Actor, Event};

/// What every client emits by itself; the harness listens from the start.
const OWN_EVENTS: [&str; 3] = ["connected", "max_reconnect_attempts", "error"];
/// The listener that is there from the start.
const LISTENER: &str = "main";

/// Plays the steps; `scenario` is bound already.
pub async fn play<S: ClientStage>(
    scenario: &Scenario,
    setting: &Setting,
    stage: &mut S,
    recorder: &Recorder,
    journal: Journal,
) -> Play {
    let url = stage.url();
    let (listener, requests, reports) = stage.take();
    let gateway =
        ScriptedGateway::start(listener, scenario.gateway.clone(), setting.clone(), recorder.clone());
    let adapter = Adapter::start(requests, reports, recorder.clone());
    let mut player = Player { setting, gateway, adapter, journal };
    let outcome = match player.run(scenario, &url).await {
        // A process that died says more than a request that it left unanswered.
        Err(PlayError::Adapter(reason)) => {
            let died = player.journal.quiet(setting.times.slack).await;
            Err(died.err().unwrap_or(PlayError::Adapter(reason)))
        }
        outcome => outcome,
    };
    Play { trace: player.journal.finish(), outcome }
}

struct Player<'a> {
    setting: &'a Setting,
    gateway: ScriptedGateway,
    adapter: Adapter,
    journal: Journal,
}

/// Whether the steps go on.
#[derive(PartialEq)]
enum Next {
    Go,
    Unmet,
}

impl Player<'_> {
    async fn run(&mut self, scenario: &Scenario, url: &str) -> Result<(), PlayError> {
        self.ask("configure", self.configuration(scenario, url)).await?;
        let own = OWN_EVENTS.into_iter().map(str::to_owned);
        for name in own.chain(scenario.client.listen.iter().cloned()) {
            self.ask("on", json!({ "name": name, "listener": LISTENER, "fails": false })).await?;
        }
        for (number, step) in (1..).zip(&scenario.steps) {
            let action = step.action.to_string();
            self.journal.write(Actor::scenario(), None, Event::Step { number, action });
            if self.step(number, step).await? == Next::Unmet {
                return Ok(());
            }
        }
        Ok(())
    }

    async fn step(&mut self, number: usize, step: &Step) -> Result<Next, PlayError> {
        let times = &self.setting.times;
        match &step.action {
            Action::Wait { pattern, times: count, within } => {
                let within =
                    within.as_ref().map_or(times.patience, |expr| expr.duration(times) + times.slack);
                if !self.journal.until(pattern, count.count(times), 0, within).await?
                    && let Some(requires) = &step.requires
                {
                    let detail = format!("no: {pattern}");
                    let event = Event::Unmet { step: number, requires: requires.clone(), detail };
                    self.journal.write(Actor::scenario(), None, event);
                    return Ok(Next::Unmet);
                }
            }
            Action::Quiet(time) => self.journal.quiet(time.duration(times)).await?,
            Action::Client(act) => {
                let (op, fields) = request(act);
                self.ask(op, fields).await?;
            }
            Action::Gateway(act) => self.journal.during(self.gateway.act(act.clone())).await,
            Action::Probe(..)
            | Action::Get { .. }
            | Action::Publish(_)
            | Action::Inspect(_)
            | Action::Broker(_)
            | Action::ShutDown
            | Action::KillGateway => {
                return Err(PlayError::Harness("a scenario about a client has no such step".to_owned()));
            }
        }
        Ok(Next::Go)
    }

    /// Asks the client. That it refuses is an observation; that it cannot ends the play.
    async fn ask(&mut self, op: &str, fields: Value) -> Result<(), PlayError> {
        let patience = self.setting.times.patience;
        let answer = self.journal.during(tokio::time::timeout(patience, self.adapter.ask(op, fields))).await;
        let silent = || PlayError::Adapter(format!("the adapter did not answer `{op}` within {patience:?}"));
        match answer.map_err(|_| silent())?? {
            Answer::Ok => {}
            Answer::Unsupported => {
                return Err(PlayError::NotRun(format!("the client does not support `{op}`")));
            }
            Answer::Error(error) => {
                let event = Event::RequestFailed { op: op.to_owned(), error };
                self.journal.write(Actor::client(), None, event);
            }
        }
        Ok(())
    }

    fn configuration(&self, scenario: &Scenario, url: &str) -> Value {
        let setup = &scenario.client;
        let url = if setup.query.is_empty() { url.to_owned() } else { format!("{url}?{}", setup.query) };
        let mut options = options(&self.setting.times.timing, self.setting.seed);
        for (name, value) in &setup.options {
            options[name] = value.clone();
        }
        json!({ "url": url, "token": setup.token, "options": options, "dialect": self.setting.dialect })
    }
}

/// The timing as the adapter protocol has it: milliseconds, by the seed's own names.
fn options(timing: &Timing, seed: u64) -> Value {
    let ms = |duration: std::time::Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    json!({
        "reconnectDelay": ms(timing.reconnect_delay),
        "maxReconnectDelay": ms(timing.max_reconnect_delay),
        "maxReconnectAttempts": timing.max_reconnect_attempts,
        "jitter": timing.jitter,
        "pingInterval": ms(timing.ping_interval),
        "pongTimeout": ms(timing.pong_timeout),
        "connectTimeout": ms(timing.connect_timeout),
        "stableAfter": ms(timing.stable_after),
        "seed": seed,
    })
}

fn request(act: &ClientAct) -> (&'static str, Value) {
    match act {
        ClientAct::Connect => ("connect", json!({})),
        ClientAct::Disconnect => ("disconnect", json!({})),
        ClientAct::Send { kind, payload } => {
            ("send", json!({ "message": { "type": kind, "payload": payload } }))
        }
        ClientAct::Subscribe(target) => ("subscribe", json!({ "target": target })),
        ClientAct::Unsubscribe(target) => ("unsubscribe", json!({ "target": target })),
        ClientAct::Listen { name, listener, fails } => {
            ("on", json!({ "name": name, "listener": listener, "fails": fails }))
        }
        ClientAct::Unlisten { name, listener } => ("off", json!({ "name": name, "listener": listener })),
        ClientAct::SetToken(token) => ("set_token", json!({ "token": token })),
    }
}
