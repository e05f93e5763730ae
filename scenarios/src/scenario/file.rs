//! The file format, version 2: read raw, then checked once; and written again.

mod check;
mod client;
mod event;
mod frame;
mod gateway;
mod hex;
mod message;
mod pair;
mod plan;
mod scripted;
mod target;

use std::collections::BTreeMap;
use std::num::NonZeroU16;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use toml::Spanned;

use self::check::Checker;
use self::client::RawClientStep;
use self::gateway::RawGatewayStep;
use self::pair::{RawPairScenario, raw_pair};
pub(crate) use self::plan::{SYSTEM, read_plan, write_plan};
use super::error::ScenarioError;
use super::step::Step;
use super::{
    BrokerState, ClientScript, ClientSetup, ClientSpec, GatewayScript, GatewaySpec, Scenario, ScenarioId,
    Script, Settings, is_default,
};
use crate::expect::Expectation;
use crate::label::Label;
use crate::requirement::{RequirementId, SubjectKind};

/// The version of the format.
const VERSION: u32 = 2;
/// The help text for a file of version 1.
const SINCE_VERSION_1: &str = "in version 2 each `wait`, and each `publish` with `until`, says what it rests on: \
    `requires = \"ID\"` where another requirement is taken for granted, `shows = \"ID\"` where it is evidence; \
    a wait in vain ends the steps. Label them, then write `version = 2`";

/// What decides how the rest is read.
#[derive(Deserialize)]
struct Head {
    version: Option<Spanned<u32>>,
    subject: SubjectKind,
}

/// Where things stand in the text.
#[derive(Default, Deserialize)]
struct Places {
    #[serde(default)]
    clients: BTreeMap<String, Spanned<toml::Value>>,
    gateway: Option<Spanned<toml::Value>>,
    client: Option<Spanned<toml::Value>>,
    #[serde(default)]
    step: Vec<Spanned<toml::Value>>,
    #[serde(default)]
    expect: Vec<Spanned<toml::Value>>,
}

/// A scenario about a gateway.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawGatewayScenario {
    version: u32,
    title: String,
    #[serde(default, skip_serializing_if = "is_default")]
    about: String,
    subject: SubjectKind,
    #[serde(default = "yes")]
    simulated: bool,
    #[serde(default = "one")]
    gateways: u32,
    #[serde(default, skip_serializing_if = "is_default")]
    fresh: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    where_claimed: Option<RequirementId>,
    #[serde(default, skip_serializing_if = "is_default")]
    broker: BrokerState,
    #[serde(default, skip_serializing_if = "is_default")]
    broker_heartbeat: Option<NonZeroU16>,
    #[serde(default, skip_serializing_if = "is_default")]
    settings: Settings,
    #[serde(default)]
    clients: BTreeMap<String, ClientSpec>,
    #[serde(default)]
    step: Vec<RawGatewayStep>,
    #[serde(default)]
    expect: Vec<Expectation>,
}

/// A scenario about a client.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawClientScenario {
    version: u32,
    title: String,
    #[serde(default, skip_serializing_if = "is_default")]
    about: String,
    subject: SubjectKind,
    #[serde(default, skip_serializing_if = "is_default")]
    preamble: usize,
    #[serde(default = "yes")]
    simulated: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    gateway: GatewaySpec,
    #[serde(default, skip_serializing_if = "is_default")]
    client: ClientSetup,
    #[serde(default)]
    step: Vec<RawClientStep>,
    #[serde(default)]
    expect: Vec<Expectation>,
}

/// A step as a file has it.
trait RawStep: Serialize {
    /// What it does.
    type Action;

    /// The one thing that it does.
    fn step(self) -> Result<Step<Self::Action>, String>;
}

/// Reads and checks a scenario.
pub(super) fn read(id: ScenarioId, text: &str) -> Result<Scenario, ScenarioError> {
    let file = format!("{id}.toml");
    let head: Head = parse(&file, text)?;
    match head.version {
        Some(version) if *version.get_ref() == VERSION => {}
        Some(version) => {
            let (number, span) = (*version.get_ref(), version.span());
            let message = format!("version {number} is unknown; this build reads version {VERSION}");
            let help = (number < VERSION).then(|| SINCE_VERSION_1.to_owned());
            return Err(ScenarioError::at(&file, text, Some(span), message).with_help(help));
        }
        None => {
            let message = format!("the file does not say its version: write `version = {VERSION}`");
            return Err(ScenarioError::at(&file, text, Some(0..0), message));
        }
    }
    let places: Places = parse(&file, text)?;
    let checker = Checker::new(&file, text, places);
    match head.subject {
        SubjectKind::Gateway => checker.gateway(id, parse(&file, text)?),
        SubjectKind::Client => checker.client(id, parse(&file, text)?),
        SubjectKind::Pair => checker.pair(id, parse::<RawPairScenario>(&file, text)?),
    }
}

fn parse<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, ScenarioError> {
    toml::from_str(text).map_err(|error| ScenarioError::from_toml(file, text, &error))
}

/// The scenario as a file has it.
pub(super) fn write(scenario: &Scenario) -> String {
    let text = match &scenario.script {
        Script::Gateway(script) => toml::to_string(&raw_gateway(scenario, script)),
        Script::Client(script) => toml::to_string(&raw_client(scenario, script)),
        Script::Pair(script) => toml::to_string(&raw_pair(scenario, script)),
    };
    text.expect("what was read from TOML has no value that TOML has not")
}

/// What the steps of a script say, as one text.
pub(super) fn steps_text(script: &GatewayScript) -> String {
    let steps: Vec<RawGatewayStep> = script.steps.iter().map(Into::into).collect();
    serde_json::to_string(&steps).expect("steps have string keys")
}

/// The scenario as a tree of values.
pub(super) fn to_value(scenario: &Scenario) -> Value {
    let value = match &scenario.script {
        Script::Gateway(script) => serde_json::to_value(raw_gateway(scenario, script)),
        Script::Client(script) => serde_json::to_value(raw_client(scenario, script)),
        Script::Pair(script) => serde_json::to_value(raw_pair(scenario, script)),
    };
    value.expect("scenarios have string keys")
}

/// The scenario that a tree of values is.
///
/// # Panics
/// When it is none. Whatever binds a scenario changes texts, which no check looks at.
pub(super) fn from_value(id: ScenarioId, value: Value) -> Scenario {
    const SOUND: &str = "a scenario whose texts are replaced is still one";
    let file = format!("{id}.toml");
    let checker = Checker::new(&file, "", Places::default());
    let scenario = match value["subject"].as_str() {
        Some("client") => checker.client(id, serde_json::from_value(value).expect(SOUND)),
        Some("pair") => checker.pair(id, serde_json::from_value(value).expect(SOUND)),
        _ => checker.gateway(id, serde_json::from_value(value).expect(SOUND)),
    };
    scenario.expect(SOUND)
}

fn raw_gateway(scenario: &Scenario, script: &GatewayScript) -> RawGatewayScenario {
    RawGatewayScenario {
        version: VERSION,
        title: scenario.title.clone(),
        about: scenario.about.clone(),
        subject: SubjectKind::Gateway,
        simulated: scenario.simulated,
        gateways: u32::try_from(script.gateways).unwrap_or(u32::MAX),
        fresh: script.fresh,
        where_claimed: script.where_claimed.clone(),
        broker: script.broker,
        broker_heartbeat: script.broker_heartbeat,
        settings: script.settings.clone(),
        clients: script.clients.clone(),
        step: script.steps.iter().map(Into::into).collect(),
        expect: scenario.expectations.clone(),
    }
}

fn raw_client(scenario: &Scenario, script: &ClientScript) -> RawClientScenario {
    RawClientScenario {
        version: VERSION,
        title: scenario.title.clone(),
        about: scenario.about.clone(),
        subject: SubjectKind::Client,
        preamble: script.preamble,
        simulated: scenario.simulated,
        gateway: script.gateway.clone(),
        client: script.client.clone(),
        step: script.steps.iter().map(Into::into).collect(),
        expect: scenario.expectations.clone(),
    }
}

/// A wait that says nothing of what it rests on.
#[derive(Debug, thiserror::Error)]
#[error(
    "a wait says what it rests on: `requires = \"ID\"`, which it takes for granted, or `shows = \"ID\"`, which it is evidence of"
)]
struct Unlabelled;

/// The step, where its label is as it must be: one that waits has one, one that cannot fail has none.
fn labelled<A: std::fmt::Display>(
    action: A,
    label: Option<Label>,
    waits: bool,
    can_fail: bool,
) -> Result<Step<A>, String> {
    match &label {
        None if waits => Err(Unlabelled.to_string()),
        Some(_) if !can_fail => {
            Err(format!("`{action}` rests on nothing: `requires` and `shows` belong to steps that can fail"))
        }
        _ => Ok(Step { action, label }),
    }
}

fn label(requires: Option<RequirementId>, shows: Option<RequirementId>) -> Result<Option<Label>, String> {
    match (requires, shows) {
        (Some(_), Some(_)) => Err("a step `requires` a requirement or `shows` one".to_owned()),
        (Some(id), None) => Ok(Some(Label::Requires(id))),
        (None, Some(id)) => Ok(Some(Label::Shows(id))),
        (None, None) => Ok(None),
    }
}

/// The two keys that a label is.
fn unlabel(label: Option<&Label>) -> (Option<RequirementId>, Option<RequirementId>) {
    match label {
        Some(Label::Requires(id)) => (Some(id.clone()), None),
        Some(Label::Shows(id)) => (None, Some(id.clone())),
        None => (None, None),
    }
}

/// The keys of a step that are set.
struct Keys(Vec<String>);

impl Keys {
    fn of(step: &impl Serialize) -> Self {
        let value = serde_json::to_value(step).expect("a step has string keys");
        let fields = value.as_object().into_iter().flatten();
        Self(fields.filter(|(_, value)| !value.is_null()).map(|(key, _)| key.clone()).collect())
    }

    /// Whether nothing is left of these keys: what was not used would be ignored.
    fn check_used(&self, left: &Self) -> Result<(), String> {
        let Some(unused) = left.0.first() else { return Ok(()) };
        let used: Vec<_> = self.0.iter().filter(|key| !left.0.contains(key)).collect();
        let used = used.into_iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(" and ");
        Err(format!("`{unused}` does not go with {used}: a step does one thing"))
    }
}

fn yes() -> bool {
    true
}

fn one() -> u32 {
    1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::Pattern;

    /// The page about the language knows every key of it.
    #[test]
    fn every_key_is_documented() {
        let page = include_str!("../../README.md");
        let unknown = |error: toml::de::Error| error.message().to_owned();
        let messages = [
            toml::from_str::<RawGatewayScenario>("zzz = 1").map(drop).map_err(unknown),
            toml::from_str::<RawClientScenario>("zzz = 1").map(drop).map_err(unknown),
            toml::from_str::<RawGatewayStep>("zzz = 1").map(drop).map_err(unknown),
            toml::from_str::<RawClientStep>("zzz = 1").map(drop).map_err(unknown),
            toml::from_str::<RawPairScenario>("zzz = 1").map(drop).map_err(unknown),
            toml::from_str::<pair::RawPairStep>("zzz = 1").map(drop).map_err(unknown),
            toml::from_str::<crate::scenario::PairClient>("zzz = 1").map(drop).map_err(unknown),
            toml::from_str::<plan::RawPlan>("zzz = 1").map(drop).map_err(unknown),
            toml::from_str::<plan::RawEntry>("zzz = 1").map(drop).map_err(unknown),
            toml::from_str::<crate::plan::Participant>("zzz = 1").map(drop).map_err(unknown),
            toml::from_str::<ClientSpec>("zzz = 1").map(drop).map_err(unknown),
            toml::from_str::<GatewaySpec>("zzz = 1").map(drop).map_err(unknown),
            toml::from_str::<ClientSetup>("zzz = 1").map(drop).map_err(unknown),
            toml::from_str::<Settings>("zzz = 1").map(drop).map_err(unknown),
            toml::from_str::<Pattern>("zzz = 1").map(drop).map_err(unknown),
            toml::from_str::<Expectation>("zzz = 1").map(drop).map_err(unknown),
            toml::from_str::<OnDialOnly>("on_dial = \"zzz\"").map(drop).map_err(unknown),
        ];
        for message in messages {
            let message = message.expect_err("there is no such key");
            let (_, known) = message.split_once("expected one of ").expect("a list of what there is");
            let keys: Vec<_> = known.split('`').skip(1).step_by(2).collect();
            assert!(keys.len() > 2, "{message}");
            for key in keys {
                let said = [format!("`{key}`"), format!("\"{key}\""), format!(" {key} = ")];
                assert!(said.iter().any(|said| page.contains(said)), "the page says nothing of {key}");
            }
        }
    }

    #[derive(Debug, Deserialize)]
    struct OnDialOnly {
        #[expect(dead_code, reason = "what can be read of it stands in the error")]
        on_dial: crate::scenario::OnDial,
    }
}
