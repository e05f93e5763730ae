//! Declaring, deleting, binding and unbinding.

use super::{Binding, Destination, Exchange, ExchangeKind, Queue, QueueArguments, QueueId, Topology};
use super::{arguments, locked};
use crate::fault::Fault;
use crate::state::ConnectionId;
use amq_protocol::protocol::{AMQPHardError, exchange, queue};
use amq_protocol::types::{FieldTable, ShortString};
use std::fmt::Display;

/// Names that begin so are the broker's own.
const RESERVED_PREFIX: &str = "amq.";

impl Topology {
    /// Declares an exchange, or compares the declaration with the one that exists.
    ///
    /// # Errors
    ///
    /// 403 for the default exchange and reserved names, 404 for a passive declaration of none, 406 for one that
    /// differs, 503 for an unknown type, 506 past the limit.
    pub(crate) fn declare_exchange(&mut self, declare: exchange::Declare) -> Result<(), Fault> {
        let name = declare.exchange;
        check_not_default(&name)?;
        if declare.passive {
            return match self.exchanges.contains_key(&name) {
                true => Ok(()),
                false => Err(Fault::not_found("exchange", name.as_str())),
            };
        }
        let kind = ExchangeKind::from_name(declare.kind.as_str())?;
        if let Some(existing) = self.exchanges.get(&name) {
            let same = Equivalence { what: "exchange", name: name.as_str() };
            same.check("type", &kind, &existing.kind)?;
            same.check("durable", &declare.durable, &existing.durable)?;
            same.check("auto_delete", &declare.auto_delete, &existing.auto_delete)?;
            return same.check("internal", &declare.internal, &existing.internal);
        }
        if name.as_str().starts_with(RESERVED_PREFIX) {
            return Err(reserved("exchange", &name));
        }
        check_room("exchanges", self.exchanges.len(), self.limits.exchanges)?;
        let mut exchange = Exchange::new(kind);
        exchange.durable = declare.durable;
        exchange.auto_delete = declare.auto_delete;
        exchange.internal = declare.internal;
        exchange.arguments = declare.arguments;
        self.exchanges.insert(name, exchange);
        Ok(())
    }

    /// Deletes an exchange. One that does not exist is deleted already.
    ///
    /// # Errors
    ///
    /// 403 for the broker's own, 406 for one still in use where that was asked.
    pub(crate) fn delete_exchange(&mut self, delete: &exchange::Delete) -> Result<(), Fault> {
        let name = &delete.exchange;
        check_not_default(name)?;
        if name.as_str().starts_with(RESERVED_PREFIX) {
            return Err(Fault::refused(format!("operation not permitted on exchange '{name}' in vhost '/'")));
        }
        if delete.if_unused && self.exchanges.get(name).is_some_and(|exchange| !exchange.is_unbound()) {
            return Err(Fault::precondition(format!("exchange '{name}' in vhost '/' in use")));
        }
        self.remove_exchange(name);
        Ok(())
    }

    /// Declares a queue, or compares the declaration with the one that exists.
    ///
    /// # Errors
    ///
    /// 403 for reserved names, 405 for exclusiveness, 406 for a declaration that differs or arguments that make no
    /// sense, 506 past the limit.
    pub(crate) fn declare_queue(
        &mut self,
        declare: &queue::Declare,
        name: ShortString,
        generated: bool,
        user: ConnectionId,
    ) -> Result<QueueId, Fault> {
        let owner = declare.exclusive.then_some(user);
        if let Some(&id) = self.names.get(&name) {
            let existing = self.queue(id);
            if existing.owner != owner {
                return Err(locked(name.as_str()));
            }
            let same = Equivalence { what: "queue", name: name.as_str() };
            same.check("durable", &declare.durable, &existing.durable)?;
            same.check("auto_delete", &declare.auto_delete, &existing.auto_delete)?;
            arguments::check_equivalent(name.as_str(), &existing.declared, &declare.arguments)?;
            return Ok(id);
        }
        if name.as_str().starts_with(RESERVED_PREFIX) && !generated {
            return Err(reserved("queue", &name));
        }
        check_room("queues", self.queues.len(), self.limits.queues)?;
        let arguments = QueueArguments::read(name.as_str(), &declare.arguments)?;
        arguments.kind.check_properties(declare, name.as_str())?;
        let mut queue = Queue::new(name.clone(), declare.arguments.clone(), arguments);
        queue.durable = declare.durable;
        queue.auto_delete = declare.auto_delete;
        queue.owner = owner;
        let id = self.next_queue;
        self.next_queue = QueueId(id.0 + 1);
        self.names.insert(name, id);
        self.queues.insert(id, queue);
        Ok(id)
    }

    /// Binds a queue or an exchange to the exchange named by `source`.
    ///
    /// # Errors
    ///
    /// 403 for the default exchange, 404 where either end does not exist, 506 past the limit.
    pub(crate) fn bind(
        &mut self,
        source: &ShortString,
        key: ShortString,
        destination: Destination,
        arguments: FieldTable,
    ) -> Result<(), Fault> {
        self.check_ends(source, &destination)?;
        let bound = self.exchanges.values().map(Exchange::binding_count).sum();
        check_room("bindings", bound, self.limits.bindings)?;
        if let Some(exchange) = self.exchanges.get_mut(source) {
            exchange.bind(key, Binding { destination, arguments });
        }
        Ok(())
    }

    /// Removes a binding. It is no error if it does not exist.
    ///
    /// # Errors
    ///
    /// 403 for the default exchange, 404 where either end does not exist.
    pub(crate) fn unbind(
        &mut self,
        source: &ShortString,
        key: &ShortString,
        destination: Destination,
        arguments: FieldTable,
    ) -> Result<(), Fault> {
        self.check_ends(source, &destination)?;
        let Some(exchange) = self.exchanges.get_mut(source) else {
            return Ok(());
        };
        let removed = exchange.unbind(key.as_str(), &Binding { destination, arguments });
        if removed && exchange.auto_delete && exchange.is_unbound() {
            self.remove_exchange(source);
        }
        Ok(())
    }

    fn check_ends(&self, source: &ShortString, destination: &Destination) -> Result<(), Fault> {
        check_not_default(source)?;
        if let Destination::Exchange(name) = destination {
            check_not_default(name)?;
            if !self.exchanges.contains_key(name) {
                return Err(Fault::not_found("exchange", name.as_str()));
            }
        }
        match self.exchanges.contains_key(source) {
            true => Ok(()),
            false => Err(Fault::not_found("exchange", source.as_str())),
        }
    }
}

/// Compares what a declaration asks with what exists.
struct Equivalence<'a> {
    what: &'static str,
    name: &'a str,
}

impl Equivalence<'_> {
    fn check<T: PartialEq + Display>(&self, argument: &str, received: &T, current: &T) -> Result<(), Fault> {
        if received == current {
            return Ok(());
        }
        Err(Fault::precondition(format!(
            "inequivalent arg '{argument}' for {} '{}' in vhost '/': received '{received}' but current is '{current}'",
            self.what, self.name
        )))
    }
}

fn check_not_default(name: &ShortString) -> Result<(), Fault> {
    match name.as_str() {
        "" => Err(Fault::refused("operation not permitted on the default exchange")),
        _ => Ok(()),
    }
}

fn reserved(what: &str, name: &ShortString) -> Fault {
    Fault::refused(format!("{what} name '{name}' contains reserved prefix '{RESERVED_PREFIX}*'"))
}

fn check_room(what: &str, count: usize, limit: usize) -> Result<(), Fault> {
    match count < limit {
        true => Ok(()),
        false => {
            Err(Fault::hard(AMQPHardError::RESOURCEERROR, format!("the limit of {limit} {what} is reached")))
        }
    }
}
