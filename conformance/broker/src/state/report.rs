//! What the broker says of itself.

use std::collections::BTreeMap;

use amq_protocol::types::ShortString;

use super::State;
use crate::snapshot::{BindingStats, ConsumerStats, ExchangeStats, QueueStats, Snapshot};
use crate::state::connection::Connection;
use crate::topology::{Destination, QueueId};

/// Ignored arguments, and users whose login was refused, that are counted by name.
pub(super) const MAX_COUNTED_NAMES: usize = 100;
/// What the rest of them is counted under.
pub(super) const OTHERS: &str = "(others)";
/// What is kept of the name of a user whose login was refused.
const MAX_USER_CHARS: usize = 100;

impl State {
    /// What the broker holds now.
    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot {
            connections: self.connections.values().filter(|connection| connection.is_open()).count(),
            channels: self.connections.values().map(Connection::channel_count).sum(),
            exchanges: self
                .topology
                .exchanges
                .iter()
                .map(|(name, exchange)| {
                    let stats = ExchangeStats {
                        kind: exchange.kind.to_string(),
                        durable: exchange.durable,
                        auto_delete: exchange.auto_delete,
                        has_alternate: exchange.alternate().is_some(),
                        bindings: exchange.binding_count(),
                    };
                    (name.to_string(), stats)
                })
                .collect(),
            queues: self
                .topology
                .queues()
                .map(|(id, queue)| {
                    let stats = QueueStats {
                        kind: queue.arguments.kind.to_string(),
                        ready: queue.ready(),
                        unacked: queue.unacked(),
                        consumers: queue.consumers.len(),
                        durable: queue.durable,
                        auto_delete: queue.auto_delete,
                        exclusive: queue.owner.is_some(),
                        bound_to: self.topology.sources_of(id).iter().map(ToString::to_string).collect(),
                    };
                    (queue.name.to_string(), stats)
                })
                .collect(),
            bindings: self.bindings(),
            consumers: self.consumer_stats(),
            published: self.published,
            unroutable: self.unroutable,
            refused: self.refused,
            acknowledged: self.acknowledged,
            rejected: self.rejected,
            unasked: self.unasked,
            refused_logins: self.refused_logins.clone(),
            ignored_arguments: self.ignored_arguments.clone(),
        }
    }

    fn bindings(&self) -> Vec<BindingStats> {
        let names = self.queue_names();
        let names = &names;
        let bound = self.topology.exchanges.iter().flat_map(|(name, exchange)| {
            exchange.bindings().map(move |(key, destination)| BindingStats {
                exchange: name.to_string(),
                key: key.to_string(),
                queue: match destination {
                    Destination::Queue(id) => names.get(id).map(ToString::to_string),
                    Destination::Exchange(_) => None,
                },
            })
        });
        bound.collect()
    }

    fn queue_names(&self) -> BTreeMap<QueueId, &ShortString> {
        self.topology.queues().map(|(id, queue)| (id, &queue.name)).collect()
    }

    fn consumer_stats(&self) -> Vec<ConsumerStats> {
        let names = self.queue_names();
        let stats = self.consumers.values().filter_map(|consumer| {
            let connection = self.connections.get(&consumer.connection);
            let channel = connection.and_then(|connection| connection.channels.get(&consumer.channel));
            let of_channel = channel.map_or(0, |channel| channel.channel_prefetch);
            Some(ConsumerStats {
                queue: names.get(&consumer.queue)?.to_string(),
                prefetch: if consumer.prefetch > 0 { consumer.prefetch } else { of_channel },
                acknowledges: !consumer.no_ack,
                heartbeat: connection.map_or(0, |connection| connection.heartbeat),
            })
        });
        stats.collect()
    }

    /// Counts a login that is refused. The name is a stranger's, and at most as long as a frame.
    pub(super) fn count_refused_login(&mut self, user: &str) {
        count(&mut self.refused_logins, user.chars().take(MAX_USER_CHARS).collect());
    }

    /// Reports arguments that RabbitMQ may heed and this broker does not.
    pub(super) fn report_ignored(&mut self, method: &'static str, arguments: impl Iterator<Item = String>) {
        for argument in arguments {
            tracing::warn!(method, argument, "an argument was accepted and changes nothing");
            count(&mut self.ignored_arguments, argument);
        }
    }
}

/// Counts under a name, of which there may be so many.
fn count(counts: &mut BTreeMap<String, u64>, name: String) {
    let known = counts.len() < MAX_COUNTED_NAMES || counts.contains_key(&name);
    *counts.entry(if known { name } else { OTHERS.to_owned() }).or_default() += 1;
}
