//! What a file must be beyond its form: names exist, nothing is ignored, and every label keeps the rules of verdicts.

mod addressed;

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Serialize;

use super::super::bind::{RESERVED, placeholders};
use super::super::error::ScenarioError;
use super::super::step::{ClientAct, ClientAction, GatewayAction, Step};
use super::{Places, RawClientScenario, RawGatewayScenario, RawStep};
use crate::label::Label;
use crate::nearest::nearest;
use crate::pattern::Pattern;
use crate::requirement::{Catalogue, Level, RequirementId, SubjectKind};
use crate::scenario::AFTERWARDS;
use crate::scenario::step::Waits;
use crate::scenario::{
    ClientScript, ClientSetup, ClientSpec, GatewayScript, OnDials, PairScript, Resemblance, Scenario,
    ScenarioId, Script, ScriptedClientAct, UrlSource,
};

/// Most gateways of one scenario.
const MAX_GATEWAYS: u32 = 4;

pub(super) struct Checker<'a> {
    file: &'a str,
    text: &'a str,
    places: Places,
    catalogue: Catalogue,
}

impl<'a> Checker<'a> {
    pub(super) fn new(file: &'a str, text: &'a str, places: Places) -> Self {
        Self { file, text, places, catalogue: Catalogue::builtin() }
    }

    /// A scenario about a gateway.
    pub(super) fn gateway(&self, id: ScenarioId, raw: RawGatewayScenario) -> Result<Scenario, ScenarioError> {
        if !(1..=MAX_GATEWAYS).contains(&raw.gateways) {
            return Err(self.error(0..0, format!("`gateways` lies between 1 and {MAX_GATEWAYS}")));
        }
        for (name, spec) in &raw.clients {
            self.client_spec(name, spec, &raw.clients, raw.gateways)?;
        }
        let steps = self.steps(raw.step, &raw.clients.keys().map(String::as_str).collect::<Vec<_>>())?;
        for (number, step) in steps.iter().enumerate() {
            let span = self.step_span(number);
            for pattern in step.action.patterns() {
                self.client_exists(pattern.client(), &raw.clients, &span)?;
                if pattern.consumers().next().is_some() {
                    return Err(self.error(span, "a gateway has no consumers: name a `client`"));
                }
            }
            for name in step.action.addressees() {
                self.client_exists(Some(name), &raw.clients, &span)?;
            }
            if let GatewayAction::ScriptedClient(name, _) | GatewayAction::Get { client: name, .. } =
                &step.action
            {
                self.client_exists(Some(name), &raw.clients, &span)?;
            }
            if let GatewayAction::ScriptedClient(_, ScriptedClientAct::SignIn(other)) = &step.action {
                self.client_exists(other.as_deref(), &raw.clients, &span)?;
            }
            if raw.simulated
                && let Some(why) = step.action.is_beyond_simulation()
            {
                return Err(self.error(span, format!("{why}: say `simulated = false`")));
            }
        }
        for (number, expectation) in raw.expect.iter().enumerate() {
            let span = self.expect_span(number);
            for pattern in expectation.patterns() {
                self.client_exists(pattern.client(), &raw.clients, &span)?;
            }
            self.client_exists(expectation.client(), &raw.clients, &span)?;
        }
        self.addressed(&steps, &raw.expect)?;
        let script = GatewayScript {
            settings: raw.settings,
            gateways: raw.gateways as usize,
            fresh: raw.fresh,
            where_claimed: raw.where_claimed,
            broker: raw.broker,
            broker_heartbeat: raw.broker_heartbeat,
            clients: raw.clients,
            steps,
        };
        self.sound(Scenario {
            id,
            title: raw.title,
            about: raw.about,
            simulated: raw.simulated,
            script: Script::Gateway(script),
            expectations: raw.expect,
            bindings: None,
        })
    }

    /// A scenario about a client.
    pub(super) fn client(&self, id: ScenarioId, raw: RawClientScenario) -> Result<Scenario, ScenarioError> {
        let gateway_span = || self.places.gateway.as_ref().map_or(0..0, toml::Spanned::span);
        if matches!(&raw.gateway.on_dial, OnDials::InTurn(answers) if answers.is_empty()) {
            return Err(self.error(gateway_span(), "`on_dial` is an empty list"));
        }
        self.client_setup(&raw.client)?;
        let steps = self.steps(raw.step, &[])?;
        if raw.preamble > 0 && raw.preamble >= steps.len() {
            return Err(self.error(
                0..0,
                format!(
                    "`preamble` is {}, and there are {} steps: the case has none left",
                    raw.preamble,
                    steps.len()
                ),
            ));
        }
        if raw.simulated && raw.client.url == UrlSource::Environment {
            return Err(self.error(0..0, "a simulation has no environment: say `simulated = false`"));
        }
        if raw.simulated && raw.gateway.on_dial.resets() {
            return Err(self.error(0..0, "a simulated connection cannot be reset: say `simulated = false`"));
        }
        for (number, step) in steps.iter().enumerate() {
            let span = self.step_span(number);
            for pattern in step.action.patterns() {
                self.is_of_client(pattern, &span)?;
            }
            self.consumers_exist(step.action.consumers(), &steps, &span)?;
            if raw.simulated
                && let Some(why) = step.action.is_beyond_simulation()
            {
                return Err(self.error(span, format!("{why}: say `simulated = false`")));
            }
        }
        for (number, expectation) in raw.expect.iter().enumerate() {
            let span = self.expect_span(number);
            for pattern in expectation.patterns() {
                self.is_of_client(pattern, &span)?;
            }
            let named = expectation.patterns().into_iter().flat_map(Pattern::consumers).collect();
            self.consumers_exist(named, &steps, &span)?;
            if expectation.client().is_some() {
                return Err(self.error(span, "there is one client here: leave `client` out"));
            }
        }
        let script = ClientScript { gateway: raw.gateway, client: raw.client, steps, preamble: raw.preamble };
        self.sound(Scenario {
            id,
            title: raw.title,
            about: raw.about,
            simulated: raw.simulated,
            script: Script::Client(script),
            expectations: raw.expect,
            bindings: None,
        })
    }

    /// What both kinds must be.
    pub(super) fn sound(&self, scenario: Scenario) -> Result<Scenario, ScenarioError> {
        if scenario.expectations.is_empty() && scenario.requirements().is_empty() {
            return Err(self.error(0..0, "the scenario expects nothing: add at least one `[[expect]]`"));
        }
        for (number, expectation) in scenario.expectations.iter().enumerate() {
            self.of_subject(&expectation.requirement, scenario.subject(), self.expect_span(number))?;
            self.placeholders(expectation, &scenario, self.expect_span(number))?;
        }
        self.labels(&scenario)?;
        Ok(scenario)
    }

    /// Rules 4 and 5 of verdicts: a precondition is never what the case is about, and a case of the core level rests on the core
    /// level alone.
    fn labels(&self, scenario: &Scenario) -> Result<(), ScenarioError> {
        let shown = scenario.requirements();
        let level = |id: &RequirementId| self.catalogue.get(id).map(|rule| rule.level);
        let core = shown.iter().find(|id| level(id) == Some(Level::Core));
        let labels: Vec<(usize, &Label)> = match &scenario.script {
            Script::Gateway(script) => numbered(&script.steps),
            Script::Client(script) => numbered(&script.steps),
            Script::Pair(script) => numbered(&script.steps),
        };
        let given = scenario.where_claimed();
        if let Some(given) = given {
            self.of_subject(given, scenario.subject(), 0..0)?;
        }
        for (number, label) in labels {
            let (id, span) = (label.requirement(), self.step_span(number));
            let rests_on_a_half =
                scenario.subject() == SubjectKind::Pair && matches!(label, Label::Requires(_));
            if !rests_on_a_half {
                self.of_subject(id, scenario.subject(), span.clone())?;
            }
            if matches!(label, Label::Requires(_)) && shown.contains(id) {
                let message = format!(
                    "the case is about {id}, so it cannot take it for granted: write `shows = \"{id}\"`, or rest on something else"
                );
                return Err(self.error(span, message));
            }
            if let Some(core) = core
                && level(id) == Some(Level::Hardened)
                && given != Some(id)
            {
                let message = format!(
                    "{core} is of the core level, and must not rest on {id}, which is hardened: show them in two scenarios"
                );
                return Err(self.error(span, message));
            }
        }
        Ok(())
    }

    /// The steps, each of which does one thing, in known words.
    pub(super) fn steps<R: RawStep>(
        &self,
        raw: Vec<R>,
        clients: &[&str],
    ) -> Result<Vec<Step<R::Action>>, ScenarioError> {
        let mut steps = Vec::new();
        for (number, raw) in raw.into_iter().enumerate() {
            let span = self.step_span(number);
            self.known_words(&raw, clients, &span)?;
            steps.push(raw.step().map_err(|message| self.error(span, message))?);
        }
        Ok(steps)
    }

    fn placeholders(
        &self,
        part: &impl Serialize,
        scenario: &Scenario,
        span: Range<usize>,
    ) -> Result<(), ScenarioError> {
        let clients: Vec<_> = match &scenario.script {
            Script::Gateway(script) => script.clients.keys().map(String::as_str).collect(),
            Script::Client(_) => Vec::new(),
            Script::Pair(_) => PairScript::USERS.to_vec(),
        };
        self.known_words(part, &clients, &span)
    }

    /// Every word in braces stands for something.
    pub(super) fn known_words(
        &self,
        part: &impl Serialize,
        clients: &[&str],
        span: &Range<usize>,
    ) -> Result<(), ScenarioError> {
        let text = serde_json::to_value(part).expect("a part of a scenario has string keys").to_string();
        let known = |word: &str| word != "path" && RESERVED.contains(&word) || clients.contains(&word);
        let Some(unknown) = placeholders(&text).into_iter().find(|word| !known(word)) else { return Ok(()) };
        let names = clients.iter().chain(&RESERVED).map(|name| (*name).to_owned());
        let help = nearest(unknown, names).map(|near| format!("did you mean `{{{near}}}`?"));
        Err(self.error(span.clone(), format!("`{{{unknown}}}` stands for nothing here")).with_help(help))
    }

    fn client_spec(
        &self,
        name: &str,
        spec: &ClientSpec,
        all: &BTreeMap<String, ClientSpec>,
        gateways: u32,
    ) -> Result<(), ScenarioError> {
        let span = self.places.clients.get(name).map_or(0..0, toml::Spanned::span);
        let is_plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric());
        if !is_plain {
            return Err(self.error(span, format!("`{name}`: a client's name is letters and digits")));
        }
        if RESERVED.contains(&name) || ["client", "gateway", "broker", "scenario", AFTERWARDS].contains(&name)
        {
            return Err(
                self.error(span, format!("`{name}` means something else: give the client another name"))
            );
        }
        if let Some(user) = &spec.user
            && !all.contains_key(user)
        {
            let help = nearest(user, all.keys().cloned()).map(|name| format!("did you mean `{name}`?"));
            let message = format!("`user = \"{user}\"` names no client of this scenario");
            return Err(self.error(span, message).with_help(help));
        }
        if let Some(Resemblance { of, .. }) = &spec.resembles {
            let is_itself = |other: &ClientSpec| other.user.is_none() && other.resembles.is_none();
            if spec.user.is_some() || !all.get(of).is_some_and(is_itself) {
                let message = format!(
                    "`resembles` names a client that has a user of its own, and `{of}` is none: leave `user` out, and name another one"
                );
                return Err(self.error(span, message));
            }
        }
        if !(1..=gateways as usize).contains(&spec.gateway) {
            return Err(self.error(span, "there is no such gateway: `gateways` says how many"));
        }
        if let Some(message) = spec.token.contradiction() {
            return Err(self.error(span, message));
        }
        let names: Vec<_> = all.keys().map(String::as_str).chain(["path"]).collect();
        let path = spec.path.clone().unwrap_or_default().replace("{path}", "");
        self.known_words(&path, &names, &span)?;
        let pathless = ClientSpec { path: None, ..spec.clone() };
        self.known_words(&pathless, &names, &span)
    }

    fn client_setup(&self, setup: &ClientSetup) -> Result<(), ScenarioError> {
        let span = self.places.client.as_ref().map_or(0..0, toml::Spanned::span);
        if !setup.signed_in && setup.token != ClientSetup::default().token {
            return Err(self.error(span, "`token` is of no use to a client that is not signed in"));
        }
        if setup.url != UrlSource::Configured && !setup.query.is_empty() {
            return Err(self.error(span, "`query` goes with a URL that is configured"));
        }
        self.known_words(setup, &[], &span)
    }

    fn of_subject(
        &self,
        id: &RequirementId,
        subject: SubjectKind,
        span: Range<usize>,
    ) -> Result<(), ScenarioError> {
        let Some(rule) = self.catalogue.get(id) else {
            let help = self.catalogue.nearest(&id.to_string()).map(|near| format!("did you mean {near}?"));
            return Err(self.error(span, format!("there is no requirement {id}")).with_help(help));
        };
        if rule.subject == subject {
            return Ok(());
        }
        Err(self.error(span, format!("{id} is about a {}, this scenario is not", rule.subject)))
    }

    pub(super) fn is_of_client(&self, pattern: &Pattern, span: &Range<usize>) -> Result<(), ScenarioError> {
        match pattern.client() {
            Some(_) => Err(self.error(
                span.clone(),
                "there is one client here: leave `client` out, or name a `consumer` of it",
            )),
            None => Ok(()),
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
        steps: &[Step<ClientAction>],
        span: &Range<usize>,
    ) -> Result<(), ScenarioError> {
        let mounted: Vec<_> = steps
            .iter()
            .filter_map(|step| match &step.action {
                ClientAction::Client(ClientAct::Mount { name, .. }) => Some(name.clone()),
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

    pub(super) fn step_span(&self, number: usize) -> Range<usize> {
        self.places.step.get(number).map_or(0..0, toml::Spanned::span)
    }

    pub(super) fn expect_span(&self, number: usize) -> Range<usize> {
        self.places.expect.get(number).map_or(0..0, toml::Spanned::span)
    }

    pub(super) fn error(&self, span: Range<usize>, message: impl Into<String>) -> ScenarioError {
        ScenarioError::at(self.file, self.text, Some(span), message)
    }
}

fn numbered<A>(steps: &[Step<A>]) -> Vec<(usize, &Label)> {
    let labels = steps.iter().enumerate().filter_map(|(number, step)| Some((number, step.label.as_ref()?)));
    labels.collect()
}
