//! One scenario: who does what, when, and which requirements that shows.

mod client;
mod error;
mod file;
mod settings;
mod step;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use protocol::{CloseCode, Dialect, Role};
use serde::{Deserialize, Serialize};

pub use client::{ClientSetup, UrlSource};
pub use error::ScenarioError;
pub(crate) use error::nearest;
pub use settings::{Interval, Settings};
use step::ANSWER;
pub use step::{
    Action, BrokerAct, ClientAct, GatewayAct, Hook, Inspection, NetworkAct, OddFrame, OddPing, ProbeAct,
    Publication, Step,
};

use crate::expect::Expectation;
use crate::requirement::{RequirementId, SubjectKind};
use crate::times::Times;
use crate::token::TokenRecipe;
use crate::wire::handshake::RequestRecipe;

/// Clients of a fleet that start within `patience`, on a host that is busy.
const FLEET_STARTS: u32 = 10;
/// How long an adapter may take for an answer where a fleet of them starts: browsers, say, on two cores.
const FLEET_ANSWER: Duration = Duration::from_secs(60);

/// Where a scenario stands: its path without the ending, such as `client/backoff/doubles`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ScenarioId(pub String);

/// A scenario that has been read and checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// Where it stands.
    pub id: ScenarioId,
    /// What it shows, in a sentence.
    pub title: String,
    /// Why it is as it is, where that is not plain.
    pub about: String,
    /// What is judged.
    pub subject: SubjectKind,
    /// Whether it makes sense in simulation too.
    pub simulated: bool,
    /// What the gateway under test is configured with, where that is not the usual.
    pub settings: Settings,
    /// How many gateways there are, all on one broker.
    pub gateways: usize,
    /// Whether nobody may have been on the gateway before.
    pub fresh: bool,
    /// Whether the broker is there before the first step.
    pub broker: BrokerState,
    /// The scripted clients, where a gateway is judged.
    pub clients: BTreeMap<String, ClientSpec>,
    /// The scripted gateway, where a client is judged.
    pub gateway: GatewaySpec,
    /// How the client under test is configured.
    pub client: ClientSetup,
    /// What is done, in order.
    pub steps: Vec<Step>,
    /// What is expected of the trace.
    pub expectations: Vec<Expectation>,
    text: String,
}

/// A scripted client.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClientSpec {
    /// The name of the client whose user it shares; its own otherwise.
    pub user: Option<String>,
    /// Its role.
    pub role: Role,
    /// Its token.
    pub token: TokenRecipe,
    /// Whether it connects before the first step, or at a `connect` step.
    pub connect: Connect,
    /// Another path than the gateway's.
    pub path: Option<String>,
    /// Whether it asks for an upgrade at all.
    pub upgrade: bool,
    /// What else is unusual about its request.
    pub request: RequestRecipe,
    /// Whether it answers control pings.
    pub answers_pings: bool,
    /// The gateway that it dials, counted from 1.
    pub gateway: usize,
    /// The page that it claims to come from.
    pub origin: Option<String>,
    /// Whether the scenario does not take for granted that it gets in.
    pub may_be_refused: bool,
    /// Whether it sends half of its request, and then nothing.
    pub half_request: bool,
}

/// Whether the broker can be reached.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BrokerState {
    /// It can.
    #[default]
    Up,
    /// Its connections are cut and new ones end at once.
    Down,
}

/// When a scripted client connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Connect {
    /// Before the first step.
    Start,
    /// At a `connect` step.
    Later,
}

/// A scripted gateway.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GatewaySpec {
    /// What becomes of a dial: one answer for all, or a list of which the last one stays.
    pub on_dial: OnDials,
    /// Whether it answers `ping` messages.
    pub pong: bool,
    /// Whether it begins with a welcome.
    pub welcome: bool,
}

/// What becomes of dials, in order; the last answer stays.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum OnDials {
    /// Always the same.
    Always(OnDial),
    /// One by one.
    InTurn(Vec<OnDial>),
}

/// What becomes of a dial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDial {
    /// The upgrade succeeds.
    Accept,
    /// The upgrade succeeds, and nothing that follows is read.
    AcceptStalled,
    /// The upgrade succeeds, and the closing handshake begins at once with this code.
    AcceptThenClose(CloseCode),
    /// The upgrade is granted by an answer that proves nothing: its `Sec-WebSocket-Accept` belongs to another request
    /// (RFC 6455 section 4.1).
    AcceptWrongly,
    /// The connection is dropped before any answer.
    Refuse,
    /// The connection is reset before any answer.
    Reset,
    /// The upgrade is answered by something that is not HTTP.
    Garbage,
    /// The upgrade is answered with HTTP 401.
    Unauthorized,
    /// The upgrade is answered with HTTP 403.
    Forbidden,
    /// The upgrade is answered with HTTP 503.
    Unavailable,
    /// The upgrade is never answered.
    Hang,
}

/// What one run of a scenario is told: what its names in braces stand for, so that cases on one gateway do not meet, and what
/// is spoken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bindings {
    /// A word that no other case of the run has.
    pub case: String,
    /// How the implementation under test spells the wire.
    pub dialect: Dialect,
    /// What event types are called there, where that is not what scenarios call them.
    pub event_names: BTreeMap<String, String>,
}

impl ClientSpec {
    /// The path that it asks for on a gateway whose own is `path`.
    pub fn path_on(&self, path: &str) -> String {
        self.path.as_deref().unwrap_or("{path}").replace("{path}", path)
    }
}

impl Scenario {
    /// Reads a scenario's text.
    ///
    /// # Errors
    /// When it is not TOML, or not a scenario; the error points at the line and says what to write.
    pub fn parse(id: ScenarioId, text: &str) -> Result<Self, ScenarioError> {
        file::read(id, text)
    }

    /// The scenario of one run: `{alice}` becomes the user id of the client `alice`, `{case}` the run's own word, `{subscribe}` and
    /// `{room_key}` what the dialect calls a request to join and the room in it, and
    /// `payment:created` whatever that is called.
    ///
    /// # Panics
    /// When the bound text is no scenario, which would mean that a binding holds a quotation mark.
    pub fn bind(&self, bindings: &Bindings) -> Self {
        let dialect = &bindings.dialect;
        let mut text = self
            .text
            .replace("{case}", &bindings.case)
            .replace("{subscribe}", &dialect.requests.subscribe)
            .replace("{room_key}", &dialect.subscribe.room);
        for name in self.clients.keys() {
            text = text.replace(&format!("{{{name}}}"), &self.user_id(name, bindings));
        }
        // At once, since the name of one type may be what scenarios call another.
        if !bindings.event_names.is_empty() {
            let renamed =
                text.split('"').map(|part| bindings.event_names.get(part).map_or(part, String::as_str));
            text = renamed.collect::<Vec<_>>().join("\"");
        }
        Self::parse(self.id.clone(), &text).expect("bindings are plain words").in_dialect(&bindings.dialect)
    }

    /// The scenario with what can be expected in a dialect; what it lacks is not judged.
    pub fn in_dialect(mut self, dialect: &Dialect) -> Self {
        self.expectations.retain(|expectation| expectation.lacks(dialect).is_none());
        self
    }

    /// What a dialect lacks of what the scenario expects.
    pub fn lacks(&self, dialect: &Dialect) -> Option<&'static str> {
        self.expectations.iter().find_map(|expectation| expectation.lacks(dialect))
    }

    /// The user id of a scripted client in one run.
    pub fn user_id(&self, client: &str, bindings: &Bindings) -> String {
        let owner = self.clients.get(client).and_then(|spec| spec.user.as_deref()).unwrap_or(client);
        format!("{owner}-{}", bindings.case)
    }

    /// The requirements that the scenario shows, each once, in order.
    pub fn requirements(&self) -> Vec<RequirementId> {
        let mut ids: Vec<_> =
            self.expectations.iter().map(|expectation| expectation.requirement.clone()).collect();
        ids.sort();
        ids.dedup();
        ids
    }

    /// Whether another case on the same gateway would notice: it publishes, or looks at what all connections share, or does
    /// something to the gateway itself.
    pub fn is_noticed(&self) -> bool {
        self.steps.iter().any(|step| match step.action {
            Action::Publish(_)
            | Action::Inspect(_)
            | Action::Get { .. }
            | Action::Broker(_)
            | Action::ShutDown
            | Action::KillGateway => true,
            Action::Wait { .. }
            | Action::Quiet(_)
            | Action::Probe(..)
            | Action::Network(_)
            | Action::Client(_)
            | Action::Gateway(_) => false,
        })
    }

    /// Whether it needs a gateway that nobody else has, has had, or will have.
    pub fn needs_own_gateway(&self) -> bool {
        self.fresh
            || self.gateways > 1
            || self.disturbs_broker()
            || !self.settings.placeholders().is_empty()
            || self.steps.iter().any(|step| {
                let ends = matches!(step.action, Action::ShutDown | Action::KillGateway);
                ends || step.action == Action::Inspect(Inspection::Log)
            })
    }

    /// Whether anything happens between the gateway and its broker.
    pub fn disturbs_broker(&self) -> bool {
        self.broker == BrokerState::Down
            || self.steps.iter().any(|step| matches!(step.action, Action::Broker(_)))
    }

    /// Whether anything happens between the client and its gateway.
    pub(crate) fn disturbs_client(&self) -> bool {
        self.steps.iter().any(|step| matches!(step.action, Action::Network(_)))
    }

    /// Whether anything happens between a scripted client and its gateway.
    pub(crate) fn disturbs_probe(&self, name: &str) -> bool {
        self.steps
            .iter()
            .any(|step| matches!(&step.action, Action::Probe(client, ProbeAct::Network(_)) if client == name))
    }

    /// Longest time that the steps can take before the harness, not the subject, must be at fault.
    pub fn deadline(&self, times: &Times) -> Duration {
        let steps: Duration = self.steps.iter().map(|step| step.action.longest(times)).sum();
        let starts = u32::try_from(self.clients.len()).unwrap_or(u32::MAX);
        // A fleet is started side by side, on a host that has other things to do.
        let fleet = if self.client.fleet { times.fleet.div_ceil(FLEET_STARTS) } else { 0 };
        steps + self.answer() + times.patience * (2 + starts + fleet)
    }

    /// How long an adapter may take for an answer. One of a fleet is as slow to start as all of it, whatever it is written in.
    pub(crate) fn answer(&self) -> Duration {
        if self.client.fleet { FLEET_ANSWER } else { ANSWER }
    }

    /// The file's text.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl OnDials {
    /// What becomes of dial `number`, counted from 0.
    pub fn answer(&self, number: usize) -> OnDial {
        match self {
            Self::Always(answer) => *answer,
            Self::InTurn(answers) => answers[number.min(answers.len() - 1)],
        }
    }

    /// Whether connections are reset, which a simulation cannot do.
    pub(crate) fn resets(&self) -> bool {
        match self {
            Self::Always(answer) => *answer == OnDial::Reset,
            Self::InTurn(answers) => answers.contains(&OnDial::Reset),
        }
    }
}

impl Default for ClientSpec {
    fn default() -> Self {
        Self {
            user: None,
            role: Role::Customer,
            token: TokenRecipe::default(),
            connect: Connect::Start,
            path: None,
            upgrade: true,
            request: RequestRecipe::default(),
            answers_pings: true,
            gateway: 1,
            origin: None,
            may_be_refused: false,
            half_request: false,
        }
    }
}

impl Default for GatewaySpec {
    fn default() -> Self {
        Self { on_dial: OnDials::Always(OnDial::Accept), pong: true, welcome: true }
    }
}

impl fmt::Display for ScenarioId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests;
