//! A broker that can be killed: RabbitMQ as a process, or the embedded one, which plays dead.

use conformance::amqp::Names;
use embedded_broker::{Broker, BrokerConfig};
use libtest_mimic::Failed;

use crate::arms::node::Node;
use crate::arms::{Absence, requires};

/// A broker with its data.
pub(crate) enum Mortal {
    /// A node with a folder.
    Node(Node),
    /// All connections are reset and further ones refused; what is durable stays.
    Embedded(Broker),
}

impl Mortal {
    pub(crate) async fn node() -> Result<Self, Absence> {
        match Node::start().await {
            Ok(node) => Ok(Self::Node(node)),
            Err(Absence::Excused(reason)) if requires("rabbitmq") => Err(Absence::Failed(reason)),
            Err(absence) => Err(absence),
        }
    }

    pub(crate) async fn embedded() -> Result<Self, Absence> {
        let broker = Broker::start(BrokerConfig::default()).await;
        broker.map(Self::Embedded).map_err(|error| Absence::Failed(error.to_string()))
    }

    pub(crate) fn url(&self) -> String {
        match self {
            Self::Node(node) => node.url(),
            Self::Embedded(broker) => broker.url(),
        }
    }

    /// Waits until what the gateway has declared outlives a kill.
    pub(crate) async fn written(&self, names: &Names) -> Result<(), Failed> {
        match self {
            Self::Node(node) => node.written(&names.exchange, &names.queue).await.map_err(Failed::from),
            Self::Embedded(_) => Ok(()),
        }
    }

    /// Without warning; its data stay.
    pub(crate) async fn kill(&mut self) {
        match self {
            Self::Node(node) => node.kill().await,
            Self::Embedded(broker) => {
                broker.refuse_connections(true).await.expect("the broker runs");
                broker.drop_connections().await.expect("the broker runs");
            }
        }
    }

    /// Returns once it takes connections again.
    pub(crate) async fn start_again(&mut self) -> Result<(), Failed> {
        match self {
            Self::Node(node) => node.start_again().await.map_err(Failed::from),
            Self::Embedded(broker) => {
                broker.refuse_connections(false).await.expect("the broker runs");
                Ok(())
            }
        }
    }

    pub(crate) async fn stop(self) {
        match self {
            Self::Node(node) => node.stop().await,
            Self::Embedded(broker) => broker.shutdown().await,
        }
    }
}
