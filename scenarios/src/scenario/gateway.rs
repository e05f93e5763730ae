//! The script of a scenario about a gateway: scripted clients, and a broker.

use std::collections::BTreeMap;
use std::num::NonZeroU16;
use std::time::Duration;

use protocol::Role;
use serde::{Deserialize, Serialize};

use super::is_default;
use super::settings::Settings;
use super::step::{GatewayAction, Inspection, ScriptedClientAct, Step};
use crate::identity::Likeness;
use crate::request::RequestSpec;
use crate::requirement::RequirementId;
use crate::times::{Expr, Times};
use crate::token::{Brings, TokenSpec};

/// What is done to a gateway.
#[derive(Debug, Clone, PartialEq)]
pub struct GatewayScript {
    /// What the gateway under test is configured with, where that is not the usual.
    pub settings: Settings,
    /// How many gateways there are, all on one broker.
    pub gateways: usize,
    /// Whether the gateway must not have served another case before.
    pub fresh: bool,
    /// What it rests on that a gateway need not claim: where that is not claimed, it is not played.
    pub where_claimed: Option<RequirementId>,
    /// Whether the broker is there before the first step.
    pub broker: BrokerState,
    /// The heartbeat that the embedded broker proposes, in seconds, where that is not the usual one.
    pub broker_heartbeat: Option<NonZeroU16>,
    /// The scripted clients.
    pub clients: BTreeMap<String, ClientSpec>,
    /// What is done, in order.
    pub steps: Vec<Step<GatewayAction>>,
}

/// A scripted client.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClientSpec {
    /// The name of the client whose user it shares; its own otherwise.
    #[serde(skip_serializing_if = "is_default")]
    pub user: Option<String>,
    /// Whose user id its own is nearly the same as.
    #[serde(skip_serializing_if = "is_default")]
    pub resembles: Option<Resemblance>,
    /// Its role.
    pub role: Role,
    /// Its token.
    #[serde(skip_serializing_if = "is_default")]
    pub token: TokenSpec,
    /// Whether it connects before the first step, or at a `connect` step.
    pub connect: Connect,
    /// Another path than the gateway's.
    #[serde(skip_serializing_if = "is_default")]
    pub path: Option<String>,
    /// Whether it asks for an upgrade at all.
    pub upgrade: bool,
    /// What else is unusual about its request.
    #[serde(skip_serializing_if = "is_default")]
    pub request: RequestSpec,
    /// Which of the gateway's pings it answers.
    pub answers_pings: PingsAnswered,
    /// The gateway that it dials, counted from 1.
    pub gateway: usize,
    /// The page that it claims to come from.
    #[serde(skip_serializing_if = "is_default")]
    pub origin: Option<String>,
    /// Whether the scenario does not take for granted that it gets in.
    #[serde(skip_serializing_if = "is_default")]
    pub may_be_refused: bool,
    /// Whether it sends half of its request, and then nothing.
    #[serde(skip_serializing_if = "is_default")]
    pub half_request: bool,
    /// Whether it sends half of its request and leaves the connection at that: what comes of it is not waited for.
    #[serde(skip_serializing_if = "is_default")]
    pub begun_request: bool,
    /// Whether it offers `permessage-deflate` as browsers do, and compresses its messages where that is accepted (RFC 7692).
    #[serde(skip_serializing_if = "is_default")]
    pub compression: bool,
    /// Whether it signs in at once, where that takes a message. One that does not says nothing by itself.
    pub signs_in: bool,
    /// How long after each byte of its request the next one is sent, where it is sent byte by byte.
    #[serde(skip_serializing_if = "is_default")]
    pub drip_request: Option<Expr>,
    /// Whether events that are for it are all that the gateway has for it, not the first that fits.
    #[serde(skip_serializing_if = "is_default")]
    pub every_event: bool,
}

/// A user id that is nearly another client's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resemblance {
    /// The other client.
    pub of: String,
    /// How the two differ.
    pub by: Likeness,
}

/// Which pings of a connection are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PingsAnswered {
    /// All, or none.
    All(bool),
    /// The first ones only.
    First(u32),
}

impl PingsAnswered {
    /// How many of them.
    pub fn most(self) -> u32 {
        match self {
            Self::All(true) => u32::MAX,
            Self::All(false) => 0,
            Self::First(count) => count,
        }
    }
}

/// Whether the broker can be reached.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BrokerState {
    /// It can.
    #[default]
    Up,
    /// Its connections are cut and new ones end at once.
    Down,
}

/// When a scripted client connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Connect {
    /// Before the first step.
    Start,
    /// At a `connect` step.
    Later,
}

impl ClientSpec {
    /// The path that it asks for on a gateway whose own is `path`.
    pub fn path_on(&self, path: &str) -> String {
        self.path.as_deref().unwrap_or("{path}").replace("{path}", path)
    }

    /// Whether its dial must succeed: nothing about it is wrong (AUTH-1).
    pub fn is_welcome(&self) -> bool {
        self.token == TokenSpec::default()
            && self.path.is_none()
            && self.upgrade
            && self.origin.is_none()
            && !self.is_unfinished()
            && !self.begun_request
            && !self.may_be_refused
            && self.signs_in
            && self.request == RequestSpec::default()
    }

    /// Whether its request is not whole, or only after a long time.
    pub fn is_unfinished(&self) -> bool {
        self.half_request || self.drip_request.is_some()
    }
}

impl GatewayScript {
    /// Whether it is about signing in by a message: there is no such thing where the token travels in the request.
    pub(crate) fn is_about_signing_in(&self) -> bool {
        let is_by_itself = |act: &GatewayAction| {
            let GatewayAction::ScriptedClient(_, act) = act else { return false };
            matches!(act, ScriptedClientAct::SignIn(_) | ScriptedClientAct::BreakSignIn(_))
        };
        self.clients.values().any(|client| !client.signs_in)
            || self.steps.iter().any(|step| is_by_itself(&step.action))
    }

    /// Whether a client signs in as another besides.
    pub(crate) fn signs_in_as_another(&self, client: &str) -> bool {
        self.steps.iter().any(|step| {
            matches!(&step.action, GatewayAction::ScriptedClient(name, ScriptedClientAct::SignIn(Some(_))) if name == client)
        })
    }

    /// Whether another case on the same gateway would notice: it publishes, or looks at what all connections share, or does
    /// something to the gateway itself.
    pub fn is_noticed(&self) -> bool {
        self.steps.iter().any(|step| match step.action {
            GatewayAction::Publish { .. }
            | GatewayAction::Inspect(_)
            | GatewayAction::Get { .. }
            | GatewayAction::Broker(_)
            | GatewayAction::ShutDown
            | GatewayAction::Kill
            | GatewayAction::Start => true,
            GatewayAction::Wait(_) | GatewayAction::Quiet(_) | GatewayAction::ScriptedClient(..) => false,
        })
    }

    /// Whether it needs a gateway that serves no other case, before or after.
    pub fn needs_own_gateway(&self) -> bool {
        self.fresh
            || self.gateways > 1
            || self.disturbs_broker()
            || self.ends_gateway()
            || !self.settings.placeholders().is_empty()
            // The keys that its tokens name are served as long as its gateway is there.
            || self.clients.values().any(|client| client.token.brings.is_some_and(Brings::is_served))
            || self.steps.iter().any(|step| {
                matches!(
                    step.action,
                    GatewayAction::Inspect(
                        Inspection::Log
                            | Inspection::Settlements
                            | Inspection::Acknowledgement
                            | Inspection::Backlog
                            | Inspection::Consumers
                            | Inspection::Queues
                            | Inspection::Resources
                    )
                )
            })
    }

    /// Whether anything happens between the gateway and its broker.
    pub fn disturbs_broker(&self) -> bool {
        self.broker == BrokerState::Down
            || self.broker_heartbeat.is_some()
            || self.steps.iter().any(|step| matches!(step.action, GatewayAction::Broker(_)))
    }

    /// Whether a step ends a gateway.
    pub fn ends_gateway(&self) -> bool {
        self.steps.iter().any(|step| matches!(step.action, GatewayAction::ShutDown | GatewayAction::Kill))
    }

    /// Whether no gateway is left after the last step.
    pub fn leaves_no_gateway(&self) -> bool {
        let mut last = self.steps.iter().rev().map(|step| &step.action);
        let last = last.find(|action| {
            matches!(action, GatewayAction::ShutDown | GatewayAction::Kill | GatewayAction::Start)
        });
        last.is_some_and(|action| *action != GatewayAction::Start)
    }

    /// Whether anything happens between a scripted client and its gateway.
    pub fn disturbs_scripted_client(&self, name: &str) -> bool {
        let disturbs = |action: &GatewayAction| matches!(action, GatewayAction::ScriptedClient(client, ScriptedClientAct::Network(_)) if client == name);
        self.steps.iter().any(|step| disturbs(&step.action))
    }

    pub(super) fn deadline(&self, times: &Times) -> Duration {
        let steps: Duration = self.steps.iter().map(|step| step.action.longest(times)).sum();
        let starts = u32::try_from(self.clients.len()).unwrap_or(u32::MAX);
        steps + times.patience * (4 + 2 * starts)
    }
}

impl Default for ClientSpec {
    fn default() -> Self {
        Self {
            user: None,
            resembles: None,
            role: Role::Customer,
            token: TokenSpec::default(),
            connect: Connect::Start,
            path: None,
            upgrade: true,
            request: RequestSpec::default(),
            answers_pings: PingsAnswered::All(true),
            gateway: 1,
            origin: None,
            may_be_refused: false,
            half_request: false,
            begun_request: false,
            compression: false,
            signs_in: true,
            drip_request: None,
            every_event: false,
        }
    }
}
