//! The optional arguments of a queue declaration.

use crate::fault::Fault;
use amq_protocol::protocol::queue;
use amq_protocol::types::{AMQPValue, FieldTable, ShortString};
use std::fmt;
use std::time::Duration;

/// What RabbitMQ heeds of a queue of each kind; an argument of one kind is refused for the other.
const CLASSIC: [&str; 13] = [
    "x-dead-letter-exchange",
    "x-dead-letter-routing-key",
    "x-expires",
    "x-max-length",
    "x-max-length-bytes",
    "x-max-priority",
    "x-message-ttl",
    "x-overflow",
    QUEUE_TYPE,
    "x-single-active-consumer",
    "x-queue-mode",
    "x-queue-version",
    "x-queue-master-locator",
];
const QUORUM: [&str; 15] = [
    "x-dead-letter-exchange",
    "x-dead-letter-routing-key",
    "x-dead-letter-strategy",
    "x-delivery-limit",
    "x-expires",
    "x-max-length",
    "x-max-length-bytes",
    "x-message-ttl",
    "x-overflow",
    QUEUE_TYPE,
    "x-single-active-consumer",
    "x-max-in-memory-length",
    "x-max-in-memory-bytes",
    "x-quorum-initial-group-size",
    "x-queue-leader-locator",
];
/// What only streams have, which are not implemented.
const STREAM: [&str; 3] = ["x-max-age", "x-stream-max-segment-size-bytes", "x-initial-cluster-size"];
/// What is about where RabbitMQ stores messages, and changes nothing here.
const STORAGE: [&str; 7] = [
    "x-queue-mode",
    "x-queue-version",
    "x-queue-master-locator",
    "x-max-in-memory-length",
    "x-max-in-memory-bytes",
    "x-quorum-initial-group-size",
    "x-queue-leader-locator",
];
const QUEUE_TYPE: &str = "x-queue-type";
/// The highest `x-max-priority`.
const MAX_PRIORITY: u64 = 255;

/// What a queue does with requeued messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum QueueKind {
    /// They return to their place.
    #[default]
    Classic,
    /// They are counted, and return behind those that came back before.
    Quorum,
}

impl QueueKind {
    fn from_name(name: &str) -> Option<Self> {
        match name {
            "classic" => Some(Self::Classic),
            "quorum" => Some(Self::Quorum),
            _ => None,
        }
    }

    /// The arguments that it heeds at RabbitMQ.
    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Classic => &CLASSIC,
            Self::Quorum => &QUORUM,
        }
    }

    /// Refuses what a quorum queue cannot be.
    ///
    /// # Errors
    ///
    /// 406 for one that is exclusive, temporary or not durable.
    pub(crate) fn check_properties(self, declare: &queue::Declare, name: &str) -> Result<(), Fault> {
        let property = match self {
            Self::Classic => return Ok(()),
            Self::Quorum if declare.auto_delete => "auto-delete",
            Self::Quorum if declare.exclusive => "exclusive-owner",
            Self::Quorum if !declare.durable => "non-durable",
            Self::Quorum => return Ok(()),
        };
        Err(Fault::precondition(format!("invalid property '{property}' for queue '{name}' in vhost '/'")))
    }
}

impl fmt::Display for QueueKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Classic => "classic",
            Self::Quorum => "quorum",
        })
    }
}

/// What happens to a message for which a queue of limited length has no room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Overflow {
    /// The oldest message makes room, dead-lettered where that is configured.
    #[default]
    DropHead,
    /// The new one is refused; its publisher gets a nack.
    RejectPublish,
}

/// The arguments that change what this broker does.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct QueueArguments {
    pub(crate) kind: QueueKind,
    pub(crate) dead_letter_exchange: Option<ShortString>,
    pub(crate) dead_letter_routing_key: Option<ShortString>,
    /// How often a message may be requeued before it is dead-lettered.
    pub(crate) delivery_limit: Option<u32>,
    /// How long the queue may be unused.
    pub(crate) expires: Option<Duration>,
    pub(crate) message_ttl: Option<Duration>,
    pub(crate) max_length: Option<usize>,
    pub(crate) max_length_bytes: Option<usize>,
    /// The highest distinct priority; `None` where the queue has no priorities.
    pub(crate) max_priority: Option<u8>,
    pub(crate) overflow: Overflow,
    pub(crate) single_active_consumer: bool,
}

impl QueueArguments {
    /// Reads and checks them.
    ///
    /// # Errors
    ///
    /// 406 for a value of the wrong type or range, or an argument of another kind of queue; 540 for what this broker
    /// does not do.
    pub(crate) fn read(queue: &str, table: &FieldTable) -> Result<Self, Fault> {
        let reader = Reader { queue, table };
        let kind = reader.kind()?;
        let known = || CLASSIC.into_iter().chain(QUORUM).chain(STREAM);
        let unexpected = known().find(|name| table.contains_key(name) && !kind.arguments().contains(name));
        if let Some(argument) = unexpected {
            return Err(Fault::precondition(format!(
                "invalid arg '{argument}' for queue '{queue}' in vhost '/' of queue type rabbit_{kind}_queue"
            )));
        }
        if reader.name("x-dead-letter-strategy")?.is_some_and(|strategy| strategy.as_str() == "at-least-once")
        {
            return Err(reader.not_implemented("x-dead-letter-strategy = at-least-once"));
        }
        if let Some(mode) = reader.name("x-queue-mode")?
            && !matches!(mode.as_str(), "default" | "lazy")
        {
            return Err(reader.invalid("x-queue-mode", &format!("\"unsupported queue mode '{mode}'\"")));
        }
        let length = |length| usize::try_from(length).unwrap_or(usize::MAX);
        let arguments = Self {
            kind,
            dead_letter_exchange: reader.name("x-dead-letter-exchange")?,
            dead_letter_routing_key: reader.name("x-dead-letter-routing-key")?,
            delivery_limit: reader.delivery_limit(),
            expires: reader.expires()?,
            message_ttl: reader.number("x-message-ttl")?.map(Duration::from_millis),
            max_length: reader.number("x-max-length")?.map(length),
            max_length_bytes: reader.number("x-max-length-bytes")?.map(length),
            max_priority: reader.max_priority()?,
            overflow: reader.overflow()?,
            single_active_consumer: reader.flag("x-single-active-consumer")?,
        };
        if arguments.dead_letter_routing_key.is_some() && arguments.dead_letter_exchange.is_none() {
            return Err(reader.invalid("x-dead-letter-routing-key", "routing_key_but_no_dlx_defined"));
        }
        Ok(arguments)
    }

    /// The arguments of a sound declaration that change nothing here: those about storage, and those that RabbitMQ does
    /// not know either.
    pub(crate) fn ignored(table: &FieldTable) -> impl Iterator<Item = String> {
        let names = table.inner().keys().map(ShortString::as_str).filter(|name| {
            let is_known = CLASSIC.contains(name) || QUORUM.contains(name);
            !is_known || STORAGE.contains(name)
        });
        names.map(str::to_owned)
    }
}

/// Compares the arguments of a queue with those of another declaration of it.
///
/// # Errors
///
/// 406 naming the first that differs.
pub(crate) fn check_equivalent(
    queue: &str,
    current: &FieldTable,
    received: &FieldTable,
) -> Result<(), Fault> {
    let classic = AMQPValue::LongString("classic".into());
    let kind_of = |table: &FieldTable| table.inner().get(QUEUE_TYPE).unwrap_or(&classic).clone();
    let kind = as_text(&kind_of(current)).and_then(|name| QueueKind::from_name(&name)).unwrap_or_default();
    for name in kind.arguments() {
        let (now, then) = (received.inner().get(*name), current.inner().get(*name));
        if *name == QUEUE_TYPE && kind_of(received) == kind_of(current) {
            continue;
        }
        let same = match (now.and_then(as_number), then.and_then(as_number)) {
            (Some(now), Some(then)) => now == then,
            _ => now == then,
        };
        if !same {
            return Err(Fault::precondition(format!(
                "inequivalent arg '{name}' for queue '{queue}' in vhost '/': received {} but current is {}",
                describe(now, then),
                describe(then, now)
            )));
        }
    }
    Ok(())
}

struct Reader<'a> {
    queue: &'a str,
    table: &'a FieldTable,
}

impl Reader<'_> {
    fn name(&self, argument: &str) -> Result<Option<ShortString>, Fault> {
        match self.table.inner().get(argument) {
            None => Ok(None),
            Some(AMQPValue::LongString(name)) => match ShortString::try_new(name.to_string()) {
                Ok(name) => Ok(Some(name)),
                Err(error) => Err(self.invalid(argument, &error.to_string())),
            },
            Some(_) => Err(self.invalid(argument, "unacceptable_type")),
        }
    }

    fn number(&self, argument: &str) -> Result<Option<u64>, Fault> {
        let Some(value) = self.table.inner().get(argument) else {
            return Ok(None);
        };
        let number = as_number(value).ok_or_else(|| self.invalid(argument, "unacceptable_type"))?;
        u64::try_from(number).map(Some).map_err(|_| self.invalid(argument, "value_negative"))
    }

    fn kind(&self) -> Result<QueueKind, Fault> {
        let Some(name) = self.name(QUEUE_TYPE)? else {
            return Ok(QueueKind::Classic);
        };
        match name.as_str() {
            "stream" => Err(self.not_implemented("x-queue-type = stream")),
            name => QueueKind::from_name(name)
                .ok_or_else(|| self.invalid(QUEUE_TYPE, &format!("\"unsupported queue type '{name}'\""))),
        }
    }

    /// RabbitMQ takes anything here; what is no limit limits nothing.
    fn delivery_limit(&self) -> Option<u32> {
        let limit = self.table.inner().get("x-delivery-limit").and_then(as_number)?;
        (limit >= 0).then(|| u32::try_from(limit).unwrap_or(u32::MAX))
    }

    fn expires(&self) -> Result<Option<Duration>, Fault> {
        match self.number("x-expires")? {
            Some(0) => Err(self.invalid("x-expires", "{value_zero,0}")),
            expires => Ok(expires.map(Duration::from_millis)),
        }
    }

    fn max_priority(&self) -> Result<Option<u8>, Fault> {
        match self.number("x-max-priority")? {
            Some(highest) if highest > MAX_PRIORITY => {
                Err(self.invalid("x-max-priority", &format!("{{max_value_exceeded,{highest}}}")))
            }
            highest => Ok(highest.map(|highest| u8::try_from(highest).unwrap_or(u8::MAX))),
        }
    }

    fn flag(&self, argument: &str) -> Result<bool, Fault> {
        match self.table.inner().get(argument) {
            None => Ok(false),
            Some(AMQPValue::Boolean(flag)) => Ok(*flag),
            Some(_) => Err(self.invalid(argument, "unacceptable_type")),
        }
    }

    fn not_implemented(&self, what: &str) -> Fault {
        Fault::not_implemented(format!("{what} of queue '{}': use RabbitMQ", self.queue))
    }

    fn overflow(&self) -> Result<Overflow, Fault> {
        match self.name("x-overflow")?.as_ref().map(ShortString::as_str) {
            None | Some("drop-head") => Ok(Overflow::DropHead),
            Some("reject-publish-dlx") => Err(self.not_implemented("x-overflow = reject-publish-dlx")),
            Some("reject-publish") => Ok(Overflow::RejectPublish),
            Some(other) => Err(self.invalid("x-overflow", &format!("invalid_overflow {other}"))),
        }
    }

    fn invalid(&self, argument: &str, why: &str) -> Fault {
        Fault::precondition(format!(
            "invalid arg '{argument}' for queue '{}' in vhost '/': {why}",
            self.queue
        ))
    }
}

/// A value as a number, whatever its width.
pub(crate) fn as_number(value: &AMQPValue) -> Option<i128> {
    match *value {
        AMQPValue::ShortShortInt(number) => Some(number.into()),
        AMQPValue::ShortShortUInt(number) => Some(number.into()),
        AMQPValue::ShortInt(number) => Some(number.into()),
        AMQPValue::ShortUInt(number) => Some(number.into()),
        AMQPValue::LongInt(number) => Some(number.into()),
        AMQPValue::LongUInt(number) => Some(number.into()),
        AMQPValue::LongLongInt(number) => Some(number.into()),
        AMQPValue::Boolean(_)
        | AMQPValue::Float(_)
        | AMQPValue::Double(_)
        | AMQPValue::DecimalValue(_)
        | AMQPValue::ShortString(_)
        | AMQPValue::LongString(_)
        | AMQPValue::FieldArray(_)
        | AMQPValue::Timestamp(_)
        | AMQPValue::FieldTable(_)
        | AMQPValue::ByteArray(_)
        | AMQPValue::Void => None,
    }
}

/// A value as RabbitMQ names it: with its type, unless the other one has the same.
fn describe(value: Option<&AMQPValue>, other: Option<&AMQPValue>) -> String {
    let other_text = other.and_then(as_text);
    let other_number = other.and_then(as_number);
    match value {
        None => "none".into(),
        Some(AMQPValue::LongString(text)) if other_text.is_some() => format!("'{text}'"),
        Some(AMQPValue::LongString(text)) => format!("the value '{text}' of type 'longstr'"),
        Some(value) => match as_number(value) {
            Some(number) if other_number.is_some() => format!("'{number}'"),
            Some(number) => format!("the value '{number}' of a numeric type"),
            None => format!("the value '{value:?}'"),
        },
    }
}

fn as_text(value: &AMQPValue) -> Option<String> {
    match value {
        AMQPValue::LongString(text) => Some(text.to_string()),
        _ => None,
    }
}
