//! The script of a scenario about a pair: a client and its gateway, a network between them that can go wrong, and a broker.

use std::time::Duration;

use protocol::adapter::Options;
use protocol::{Dialect, Role, Timing};
use serde::{Deserialize, Serialize};

use super::client::ClientScript;
use super::gateway::{BrokerState, ClientSpec, GatewayScript};
use super::is_default;
use super::known_fields::known_fields;
use super::settings::Settings;
use super::step::{ANSWER, ClientAction, GatewayAction, PairAction, Step};
use crate::times::Times;
use crate::token::TokenSpec;
use crate::trace::Actor;

/// Longest time for a gateway to be ready again after a restart.
pub(super) const RESTART: Duration = Duration::from_secs(15);

/// What is done to a pair.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PairScript {
    /// What the gateway is configured with, where that is not the usual.
    pub settings: Settings,
    /// How the client is set up.
    pub client: PairClient,
    /// What is done, in order.
    pub steps: Vec<Step<PairAction>>,
    /// What the two halves were told; known once a run has them.
    pub halves: Option<Halves>,
}

/// `[client]` of a scenario about a pair.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PairClient {
    /// The role of its user.
    pub role: Role,
    /// Its token.
    #[serde(skip_serializing_if = "is_default")]
    pub token: TokenSpec,
    /// Events that it listens to from the start, apart from its own.
    #[serde(skip_serializing_if = "is_default")]
    pub listen: Vec<String>,
    /// Other options of the `configure` request, by the adapter protocol's names.
    #[serde(deserialize_with = "known_fields", skip_serializing_if = "is_default")]
    pub options: Options,
}

/// What the halves were told, each by its own profile.
#[derive(Debug, Clone, PartialEq)]
pub struct Halves {
    /// How the gateway spells the wire.
    pub gateway: Dialect,
    /// How the client does.
    pub client: Dialect,
    /// The gateway's times.
    pub gateway_timing: Timing,
    /// The client's times.
    pub client_timing: Timing,
}

impl Default for PairClient {
    fn default() -> Self {
        Self {
            role: Role::Customer,
            token: TokenSpec::default(),
            listen: Vec::new(),
            options: Options::default(),
        }
    }
}

impl PairScript {
    /// Users that a scenario can name in braces: the client's own, and another.
    pub(super) const USERS: [&str; 2] = ["client", "other"];

    /// What is done to the gateway, as a scenario about a gateway has it: this decides what it is started with.
    pub fn of_gateway(&self) -> GatewayScript {
        let steps = self.steps.iter().filter_map(|step| {
            let action = step.action.of_gateway()?;
            Some(Step { action, label: step.label.clone() })
        });
        // Rules for gateways judge each client by its role.
        let spec = ClientSpec { role: self.client.role, ..ClientSpec::default() };
        GatewayScript {
            settings: self.settings.clone(),
            gateways: 1,
            fresh: true,
            where_claimed: None,
            broker: BrokerState::Up,
            broker_heartbeat: None,
            clients: [(Actor::client().0, spec)].into(),
            steps: steps.collect(),
        }
    }

    /// What is done to the client, as a scenario about a client has it.
    pub fn of_client(&self) -> ClientScript {
        let steps = self.steps.iter().filter_map(|step| match &step.action {
            PairAction::Client(act) => {
                Some(Step { action: ClientAction::Client(act.clone()), label: step.label.clone() })
            }
            _ => None,
        });
        ClientScript { steps: steps.collect(), ..ClientScript::default() }
    }

    /// Whether a step does this to the gateway.
    pub fn does(&self, action: &GatewayAction) -> bool {
        self.steps.iter().any(|step| step.action.of_gateway().as_ref() == Some(action))
    }

    pub(super) fn deadline(&self, times: &Times) -> Duration {
        let steps: Duration = self.steps.iter().map(|step| step.action.longest(times)).sum();
        steps + 2 * ANSWER + times.patience * 6
    }
}
