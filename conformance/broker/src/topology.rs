//! Exchanges, queues, and the bindings between them: everything that outlives a channel.

mod arguments;
mod declare;
mod exchange;
mod pattern;
mod queue;

pub(crate) use arguments::{Overflow, QueueArguments, QueueKind, as_number};
pub(crate) use exchange::{ALTERNATE_EXCHANGE, Binding, Destination, Exchange, ExchangeKind};
pub(crate) use pattern::matches;
pub(crate) use queue::{Entry, Queue, QueueId};

use crate::config::Limits;
use crate::fault::Fault;
use crate::message::Message;
use crate::state::ConnectionId;
use amq_protocol::protocol::AMQPSoftError;
use amq_protocol::types::ShortString;
use std::collections::{BTreeMap, BTreeSet};

/// All exchanges and queues of the one virtual host.
#[derive(Debug)]
pub(crate) struct Topology {
    pub(crate) exchanges: BTreeMap<ShortString, Exchange>,
    queues: BTreeMap<QueueId, Queue>,
    names: BTreeMap<ShortString, QueueId>,
    next_queue: QueueId,
    limits: Limits,
}

impl Topology {
    /// The predeclared exchanges, and no queue.
    pub(crate) fn new(limits: Limits) -> Self {
        let predeclared = [
            ("", ExchangeKind::Direct),
            ("amq.direct", ExchangeKind::Direct),
            ("amq.fanout", ExchangeKind::Fanout),
            ("amq.topic", ExchangeKind::Topic),
            ("amq.headers", ExchangeKind::Headers),
            ("amq.match", ExchangeKind::Headers),
        ];
        Self {
            exchanges: predeclared
                .into_iter()
                .map(|(name, kind)| (ShortString::from(name), Exchange::new(kind)))
                .collect(),
            queues: BTreeMap::new(),
            names: BTreeMap::new(),
            next_queue: QueueId(0),
            limits,
        }
    }

    /// The queue of that name, if this connection may use it.
    ///
    /// # Errors
    ///
    /// 404 where there is none, 405 where it is exclusive to another connection.
    pub(crate) fn queue_named(&self, name: &str, user: ConnectionId) -> Result<QueueId, Fault> {
        let id = *self.names.get(name).ok_or_else(|| Fault::not_found("queue", name))?;
        match self.queue(id).owner {
            Some(owner) if owner != user => Err(locked(name)),
            Some(_) | None => Ok(id),
        }
    }

    /// A queue that is known to exist.
    pub(crate) fn queue(&self, id: QueueId) -> &Queue {
        &self.queues[&id]
    }

    /// A queue that may have been deleted.
    pub(crate) fn queue_mut(&mut self, id: QueueId) -> Option<&mut Queue> {
        self.queues.get_mut(&id)
    }

    /// All queues, in the order of their declaration.
    pub(crate) fn queues(&self) -> impl Iterator<Item = (QueueId, &Queue)> {
        self.queues.iter().map(|(id, queue)| (*id, queue))
    }

    /// The queues that a message goes to, each once.
    ///
    /// # Errors
    ///
    /// 404 where its exchange does not exist.
    pub(crate) fn route(&self, message: &Message) -> Result<BTreeSet<QueueId>, Fault> {
        let name = &message.exchange;
        if name.as_str().is_empty() {
            return Ok(self.names.get(message.routing_key.as_str()).copied().into_iter().collect());
        }
        if !self.exchanges.contains_key(name) {
            return Err(Fault::not_found("exchange", name.as_str()));
        }
        let mut headers = None;
        let mut queues = BTreeSet::new();
        let mut seen = BTreeSet::from([name.clone()]);
        let mut pending = vec![name.clone()];
        // Exchanges may be bound to each other in circles: each is visited once.
        while let Some(name) = pending.pop() {
            let Some(exchange) = self.exchanges.get(&name) else {
                continue;
            };
            if exchange.kind == ExchangeKind::Headers && headers.is_none() {
                headers = message.headers();
            }
            let mut matched = false;
            for destination in exchange.destinations(message.routing_key.as_str(), headers.as_ref()) {
                matched = true;
                match destination {
                    Destination::Queue(queue) => {
                        queues.insert(*queue);
                    }
                    Destination::Exchange(next) => {
                        if seen.insert(next.clone()) {
                            pending.push(next.clone());
                        }
                    }
                }
            }
            if !matched
                && let Some(next) = exchange.alternate()
                && seen.insert(next.clone())
            {
                pending.push(next);
            }
        }
        Ok(queues)
    }

    /// The exchanges from which bindings lead to a queue, directly or through others.
    pub(crate) fn sources_of(&self, id: QueueId) -> BTreeSet<ShortString> {
        let mut sources = BTreeSet::new();
        let mut pending = vec![Destination::Queue(id)];
        while let Some(destination) = pending.pop() {
            let direct = self.exchanges.iter().filter(|(_, exchange)| exchange.leads_to(&destination));
            for (name, _) in direct {
                if sources.insert(name.clone()) {
                    pending.push(Destination::Exchange(name.clone()));
                }
            }
        }
        sources
    }

    /// Whether a queue has reached a limit of its own or of the broker, and so cannot take this message.
    pub(crate) fn refuses(&self, id: QueueId, message: &Message) -> bool {
        let queue = self.queue(id);
        let rejects = queue.arguments.overflow == Overflow::RejectPublish;
        rejects && queue.would_be_too_long(message)
            || queue.ready() + queue.unacked() >= self.limits.queue_messages
            || queue.bytes() >= self.limits.queue_bytes
            || self.limits.held_bytes < usize::MAX && self.held_bytes() >= self.limits.held_bytes
    }

    fn held_bytes(&self) -> usize {
        self.queues.values().map(Queue::bytes).sum()
    }

    /// Takes a queue away with its bindings, and the exchanges that live only as long as they are bound.
    pub(crate) fn remove_queue(&mut self, id: QueueId) -> Option<Queue> {
        let queue = self.queues.remove(&id)?;
        self.names.remove(&queue.name);
        self.drop_bindings_to(Destination::Queue(id));
        Some(queue)
    }

    /// Takes an exchange away with its bindings.
    pub(crate) fn remove_exchange(&mut self, name: &ShortString) {
        self.exchanges.remove(name);
        self.drop_bindings_to(Destination::Exchange(name.clone()));
    }

    fn drop_bindings_to(&mut self, gone: Destination) {
        let mut pending = vec![gone];
        while let Some(gone) = pending.pop() {
            let mut unbound = Vec::new();
            for (name, exchange) in &mut self.exchanges {
                if exchange.forget(&gone) > 0 && exchange.auto_delete && exchange.is_unbound() {
                    unbound.push(name.clone());
                }
            }
            for name in unbound {
                self.exchanges.remove(&name);
                pending.push(Destination::Exchange(name));
            }
        }
    }
}

fn locked(name: &str) -> Fault {
    Fault::soft(
        AMQPSoftError::RESOURCELOCKED,
        format!(
            "cannot obtain exclusive access to locked queue '{name}' in vhost '/'. It could be originally declared \
             on another connection or the exclusive property value does not match that of the original declaration."
        ),
    )
}
