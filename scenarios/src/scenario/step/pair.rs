//! The steps of a scenario about a pair.

use std::fmt;
use std::time::Duration;

use super::{BrokerAct, ClientAct, ClientAction, GatewayAction, NetworkAct, Publication, Wait, Waits};
use crate::pattern::Pattern;
use crate::scenario::pair::RESTART;
use crate::times::{Expr, Times};
use crate::token::TokenSpec;

/// What a step does.
#[derive(Debug, Clone, PartialEq)]
pub enum PairAction {
    /// Waits.
    Wait(Wait),
    /// Lets time pass.
    Quiet(Expr),
    /// The client acts.
    Client(ClientAct),
    /// The client is given another token, made by this recipe.
    SetToken(TokenSpec),
    /// The network between client and gateway acts. The gateway's end is the one that lanes call the subject.
    Network(NetworkAct),
    /// Messages are published and confirmed; until each of these has matched, where there are any.
    Publish {
        /// What.
        publication: Publication,
        /// Until when.
        until: Vec<Pattern>,
    },
    /// The broker goes or comes, as the gateway sees it, or what is between them changes.
    Broker(BrokerAct),
    /// The gateway is killed without warning.
    Kill,
    /// A gateway is started where one was killed; the client finds it by the same URL.
    Start,
}

impl PairAction {
    /// The same as a step of a scenario about a gateway, where it is one.
    pub fn of_gateway(&self) -> Option<GatewayAction> {
        match self.clone() {
            Self::Publish { publication, until } => {
                Some(GatewayAction::Publish { publication, until, within: None, optional: false })
            }
            Self::Broker(act) => Some(GatewayAction::Broker(act)),
            Self::Kill => Some(GatewayAction::Kill),
            Self::Wait(_)
            | Self::Quiet(_)
            | Self::Client(_)
            | Self::SetToken(_)
            | Self::Network(_)
            | Self::Start => None,
        }
    }

    /// Longest time that the step can take.
    pub(in crate::scenario) fn longest(&self, times: &Times) -> Duration {
        match self {
            Self::Wait(wait) => wait.window(times),
            Self::Quiet(time) => time.duration(times),
            Self::Client(act) => ClientAction::Client(act.clone()).longest(times),
            Self::Start => RESTART,
            _ => times.patience,
        }
    }
}

impl Waits for PairAction {
    fn patterns(&self) -> Vec<&Pattern> {
        match self {
            Self::Wait(wait) => vec![&wait.pattern],
            Self::Publish { until, .. } => until.iter().collect(),
            _ => Vec::new(),
        }
    }

    fn patterns_mut(&mut self) -> Vec<&mut Pattern> {
        match self {
            Self::Wait(wait) => vec![&mut wait.pattern],
            Self::Publish { until, .. } => until.iter_mut().collect(),
            _ => Vec::new(),
        }
    }
}

impl fmt::Display for PairAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wait(wait) => wait.fmt(f),
            Self::Quiet(time) => write!(f, "let {time} pass"),
            Self::Client(act) => write!(f, "client: {act}"),
            Self::SetToken(_) => f.write_str("client: take a new token"),
            Self::Network(act) => write!(
                f,
                "the network between client and gateway {}",
                act.between("to the gateway", "to the client")
            ),
            Self::Start => f.write_str("start the gateway again"),
            Self::Publish { .. } | Self::Broker(_) | Self::Kill => match self.of_gateway() {
                Some(action) => action.fmt(f),
                None => Ok(()),
            },
        }
    }
}
