//! What feeds a gateway: the exchanges that events come through, and the queues that it consumes.

use schemars::JsonSchema;
use serde::Deserialize;

/// The exchange and the queue of a gateway as the seed has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// A topic exchange.
    pub exchange: String,
    /// The queue.
    pub queue: String,
}

/// The exchanges and queues of a gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feed {
    /// The gateway's own exchange.
    pub exchange: String,
    /// Every exchange that events come through, each once.
    pub exchanges: Vec<Exchange>,
    /// What it consumes.
    pub queues: Queues,
}

/// An exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// What it is called.
    pub name: String,
    /// How it routes.
    pub kind: ExchangeType,
}

/// How an exchange routes (AMQP 0-9-1 section 3.1.3).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ExchangeType {
    /// By patterns of routing keys.
    #[default]
    Topic,
    /// By equal routing keys.
    Direct,
    /// To every queue that is bound.
    Fanout,
}

/// The queues that a gateway consumes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Queues {
    /// Durable ones, by name; at least one.
    Named(Vec<String>),
    /// Whichever are bound to the exchanges: server-named and exclusive ones, too.
    Any,
}

/// A message to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// The name of its exchange.
    pub exchange: String,
    /// Its routing key.
    pub routing_key: String,
    /// Its body.
    pub body: String,
}

impl Queues {
    /// The names that are known beforehand.
    pub fn named(&self) -> &[String] {
        match self {
            Self::Named(names) => names,
            Self::Any => &[],
        }
    }
}

impl Feed {
    /// The exchanges as people read them.
    pub fn listed(&self) -> String {
        let names: Vec<_> = self.exchanges.iter().map(|exchange| format!("`{}`", exchange.name)).collect();
        names.join(", ")
    }
}

impl From<Names> for Feed {
    fn from(names: Names) -> Self {
        let exchange = Exchange { name: names.exchange.clone(), kind: ExchangeType::Topic };
        let queues = Queues::Named(vec![names.queue]);
        Self { exchange: names.exchange, exchanges: vec![exchange], queues }
    }
}
