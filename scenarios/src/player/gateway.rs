//! Plays a scenario about a gateway.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::journal::{Journal, Recorder};
use super::probe::Probe;
use super::stage::{GatewayStage, Play, PlayError, Setting, StageError};
use crate::label::Label;
use crate::requirement::RequirementId;
use crate::scenario::{
    Action, BrokerAct, BrokerState, Connect, Inspection, ProbeAct, Publication, Scenario, Step,
};
use crate::trace::{Actor, Event, FrameKind, Message, Observation};
use crate::wire::handshake;

/// Longest time that a step gives the gateway to take in what was sent, where nothing is judged by it.
const SETTLE: Duration = Duration::from_secs(1);
/// How soon an event is published again that is published until something happens.
const PUBLISH_AGAIN: Duration = Duration::from_millis(100);
/// What a settling ping frame carries.
const SETTLING: &[u8] = b"settle";

/// Plays the steps; `scenario` is bound already.
pub async fn play<S: GatewayStage>(
    scenario: &Scenario,
    setting: &Setting,
    stage: &mut S,
    recorder: &Recorder,
    journal: Journal,
) -> Play {
    let probes = scenario.clients.iter().map(|(name, spec)| {
        let user_id = scenario.user_id(name, &setting.bindings);
        (name.clone(), Probe::new(name, user_id, spec.clone(), scenario.disturbs_probe(name)))
    });
    let mut player = Player { setting, stage, recorder, journal, probes: probes.collect() };
    let outcome = player.run(scenario).await;
    Play { trace: player.journal.finish(), outcome }
}

struct Player<'a, S> {
    setting: &'a Setting,
    stage: &'a mut S,
    recorder: &'a Recorder,
    journal: Journal,
    probes: BTreeMap<String, Probe>,
}

/// Whether the steps go on.
#[derive(PartialEq)]
enum Next {
    Go,
    Unmet,
}

impl<S: GatewayStage> Player<'_, S> {
    async fn run(&mut self, scenario: &Scenario) -> Result<(), PlayError> {
        for (name, spec) in &scenario.clients {
            if spec.connect == Connect::Start && self.connect(name, 0, None).await? == Next::Unmet {
                return Ok(());
            }
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
        match &step.action {
            Action::Wait { pattern, times, within } => {
                if pattern.needs_acknowledgement() && !self.setting.dialect.acks {
                    return Ok(Next::Go);
                }
                let times = times.count(&self.setting.times);
                let within = within.as_ref().map_or(self.setting.times.patience, |expr| {
                    expr.duration(&self.setting.times) + self.setting.times.slack
                });
                if self.journal.until(pattern, times, 0, within).await? {
                    return Ok(Next::Go);
                }
                return Ok(self.unmet(
                    number,
                    step.requires.as_ref(),
                    format!("no sign that {pattern}"),
                    within,
                ));
            }
            Action::Quiet(time) => self.journal.quiet(time.duration(&self.setting.times)).await?,
            Action::Probe(client, ProbeAct::Connect) => {
                return self.connect(client, number, step.requires.as_ref()).await;
            }
            Action::Probe(client, act) => self.act(client, act).await?,
            Action::Get { client, path } => self.get(client, path).await,
            Action::Publish(publication) if !publication.until.is_empty() => {
                return self.publish_until(number, publication, step.requires.as_ref()).await;
            }
            Action::Publish(_)
            | Action::Inspect(_)
            | Action::Broker(_)
            | Action::ShutDown
            | Action::KillGateway => {
                let done = self.backstage(&step.action).await;
                return self.after_backstage(number, done);
            }
            Action::Network(_) | Action::Client(_) | Action::Gateway(_) => {
                return Err(PlayError::Harness("a scenario about a gateway has no such step".to_owned()));
            }
        }
        Ok(Next::Go)
    }

    /// Connects a client and lets the gateway finish what it does on a new connection.
    async fn connect(
        &mut self,
        client: &str,
        number: usize,
        requires: Option<&RequirementId>,
    ) -> Result<Next, PlayError> {
        let probe = self.probes.get_mut(client).expect("scenarios name their clients");
        let start = self.journal.trace().observations.len();
        self.journal.during(probe.connect(self.stage, self.setting, self.recorder)).await;
        let connection = probe.connection();
        let actor = Actor(client.to_owned());
        let welcome = probe.is_welcome();
        probe.ping_frame(SETTLING).await;
        let settled = |seen: &Observation| {
            seen.actor == actor
                && seen.connection == connection
                && match &seen.event {
                    Event::Received(frame) => frame.kind == FrameKind::Pong,
                    Event::Refused { .. } | Event::Closed { .. } => true,
                    _ => false,
                }
        };
        self.journal.until_count(settled, 1, start, SETTLE).await?;
        if self.setting.dialect.welcome_type().is_some() {
            // A gateway may answer a ping frame before it has let the client into its rooms; the welcome says that it has.
            let welcomed = |seen: &Observation| {
                seen.actor == actor
                    && seen.connection == connection
                    && match &seen.event {
                        Event::Received(frame) => {
                            frame.message.as_ref().is_some_and(|message| message.name() == "welcome")
                        }
                        Event::Refused { .. } | Event::Closed { .. } => true,
                        _ => false,
                    }
            };
            self.journal.until_count(welcomed, 1, start, SETTLE).await?;
        }
        let seen = |matches: &dyn Fn(&Event) -> bool| {
            let own = |seen: &&Observation| seen.actor == actor && seen.connection == connection;
            self.journal.trace().observations[start..].iter().filter(own).any(|seen| matches(&seen.event))
        };
        let opened = seen(&|event| matches!(event, Event::Opened));
        let closed = seen(&|event| matches!(event, Event::Closed { .. }));
        let spoken = seen(
            &|event| matches!(event, Event::Received(frame) if matches!(frame.kind, FrameKind::Text | FrameKind::Binary)),
        );
        if opened && closed && !spoken {
            // A refusal that some dialects word as an upgrade followed by a close.
            let reason = "closed before any message".to_owned();
            self.journal.write(actor, connection, Event::Refused { status: None, reason });
        }
        if opened && !closed {
            return Ok(Next::Go);
        }
        let auth: RequirementId = "AUTH-1".parse().expect("a requirement");
        let taken_for_granted = requires.or(welcome.then_some(&auth));
        Ok(self.unmet(number, taken_for_granted, format!("{client} could not connect"), SETTLE))
    }

    /// Lets a client act. Where the gateway is asked for something, it is given time to answer.
    async fn act(&mut self, client: &str, act: &ProbeAct) -> Result<(), PlayError> {
        let start = self.journal.trace().observations.len();
        let probe = &self.probes[client];
        if let ProbeAct::Network(change) = act {
            let what = format!("the network {change}");
            self.journal.write(Actor(client.to_owned()), probe.connection(), Event::Fault { what });
        }
        self.journal.during(probe.act(act, self.setting)).await?;
        if !matches!(act, ProbeAct::Subscribe(_) | ProbeAct::Unsubscribe(_)) {
            return Ok(());
        }
        let acks = self.setting.dialect.acks;
        if !acks {
            self.journal.during(probe.act(&ProbeAct::Ping, self.setting)).await?;
        }
        let answered = |seen: &Observation| {
            let Event::Received(frame) = &seen.event else { return false };
            let name = frame.message.as_ref().map(Message::name);
            let answer = match name {
                Some("subscribed" | "unsubscribed" | "error") => acks,
                Some("pong") => !acks,
                _ => false,
            };
            seen.actor.0 == client && answer
        };
        self.journal.until_count(answered, 1, start, SETTLE).await?;
        Ok(())
    }

    /// Asks for a page. That there is none is an observation, not an error.
    async fn get(&mut self, client: &str, path: &str) {
        let gateway = self.probes[client].gateway();
        let (host, patience) = (self.stage.host(gateway), self.setting.times.patience);
        let ask = async {
            let mut stream = self.stage.dial(gateway).await?;
            handshake::get(&mut stream, &host, path).await
        };
        let event = match self.journal.during(tokio::time::timeout(patience, ask)).await {
            Ok(Ok((status, body))) => Event::Answered { path: path.to_owned(), status, body },
            Ok(Err(error)) => Event::Refused { status: None, reason: error.to_string() },
            Err(_) => Event::Refused { status: None, reason: format!("no answer to GET {path}") },
        };
        self.journal.write(Actor(client.to_owned()), None, event);
    }

    /// What happens behind the gateway's back: at the broker, and to its process.
    async fn backstage(&mut self, action: &Action) -> Result<(), StageError> {
        match action {
            Action::Publish(publication) => self.publish(publication).await?,
            Action::Inspect(Inspection::Topology) => {
                let report = self.journal.during(self.stage.topology()).await?;
                let event = Event::Topology { exchange: report.exchange, queue: report.queue };
                self.journal.write(Actor::broker(), None, event);
            }
            Action::Inspect(Inspection::Queue) => {
                let ready = self.journal.during(self.stage.queue_ready()).await?;
                self.journal.write(Actor::broker(), None, Event::QueueDepth { ready });
            }
            Action::Inspect(Inspection::Log) => {
                let text = self.journal.during(self.stage.log()).await?;
                self.journal.write(Actor::gateway(), None, Event::Log { text });
            }
            Action::Broker(BrokerAct::Network(act)) => {
                self.journal.during(self.stage.act_on_broker_link(act, &self.setting.times)).await?;
                let what = format!("the network {act}");
                self.journal.write(Actor::broker(), None, Event::Fault { what });
            }
            Action::Broker(BrokerAct::Forgets(_)) => {
                self.journal.during(self.stage.forget()).await?;
                let what = "has lost exchange and queue".to_owned();
                self.journal.write(Actor::broker(), None, Event::Fault { what });
            }
            Action::Broker(BrokerAct::State(state)) => {
                self.journal.during(self.stage.set_broker(*state)).await?;
                let what = match state {
                    BrokerState::Up => "reachable",
                    BrokerState::Down => "cut off",
                };
                self.journal.write(Actor::broker(), None, Event::Fault { what: what.to_owned() });
            }
            Action::ShutDown => {
                self.journal.write(Actor::gateway(), None, Event::Fault { what: "asked to end".to_owned() });
                self.journal.during(self.stage.shut_down()).await?;
            }
            Action::KillGateway => {
                self.journal.during(self.stage.kill_gateway()).await?;
                self.journal.write(Actor::gateway(), None, Event::Fault { what: "killed".to_owned() });
            }
            other => return Err(StageError::Failed(format!("`{other}` does not happen backstage"))),
        }
        Ok(())
    }

    fn after_backstage(&mut self, number: usize, done: Result<(), StageError>) -> Result<Next, PlayError> {
        match done {
            Ok(()) => Ok(Next::Go),
            Err(StageError::Precondition { requires, detail }) => {
                Ok(self.unmet(number, Some(&requires), detail, Duration::ZERO))
            }
            Err(StageError::Unavailable(reason)) => Err(PlayError::NotRun(reason)),
            Err(StageError::Failed(reason)) => Err(PlayError::Harness(reason)),
        }
    }

    /// Publishes until every pattern has matched, or nobody has patience any more.
    async fn publish_until(
        &mut self,
        number: usize,
        publication: &Publication,
        requires: Option<&RequirementId>,
    ) -> Result<Next, PlayError> {
        let tries = self.setting.times.patience.as_millis() / PUBLISH_AGAIN.as_millis();
        let mut missing = None;
        for _ in 0..tries {
            let done = self.publish(publication).await;
            if self.after_backstage(number, done)? == Next::Unmet {
                return Ok(Next::Unmet);
            }
            missing = None;
            for pattern in &publication.until {
                if !self.journal.until(pattern, 1, 0, PUBLISH_AGAIN).await? {
                    missing = Some(pattern);
                    break;
                }
            }
            if missing.is_none() {
                return Ok(Next::Go);
            }
        }
        let detail = missing.map_or_else(String::new, |pattern| format!("no sign that {pattern}"));
        Ok(self.unmet(number, requires, detail, self.setting.times.patience))
    }

    async fn publish(&mut self, publication: &Publication) -> Result<(), StageError> {
        for body in &publication.bodies {
            let routing_key = &publication.routing_key;
            self.journal.during(self.stage.publish(body, routing_key)).await?;
            let body = serde_json::from_str(body).unwrap_or_else(|_| Value::String(body.clone()));
            self.journal.write(
                Actor::broker(),
                None,
                Event::Published { routing_key: routing_key.clone(), body },
            );
        }
        Ok(())
    }

    fn unmet(
        &mut self,
        step: usize,
        requires: Option<&RequirementId>,
        detail: String,
        waited: Duration,
    ) -> Next {
        let Some(requires) = requires else { return Next::Go };
        self.journal.in_vain(step, Label::Requires(requires.clone()), detail, waited);
        Next::Unmet
    }
}
