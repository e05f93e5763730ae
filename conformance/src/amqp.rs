//! The harness's own link to the broker that feeds a gateway under test.

mod identity;
mod link;

pub use identity::{Identity, IdentityError, identify, redacted};
pub use link::{BrokerLink, LinkError, Names};
