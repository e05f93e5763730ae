//! One scenario: who does what, when, and which requirements that shows.

mod addressed;
mod bind;
mod client;
mod error;
pub(crate) mod file;
mod gateway;
mod known_fields;
mod limits;
mod pair;
mod settings;
mod step;

use std::fmt;
use std::time::Duration;

use protocol::{CloseCode, Dialect, ErrorCloses};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use bind::Bindings;
pub use client::{ClientScript, ClientSetup, GatewaySpec, OnDial, OnDials, UrlSource};
pub use error::ScenarioError;

/// What the name of a client begins with that comes after the steps, to see whether the gateway still serves; scenarios cannot use it.
pub const AFTERWARDS: &str = "afterwards";
pub use gateway::{BrokerState, ClientSpec, Connect, GatewayScript, PingsAnswered, Resemblance};
pub use limits::Limits;
pub use pair::{Halves, PairClient, PairScript};
pub use settings::{Interval, Settings};
pub use step::{
    BrokenSignIn, BrokerAct, ClientAct, ClientAction, Forgets, FrameSpec, GatewayAct, GatewayAction,
    Inspection, LaneSpec, NetworkAct, OddPing, PairAction, ProcessAct, Publication, ScriptedClientAct, Shape,
    Step, Sudden, Wait,
};

use crate::expect::Expectation;
use crate::label::Label;
use crate::pattern::Pattern;
use crate::requirement::{RequirementId, SubjectKind};
use crate::times::Times;

/// Where a scenario stands: its path without the ending, such as `client/backoff/doubles`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
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
    /// Whether it makes sense in simulation too.
    pub simulated: bool,
    /// What is done, by whom.
    pub script: Script,
    /// What is expected of the trace.
    pub expectations: Vec<Expectation>,
    /// What this run's names stand for, where it is bound to one.
    bindings: Option<Bindings>,
}

/// Why a case about the message that signs in is not run.
const NO_MESSAGE_SIGNS_IN: &str = "the token travels in the request: no message signs in";
/// Why a case is not run in which what is no message does not close a connection.
const CLOSED: &str =
    "the dialect closes a connection whose message it does not understand (`dialect.closes`)";

/// What is judged decides what can be scripted.
#[derive(Debug, Clone, PartialEq)]
pub enum Script {
    /// A gateway is judged: the clients and the broker are scripted.
    Gateway(GatewayScript),
    /// A client is judged: the gateway is scripted.
    Client(ClientScript),
    /// Both are judged: the broker and the network between them are scripted.
    Pair(Box<PairScript>),
}

impl Scenario {
    /// Reads a scenario's text.
    ///
    /// # Errors
    /// When it is not TOML, or not a scenario; the error points at the line and says what to write.
    pub fn parse(id: ScenarioId, text: &str) -> Result<Self, ScenarioError> {
        file::read(id, text)
    }

    /// The scenario as a file has it: what is read from it is this scenario.
    pub fn to_toml(&self) -> String {
        file::write(self)
    }

    /// What it rests on that a subject need not claim: where that is not claimed, it is not played.
    pub fn where_claimed(&self) -> Option<&RequirementId> {
        match &self.script {
            Script::Gateway(script) => script.where_claimed.as_ref(),
            Script::Client(_) | Script::Pair(_) => None,
        }
    }

    /// What is judged.
    pub fn subject(&self) -> SubjectKind {
        match self.script {
            Script::Gateway(_) => SubjectKind::Gateway,
            Script::Client(_) => SubjectKind::Client,
            Script::Pair(_) => SubjectKind::Pair,
        }
    }

    /// What this run's names stand for, where it is bound to one.
    pub(crate) fn bindings(&self) -> Option<&Bindings> {
        self.bindings.as_ref()
    }

    /// The scenario with what can be expected in a dialect; what it lacks is not judged.
    pub fn in_dialect(mut self, dialect: &Dialect) -> Self {
        let has_place = self.lacks_place(dialect).is_none();
        self.expectations.retain(|expectation| has_place && expectation.lacks(dialect).is_none());
        match &mut self.script {
            Script::Gateway(script) => {
                script.steps.retain(|step| has_place && step::lacks(&step.action, dialect).is_none());
            }
            Script::Client(script) => {
                script.steps.retain(|step| has_place && step::lacks(&step.action, dialect).is_none());
            }
            Script::Pair(script) => {
                script.steps.retain(|step| step::lacks(&step.action, dialect).is_none());
            }
        }
        self
    }

    /// The scenario without what it expects of these options of a client.
    pub(crate) fn without_options(&self, options: &[&str]) -> Self {
        fn forget(value: &mut serde_json::Value, options: &[&str]) {
            match value {
                serde_json::Value::Object(members) => {
                    members.retain(|name, _| !options.contains(&name.as_str()));
                    members.values_mut().for_each(|value| forget(value, options));
                }
                serde_json::Value::Array(values) => {
                    values.iter_mut().for_each(|value| forget(value, options));
                }
                _ => {}
            }
        }
        let mut value = file::to_value(self);
        forget(&mut value, options);
        file::from_value(self.id.clone(), value)
    }

    /// What a dialect lacks of what the scenario expects.
    pub fn lacks(&self, dialect: &Dialect) -> Option<&'static str> {
        self.lacks_place(dialect)
            .or_else(|| self.expectations.iter().find_map(|expectation| expectation.lacks(dialect)))
    }

    /// Why a token cannot travel as the scenario has it, in a dialect that has it elsewhere than the seed.
    fn lacks_place(&self, dialect: &Dialect) -> Option<&'static str> {
        let script = match &self.script {
            Script::Gateway(script) => script,
            Script::Client(script) => {
                let cannot = dialect.token.is_message() && script.begins_deaf();
                let closes = dialect.closes.closes_on_messages()
                    && script.steps.iter().any(|step| step.action.is_not_understood(dialect));
                if script.is_about_signing_in() {
                    match &dialect.sign_in {
                        None => return Some(NO_MESSAGE_SIGNS_IN),
                        Some(sign_in) if sign_in.answer.is_none() && dialect.welcome_type().is_none() => {
                            return Some(
                                "the message that signs in has no answer: the client is signed in with it",
                            );
                        }
                        Some(_) => {}
                    }
                }
                let early = "a client that signs in by a message is open only once it has been answered";
                return cannot.then_some(early).or_else(|| closes.then_some(CLOSED));
            }
            Script::Pair(_) => return None,
        };
        if script.is_about_signing_in() && dialect.sign_in.is_none() {
            return Some(NO_MESSAGE_SIGNS_IN);
        }
        if let Some(lacking) = self.declared_closes().find_map(|pattern| pattern.lacks(dialect)) {
            return Some(lacking);
        }
        let closes = dialect.closes.closes_on_messages()
            && !self.is_about_declared_closes()
            && script.steps.iter().any(|step| step.action.is_not_understood(dialect));
        let elsewhere = script.clients.values().find_map(|client| client.token.lacks_place(&dialect.token));
        elsewhere.or_else(|| closes.then_some(CLOSED))
    }

    /// Whether it needs a dialect in which a message signs in.
    pub fn is_about_signing_in(&self) -> bool {
        match &self.script {
            Script::Gateway(script) => script.is_about_signing_in(),
            Script::Client(script) => script.is_about_signing_in(),
            Script::Pair(_) => false,
        }
    }

    /// Whether it needs a dialect in which a message that is not understood closes the connection.
    pub fn is_about_declared_closes(&self) -> bool {
        self.declared_closes().next().is_some()
    }

    fn declared_closes(&self) -> impl Iterator<Item = &Pattern> {
        let steps = match &self.script {
            Script::Gateway(script) => script.steps.as_slice(),
            Script::Client(_) | Script::Pair(_) => &[],
        };
        let waits = steps.iter().flat_map(|step| step::Waits::patterns(&step.action));
        let expected = self.expectations.iter().flat_map(Expectation::patterns);
        waits.chain(expected).filter(|pattern| pattern.declared_close().is_some())
    }

    /// A dialect in which it can be played, where it is about what the seed's does not have.
    pub fn own_dialect(&self) -> Option<Dialect> {
        if self.is_about_signing_in() {
            return Some(Dialect::builtin("first-message").expect("it is built in"));
        }
        let code = Some(CloseCode(4400));
        let closes = ErrorCloses { bad_message: code, unknown_type: code, ..ErrorCloses::default() };
        self.is_about_declared_closes().then(|| Dialect { closes, ..Dialect::default() })
    }

    /// The requirements that the scenario shows, by its expectations or by its waits, each once, in order.
    pub fn requirements(&self) -> Vec<RequirementId> {
        let shown = self.labels().filter_map(|label| match label {
            Label::Shows(id) => Some(id),
            Label::Requires(_) => None,
        });
        let expected = self.expectations.iter().map(|expectation| &expectation.requirement);
        let mut ids: Vec<_> = expected.chain(shown).cloned().collect();
        ids.sort();
        ids.dedup();
        ids
    }

    /// The labels of the steps, in order.
    pub fn labels(&self) -> Box<dyn Iterator<Item = &Label> + '_> {
        match &self.script {
            Script::Gateway(script) => Box::new(script.steps.iter().filter_map(|step| step.label.as_ref())),
            Script::Client(script) => Box::new(script.steps.iter().filter_map(|step| step.label.as_ref())),
            Script::Pair(script) => Box::new(script.steps.iter().filter_map(|step| step.label.as_ref())),
        }
    }

    /// The last step that is evidence, counted from 1: from then on nothing more is waited for that the scenario shows.
    pub fn last_evidence(&self) -> Option<usize> {
        fn last<A>(steps: &[Step<A>]) -> Option<usize> {
            steps.iter().rposition(|step| matches!(step.label, Some(Label::Shows(_)))).map(|at| at + 1)
        }
        match &self.script {
            Script::Gateway(script) => last(&script.steps),
            Script::Client(script) => last(&script.steps),
            Script::Pair(script) => last(&script.steps),
        }
    }

    /// What the steps do, for people.
    pub fn actions(&self) -> Vec<String> {
        match &self.script {
            Script::Gateway(script) => script.steps.iter().map(|step| step.action.to_string()).collect(),
            Script::Client(script) => script.steps.iter().map(|step| step.action.to_string()).collect(),
            Script::Pair(script) => script.steps.iter().map(|step| step.action.to_string()).collect(),
        }
    }

    /// Whether the log of what is judged is looked at.
    pub fn reads_log(&self) -> bool {
        match &self.script {
            Script::Gateway(script) => {
                script.steps.iter().any(|step| step.action == GatewayAction::Inspect(Inspection::Log))
            }
            Script::Client(script) => script.steps.iter().any(|step| step.action == ClientAction::ReadLog),
            Script::Pair(_) => false,
        }
    }

    /// Longest time that the steps can take before the harness, not the subject, must be at fault.
    pub fn deadline(&self, times: &Times) -> Duration {
        match &self.script {
            Script::Gateway(script) => script.deadline(times),
            Script::Client(script) => script.deadline(times),
            Script::Pair(script) => script.deadline(times),
        }
    }
}

/// Whether a field has the value that it has where nothing is said.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl fmt::Display for ScenarioId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests;
