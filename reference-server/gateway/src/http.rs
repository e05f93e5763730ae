//! HTTP without a socket: a request's head, what it asks for, and whether it becomes a WebSocket.

mod forwarded;
mod head;
mod host;
mod resource;
mod upgrade;

pub use head::{Head, HeadError};
pub use resource::{Resource, Site};
pub use upgrade::{Handshake, Refused, Reply, Status, Upgrade, UpgradeError, UpgradeRules, decide, shake};
