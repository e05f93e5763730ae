//! The optional arguments of a queue declaration.

use crate::fault::Fault;
use amq_protocol::types::{AMQPValue, FieldTable, ShortString};
use std::time::Duration;

/// The arguments that must be the same when a queue is declared again; others are not compared, as in RabbitMQ.
const COMPARED: [&str; 10] = [
    "x-dead-letter-exchange",
    "x-dead-letter-routing-key",
    "x-expires",
    "x-max-length",
    "x-max-length-bytes",
    "x-max-priority",
    "x-message-ttl",
    "x-overflow",
    "x-queue-type",
    "x-single-active-consumer",
];

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
    pub(crate) dead_letter_exchange: Option<ShortString>,
    pub(crate) dead_letter_routing_key: Option<ShortString>,
    pub(crate) message_ttl: Option<Duration>,
    pub(crate) max_length: Option<usize>,
    pub(crate) overflow: Overflow,
}

impl QueueArguments {
    /// Reads and checks them.
    ///
    /// # Errors
    ///
    /// 406 for a value of the wrong type or range; 540 for what this broker does not do.
    pub(crate) fn read(queue: &str, table: &FieldTable) -> Result<Self, Fault> {
        let reader = Reader { queue, table };
        // Whoever relies on these would see something else here than at RabbitMQ.
        let streams = reader.name("x-queue-type")?.is_some_and(|kind| kind.as_str() == "stream");
        let single = matches!(table.inner().get("x-single-active-consumer"), Some(AMQPValue::Boolean(true)));
        if streams || single {
            let what = if streams { "x-queue-type = stream" } else { "x-single-active-consumer" };
            return Err(Fault::not_implemented(format!(
                "{what} of queue '{queue}': use RabbitMQ, by --broker"
            )));
        }
        let arguments = Self {
            dead_letter_exchange: reader.name("x-dead-letter-exchange")?,
            dead_letter_routing_key: reader.name("x-dead-letter-routing-key")?,
            message_ttl: reader.number("x-message-ttl")?.map(Duration::from_millis),
            max_length: reader
                .number("x-max-length")?
                .map(|length| usize::try_from(length).unwrap_or(usize::MAX)),
            overflow: reader.overflow()?,
        };
        if arguments.dead_letter_routing_key.is_some() && arguments.dead_letter_exchange.is_none() {
            return Err(reader.invalid("x-dead-letter-routing-key", "routing_key_but_no_dlx_defined"));
        }
        Ok(arguments)
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
    for name in COMPARED {
        let (now, then) = (received.inner().get(name), current.inner().get(name));
        let same = match (now.and_then(as_number), then.and_then(as_number)) {
            (Some(now), Some(then)) => now == then,
            _ => now == then,
        };
        if !same {
            return Err(Fault::precondition(format!(
                "inequivalent arg '{name}' for queue '{queue}' in vhost '/': received {} but current is {}",
                describe(now),
                describe(then)
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

    fn overflow(&self) -> Result<Overflow, Fault> {
        match self.name("x-overflow")?.as_ref().map(ShortString::as_str) {
            None | Some("drop-head") => Ok(Overflow::DropHead),
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

fn as_number(value: &AMQPValue) -> Option<i128> {
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

fn describe(value: Option<&AMQPValue>) -> String {
    match value {
        None => "none".into(),
        Some(AMQPValue::LongString(text)) => format!("the value '{text}' of type 'longstr'"),
        Some(other) => match as_number(other) {
            Some(number) => format!("the value '{number}' of a numeric type"),
            None => format!("the value '{other:?}'"),
        },
    }
}
