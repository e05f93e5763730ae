//! What a broker holds at one moment.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A broker's state between two inputs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Open connections.
    pub connections: usize,
    /// Open channels, over all connections.
    pub channels: usize,
    /// The exchanges by name, the predeclared ones included.
    pub exchanges: BTreeMap<String, ExchangeStats>,
    /// The queues by name.
    pub queues: BTreeMap<String, QueueStats>,
    /// The bindings of declared exchanges, in the order of exchange and key; without the default one's.
    pub bindings: Vec<BindingStats>,
    /// The consumers, in the order of their start.
    pub consumers: Vec<ConsumerStats>,
    /// Messages published since the start.
    pub published: u64,
    /// Messages that no queue took, since the start.
    pub unroutable: u64,
    /// Messages that a full queue refused, since the start.
    pub refused: u64,
    /// Deliveries that were acknowledged, since the start.
    pub acknowledged: u64,
    /// Deliveries that were rejected without being put back, since the start.
    pub rejected: u64,
    /// Deliveries to consumers that acknowledge none, since the start.
    pub unasked: u64,
    /// Logins that were refused since the start, by user. Past 100 users, further ones are counted as `(others)`.
    pub refused_logins: BTreeMap<String, u64>,
    /// Arguments of queues, exchanges and consumers that were accepted as RabbitMQ does and change nothing here, by
    /// name, and how many declarations had them. Past 100 names, further ones are counted as `(others)`.
    pub ignored_arguments: BTreeMap<String, u64>,
}

/// An exchange's declaration and use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExchangeStats {
    /// `direct`, `fanout`, `topic` or `headers`.
    pub kind: String,
    /// Declared durable.
    pub durable: bool,
    /// Declared auto-delete: deleted with its last binding.
    pub auto_delete: bool,
    /// Declared with an exchange for what it cannot route.
    pub has_alternate: bool,
    /// Bindings that start here.
    pub bindings: usize,
}

impl Snapshot {
    /// The bindings that start at an exchange.
    pub fn bindings_of(&self, exchange: &str) -> impl Iterator<Item = &BindingStats> {
        self.bindings.iter().filter(move |binding| binding.exchange == exchange)
    }

    /// Whether a binding of an exchange matches a routing key; nothing where headers decide, or what the exchange cannot route goes
    /// elsewhere, or there is no such exchange.
    pub fn routes(&self, exchange: &str, routing_key: &str) -> Option<bool> {
        self.matching(exchange, routing_key).map(|bindings| !bindings.is_empty())
    }

    /// The queues that take a message, as far as bindings of its exchange lead to them; nothing where that cannot be said.
    pub fn takers<'a>(&'a self, exchange: &str, routing_key: &str) -> Option<BTreeSet<&'a str>> {
        let bindings = self.matching(exchange, routing_key)?;
        Some(bindings.into_iter().filter_map(|binding| binding.queue.as_deref()).collect())
    }

    fn matching(&self, exchange: &str, routing_key: &str) -> Option<Vec<&BindingStats>> {
        let ExchangeStats { kind, has_alternate, .. } = self.exchanges.get(exchange)?;
        let matches: fn(&str, &str) -> bool = match kind.as_str() {
            _ if *has_alternate => return None,
            "direct" => |key, routing_key| key == routing_key,
            "fanout" => |_, _| true,
            "topic" => crate::topology::matches,
            _ => return None,
        };
        Some(self.bindings_of(exchange).filter(|binding| matches(&binding.key, routing_key)).collect())
    }
}

/// A queue's declaration and content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueStats {
    /// `classic` or `quorum`.
    pub kind: String,
    /// Messages that wait.
    pub ready: usize,
    /// Messages delivered and not yet acknowledged.
    pub unacked: usize,
    /// Consumers.
    pub consumers: usize,
    /// Declared durable.
    pub durable: bool,
    /// Declared auto-delete: deleted with its last consumer.
    pub auto_delete: bool,
    /// Declared for one connection alone.
    pub exclusive: bool,
    /// The exchanges that a binding leads from to here, directly or through other exchanges; without the default one, which
    /// every queue is bound to.
    pub bound_to: BTreeSet<String>,
}

/// A binding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindingStats {
    /// The exchange where it starts.
    pub exchange: String,
    /// Its key; a pattern where the exchange is a topic exchange.
    pub key: String,
    /// The queue that it leads to; none where it leads to another exchange.
    pub queue: Option<String>,
}

impl fmt::Display for BindingStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} → {}", self.key, self.queue.as_deref().unwrap_or("another exchange"))
    }
}

/// A consumer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerStats {
    /// The queue that it consumes.
    pub queue: String,
    /// The most deliveries that it has unacknowledged at once; zero for no limit.
    pub prefetch: u16,
    /// Whether it acknowledges what it gets.
    pub acknowledges: bool,
    /// The heartbeat that its client has agreed to, in seconds; zero for none.
    pub heartbeat: u16,
}
