//! Where events come from.

mod rabbitmq;
mod source;
mod topology;

pub use rabbitmq::{QueueKind, RabbitMq, RabbitMqConfig};
pub use source::{EventSource, NoBroker, SourceEvent, Tag};
pub use topology::{Declaration, Topology};
