//! Plays a scenario about a gateway.

mod broker;

use scenarios::NotPlayed;
use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::journal::{Journal, Recorder};
use super::rest::Rest;
use super::scripted_client::ScriptedClient;
use super::stage::{GatewayStage, Play, PlayError, Setting, StageError};
use super::{SETTLING, log_tail};
use scenarios::label::Label;
use scenarios::pattern::Pattern;
use scenarios::scenario::{
    AFTERWARDS, ClientSpec, Connect, GatewayAction, GatewayScript, Publication, Scenario, ScriptedClientAct,
    Settings, Step,
};
use scenarios::trace::{Actor, Event, FrameKind, Message, Observation};
use wire::page;

/// Longest time that a step gives the gateway to take in what was sent, where nothing is judged by it.
const SETTLE: Duration = Duration::from_secs(1);
/// How soon an event is published again that is published until something happens.
const PUBLISH_AGAIN: Duration = Duration::from_millis(100);
/// What a settling ping frame carries.
const SETTLING_PING: &[u8] = b"settle";
/// What a ping frame carries that asks whether a connection is alive.
const ALIVE_PING: &[u8] = b"alive";

/// Plays the steps; `scenario` is bound already.
pub async fn play<S: GatewayStage>(
    scenario: &Scenario,
    script: &GatewayScript,
    setting: &Setting,
    stage: &mut S,
    recorder: &Recorder,
    journal: Journal,
) -> Play {
    let mut player = Player::new(scenario, setting, stage, recorder, journal);
    player.clients = script
        .clients
        .iter()
        .map(|(name, spec)| {
            let user_id = scenario.user_id(name, &setting.bindings);
            (
                name.clone(),
                ScriptedClient::new(name, user_id, spec.clone(), script.disturbs_scripted_client(name)),
            )
        })
        .collect();
    let flood = player.journal.flood();
    let outcome = flood.end(player.run(script)).await;
    Play { trace: player.journal.finish(&outcome), outcome }
}

pub(super) struct Player<'a, S> {
    scenario: &'a Scenario,
    pub(super) setting: &'a Setting,
    pub(super) stage: &'a mut S,
    recorder: &'a Recorder,
    pub(super) journal: Journal,
    /// What steps rest on that say nothing of it.
    pub(super) rest: Rest,
    pub(super) clients: BTreeMap<String, ScriptedClient>,
}

/// Whether the steps go on.
#[derive(PartialEq)]
pub(super) enum Next {
    Go,
    InVain,
}

impl<'a, S: GatewayStage> Player<'a, S> {
    /// One without scripted clients.
    pub(super) fn new(
        scenario: &'a Scenario,
        setting: &'a Setting,
        stage: &'a mut S,
        recorder: &'a Recorder,
        journal: Journal,
    ) -> Self {
        let rest = Rest::of(scenario);
        Self { scenario, setting, stage, recorder, journal, rest, clients: BTreeMap::new() }
    }
}

impl<S: GatewayStage> Player<'_, S> {
    async fn run(&mut self, script: &GatewayScript) -> Result<(), PlayError> {
        let played = self.steps(script).await?;
        self.journal.write(Actor::scenario(), None, Event::StepsEnded);
        self.journal.quiet(SETTLING).await?;
        if played == Next::Go && !script.leaves_no_gateway() {
            self.afterwards(script).await?;
        }
        if let Ok(log) = self.journal.during(self.stage.log()).await {
            self.journal.write(Actor::gateway(), None, Event::Log { text: log_tail(&log) });
        }
        self.journal.quiet(Duration::ZERO).await
    }

    async fn steps(&mut self, script: &GatewayScript) -> Result<Next, PlayError> {
        for (name, spec) in &script.clients {
            if spec.connect == Connect::Start && self.connect(name, 0, None).await? == Next::InVain {
                return Ok(Next::InVain);
            }
        }
        for (number, step) in (1..).zip(&script.steps) {
            let action = step.action.to_string();
            self.journal.write(Actor::scenario(), None, Event::Step { number, action });
            self.stage.begin_step(number);
            if self.step(number, step).await? == Next::InVain {
                return Ok(Next::InVain);
            }
        }
        self.stage.begin_step(script.steps.len() + 1);
        Ok(Next::Go)
    }

    pub(super) async fn step(
        &mut self,
        number: usize,
        step: &Step<GatewayAction>,
    ) -> Result<Next, PlayError> {
        let times = &self.setting.times;
        match &step.action {
            GatewayAction::Wait(wait) => {
                let window = wait.window(times);
                if self.journal.until(&wait.pattern, wait.count(times), 0, window).await? {
                    return Ok(Next::Go);
                }
                return Ok(self.in_vain(number, step.label.as_ref(), &wait.pattern, window));
            }
            GatewayAction::Quiet(time) => self.journal.quiet(time.duration(times)).await?,
            GatewayAction::ScriptedClient(client, ScriptedClientAct::Connect) => {
                return self.connect(client, number, step.label.as_ref()).await;
            }
            GatewayAction::ScriptedClient(client, ScriptedClientAct::Churn { count, rounds }) => {
                return self.churn(client, (*count, *rounds), number).await;
            }
            GatewayAction::ScriptedClient(client, act) => self.act(client, act).await?,
            GatewayAction::Get { client, path } => self.get(client, path).await,
            GatewayAction::Publish { publication, until, within, .. } if !until.is_empty() => {
                let within = within.as_ref().map_or(times.patience, |within| within.duration(times));
                return self.publish_until(number, publication, (until, within), step.label.as_ref()).await;
            }
            GatewayAction::Publish { publication, .. } => {
                let done = self.publish(publication).await;
                return self.after_backstage(number, step.label.as_ref(), done);
            }
            GatewayAction::Inspect(inspection) => {
                let done = self.inspect(*inspection).await;
                return self.after_backstage(number, step.label.as_ref(), done);
            }
            GatewayAction::Broker(act) => {
                let done = self.broker(act).await;
                return self.after_backstage(number, None, done);
            }
            GatewayAction::ShutDown => {
                self.journal.write(Actor::gateway(), None, Event::Fault { what: "asked to end".to_owned() });
                let done = self.journal.during(self.stage.shut_down()).await;
                return self.after_backstage(number, None, done);
            }
            GatewayAction::Kill => {
                let done = self.journal.during(self.stage.kill_gateway()).await;
                self.journal.write(Actor::gateway(), None, Event::Fault { what: "killed".to_owned() });
                return self.after_backstage(number, None, done);
            }
            GatewayAction::Start => {
                let done = self.journal.during(self.stage.start_gateway()).await;
                if done.is_ok() {
                    self.journal.write(
                        Actor::gateway(),
                        None,
                        Event::Fault { what: "started again".to_owned() },
                    );
                }
                return self.after_backstage(number, None, done);
            }
        }
        Ok(Next::Go)
    }

    /// Connects a client and lets the gateway finish what it does on a new connection.
    async fn connect(
        &mut self,
        client: &str,
        number: usize,
        label: Option<&Label>,
    ) -> Result<Next, PlayError> {
        let scripted = self.clients.get_mut(client).expect("scenarios name their clients");
        let start = self.journal.trace().observations.len();
        self.journal.during(scripted.connect(self.stage, self.setting, self.recorder)).await;
        let connection = scripted.connection();
        let actor = Actor(client.to_owned());
        let is_welcome = scripted.is_welcome();
        if !scripted.signs_in() || scripted.only_begins() {
            // One that says nothing is told nothing that could be waited for.
            self.journal.quiet(Duration::ZERO).await?;
            return Ok(Next::Go);
        }
        scripted.ping_frame(SETTLING_PING).await;
        let own = |seen: &Observation| seen.actor == actor && seen.connection == connection;
        let settled = |seen: &Observation| {
            let is_pong = matches!(&seen.event, Event::Received(frame) if frame.kind == FrameKind::Pong);
            own(seen) && (is_pong || ends(&seen.event))
        };
        self.journal.until_count(settled, 1, start, SETTLE).await?;
        let is_spoken = |event: &Event| {
            let is_data = |kind| matches!(kind, FrameKind::Text | FrameKind::Binary);
            matches!(event, Event::Received(frame) if is_data(frame.kind))
        };
        if self.setting.dialect.welcome_type().is_some() {
            // A gateway may answer a ping frame before it has let the client into its rooms; its first message says that it has,
            // whether that can be read as a welcome or not.
            let spoken = |seen: &Observation| own(seen) && (is_spoken(&seen.event) || ends(&seen.event));
            self.journal.until_count(spoken, 1, start, SETTLE).await?;
        }
        let seen = |matches: &dyn Fn(&Event) -> bool| {
            self.journal.trace().observations[start..]
                .iter()
                .filter(|seen| own(seen))
                .any(|seen| matches(&seen.event))
        };
        let opened = seen(&|event| matches!(event, Event::Opened));
        let closed = self.journal.trace().observations[start..].iter().find_map(|seen| match seen.event {
            Event::Closed { code, .. } if own(seen) => Some(code),
            _ => None,
        });
        if let Some(code) = closed.filter(|_| opened && !seen(&is_spoken)) {
            // A refusal that some dialects word as an upgrade followed by a close.
            let reason = "closed before any message".to_owned();
            self.journal.write(actor, connection, Event::Refused { status: None, code, by: None, reason });
        }
        if opened && closed.is_none() {
            return Ok(Next::Go);
        }
        let owed = is_welcome.then(|| self.rest.on("AUTH-1"));
        match label.or(owed.as_ref()) {
            Some(label) => {
                let detail = format!("{client} could not connect");
                self.journal.in_vain(number, label.clone(), detail, self.setting.times.patience);
                Ok(Next::InVain)
            }
            // Whether it gets in is what the scenario is about.
            None => Ok(Next::Go),
        }
    }

    /// Lets a client act. Where the gateway is asked for something, it is given time to answer.
    async fn act(&mut self, client: &str, act: &ScriptedClientAct) -> Result<(), PlayError> {
        let start = self.journal.trace().observations.len();
        let scripted = self.clients.get_mut(client).expect("scenarios name their clients");
        if let ScriptedClientAct::Network(change) = act {
            let what = format!("the network {change}");
            self.journal.write(Actor(client.to_owned()), scripted.connection(), Event::Fault { what });
        }
        let asks = matches!(act, ScriptedClientAct::Subscribe(_) | ScriptedClientAct::Unsubscribe(_));
        let is_stranger = !scripted.signs_in();
        let sign_in;
        let act = match act {
            ScriptedClientAct::SignIn(other) => {
                let whose = other.as_deref().unwrap_or(client);
                let bearer = self.clients.get_mut(whose).expect("scenarios name their clients");
                sign_in = ScriptedClientAct::SendText(bearer.sign_in_message(self.setting)?);
                &sign_in
            }
            ScriptedClientAct::BreakSignIn(how) => {
                let bearer = self.clients.get_mut(client).expect("scenarios name their clients");
                sign_in = ScriptedClientAct::SendText(bearer.broken_sign_in(*how, self.setting)?);
                &sign_in
            }
            act => act,
        };
        let scripted = self.clients.get_mut(client).expect("scenarios name their clients");
        let connection = scripted.connection();
        self.journal.during(scripted.act(act, self.setting)).await?;
        // What a stranger asks for need not be answered, and no one can answer where there is no connection any more.
        if !asks || is_stranger || !self.journal.trace().is_open(&Actor(client.to_owned()), connection) {
            return Ok(());
        }
        let acks = self.setting.dialect.acks;
        if !acks {
            self.journal.during(scripted.act(&ScriptedClientAct::Ping, self.setting)).await?;
        }
        let answered = |seen: &Observation| {
            if seen.actor.0 != client {
                return false;
            }
            let Event::Received(frame) = &seen.event else {
                return seen.connection == connection && ends(&seen.event);
            };
            let name = frame.message.as_ref().map(Message::name);
            match name {
                Some("subscribed" | "unsubscribed" | "error") => acks,
                Some("pong") => !acks,
                _ => false,
            }
        };
        self.journal.until_count(answered, 1, start, SETTLE).await?;
        Ok(())
    }

    /// Asks for a page. That there is none is an observation, not an error.
    async fn get(&mut self, client: &str, path: &str) {
        let gateway = self.clients[client].gateway();
        let (host, patience) = (self.stage.host(gateway), self.setting.times.patience);
        let ask = async {
            let stream = self.stage.dial(gateway).await?;
            page::get(stream, &host, path).await
        };
        let refused = |reason| Event::Refused { status: None, code: None, by: None, reason };
        let event = match self.journal.during(tokio::time::timeout(patience, ask)).await {
            Ok(Ok((status, body))) => Event::Answered { path: path.to_owned(), status, body },
            Ok(Err(error)) => refused(error.to_string()),
            Err(_) => refused(format!("no answer to GET {path}")),
        };
        self.journal.write(Actor(client.to_owned()), None, event);
    }

    /// A stage that lacks what a step rests on blames what the step's label says, or what the stage knows.
    pub(super) fn after_backstage(
        &mut self,
        number: usize,
        label: Option<&Label>,
        done: Result<(), StageError>,
    ) -> Result<Next, PlayError> {
        match done {
            Ok(()) => Ok(Next::Go),
            Err(StageError::Precondition { requires, detail, waited }) => {
                let label = label.cloned().unwrap_or_else(|| self.rest.on_requirement(requires));
                self.journal.in_vain(number, label, detail, waited);
                Ok(Next::InVain)
            }
            Err(StageError::Unavailable(reason)) => Err(PlayError::NotRun(NotPlayed::in_this_run(reason))),
            Err(StageError::Failed(reason)) => Err(PlayError::Harness(reason)),
        }
    }

    /// Publishes until every pattern has matched, or so much time has passed.
    async fn publish_until(
        &mut self,
        number: usize,
        publication: &Publication,
        (until, within): (&[Pattern], Duration),
        label: Option<&Label>,
    ) -> Result<Next, PlayError> {
        let tries = within.as_millis() / PUBLISH_AGAIN.as_millis();
        let mut missing = None;
        for _ in 0..tries {
            let done = self.publish(publication).await;
            if self.after_backstage(number, label, done)? == Next::InVain {
                return Ok(Next::InVain);
            }
            missing = None;
            for pattern in until {
                if !self.journal.until(pattern, 1, 0, PUBLISH_AGAIN).await? {
                    missing = Some(pattern);
                    break;
                }
            }
            if missing.is_none() {
                return Ok(Next::Go);
            }
        }
        Ok(missing.map_or(Next::Go, |pattern| self.in_vain(number, label, pattern, within)))
    }

    async fn publish(&mut self, publication: &Publication) -> Result<(), StageError> {
        let routing_key = publication.routing_key();
        let bodies = publication.bodies();
        bodies.iter().for_each(|body| self.journal.expects(body, self.clients.len()));
        // What a client receives meanwhile stands behind what was published.
        let place = self.journal.place();
        let as_sent = self.journal.during(self.stage.publish(&bodies, &routing_key)).await?;
        let as_sent = as_sent.into_iter().chain(std::iter::repeat(None));
        let queues = self.journal.during(self.stage.consumed_queues()).await;
        let published = bodies.into_iter().zip(as_sent).map(|(body, as_sent)| {
            let body = serde_json::from_str(&body).unwrap_or_else(|_| Value::String(body.clone()));
            Event::Published { routing_key: routing_key.clone(), body, queues, as_sent }
        });
        self.journal.write_at(place, &Actor::broker(), published);
        Ok(())
    }

    /// Whether the gateway is alive and serves: its connections, and a new one.
    async fn afterwards(&mut self, script: &GatewayScript) -> Result<(), PlayError> {
        let number = script.steps.len() + 1;
        let start = self.journal.trace().observations.len();
        let mut asked = Vec::new();
        for (name, scripted) in &mut self.clients {
            if scripted.is_plain()
                && self.journal.trace().is_open(&Actor(name.clone()), scripted.connection())
            {
                self.journal.during(scripted.ask_alive(ALIVE_PING, self.setting)).await;
                asked.push((Actor(name.clone()), scripted.connection()));
            }
        }
        let patience = self.setting.times.patience;
        for (actor, connection) in asked {
            let answered = |seen: &Observation| {
                seen.actor == actor && seen.connection == connection && is_answer(&seen.event)
            };
            if !self.journal.until_count(answered, 1, start, patience).await? {
                let detail = format!("{actor} was not answered after the last step");
                self.journal.in_vain(number, self.rest.on("MSG-2"), detail, patience);
                return Ok(());
            }
        }
        for gateway in 1..=script.gateways {
            self.sign_in_afterwards(number, gateway, &script.settings).await?;
        }
        Ok(())
    }

    async fn sign_in_afterwards(
        &mut self,
        number: usize,
        gateway: usize,
        settings: &Settings,
    ) -> Result<(), PlayError> {
        let spec = ClientSpec { gateway, origin: settings.allowed_origin.clone(), ..ClientSpec::default() };
        let name = if gateway == 1 { AFTERWARDS.to_owned() } else { format!("{AFTERWARDS}{gateway}") };
        let user_id = self.scenario.user_id(&name, &self.setting.bindings);
        let mut scripted = ScriptedClient::new(&name, user_id, spec, false);
        self.journal.during(scripted.connect(self.stage, self.setting, self.recorder)).await;
        // A gateway that has as many connections as it may takes no other; that it says so is a sign of life, too.
        let may_refuse = settings.limits_connections();
        let is_served = |event: &Event| match event {
            Event::Opened => true,
            Event::Refused { status, code, .. } => may_refuse && (status.is_some() || code.is_some()),
            _ => false,
        };
        self.journal.quiet(Duration::ZERO).await?;
        let mut own = self.journal.trace().observations.iter().filter(|seen| seen.actor.0 == name);
        if !own.any(|seen| is_served(&seen.event)) {
            let (detail, patience) =
                ("a new client could not connect".to_owned(), self.setting.times.patience);
            self.journal.in_vain(number, self.rest.on("AUTH-1"), detail, patience);
        }
        self.clients.insert(name, scripted);
        Ok(())
    }

    fn in_vain(&mut self, step: usize, label: Option<&Label>, pattern: &Pattern, waited: Duration) -> Next {
        // Every step that waits has a label: the file is checked.
        let Some(label) = label else { return Next::Go };
        let detail = pattern.missing_in(self.journal.trace());
        self.journal.in_vain(step, label.clone(), detail, waited);
        Next::InVain
    }
}

/// Whether no connection comes of an attempt, or one ends.
fn ends(event: &Event) -> bool {
    matches!(event, Event::Refused { .. } | Event::Closed { .. })
}

/// Whether that answers a client that has asked whether its gateway is alive. Heartbeats and events come from a gateway that hears
/// nothing, too.
fn is_answer(event: &Event) -> bool {
    match event {
        Event::Received(frame) => {
            let name = frame.message.as_ref().map(Message::name);
            frame.kind == FrameKind::Pong || matches!(name, Some("pong" | "error"))
        }
        Event::Closed { .. } => true,
        _ => false,
    }
}
