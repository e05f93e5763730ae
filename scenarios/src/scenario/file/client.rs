//! `[[step]]` of a scenario about a client.

use protocol::adapter::{Hook, Reaction, User};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::message::RawMessage;
use super::scripted::RawScripted;
use super::target::RawTarget;
use super::{Keys, RawStep, label, labelled};
use crate::pattern::Pattern;
use crate::requirement::RequirementId;
use crate::scenario::known_fields::known_fields;
use crate::scenario::step::{ClientAct, ClientAction, NetworkAct, ProcessAct, Step, Wait};
use crate::times::Expr;
use crate::trace::Reading;

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawClientStep {
    #[serde(rename = "do")]
    act: Option<Simple>,
    send: Option<RawMessage>,
    subscribe: Option<RawTarget>,
    unsubscribe: Option<RawTarget>,
    listen: Option<RawListen>,
    react: Option<RawReact>,
    unlisten: Option<RawUnlisten>,
    set_token: Option<String>,
    give_token: Option<String>,
    fail_token: Option<String>,
    #[serde(default, deserialize_with = "known_fields")]
    set_user: Option<User>,
    mount: Option<RawMount>,
    unmount: Option<String>,
    observe: Option<Vec<Value>>,
    set_query: Option<RawQuery>,
    get_query: Option<Vec<Value>>,
    read: Option<String>,
    network: Option<NetworkAct>,
    process: Option<ProcessAct>,
    inspect: Option<RawInspection>,
    gateway: Option<RawScripted>,
    wait: Option<Pattern>,
    times: Option<Expr>,
    within: Option<Expr>,
    quiet: Option<Expr>,
    requires: Option<RequirementId>,
    shows: Option<RequirementId>,
}

/// Acts that need no details.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Simple {
    Connect,
    Disconnect,
    SignOut,
    ClearUser,
    ReadConfig,
}

/// Of a client, the log can be inspected, and what its processes hold.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawInspection {
    Log,
    Resources,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawListen {
    name: String,
    listener: String,
    #[serde(default)]
    fails: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawReact {
    name: String,
    listener: String,
    #[serde(rename = "do", deserialize_with = "known_fields")]
    act: Reaction,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawUnlisten {
    name: String,
    listener: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMount {
    name: String,
    #[serde(deserialize_with = "known_fields")]
    hook: Hook,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawQuery {
    key: Vec<Value>,
    value: Value,
}

impl RawStep for RawClientStep {
    type Action = ClientAction;

    fn step(mut self) -> Result<Step<ClientAction>, String> {
        let label = label(self.requires.take(), self.shows.take())?;
        let keys = Keys::of(&self);
        let action = self.action()?;
        keys.check_used(&Keys::of(&self))?;
        let waits = matches!(action, ClientAction::Wait(_));
        labelled(action, label, waits, waits)
    }
}

impl RawClientStep {
    /// Takes out what one action is made of.
    fn action(&mut self) -> Result<ClientAction, String> {
        if let Some(pattern) = self.wait.take() {
            let (times, within) = (self.times.take(), self.within.take());
            return Ok(ClientAction::Wait(Wait { pattern, times, within }));
        }
        if let Some(time) = self.quiet.take() {
            return Ok(ClientAction::Quiet(time));
        }
        if let Some(act) = self.network.take() {
            return Ok(ClientAction::Network(act));
        }
        if let Some(gateway) = self.gateway.take() {
            return Ok(ClientAction::Gateway(gateway.act()?));
        }
        if let Some(act) = self.process.take() {
            return Ok(ClientAction::Process(act));
        }
        if let Some(inspection) = self.inspect.take() {
            return Ok(match inspection {
                RawInspection::Log => ClientAction::ReadLog,
                RawInspection::Resources => ClientAction::ReadResources,
            });
        }
        if let Some(act) = self.act.take() {
            return Ok(ClientAction::Client(match act {
                Simple::Connect => ClientAct::Connect,
                Simple::Disconnect => ClientAct::Disconnect,
                Simple::SignOut => ClientAct::SetToken(None),
                Simple::ClearUser => ClientAct::SetUser(None),
                Simple::ReadConfig => ClientAct::Read(Reading::Configuration),
            }));
        }
        if let Some(message) = self.send.take() {
            return Ok(ClientAction::Client(message.numbered()?));
        }
        if let Some(mount) = self.mount.take() {
            return Ok(ClientAction::Client(mount.act()?));
        }
        let simple = (self.subscribe.take().map(|target| ClientAct::Subscribe(target.into())))
            .or_else(|| self.unsubscribe.take().map(|target| ClientAct::Unsubscribe(target.into())))
            .or_else(|| self.listen.take().map(RawListen::act))
            .or_else(|| self.react.take().map(RawReact::act))
            .or_else(|| self.unlisten.take().map(RawUnlisten::act))
            .or_else(|| self.set_token.take().map(|token| ClientAct::SetToken(Some(token))))
            .or_else(|| self.give_token.take().map(ClientAct::GiveToken))
            .or_else(|| self.fail_token.take().map(ClientAct::FailToken))
            .or_else(|| self.set_user.take().map(|user| ClientAct::SetUser(Some(user))))
            .or_else(|| self.unmount.take().map(ClientAct::Unmount))
            .or_else(|| self.observe.take().map(ClientAct::Observe))
            .or_else(|| self.set_query.take().map(RawQuery::act))
            .or_else(|| self.get_query.take().map(|key| ClientAct::Read(Reading::Query(key))))
            .or_else(|| self.read.take().map(|name| ClientAct::Read(Reading::Consumer(name))));
        simple.map(ClientAction::Client).ok_or_else(|| "the step does nothing".to_owned())
    }
}

impl RawListen {
    pub(super) fn of(name: &str, listener: &str, fails: bool) -> Self {
        Self { name: name.to_owned(), listener: listener.to_owned(), fails }
    }

    pub(super) fn act(self) -> ClientAct {
        let Self { name, listener, fails } = self;
        ClientAct::Listen { name, listener, fails }
    }
}

impl RawReact {
    fn act(self) -> ClientAct {
        let Self { name, listener, act } = self;
        ClientAct::React { name, listener, act }
    }
}

impl RawUnlisten {
    fn act(self) -> ClientAct {
        let Self { name, listener } = self;
        ClientAct::Unlisten { name, listener }
    }
}

impl RawMount {
    /// A consumer is an actor in the trace, so its name must not be another actor's.
    fn act(self) -> Result<ClientAct, String> {
        let Self { name, hook } = self;
        let plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let is_reserved = ["client", "gateway", "broker", "scenario", "case"].contains(&name.as_str());
        if !plain || is_reserved {
            return Err(format!("`{name}`: a consumer's name is lower-case letters and digits, and its own"));
        }
        Ok(ClientAct::Mount { name, hook })
    }
}

impl RawQuery {
    fn act(self) -> ClientAct {
        let Self { key, value } = self;
        ClientAct::SetQuery { key, value }
    }
}

impl From<&Step<ClientAction>> for RawClientStep {
    fn from(step: &Step<ClientAction>) -> Self {
        let (requires, shows) = super::unlabel(step.label.as_ref());
        let none = Self { requires, shows, ..Self::default() };
        match &step.action {
            ClientAction::Wait(Wait { pattern, times, within }) => {
                Self { wait: Some(pattern.clone()), times: times.clone(), within: within.clone(), ..none }
            }
            ClientAction::Quiet(time) => Self { quiet: Some(time.clone()), ..none },
            ClientAction::Network(act) => Self { network: Some(act.clone()), ..none },
            ClientAction::Client(act) => none.with(act),
            ClientAction::Process(act) => Self { process: Some(*act), ..none },
            ClientAction::ReadResources => Self { inspect: Some(RawInspection::Resources), ..none },
            ClientAction::ReadLog => Self { inspect: Some(RawInspection::Log), ..none },
            ClientAction::Gateway(act) => Self { gateway: Some(act.into()), ..none },
        }
    }
}

impl RawClientStep {
    fn with(self, act: &ClientAct) -> Self {
        match act {
            ClientAct::Connect => Self { act: Some(Simple::Connect), ..self },
            ClientAct::Disconnect => Self { act: Some(Simple::Disconnect), ..self },
            ClientAct::Send { kind, payload, count } => {
                Self { send: Some(RawMessage::of(kind, payload, *count)), ..self }
            }
            ClientAct::Subscribe(target) => Self { subscribe: Some(target.into()), ..self },
            ClientAct::Unsubscribe(target) => Self { unsubscribe: Some(target.into()), ..self },
            ClientAct::Listen { name, listener, fails } => {
                Self { listen: Some(RawListen::of(name, listener, *fails)), ..self }
            }
            ClientAct::React { name, listener, act } => {
                let (name, listener, act) = (name.clone(), listener.clone(), act.clone());
                Self { react: Some(RawReact { name, listener, act }), ..self }
            }
            ClientAct::Unlisten { name, listener } => {
                let (name, listener) = (name.clone(), listener.clone());
                Self { unlisten: Some(RawUnlisten { name, listener }), ..self }
            }
            ClientAct::SetToken(Some(token)) => Self { set_token: Some(token.clone()), ..self },
            ClientAct::SetToken(None) => Self { act: Some(Simple::SignOut), ..self },
            ClientAct::GiveToken(token) => Self { give_token: Some(token.clone()), ..self },
            ClientAct::FailToken(error) => Self { fail_token: Some(error.clone()), ..self },
            ClientAct::SetUser(None) => Self { act: Some(Simple::ClearUser), ..self },
            ClientAct::SetUser(Some(user)) => Self { set_user: Some(user.clone()), ..self },
            ClientAct::Mount { name, hook } => {
                Self { mount: Some(RawMount { name: name.clone(), hook: hook.clone() }), ..self }
            }
            ClientAct::Unmount(name) => Self { unmount: Some(name.clone()), ..self },
            ClientAct::Observe(key) => Self { observe: Some(key.clone()), ..self },
            ClientAct::SetQuery { key, value } => {
                Self { set_query: Some(RawQuery { key: key.clone(), value: value.clone() }), ..self }
            }
            ClientAct::Read(Reading::Query(key)) => Self { get_query: Some(key.clone()), ..self },
            ClientAct::Read(Reading::Consumer(name)) => Self { read: Some(name.clone()), ..self },
            ClientAct::Read(Reading::Configuration) => Self { act: Some(Simple::ReadConfig), ..self },
        }
    }
}
