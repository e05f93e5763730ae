//! The harness's own link to the broker that feeds a gateway under test.

mod feed;
mod identity;
mod link;
mod look;

pub use feed::{Exchange, ExchangeType, Feed, Names, Outgoing, Queues};
pub use identity::{Identity, IdentityError, identify, redacted};
pub use link::{BrokerLink, LinkError};
