//! Messages that die (rejected, expired, crowded out), and the exchange that takes them.

use super::State;
use crate::message::Message;
use crate::topology::{Entry, Overflow, QueueId};
use amq_protocol::protocol::BasicProperties;
use amq_protocol::types::{AMQPValue, FieldArray, FieldTable, ShortString};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// The header that lists a message's deaths, the latest first.
const DEATHS: &str = "x-death";

/// Why a message died.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    Rejected,
    Expired,
    MaxLength,
    DeliveryLimit,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::MaxLength => "maxlen",
            Self::DeliveryLimit => "delivery_limit",
        })
    }
}

/// A message that died in a queue that has an exchange for such.
#[derive(Debug)]
pub(super) struct Death {
    queue: ShortString,
    exchange: ShortString,
    routing_key: Option<ShortString>,
    message: Arc<Message>,
    reason: Reason,
}

impl State {
    /// Dead-letters or drops a message that was removed from a queue.
    pub(super) fn kill(&mut self, id: QueueId, entry: Entry, reason: Reason) {
        let Some(queue) = self.topology.queue_mut(id) else {
            return;
        };
        queue.settle(&entry);
        if let Some(exchange) = &queue.arguments.dead_letter_exchange {
            self.dead.push_back(Death {
                queue: queue.name.clone(),
                exchange: exchange.clone(),
                routing_key: queue.arguments.dead_letter_routing_key.clone(),
                message: entry.message,
                reason,
            });
        }
    }

    /// Drops the oldest messages of a queue that has grown past its declared length.
    pub(super) fn trim(&mut self, id: QueueId) {
        while let Some(queue) = self.topology.queue_mut(id) {
            let drops = queue.arguments.overflow == Overflow::DropHead;
            if !(drops && queue.is_too_long()) {
                return;
            }
            let Some(entry) = queue.take() else { return };
            self.kill(id, entry, Reason::MaxLength);
        }
    }

    /// Publishes a dead message to its exchange. If that does not exist, the message is dropped.
    pub(super) fn dead_letter(&mut self, death: &Death) {
        let message = obituary(death, self.now.unix_seconds);
        let Ok(mut queues) = self.topology.route(&message) else {
            return;
        };
        let deaths = deaths_of(&message);
        queues.retain(|id| !is_cycle(&deaths, self.topology.queue(*id).name.as_str()));
        self.enqueue(&queues, &message);
    }
}

/// The message as it goes to the dead-letter exchange, with this death in its headers in RabbitMQ's format.
fn obituary(death: &Death, unix_seconds: u64) -> Arc<Message> {
    let properties = death.message.decode_properties();
    let mut headers: BTreeMap<_, _> =
        properties.headers().as_ref().map(|headers| headers.inner().clone()).unwrap_or_default();
    let mut deaths = deaths_of(&death.message);
    let reason = death.reason.to_string();
    let known = deaths.iter().position(|known| {
        text(known, "queue") == Some(death.queue.to_string())
            && text(known, "reason").as_ref() == Some(&reason)
    });
    let latest = match known {
        Some(place) => {
            let mut known = deaths.remove(place);
            let count = match known.inner().get("count") {
                Some(AMQPValue::LongLongInt(count)) => *count,
                _ => 0,
            };
            known.insert("count".into(), AMQPValue::LongLongInt(count.saturating_add(1)));
            known
        }
        None => first_of_its_kind(death, &reason, unix_seconds, properties.expiration().as_ref()),
    };
    deaths.insert(0, latest);
    if !headers.contains_key("x-first-death-queue") {
        let exchange = death.message.exchange.as_str();
        for (name, value) in
            [("exchange", exchange), ("queue", death.queue.as_str()), ("reason", reason.as_str())]
        {
            headers.insert(format!("x-first-death-{name}").into(), AMQPValue::LongString(value.into()));
        }
    }
    let deaths: Vec<_> = deaths.into_iter().map(AMQPValue::FieldTable).collect();
    headers.insert(DEATHS.into(), AMQPValue::FieldArray(deaths.into()));
    let routing_key = death.routing_key.clone().unwrap_or_else(|| death.message.routing_key.clone());
    let properties = without_expiration(&properties).with_headers(headers.into());
    death.message.rewritten(death.exchange.clone(), routing_key, &properties)
}

fn first_of_its_kind(
    death: &Death,
    reason: &str,
    unix_seconds: u64,
    expiration: Option<&ShortString>,
) -> FieldTable {
    let long = |text: &str| AMQPValue::LongString(text.into());
    let mut keys = FieldArray::default();
    keys.push(long(death.message.routing_key.as_str()));
    let mut table = FieldTable::default();
    table.insert("count".into(), AMQPValue::LongLongInt(1));
    table.insert("reason".into(), long(reason));
    table.insert("queue".into(), long(death.queue.as_str()));
    table.insert("time".into(), AMQPValue::Timestamp(unix_seconds));
    table.insert("exchange".into(), long(death.message.exchange.as_str()));
    table.insert("routing-keys".into(), AMQPValue::FieldArray(keys));
    if let Some(expiration) = expiration {
        table.insert("original-expiration".into(), long(expiration.as_str()));
    }
    table
}

/// A message must not expire again at its next stop. Properties can be set and not unset, hence the copy.
fn without_expiration(properties: &BasicProperties) -> BasicProperties {
    let mut kept = BasicProperties::default();
    macro_rules! keep {
        ($($get:ident => $set:ident),* $(,)?) => {
            $(if let Some(value) = properties.$get().clone() {
                kept = kept.$set(value);
            })*
        };
    }
    keep!(
        content_type => with_content_type,
        content_encoding => with_content_encoding,
        delivery_mode => with_delivery_mode,
        priority => with_priority,
        correlation_id => with_correlation_id,
        reply_to => with_reply_to,
        message_id => with_message_id,
        timestamp => with_timestamp,
        kind => with_type,
        user_id => with_user_id,
        app_id => with_app_id,
        cluster_id => with_cluster_id,
    );
    kept
}

fn deaths_of(message: &Message) -> Vec<FieldTable> {
    let Some(headers) = message.headers() else {
        return Vec::new();
    };
    let Some(AMQPValue::FieldArray(deaths)) = headers.inner().get(DEATHS) else {
        return Vec::new();
    };
    let tables = deaths.as_slice().iter().filter_map(|death| match death {
        AMQPValue::FieldTable(table) => Some(table.clone()),
        _ => None,
    });
    tables.collect()
}

/// Whether a message has been in this queue before and was not rejected by a consumer since, so that it would cycle for
/// ever.
fn is_cycle(deaths: &[FieldTable], queue: &str) -> bool {
    let Some(last) = deaths.iter().position(|death| text(death, "queue").as_deref() == Some(queue)) else {
        return false;
    };
    deaths[..=last].iter().all(|death| text(death, "reason").as_deref() != Some("rejected"))
}

fn text(death: &FieldTable, field: &str) -> Option<String> {
    match death.inner().get(field) {
        Some(AMQPValue::LongString(text)) => Some(text.to_string()),
        _ => None,
    }
}
