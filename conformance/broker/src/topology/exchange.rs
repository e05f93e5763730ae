//! Exchanges and their bindings.

use super::pattern;
use super::queue::QueueId;
use crate::fault::Fault;
use amq_protocol::protocol::AMQPHardError;
use amq_protocol::types::{AMQPValue, FieldTable, ShortString};
use std::collections::BTreeMap;
use std::fmt;

/// The argument that names the exchange for what this one cannot route.
pub(crate) const ALTERNATE_EXCHANGE: &str = "alternate-exchange";

/// How an exchange chooses among its bindings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExchangeKind {
    /// The routing key equals the binding key.
    Direct,
    /// Every binding.
    Fanout,
    /// The binding key is a pattern that matches the routing key.
    Topic,
    /// The binding's arguments match the message's headers.
    Headers,
}

impl ExchangeKind {
    /// Reads the type named in a declaration.
    pub(crate) fn from_name(name: &str) -> Result<Self, Fault> {
        match name {
            "direct" => Ok(Self::Direct),
            "fanout" => Ok(Self::Fanout),
            "topic" => Ok(Self::Topic),
            "headers" => Ok(Self::Headers),
            _ => Err(Fault::hard(AMQPHardError::COMMANDINVALID, format!("unknown exchange type '{name}'"))),
        }
    }
}

impl fmt::Display for ExchangeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Direct => "direct",
            Self::Fanout => "fanout",
            Self::Topic => "topic",
            Self::Headers => "headers",
        })
    }
}

/// Where a binding leads.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Destination {
    Queue(QueueId),
    Exchange(ShortString),
}

/// One binding, under its key.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Binding {
    pub(crate) destination: Destination,
    pub(crate) arguments: FieldTable,
}

/// An exchange as declared, and what is bound to it.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) kind: ExchangeKind,
    pub(crate) durable: bool,
    pub(crate) auto_delete: bool,
    pub(crate) internal: bool,
    pub(crate) arguments: FieldTable,
    bindings: BTreeMap<ShortString, Vec<Binding>>,
}

impl Exchange {
    pub(crate) fn new(kind: ExchangeKind) -> Self {
        Self {
            kind,
            durable: true,
            auto_delete: false,
            internal: false,
            arguments: FieldTable::default(),
            bindings: BTreeMap::new(),
        }
    }

    /// Adds a binding; whether it is new. Binding twice is one binding.
    pub(crate) fn bind(&mut self, key: ShortString, binding: Binding) -> bool {
        let bindings = self.bindings.entry(key).or_default();
        let new = !bindings.contains(&binding);
        if new {
            bindings.push(binding);
        }
        new
    }

    /// Takes a binding away; whether it was there.
    pub(crate) fn unbind(&mut self, key: &str, binding: &Binding) -> bool {
        self.retain(|bound_key, bound| bound_key.as_str() != key || bound != binding) > 0
    }

    /// Removes every binding to a deleted destination; returns their number.
    pub(crate) fn forget(&mut self, gone: &Destination) -> usize {
        self.retain(|_, bound| bound.destination != *gone)
    }

    /// Whether a binding leads to it.
    pub(crate) fn leads_to(&self, destination: &Destination) -> bool {
        self.bindings.values().flatten().any(|binding| binding.destination == *destination)
    }

    pub(crate) fn is_unbound(&self) -> bool {
        self.bindings.is_empty()
    }

    /// Each binding's key and destination.
    pub(crate) fn bindings(&self) -> impl Iterator<Item = (&ShortString, &Destination)> {
        self.bindings
            .iter()
            .flat_map(|(key, bindings)| bindings.iter().map(move |binding| (key, &binding.destination)))
    }

    pub(crate) fn binding_count(&self) -> usize {
        self.bindings.values().map(Vec::len).sum()
    }

    /// The exchange that takes what this one cannot route.
    pub(crate) fn alternate(&self) -> Option<ShortString> {
        match self.arguments.inner().get(ALTERNATE_EXCHANGE) {
            Some(AMQPValue::LongString(name)) => ShortString::try_new(name.to_string()).ok(),
            _ => None,
        }
    }

    /// The destinations of a message, in no promised order and perhaps repeated.
    pub(crate) fn destinations<'a>(
        &'a self,
        routing_key: &'a str,
        headers: Option<&'a FieldTable>,
    ) -> Box<dyn Iterator<Item = &'a Destination> + 'a> {
        match self.kind {
            ExchangeKind::Direct => Box::new(
                self.bindings.get(routing_key).into_iter().flatten().map(|binding| &binding.destination),
            ),
            ExchangeKind::Fanout => {
                Box::new(self.bindings.values().flatten().map(|binding| &binding.destination))
            }
            ExchangeKind::Topic => Box::new(
                self.bindings
                    .iter()
                    .filter(move |(key, _)| pattern::matches(key.as_str(), routing_key))
                    .flat_map(|(_, bindings)| bindings)
                    .map(|binding| &binding.destination),
            ),
            ExchangeKind::Headers => Box::new(
                self.bindings
                    .values()
                    .flatten()
                    .filter(move |binding| headers_match(&binding.arguments, headers))
                    .map(|binding| &binding.destination),
            ),
        }
    }

    fn retain(&mut self, keep: impl Fn(&ShortString, &Binding) -> bool) -> usize {
        let before = self.binding_count();
        self.bindings.retain(|key, bindings| {
            bindings.retain(|binding| keep(key, binding));
            !bindings.is_empty()
        });
        before - self.binding_count()
    }
}

/// RabbitMQ's rule: all of the binding's arguments, or any with `x-match` = `any`; those that begin with `x-` do not
/// count unless the match is `…-with-x`; one without a value asks only for presence.
fn headers_match(arguments: &FieldTable, headers: Option<&FieldTable>) -> bool {
    let mode = match arguments.inner().get("x-match") {
        Some(AMQPValue::LongString(mode)) => mode.to_string(),
        _ => "all".into(),
    };
    let with_x = mode.ends_with("-with-x");
    let mut wanted = arguments
        .inner()
        .iter()
        .filter(|(name, _)| name.as_str() != "x-match" && (with_x || !name.as_str().starts_with("x-")));
    let fits = |(name, value): (&ShortString, &AMQPValue)| {
        headers
            .and_then(|headers| headers.inner().get(name))
            .is_some_and(|present| *value == AMQPValue::Void || value == present)
    };
    if mode.starts_with("any") { wanted.any(fits) } else { wanted.all(fits) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(entries: &[(&str, &str)]) -> FieldTable {
        let mut table = FieldTable::default();
        for (name, value) in entries {
            table.insert((*name).into(), AMQPValue::LongString((*value).into()));
        }
        table
    }

    /// `all` wants every argument, `any` one of them, and `x-` arguments are settings.
    #[test]
    fn headers_match_all_or_any() {
        let headers = table(&[("kind", "payment"), ("region", "eu"), ("x-trace", "1")]);
        for (arguments, expected) in [
            (table(&[("kind", "payment"), ("region", "eu")]), true),
            (table(&[("kind", "payment"), ("region", "us")]), false),
            (table(&[("x-match", "any"), ("kind", "payment"), ("region", "us")]), true),
            (table(&[("x-match", "any"), ("kind", "refund")]), false),
            (table(&[("kind", "payment"), ("x-trace", "2")]), true),
            (table(&[("x-match", "all-with-x"), ("kind", "payment"), ("x-trace", "2")]), false),
            (table(&[]), true),
        ] {
            assert_eq!(headers_match(&arguments, Some(&headers)), expected, "{arguments:?}");
        }
        assert!(!headers_match(&table(&[("kind", "payment")]), None));
    }
}
