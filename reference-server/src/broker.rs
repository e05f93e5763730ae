//! Where events come from.

mod rabbitmq;
mod source;

pub use rabbitmq::{QueueKind, RabbitMq, RabbitMqConfig};
pub use source::{EventSource, NoBroker, SourceEvent, Tag};
