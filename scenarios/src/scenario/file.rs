//! The file format, version 1: read raw, then checked once.

mod client;
mod event;
mod frame;
mod gateway;
mod hex;
mod message;
mod step;

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;

use self::step::{RawStep, Simple};
use super::error::{ScenarioError, nearest};
use super::step::{Action, ClientAct, Step};
use super::{
    BrokerState, ClientSetup, ClientSpec, GatewaySpec, OnDials, Scenario, ScenarioId, Settings, UrlSource,
};
use crate::expect::Expectation;
use crate::pattern::Pattern;
use crate::requirement::{Catalogue, RequirementId, SubjectKind};

/// The only version of the format so far.
const VERSION: u32 = 1;
/// Most gateways of one scenario.
const MAX_GATEWAYS: u32 = 4;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawScenario {
    version: Spanned<u32>,
    title: String,
    #[serde(default)]
    about: String,
    subject: SubjectKind,
    #[serde(default = "yes")]
    simulated: bool,
    #[serde(default)]
    settings: Settings,
    #[serde(default = "one")]
    gateways: u32,
    #[serde(default)]
    fresh: bool,
    #[serde(default)]
    broker: BrokerState,
    #[serde(default)]
    clients: BTreeMap<String, Spanned<ClientSpec>>,
    gateway: Option<Spanned<GatewaySpec>>,
    client: Option<Spanned<ClientSetup>>,
    #[serde(default)]
    step: Vec<Spanned<RawStep>>,
    #[serde(default)]
    expect: Vec<Spanned<Expectation>>,
}

/// Reads and checks a scenario.
pub(super) fn read(id: ScenarioId, text: &str) -> Result<Scenario, ScenarioError> {
    let file = format!("{id}.toml");
    let raw: RawScenario =
        toml::from_str(text).map_err(|error| ScenarioError::from_toml(&file, text, &error))?;
    Checker { file: &file, text, catalogue: Catalogue::builtin() }.scenario(id, raw)
}

struct Checker<'a> {
    file: &'a str,
    text: &'a str,
    catalogue: Catalogue,
}

impl Checker<'_> {
    fn scenario(&self, id: ScenarioId, raw: RawScenario) -> Result<Scenario, ScenarioError> {
        if *raw.version.get_ref() != VERSION {
            let message =
                format!("version {} is unknown; this build reads version {VERSION}", raw.version.get_ref());
            return Err(self.error(raw.version.span(), message));
        }
        match raw.subject {
            SubjectKind::Gateway => {
                let foreign =
                    raw.gateway.as_ref().map(Spanned::span).or(raw.client.as_ref().map(Spanned::span));
                if let Some(span) = foreign {
                    let message =
                        "a scenario about a gateway scripts `[clients.…]`, not `[gateway]` or `[client]`";
                    return Err(self.error(span, message));
                }
            }
            SubjectKind::Client => {
                if let Some(spec) = raw.clients.values().next() {
                    let message = "a scenario about a client scripts the `[gateway]`, not `[clients.…]`";
                    return Err(self.error(spec.span(), message));
                }
            }
        }
        for (name, spec) in &raw.clients {
            self.client(name, spec, &raw.clients)?;
        }
        if let Some(spec) = &raw.gateway
            && matches!(&spec.get_ref().on_dial, OnDials::InTurn(answers) if answers.is_empty())
        {
            return Err(self.error(spec.span(), "`on_dial` is an empty list"));
        }
        if !(1..=MAX_GATEWAYS).contains(&raw.gateways) {
            return Err(self.error(0..0, format!("`gateways` lies between 1 and {MAX_GATEWAYS}")));
        }
        for spec in raw.clients.values() {
            if !(1..=raw.gateways as usize).contains(&spec.get_ref().gateway) {
                return Err(self.error(spec.span(), "there is no such gateway: `gateways` says how many"));
            }
        }
        if raw.expect.is_empty() {
            return Err(self.error(0..0, "the scenario expects nothing: add at least one `[[expect]]`"));
        }
        let clients: BTreeMap<_, _> =
            raw.clients.into_iter().map(|(name, spec)| (name, spec.into_inner())).collect();
        let spans: Vec<_> = raw.step.iter().map(Spanned::span).collect();
        let steps = raw
            .step
            .into_iter()
            .map(|step| self.step(raw.subject, &clients, step.span(), step.into_inner()))
            .collect::<Result<Vec<_>, _>>()?;
        for (step, span) in steps.iter().zip(&spans) {
            self.consumers_exist(step.action.consumers(), &steps, span)?;
        }
        for expectation in &raw.expect {
            let named = expectation.get_ref().patterns().into_iter().flat_map(Pattern::consumers).collect();
            self.consumers_exist(named, &steps, &expectation.span())?;
        }
        if raw.simulated
            && raw.client.as_ref().is_some_and(|setup| setup.get_ref().url == UrlSource::Environment)
        {
            return Err(self.error(0..0, "a simulation has no environment: say `simulated = false`"));
        }
        if raw.simulated && raw.gateway.as_ref().is_some_and(|spec| spec.get_ref().on_dial.resets()) {
            return Err(self.error(0..0, "a simulated connection cannot be reset: say `simulated = false`"));
        }
        for (step, span) in steps.iter().zip(spans) {
            if raw.simulated
                && let Some(why) = step.action.is_beyond_simulation()
            {
                return Err(self.error(span, format!("{why}: say `simulated = false`")));
            }
        }
        let expectations = raw
            .expect
            .into_iter()
            .map(|expect| self.expectation(raw.subject, &clients, expect.span(), expect.into_inner()))
            .collect::<Result<_, _>>()?;
        Ok(Scenario {
            id,
            title: raw.title,
            about: raw.about,
            subject: raw.subject,
            simulated: raw.simulated,
            settings: raw.settings,
            gateways: raw.gateways as usize,
            fresh: raw.fresh,
            broker: raw.broker,
            clients,
            gateway: raw.gateway.map(Spanned::into_inner).unwrap_or_default(),
            client: raw.client.map(Spanned::into_inner).unwrap_or_default(),
            steps,
            expectations,
            text: self.text.to_owned(),
        })
    }

    fn client(
        &self,
        name: &str,
        spec: &Spanned<ClientSpec>,
        all: &BTreeMap<String, Spanned<ClientSpec>>,
    ) -> Result<(), ScenarioError> {
        if !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()) || name == "case" {
            return Err(self
                .error(spec.span(), format!("`{name}`: a client's name is lower-case letters and digits")));
        }
        if let Some(user) = &spec.get_ref().user
            && !all.contains_key(user)
        {
            let help = nearest(user, all.keys().cloned()).map(|name| format!("did you mean `{name}`?"));
            let message = format!("`user = \"{user}\"` names no client of this scenario");
            return Err(self.error(spec.span(), message).with_help(help));
        }
        Ok(())
    }

    fn step(
        &self,
        subject: SubjectKind,
        clients: &BTreeMap<String, ClientSpec>,
        span: Range<usize>,
        raw: RawStep,
    ) -> Result<Step, ScenarioError> {
        if let Some(id) = &raw.requires {
            self.known(id, span.clone())?;
        }
        self.client_exists(raw.client.as_deref(), clients, &span)?;
        if let Some(pattern) = &raw.wait {
            self.client_named(subject, pattern, clients, &span)?;
        }
        if raw.wait.is_none() && (raw.times.is_some() || raw.within.is_some()) {
            return Err(self.error(span, "`times` and `within` belong to a `wait`"));
        }
        if raw.code.is_some() && !matches!(raw.act, Some(Simple::Close)) {
            return Err(self.error(span, "`code` belongs to `do = \"close\"`"));
        }
        if raw.quiet.as_ref().is_some_and(|time| !time.is_time()) {
            return Err(self.error(span, "`quiet` is a time, such as `2 * ping_interval`"));
        }
        let requires = raw.requires.clone();
        let mut actions = raw.actions(subject).map_err(|message| self.error(span.clone(), message))?;
        match (actions.pop(), actions.len()) {
            (Some(action), 0) => Ok(Step { action, requires }),
            (None, _) => Err(self.error(span, "the step does nothing")),
            (Some(_), others) => {
                Err(self.error(span, format!("the step does {} things; split it", others + 1)))
            }
        }
    }

    fn expectation(
        &self,
        subject: SubjectKind,
        clients: &BTreeMap<String, ClientSpec>,
        span: Range<usize>,
        expectation: Expectation,
    ) -> Result<Expectation, ScenarioError> {
        let requirement = self.known(&expectation.requirement, span.clone())?;
        if requirement != subject {
            let message =
                format!("{} is about a {requirement}, this scenario is not", expectation.requirement);
            return Err(self.error(span, message));
        }
        for pattern in expectation.patterns() {
            self.client_named(subject, pattern, clients, &span)?;
        }
        self.client_exists(expectation.client(), clients, &span)?;
        Ok(expectation)
    }

    /// What a known requirement is about.
    fn known(&self, id: &RequirementId, span: Range<usize>) -> Result<SubjectKind, ScenarioError> {
        self.catalogue.get(id).map(|requirement| requirement.subject).ok_or_else(|| {
            let help = self.catalogue.nearest(&id.to_string()).map(|near| format!("did you mean {near}?"));
            self.error(span, format!("there is no requirement {id}")).with_help(help)
        })
    }

    fn client_named(
        &self,
        subject: SubjectKind,
        pattern: &Pattern,
        clients: &BTreeMap<String, ClientSpec>,
        span: &Range<usize>,
    ) -> Result<(), ScenarioError> {
        match subject {
            SubjectKind::Gateway => self.client_exists(pattern.client(), clients, span),
            SubjectKind::Client if pattern.client().is_some() => Err(self.error(
                span.clone(),
                "there is one client here: leave `client` out, or name a `consumer` of it",
            )),
            SubjectKind::Client => Ok(()),
        }
    }

    fn client_exists(
        &self,
        name: Option<&str>,
        clients: &BTreeMap<String, ClientSpec>,
        span: &Range<usize>,
    ) -> Result<(), ScenarioError> {
        match name {
            Some(name) if !clients.contains_key(name) => {
                let help =
                    nearest(name, clients.keys().cloned()).map(|near| format!("did you mean `{near}`?"));
                Err(self.error(span.clone(), format!("there is no client `{name}`")).with_help(help))
            }
            _ => Ok(()),
        }
    }

    fn consumers_exist(
        &self,
        named: Vec<&str>,
        steps: &[Step],
        span: &Range<usize>,
    ) -> Result<(), ScenarioError> {
        let mounted: Vec<_> = steps
            .iter()
            .filter_map(|step| match &step.action {
                Action::Client(ClientAct::Mount { name, .. }) => Some(name.clone()),
                _ => None,
            })
            .collect();
        match named.into_iter().find(|name| !mounted.iter().any(|mounted| mounted == name)) {
            Some(name) => {
                let help = nearest(name, mounted).map(|near| format!("did you mean `{near}`?"));
                let message = format!("no step mounts the consumer `{name}`");
                Err(self.error(span.clone(), message).with_help(help))
            }
            None => Ok(()),
        }
    }

    fn error(&self, span: Range<usize>, message: impl Into<String>) -> ScenarioError {
        ScenarioError::at(self.file, self.text, Some(span), message)
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

    /// The page about the language knows every key of it.
    #[test]
    fn every_key_is_documented() {
        let page = include_str!("../../README.md");
        let unknown = |error: toml::de::Error| error.message().to_owned();
        let messages = [
            toml::from_str::<RawScenario>("zzz = 1").map(drop).map_err(unknown),
            toml::from_str::<RawStep>("zzz = 1").map(drop).map_err(unknown),
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
        #[expect(dead_code, reason = "what can be read of it is told by the error")]
        on_dial: crate::scenario::OnDial,
    }
}
