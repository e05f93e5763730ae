//! Launches one gateway: as a process, or as a future in this one.

use std::net::{Ipv4Addr, SocketAddr};

use protocol::Timing;
use scenarios::scenario::{GatewayScript, Interval};

use super::launched::Launched;
use crate::executor::{ExecutionError, Executor};
use crate::in_process::{GatewayStart, GatewayStarter};
use crate::limits::HostLimit;
use crate::process::{Streams, Subject};
use crate::profile::{GatewayAccess, GatewayProfile};
use crate::template::Values;

/// What the gateways of a case are launched with.
pub(super) struct Launch<'a> {
    pub(super) executor: &'a Executor,
    pub(super) profile: &'a GatewayProfile,
    pub(super) script: &'a GatewayScript,
    /// What the placeholders stand for, without the port.
    pub(super) values: Values,
}

impl Launch<'_> {
    /// Launches one that is to listen on this port.
    pub(super) fn on(&self, port: u16) -> Result<Launched, ExecutionError> {
        let mut values = self.values.clone();
        values.set("port", port.to_string());
        match &self.profile.access {
            GatewayAccess::Spawn { command, .. } => {
                let folder = &self.executor.profile.folder;
                Ok(Launched::process(Subject::spawn(command, &values, folder, Streams::Kept)?))
            }
            GatewayAccess::InProcess { starter, .. } => self.in_process(starter, port, values),
            GatewayAccess::Attach { .. } => {
                Err(ExecutionError::Harness("a gateway that runs already is not launched".to_owned()))
            }
        }
    }

    fn in_process(
        &self,
        starter: &GatewayStarter,
        port: u16,
        values: Values,
    ) -> Result<Launched, ExecutionError> {
        let value = |name: &str| values.get(name).map_or_else(String::new, |(_, value)| value.to_owned());
        let timing = &self.executor.profile.timing;
        let ping_interval = self.script.settings.ping_interval;
        let ping_interval = ping_interval.map_or(timing.ping_interval, |Interval(interval)| interval);
        let (jwt_secret, exchange, queue) = (value("jwt_secret"), value("exchange"), value("queue"));
        let amqp_url = Some(value("amqp_url")).filter(|url| !url.is_empty());
        let launched = Launched::in_process(starter, |taken, shutdown| GatewayStart {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            path: self.profile.path.clone(),
            jwt_secret,
            amqp_url,
            exchange,
            queue,
            timing: Timing { ping_interval, ..timing.clone() },
            dialect: self.executor.profile.dialect.clone(),
            values,
            taken,
            shutdown,
        });
        launched
            .map_err(|error| ExecutionError::Harness(HostLimit::explain("cannot start a gateway", &error)))
    }
}
