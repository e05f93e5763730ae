//! Where events come from.

mod body_limit;
mod rabbitmq;
mod source;
mod topology;
mod transport;

pub use rabbitmq::{QueueKind, RabbitMq, RabbitMqConfig};
pub use source::{EventSource, NoBroker, SourceEvent, Tag};
pub use topology::{Declaration, Topology};
