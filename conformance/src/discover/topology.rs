//! What a gateway has declared at the broker, and which routing keys reach it. Pure.

use std::collections::{BTreeMap, BTreeSet};

use embedded_broker::Snapshot;

/// Events as scenarios call them, where a binding takes any.
const USUAL: [&str; 9] = [
    "payment.created",
    "payment.updated",
    "payment.completed",
    "payment.failed",
    "profile.updated",
    "session.ended",
    "admin.alert",
    "catalog.changed",
    "stock.changed",
];
/// Last words of routing keys of all kinds.
const LAST_WORDS: [&str; 8] =
    ["created", "updated", "changed", "completed", "failed", "deleted", "ended", "alert"];
/// A word for a place in the middle.
const MIDDLE: &str = "payment";
/// Most keys of one binding.
const MAX_KEYS: usize = 16;
/// Most keys altogether.
const MAX_ALL_KEYS: usize = 48;

/// What a gateway has at the broker.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Topology {
    /// The exchanges that it has declared or bound to, with their types.
    pub exchanges: BTreeMap<String, String>,
    /// Its queues.
    pub queues: Vec<ObservedQueue>,
    /// Its bindings: exchange, key, queue.
    pub bindings: Vec<(String, String, String)>,
    /// Users whose login was refused.
    pub refused_logins: BTreeMap<String, u64>,
}

/// A queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedQueue {
    /// What it is called.
    pub name: String,
    /// `classic` or `quorum`.
    pub kind: String,
    /// Whether the broker has made up the name.
    pub is_server_named: bool,
    /// Whether it is of one connection alone.
    pub is_exclusive: bool,
    /// Whether it outlives the broker.
    pub is_durable: bool,
    /// The prefetch and the acknowledgements of its consumer; none where nothing consumes it.
    pub consumer: Option<(u16, bool)>,
}

/// A way to the gateway.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Route {
    pub(super) exchange: String,
    pub(super) kind: String,
    pub(super) routing_key: String,
}

impl Topology {
    pub(super) fn of(snapshot: &Snapshot) -> Self {
        let is_own = |name: &str| !name.is_empty() && !name.starts_with("amq.");
        let bound: BTreeSet<&str> =
            snapshot.bindings.iter().map(|binding| binding.exchange.as_str()).collect();
        let exchanges =
            snapshot.exchanges.iter().filter(|(name, _)| is_own(name) || bound.contains(name.as_str()));
        let queues = snapshot.queues.iter().map(|(name, queue)| {
            let consumer = snapshot.consumers.iter().find(|consumer| consumer.queue == *name);
            ObservedQueue {
                name: name.clone(),
                kind: queue.kind.clone(),
                is_server_named: name.starts_with("amq.gen"),
                is_exclusive: queue.exclusive,
                is_durable: queue.durable,
                consumer: consumer.map(|consumer| (consumer.prefetch, consumer.acknowledges)),
            }
        });
        let bindings = snapshot.bindings.iter().filter_map(|binding| {
            Some((binding.exchange.clone(), binding.key.clone(), binding.queue.clone()?))
        });
        Self {
            exchanges: exchanges.map(|(name, exchange)| (name.clone(), exchange.kind.clone())).collect(),
            queues: queues.collect(),
            bindings: bindings.collect(),
            refused_logins: snapshot.refused_logins.clone(),
        }
    }

    /// The queues that are consumed.
    pub(super) fn consumed(&self) -> impl Iterator<Item = &ObservedQueue> {
        self.queues.iter().filter(|queue| queue.consumer.is_some())
    }

    /// The exchange that most of what is consumed is bound to.
    pub(super) fn exchange(&self) -> Option<&str> {
        let is_consumed = |queue: &str| self.consumed().any(|consumed| consumed.name == queue);
        let mut counts = BTreeMap::<&str, usize>::new();
        for (exchange, _, _) in self.bindings.iter().filter(|(_, _, queue)| is_consumed(queue)) {
            *counts.entry(exchange).or_default() += 1;
        }
        counts.into_iter().max_by_key(|(_, count)| *count).map(|(exchange, _)| exchange)
    }

    /// Routing keys by which events may reach the gateway.
    pub(super) fn routes(&self) -> Vec<Route> {
        let mut routes = Vec::new();
        let is_consumed = |queue: &str| self.consumed().any(|consumed| consumed.name == queue);
        for (exchange, key, _) in self.bindings.iter().filter(|(_, _, queue)| is_consumed(queue)) {
            let Some(kind) = self.exchanges.get(exchange) else { continue };
            for routing_key in keys(kind, key).into_iter().take(MAX_KEYS) {
                let route = Route { exchange: exchange.clone(), kind: kind.clone(), routing_key };
                if !routes.contains(&route) {
                    routes.push(route);
                }
            }
        }
        routes.truncate(MAX_ALL_KEYS);
        routes
    }
}

/// Routing keys that a binding takes.
fn keys(kind: &str, pattern: &str) -> Vec<String> {
    let usual = || USUAL.map(str::to_owned).to_vec();
    match kind {
        "fanout" => usual(),
        "topic" if pattern == "#" => usual(),
        "topic" if pattern == "*.*" => usual(),
        "topic" if pattern.contains(['*', '#']) => {
            let words: Vec<&str> = pattern.split('.').collect();
            let usual_of = |first: &str| {
                let own = USUAL.iter().filter(|key| key.split('.').next() == Some(first));
                own.map(|key| (*key).to_owned()).collect::<Vec<_>>()
            };
            let mut keys = match words[..] {
                [first, "*" | "#"] => usual_of(first),
                _ => Vec::new(),
            };
            let (last, before) = words.split_last().unwrap_or((&"", &[]));
            let mut stem = before.iter().map(|word| if matches!(*word, "*" | "#") { MIDDLE } else { word });
            let stem = stem.by_ref().collect::<Vec<_>>().join(".");
            let ends: Vec<&str> = if matches!(*last, "*" | "#") { LAST_WORDS.to_vec() } else { vec![last] };
            for end in ends {
                let key = format!("{stem}.{end}");
                let key = key.trim_start_matches('.').to_owned();
                if !keys.contains(&key) {
                    keys.push(key);
                }
            }
            if words.last() == Some(&"#") {
                keys.extend(LAST_WORDS.iter().take(4).map(|end| format!("{stem}.{MIDDLE}.{end}")));
            }
            keys
        }
        // A pattern of headers is none of keys.
        "headers" => Vec::new(),
        _ => vec![pattern.to_owned()],
    }
}

/// Names that an event may have whose routing key is this.
pub(super) fn names(routing_key: &str) -> Vec<String> {
    let words: Vec<&str> = routing_key.split('.').collect();
    let mut names = vec![words.join(":"), routing_key.to_owned()];
    if words.len() > 2 {
        let last = &words[words.len() - 2..];
        names.extend([last.join(":"), last.join(".")]);
    }
    names.dedup();
    names
}

/// How a name follows from a routing key: without its first words, and with this between the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NameRule {
    without: usize,
    between: &'static str,
}

impl NameRule {
    /// The rule by which this name follows from this key.
    pub(super) fn of(routing_key: &str, name: &str) -> Option<Self> {
        let words: Vec<&str> = routing_key.split('.').collect();
        let rules = (0..words.len().saturating_sub(1))
            .flat_map(|without| [":", ".", "/", "-", "_", " "].map(|between| Self { without, between }));
        rules.into_iter().find(|rule| rule.name(routing_key).as_deref() == Some(name))
    }

    /// The name that follows from a key.
    pub(super) fn name(self, routing_key: &str) -> Option<String> {
        let words: Vec<&str> = routing_key.split('.').collect();
        let rest = words.get(self.without..).filter(|rest| !rest.is_empty())?;
        Some(rest.join(self.between))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every key that is made up for a pattern is taken by it.
    #[test]
    fn keys_fit_their_patterns() {
        for (pattern, some) in [
            ("#", "payment.created"),
            ("payment.*", "payment.created"),
            ("payments.payment.*", "payments.payment.updated"),
            ("orders.#", "orders.created"),
            ("*.created", "payment.created"),
            ("a.*.b", "a.payment.b"),
        ] {
            let keys = keys("topic", pattern);
            assert!(keys.iter().any(|key| key == some), "{pattern}: {keys:?}");
            let count = pattern.split('.').count();
            for key in &keys {
                assert!(pattern.contains('#') || key.split('.').count() == count, "{pattern}: {key}");
                let mut pairs = pattern.split('.').zip(key.split('.'));
                assert!(
                    pairs.all(|(wanted, word)| ["*", "#"].contains(&wanted) || wanted == word),
                    "{pattern}: {key}"
                );
            }
        }
        assert_eq!(keys("direct", "ws-events"), ["ws-events"]);
        assert_eq!(keys("topic", "user.notify"), ["user.notify"]);
        assert!(keys("headers", "").is_empty());
        let rule = NameRule::of("shop.order.created", "order/created").unwrap();
        assert_eq!(rule.name("shop.stock.changed").as_deref(), Some("stock/changed"));
        assert_eq!(NameRule::of("shop.order.created", "OrderCreated"), None);
        assert_eq!(names("payments.payment.created")[2], "payment:created");
        assert_eq!(names("ws-events"), ["ws-events"]);
    }
}
