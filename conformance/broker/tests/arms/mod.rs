//! The brokers that a suite runs against: the embedded one always, a real one where it can be found.
//!
//! A suite includes this folder by `#[path]`, makes one trial for each test and [`Arm`], and asks [`Arms::url`] for
//! the broker when the trial runs. A broker is started once, at its first use, and stopped by [`Arms::stop`].

mod docker;
pub(crate) mod node;

use embedded_broker::{Broker, BrokerConfig};
use std::collections::BTreeSet;
use std::env;
use tokio::sync::{Mutex, OnceCell};

/// An AMQP URL of a broker that runs already.
const URL: &str = "GATECHECK_AMQP_URL";
/// What must be there: names divided by commas.
const REQUIRE: &str = "GATECHECK_REQUIRE";

/// One kind of broker, in the order in which a real one is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Arm {
    /// The broker of this crate.
    Embedded,
    /// The one that `GATECHECK_AMQP_URL` names.
    Url,
    /// RabbitMQ in a container.
    Docker,
    /// RabbitMQ as a process of its own, from the `rabbitmq-server` on the path.
    Local,
}

impl Arm {
    /// All arms.
    pub(crate) const ALL: [Self; 4] = [Self::Embedded, Self::Url, Self::Docker, Self::Local];

    /// How trials name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Url => "url",
            Self::Docker => "docker",
            Self::Local => "local",
        }
    }

    /// What `GATECHECK_REQUIRE` calls it.
    fn requirement(self) -> Option<&'static str> {
        match self {
            Self::Embedded | Self::Url => None,
            Self::Docker => Some("docker"),
            Self::Local => Some("rabbitmq"),
        }
    }
}

/// Why there is no broker to run against.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Absence {
    /// Nothing asks for it: trials are ignored, for this reason.
    Excused(String),
    /// It was required, or it is there and does not start: trials fail.
    Failed(String),
}

/// The arms of one suite.
#[derive(Debug, Default)]
pub(crate) struct Arms {
    embedded: OnceCell<Broker>,
    docker: OnceCell<Result<docker::Container, Absence>>,
    local: OnceCell<Result<node::Node, Absence>>,
    /// Held while looking, so that an arm knows whether an earlier one was found.
    search: Mutex<()>,
}

impl Arms {
    /// The URL of an arm's broker, which is started if it does not run yet.
    ///
    /// # Errors
    ///
    /// Where there is none, or where an earlier arm covers it already.
    pub(crate) async fn url(&self, arm: Arm) -> Result<String, Absence> {
        match arm {
            Arm::Embedded => {
                let start = || async { Broker::start(BrokerConfig::default()).await };
                let broker = self.embedded.get_or_try_init(start).await;
                broker.map(Broker::url).map_err(|error| Absence::Failed(error.to_string()))
            }
            Arm::Url => env::var(URL).map_err(|_| Absence::Excused(format!("{URL} is not set"))),
            Arm::Docker | Arm::Local => {
                let _searching = self.search.lock().await;
                if !is_required(arm)
                    && let Some(earlier) = self.found_before(arm).await
                {
                    return Err(Absence::Excused(format!("already covered by {}", earlier.name())));
                }
                self.start(arm).await
            }
        }
    }

    /// Stops whatever was started.
    pub(crate) async fn stop(self) {
        if let Some(broker) = self.embedded.into_inner() {
            broker.shutdown().await;
        }
        if let Some(Ok(container)) = self.docker.into_inner() {
            container.stop().await;
        }
        if let Some(Ok(node)) = self.local.into_inner() {
            node.stop().await;
        }
    }

    async fn found_before(&self, arm: Arm) -> Option<Arm> {
        if env::var_os(URL).is_some() {
            return Some(Arm::Url);
        }
        (arm == Arm::Local && self.start(Arm::Docker).await.is_ok()).then_some(Arm::Docker)
    }

    async fn start(&self, arm: Arm) -> Result<String, Absence> {
        let demand = |absence| match absence {
            Absence::Excused(reason) if is_required(arm) => {
                Absence::Failed(format!("{REQUIRE} asks for it, but {reason}"))
            }
            absence => absence,
        };
        match arm {
            Arm::Embedded | Arm::Url => unreachable!("these are never looked for"),
            Arm::Docker => {
                let container = self.docker.get_or_init(docker::Container::start).await;
                container.as_ref().map(docker::Container::url).map_err(|absence| demand(absence.clone()))
            }
            Arm::Local => {
                let node = self.local.get_or_init(node::Node::start).await;
                node.as_ref().map(node::Node::url).map_err(|absence| demand(absence.clone()))
            }
        }
    }
}

/// Whether `GATECHECK_REQUIRE` names something.
pub(crate) fn requires(name: &str) -> bool {
    let required = env::var(REQUIRE).unwrap_or_default();
    required.split(',').map(str::trim).collect::<BTreeSet<_>>().contains(name)
}

fn is_required(arm: Arm) -> bool {
    arm.requirement().is_some_and(requires)
}
