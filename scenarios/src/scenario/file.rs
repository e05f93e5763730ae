//! The file format, version 1: read raw, then checked once.

use std::collections::BTreeMap;
use std::ops::Range;

use protocol::{CloseCode, Target};
use serde::Deserialize;
use serde_json::{Value, json};
use toml::Spanned;

use super::error::{ScenarioError, nearest};
use super::step::{Action, ClientAct, GatewayAct, Inspection, ProbeAct, Publication, Step};
use super::{BrokerState, ClientSetup, ClientSpec, GatewaySpec, OnDials, Scenario, ScenarioId, Settings};
use crate::expect::Expectation;
use crate::pattern::Pattern;
use crate::requirement::{Catalogue, RequirementId, SubjectKind};
use crate::times::Expr;

/// The only version of the format so far.
const VERSION: u32 = 1;
/// Most messages that one step publishes.
const MAX_PUBLISHED: u32 = 10_000;
/// Most bytes of padding in one message.
const MAX_PADDING: usize = 1024 * 1024;
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStep {
    client: Option<String>,
    #[serde(rename = "do")]
    act: Option<Simple>,
    code: Option<CloseCode>,
    send: Option<RawMessage>,
    get: Option<String>,
    broker: Option<BrokerState>,
    send_text: Option<String>,
    send_binary: Option<Hex>,
    send_bytes: Option<Hex>,
    subscribe: Option<RawTarget>,
    unsubscribe: Option<RawTarget>,
    publish: Option<RawEvent>,
    publish_body: Option<RawBody>,
    inspect: Option<RawInspection>,
    gateway: Option<RawGateway>,
    listen: Option<RawListener>,
    unlisten: Option<RawListener>,
    set_token: Option<String>,
    wait: Option<Pattern>,
    times: Option<Expr>,
    within: Option<Expr>,
    quiet: Option<Expr>,
    requires: Option<RequirementId>,
}

/// Acts that need no details.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Simple {
    Connect,
    Disconnect,
    Close,
    Drop,
    Stall,
    Resume,
    Mute,
    Ping,
    Shutdown,
    Kill,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMessage {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    payload: Value,
    /// More than one go out without a pause.
    #[serde(default = "one")]
    count: u32,
    /// Bytes of padding in the payload.
    #[serde(default)]
    padding: usize,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected an event's type, `{ eventType = … }` or `{ room = … }`")]
enum RawTarget {
    EventType(String),
    Named(Target),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEvent {
    #[serde(rename = "type")]
    kind: String,
    data: Value,
    /// More than one are numbered by a `seq` in their data.
    #[serde(default = "one")]
    count: u32,
    /// Bytes of padding in the data of each.
    #[serde(default)]
    padding: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawBody {
    body: String,
    routing_key: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawInspection {
    Topology,
    Queue,
    Log,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawListener {
    name: String,
    listener: String,
    #[serde(default)]
    fails: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawGateway {
    on_dial: Option<OnDials>,
    pong: Option<bool>,
    close: Option<CloseCode>,
    drop: Option<bool>,
    event: Option<RawEvent>,
    send_text: Option<String>,
    ping: Option<Hex>,
}

/// Bytes in hexadecimal.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Hex(Vec<u8>);

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
        let steps = raw
            .step
            .into_iter()
            .map(|step| self.step(raw.subject, &clients, step.span(), step.into_inner()))
            .collect::<Result<_, _>>()?;
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
        spec.get_ref().token.check().map_err(|message| self.error(spec.span(), message))
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
            SubjectKind::Client if pattern.client().is_some() => {
                Err(self.error(span.clone(), "there is one client here: leave `client` out"))
            }
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

    fn error(&self, span: Range<usize>, message: impl Into<String>) -> ScenarioError {
        ScenarioError::at(self.file, self.text, Some(span), message)
    }
}

impl RawStep {
    /// Everything that the step asks for; a good one asks for one thing.
    fn actions(self, subject: SubjectKind) -> Result<Vec<Action>, String> {
        let mut actions = Vec::new();
        if let Some(pattern) = self.wait {
            let times = self.times.unwrap_or_else(|| Expr::parse("1").expect("a number"));
            actions.push(Action::Wait { pattern, times, within: self.within });
        }
        actions.extend(self.quiet.map(Action::Quiet));
        match subject {
            SubjectKind::Gateway => {
                let mut acts = Vec::new();
                match self.act {
                    Some(Simple::Kill) => actions.push(Action::KillGateway),
                    Some(Simple::Shutdown) => actions.push(Action::ShutDown),
                    Some(Simple::Disconnect) => {
                        return Err("a scripted client does `close` or `drop`".to_owned());
                    }
                    Some(Simple::Connect) => acts.push(ProbeAct::Connect),
                    Some(Simple::Close) => acts.push(ProbeAct::Close(self.code.unwrap_or(CloseCode::NORMAL))),
                    Some(Simple::Drop) => acts.push(ProbeAct::Drop),
                    Some(Simple::Stall) => acts.push(ProbeAct::Stall),
                    Some(Simple::Resume) => acts.push(ProbeAct::Resume),
                    Some(Simple::Mute) => acts.push(ProbeAct::Mute),
                    Some(Simple::Ping) => acts.push(ProbeAct::Ping),
                    None => {}
                }
                if let Some(message) = self.send {
                    let RawMessage { kind, count, .. } = &message;
                    let (kind, count) = (kind.clone(), *count);
                    acts.push(ProbeAct::Send { kind, payload: message.padded()?, count });
                }
                acts.extend(self.send_text.map(ProbeAct::SendText));
                acts.extend(self.send_binary.map(|Hex(bytes)| ProbeAct::SendBinary(bytes)));
                acts.extend(self.send_bytes.map(|Hex(bytes)| ProbeAct::SendBytes(bytes)));
                acts.extend(self.subscribe.map(|target| ProbeAct::Subscribe(target.into())));
                acts.extend(self.unsubscribe.map(|target| ProbeAct::Unsubscribe(target.into())));
                match (&self.client, self.get) {
                    (Some(client), Some(path)) => actions.push(Action::Get { client: client.clone(), path }),
                    (None, Some(_)) => return Err("say which `client` asks".to_owned()),
                    (_, None) => {}
                }
                match (self.client, acts.is_empty()) {
                    (Some(client), _) => {
                        actions.extend(acts.into_iter().map(|act| Action::Probe(client.clone(), act)));
                    }
                    (None, true) => {}
                    (None, false) => return Err("say which `client` does that".to_owned()),
                }
                actions.extend(self.publish.map(RawEvent::publication).transpose()?.map(Action::Publish));
                actions.extend(self.publish_body.map(|raw| {
                    Action::Publish(Publication { bodies: vec![raw.body], routing_key: raw.routing_key })
                }));
                actions.extend(self.inspect.map(|inspect| {
                    Action::Inspect(match inspect {
                        RawInspection::Topology => Inspection::Topology,
                        RawInspection::Queue => Inspection::Queue,
                        RawInspection::Log => Inspection::Log,
                    })
                }));
                actions.extend(self.broker.map(Action::Broker));
                let foreign = self.gateway.is_some()
                    || self.listen.is_some()
                    || self.unlisten.is_some()
                    || self.set_token.is_some();
                if foreign {
                    return Err(
                        "`gateway`, `listen`, `unlisten` and `set_token` are for scenarios about a client"
                            .into(),
                    );
                }
            }
            SubjectKind::Client => {
                match self.act {
                    Some(Simple::Connect) => actions.push(Action::Client(ClientAct::Connect)),
                    Some(Simple::Disconnect) => actions.push(Action::Client(ClientAct::Disconnect)),
                    Some(_) => return Err("a client under test can `connect` and `disconnect`".to_owned()),
                    None => {}
                }
                let mut acts = Vec::new();
                acts.extend(
                    self.send.map(|RawMessage { kind, payload, .. }| ClientAct::Send { kind, payload }),
                );
                acts.extend(self.subscribe.map(|target| ClientAct::Subscribe(target.into())));
                acts.extend(self.unsubscribe.map(|target| ClientAct::Unsubscribe(target.into())));
                acts.extend(self.listen.map(|RawListener { name, listener, fails }| ClientAct::Listen {
                    name,
                    listener,
                    fails,
                }));
                acts.extend(
                    self.unlisten
                        .map(|RawListener { name, listener, .. }| ClientAct::Unlisten { name, listener }),
                );
                acts.extend(self.set_token.map(ClientAct::SetToken));
                actions.extend(acts.into_iter().map(Action::Client));
                if let Some(gateway) = self.gateway {
                    actions.extend(gateway.acts()?.into_iter().map(Action::Gateway));
                }
                let foreign = self.client.is_some()
                    || self.send_text.is_some()
                    || self.send_binary.is_some()
                    || self.send_bytes.is_some()
                    || self.publish.is_some()
                    || self.publish_body.is_some()
                    || self.get.is_some()
                    || self.broker.is_some()
                    || self.inspect.is_some();
                if foreign {
                    return Err(
                        "`client`, `send_text`, `send_binary`, `send_bytes`, `publish`, `publish_body` and \
                                `inspect` are for scenarios about a gateway"
                            .into(),
                    );
                }
            }
        }
        Ok(actions)
    }
}

impl RawMessage {
    fn padded(self) -> Result<Value, String> {
        let Self { mut payload, padding, .. } = self;
        pad(&mut payload, padding)?;
        Ok(payload)
    }
}

/// Makes a payload longer.
fn pad(payload: &mut Value, bytes: usize) -> Result<(), String> {
    if bytes > MAX_PADDING {
        return Err(format!("`padding` is at most {MAX_PADDING} bytes"));
    }
    match payload {
        _ if bytes == 0 => Ok(()),
        Value::Object(fields) => {
            fields.insert("padding".to_owned(), json!("x".repeat(bytes)));
            Ok(())
        }
        _ => Err("what is padded is a table".to_owned()),
    }
}

impl RawEvent {
    fn publication(self) -> Result<Publication, String> {
        if !(1..=MAX_PUBLISHED).contains(&self.count) {
            return Err(format!("`count` lies between 1 and {MAX_PUBLISHED}"));
        }
        let mut padded = self.data.clone();
        pad(&mut padded, self.padding)?;
        let body = |number: u32| {
            let mut data = padded.clone();
            if self.count > 1 {
                data["seq"] = json!(number);
            }
            json!({ "type": self.kind, "data": data }).to_string()
        };
        if self.count > 1 && !self.data.is_object() {
            return Err("events that are counted have a table as `data`".to_owned());
        }
        Ok(Publication {
            bodies: (1..=self.count).map(body).collect(),
            routing_key: self.kind.replace(':', "."),
        })
    }
}

impl RawGateway {
    fn acts(self) -> Result<Vec<GatewayAct>, String> {
        if matches!(&self.on_dial, Some(OnDials::InTurn(answers)) if answers.is_empty()) {
            return Err("`on_dial` is an empty list".to_owned());
        }
        if self.drop == Some(false) {
            return Err("`drop = false` does nothing".to_owned());
        }
        let mut acts = Vec::new();
        acts.extend(self.on_dial.map(GatewayAct::OnDial));
        acts.extend(self.pong.map(GatewayAct::Pong));
        acts.extend(self.close.map(GatewayAct::Close));
        acts.extend(self.drop.map(|_| GatewayAct::Drop));
        acts.extend(self.event.map(|RawEvent { kind, data, .. }| GatewayAct::Event { name: kind, data }));
        acts.extend(self.send_text.map(GatewayAct::SendText));
        acts.extend(self.ping.map(|Hex(bytes)| GatewayAct::Ping(bytes)));
        Ok(acts)
    }
}

impl From<RawTarget> for Target {
    fn from(raw: RawTarget) -> Self {
        match raw {
            RawTarget::EventType(name) => Self::EventType(name),
            RawTarget::Named(target) => target,
        }
    }
}

impl TryFrom<String> for Hex {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let error = || format!("`{text}` is not hexadecimal");
        if !text.len().is_multiple_of(2) || !text.is_ascii() {
            return Err(error());
        }
        let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).map_err(|_| error());
        (0..text.len()).step_by(2).map(byte).collect::<Result<_, _>>().map(Hex)
    }
}

fn yes() -> bool {
    true
}

fn one() -> u32 {
    1
}
