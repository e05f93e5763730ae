//! A scenario about a pair, as a file has it.

use serde::{Deserialize, Serialize};

use super::check::Checker;
use super::client::RawListen;
use super::event::RawEvent;
use super::message::RawMessage;
use super::target::RawTarget;
use super::{Keys, RawStep, VERSION, label, labelled, unlabel};
use crate::expect::Expectation;
use crate::pattern::Pattern;
use crate::requirement::{RequirementId, SubjectKind};
use crate::scenario::step::{
    BrokerAct, ClientAct, LaneSpec, NetworkAct, PairAction, Publication, Shape, Step, Sudden, Wait, Waits,
};
use crate::scenario::{
    PairClient, PairScript, Scenario, ScenarioError, ScenarioId, Script, Settings, is_default,
};
use crate::times::Expr;
use crate::token::TokenSpec;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPairScenario {
    version: u32,
    title: String,
    #[serde(default, skip_serializing_if = "is_default")]
    about: String,
    subject: SubjectKind,
    #[serde(default, skip_serializing_if = "is_default")]
    settings: Settings,
    #[serde(default, skip_serializing_if = "is_default")]
    client: PairClient,
    #[serde(default)]
    step: Vec<RawPairStep>,
    #[serde(default)]
    expect: Vec<Expectation>,
}

/// `[[step]]` of a scenario about a pair.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPairStep {
    #[serde(rename = "do")]
    act: Option<Simple>,
    send: Option<RawMessage>,
    subscribe: Option<RawTarget>,
    unsubscribe: Option<RawTarget>,
    listen: Option<RawListen>,
    set_token: Option<TokenSpec>,
    network: Option<RawNetwork>,
    publish: Option<RawEvent>,
    until: Option<Vec<Pattern>>,
    broker: Option<BrokerAct>,
    gateway: Option<RawFate>,
    wait: Option<Pattern>,
    times: Option<Expr>,
    within: Option<Expr>,
    quiet: Option<Expr>,
    requires: Option<RequirementId>,
    shows: Option<RequirementId>,
}

/// What the client is asked that needs no details.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Simple {
    Connect,
    Disconnect,
    SignOut,
}

/// What becomes of the gateway.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RawFate {
    Kill,
    Start,
}

/// The network between client and gateway.
#[derive(Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "expected `\"clear\"`, `\"end\"`, `\"reset\"`, or `{ to_client = …, to_gateway = … }`, or `{ both = … }`"
)]
pub(super) enum RawNetwork {
    Sudden(Sudden),
    Shape(RawShape),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawShape {
    #[serde(default, skip_serializing_if = "is_default")]
    both: LaneSpec,
    to_client: Option<LaneSpec>,
    to_gateway: Option<LaneSpec>,
}

impl RawStep for RawPairStep {
    type Action = PairAction;

    fn step(mut self) -> Result<Step<PairAction>, String> {
        let label = label(self.requires.take(), self.shows.take())?;
        let keys = Keys::of(&self);
        let action = self.action()?;
        keys.check_used(&Keys::of(&self))?;
        let waits = match &action {
            PairAction::Wait(_) => true,
            PairAction::Publish { until, .. } => !until.is_empty(),
            _ => false,
        };
        let can_fail = waits || matches!(action, PairAction::Publish { .. });
        labelled(action, label, waits, can_fail)
    }
}

impl RawPairStep {
    /// Takes out what one action is made of.
    fn action(&mut self) -> Result<PairAction, String> {
        if let Some(pattern) = self.wait.take() {
            let (times, within) = (self.times.take(), self.within.take());
            return Ok(PairAction::Wait(Wait { pattern, times, within }));
        }
        if let Some(event) = self.publish.take() {
            let until = self.until.take().unwrap_or_default();
            return Ok(PairAction::Publish { publication: event.publication()?, until });
        }
        if let Some(message) = self.send.take() {
            return Ok(PairAction::Client(message.numbered()?));
        }
        let act = self.act.take().map(|act| match act {
            Simple::Connect => ClientAct::Connect,
            Simple::Disconnect => ClientAct::Disconnect,
            Simple::SignOut => ClientAct::SetToken(None),
        });
        let of_client = act
            .or_else(|| self.subscribe.take().map(|target| ClientAct::Subscribe(target.into())))
            .or_else(|| self.unsubscribe.take().map(|target| ClientAct::Unsubscribe(target.into())))
            .or_else(|| self.listen.take().map(RawListen::act));
        let simple = of_client
            .map(PairAction::Client)
            .or_else(|| self.quiet.take().map(PairAction::Quiet))
            .or_else(|| self.set_token.take().map(PairAction::SetToken))
            .or_else(|| self.network.take().map(|act| PairAction::Network(act.into())))
            .or_else(|| self.broker.take().map(PairAction::Broker))
            .or_else(|| {
                self.gateway.take().map(|fate| match fate {
                    RawFate::Kill => PairAction::Kill,
                    RawFate::Start => PairAction::Start,
                })
            });
        if let Some(PairAction::SetToken(recipe)) = &simple
            && let Some(message) = recipe.contradiction()
        {
            return Err(message.to_owned());
        }
        simple.ok_or_else(|| "the step does nothing".to_owned())
    }
}

impl From<RawNetwork> for NetworkAct {
    fn from(raw: RawNetwork) -> Self {
        match raw {
            RawNetwork::Sudden(sudden) => Self::Sudden(sudden),
            RawNetwork::Shape(RawShape { both, to_client, to_gateway }) => {
                Self::Shape(Shape { both, to_subject: to_gateway, from_subject: to_client })
            }
        }
    }
}

impl From<&NetworkAct> for RawNetwork {
    fn from(act: &NetworkAct) -> Self {
        match act.clone() {
            NetworkAct::Sudden(sudden) => Self::Sudden(sudden),
            NetworkAct::Shape(Shape { both, to_subject, from_subject }) => {
                Self::Shape(RawShape { both, to_client: from_subject, to_gateway: to_subject })
            }
        }
    }
}

impl From<&Step<PairAction>> for RawPairStep {
    fn from(step: &Step<PairAction>) -> Self {
        let (requires, shows) = unlabel(step.label.as_ref());
        let none = Self { requires, shows, ..Self::default() };
        match &step.action {
            PairAction::Wait(Wait { pattern, times, within }) => {
                Self { wait: Some(pattern.clone()), times: times.clone(), within: within.clone(), ..none }
            }
            PairAction::Quiet(time) => Self { quiet: Some(time.clone()), ..none },
            PairAction::Client(act) => none.with(act),
            PairAction::SetToken(recipe) => Self { set_token: Some(recipe.clone()), ..none },
            PairAction::Network(act) => Self { network: Some(act.into()), ..none },
            PairAction::Publish { publication, until } => {
                let publish = match publication {
                    Publication::Events { kind, data, count } => Some(RawEvent::of(kind, data, *count)),
                    // No step of a pair publishes anything else.
                    Publication::Body { .. } | Publication::Addressed { .. } => None,
                };
                let until = (!until.is_empty()).then(|| until.clone());
                Self { publish, until, ..none }
            }
            PairAction::Broker(act) => Self { broker: Some(act.clone()), ..none },
            PairAction::Kill => Self { gateway: Some(RawFate::Kill), ..none },
            PairAction::Start => Self { gateway: Some(RawFate::Start), ..none },
        }
    }
}

impl RawPairStep {
    fn with(self, act: &ClientAct) -> Self {
        match act {
            ClientAct::Connect => Self { act: Some(Simple::Connect), ..self },
            ClientAct::Disconnect => Self { act: Some(Simple::Disconnect), ..self },
            ClientAct::SetToken(_) => Self { act: Some(Simple::SignOut), ..self },
            ClientAct::Send { kind, payload, count } => {
                Self { send: Some(RawMessage::of(kind, payload, *count)), ..self }
            }
            ClientAct::Subscribe(target) => Self { subscribe: Some(target.into()), ..self },
            ClientAct::Unsubscribe(target) => Self { unsubscribe: Some(target.into()), ..self },
            ClientAct::Listen { name, listener, fails } => {
                Self { listen: Some(RawListen::of(name, listener, *fails)), ..self }
            }
            // No step of a pair asks for anything else.
            _ => self,
        }
    }
}

pub(super) fn raw_pair(scenario: &Scenario, script: &PairScript) -> RawPairScenario {
    RawPairScenario {
        version: VERSION,
        title: scenario.title.clone(),
        about: scenario.about.clone(),
        subject: SubjectKind::Pair,
        settings: script.settings.clone(),
        client: script.client.clone(),
        step: script.steps.iter().map(Into::into).collect(),
        expect: scenario.expectations.clone(),
    }
}

impl Checker<'_> {
    /// A scenario about a pair.
    pub(super) fn pair(&self, id: ScenarioId, raw: RawPairScenario) -> Result<Scenario, ScenarioError> {
        if let Some(message) = raw.client.token.contradiction() {
            return Err(self.error(0..0, message));
        }
        self.known_words(&raw.client, &PairScript::USERS, &(0..0))?;
        let steps = self.steps(raw.step, &PairScript::USERS)?;
        for (number, step) in steps.iter().enumerate() {
            for pattern in step.action.patterns() {
                self.is_of_pair(pattern, self.step_span(number))?;
            }
        }
        for (number, expectation) in raw.expect.iter().enumerate() {
            let span = self.expect_span(number);
            for pattern in expectation.patterns() {
                self.is_of_pair(pattern, span.clone())?;
            }
            if expectation.client().is_some_and(|client| client != "client") {
                return Err(self.error(span, "the one client here is called `client`"));
            }
        }
        let script = PairScript { settings: raw.settings, client: raw.client, steps, halves: None };
        self.sound(Scenario {
            id,
            title: raw.title,
            about: raw.about,
            // Two programs and the network between them are what a simulation has not.
            simulated: false,
            script: Script::Pair(Box::new(script)),
            expectations: raw.expect,
            bindings: None,
        })
    }

    fn is_of_pair(&self, pattern: &Pattern, span: std::ops::Range<usize>) -> Result<(), ScenarioError> {
        if pattern.consumers().next().is_some() {
            return Err(self.error(span, "no consumer is mounted in a scenario about a pair"));
        }
        self.is_of_client(pattern, &span)
    }
}

#[cfg(test)]
mod tests;
