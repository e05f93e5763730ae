//! A gateway with its broker, outside of any scenario: for what brings clients of its own.

use std::collections::BTreeMap;

use embedded_broker::Limits;
use player::StageError;
use scenarios::scenario::{BrokerState, GatewayScript, Settings};
use scenarios::token::Issuer;

use super::rig::{Rejection, Rig};
use crate::amqp::{BrokerLink, Outgoing, Queues};
use crate::executor::{ExecutionError, Executor};
use crate::profile::GatewayAccess;
use scenarios::SubjectKind;

/// A gateway that runs until it is taken down. Dropping it ends it, too, but leaves what it declared at a broker elsewhere.
pub struct RunningGateway {
    rig: Rig,
    path: String,
}

impl Executor {
    /// Starts the gateway, or attaches to it, with limits that let so many connections in.
    ///
    /// # Errors
    /// When it, or its broker, does not start.
    pub async fn start_gateway(&self, connections: u32) -> Result<RunningGateway, ExecutionError> {
        let gateway = self.profile.gateway.as_ref();
        let profile = gateway.ok_or(ExecutionError::NoSubject(SubjectKind::Gateway))?;
        let most = Some(connections.max(Settings::MANY_CONNECTIONS));
        let settings = Settings {
            max_connections: most,
            max_connections_per_user: most,
            max_connections_per_address: most,
            ..Settings::default()
        };
        let script = GatewayScript {
            settings,
            gateways: 1,
            where_claimed: None,
            fresh: true,
            broker: BrokerState::Up,
            broker_heartbeat: None,
            clients: BTreeMap::new(),
            steps: Vec::new(),
        };
        match Rig::set_up(self, profile, &script, &self.bindings(), Limits::default()).await {
            Ok(rig) => Ok(RunningGateway { rig, path: profile.path.clone() }),
            Err(Rejection::Error(error)) => Err(error),
            Err(Rejection::Judged { output, .. }) => {
                Err(ExecutionError::Subject { reason: "the gateway did not start".to_owned(), output })
            }
            Err(Rejection::NotReady { reason, output, .. }) => {
                Err(ExecutionError::NotReady { reason, output })
            }
        }
    }

    /// What the gateway is, in words: its command, or where it runs.
    pub fn subject(&self) -> String {
        match self.profile.gateway.as_ref().map(|gateway| (&gateway.access, &gateway.path)) {
            Some((GatewayAccess::Spawn { command, .. }, _)) => command.words.join(" "),
            Some((GatewayAccess::Attach { authority, .. }, path)) => format!("ws://{authority}{path}"),
            Some((GatewayAccess::InProcess { .. }, _)) => "in this process".to_owned(),
            None => String::new(),
        }
    }
}

impl RunningGateway {
    /// Its host and port.
    pub fn authority(&self) -> &str {
        &self.rig.authorities[0]
    }

    /// The path that upgrades.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Who signs the tokens that it accepts.
    pub fn issuer(&self) -> &Issuer {
        &self.rig.issuer
    }

    /// The exchange that it consumes from.
    pub fn exchange(&self) -> &str {
        &self.rig.feed.exchange
    }

    /// Its process, where it was started as one and still runs.
    pub fn process(&self) -> Option<u32> {
        self.rig.gateways.first()?.instance.id()
    }

    /// How it ended, where it was started and has.
    pub fn ended(&self) -> Option<String> {
        self.rig.gateways.first()?.instance.ended()
    }

    /// What it printed last.
    pub async fn output(&self) -> Vec<String> {
        self.rig.output().await
    }

    /// A connection to its broker, by which events come to it; none where there is no broker. Its first event waits until the
    /// gateway consumes.
    ///
    /// # Errors
    /// When the broker does not take the connection.
    pub async fn link(&self) -> Result<Option<BrokerLink>, ExecutionError> {
        self.rig.link().await
    }

    /// Publishes where the gateway consumes, and waits for that the first time.
    ///
    /// # Errors
    /// When nothing consumes, or the broker refuses; what the embedded broker knows of the cause is in the message.
    pub async fn publish_first(&self, link: &mut BrokerLink, message: Outgoing) -> Result<(), String> {
        let published = link.publish_all(&[message]).await;
        published.map_err(|error| match error {
            StageError::Precondition { detail, .. } => match &self.rig.feed.queues {
                Queues::Named(names) => format!("{detail} (it is waited for at {})", names.join(", ")),
                Queues::Any => detail,
            },
            error => error.to_string(),
        })
    }

    /// Takes the gateway and its broker down.
    pub async fn take_down(self) {
        self.rig.take_down().await;
    }
}
