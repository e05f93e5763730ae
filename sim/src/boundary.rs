//! What crosses the boundary of the reference pair, and who may change it on the way.
//!
//! ```text
//!  scripted clients ══► [Wire] ══► gateway ◄── [Feed] ◄── broker
//!  judge ──► [Lines] ──► adapter, client ══► [Wire] ══► scripted gateway
//! ```
//!
//! Mutants are made of this: the pair itself knows nothing of it, and has no switch for misbehaving. Closest to the pair stands
//! what a [`Failure`] takes from it.

mod failure;
mod feed;
mod lines;
mod senses;
mod wire;

use std::sync::Arc;

pub use crate::source::Terms;
pub(crate) use failure::Channels;
pub use failure::{Failure, FailureKind};
pub(crate) use feed::FedThrough;
pub use feed::{Feed, Rejection};
pub use lines::speak;
pub use lines::{AdapterLine, Lines};
pub(crate) use senses::{Sensed, Senses, Sockets};
pub use wire::join;
pub use wire::{Passed, Wire};

/// Makes what changes one connection, where something does. They are counted from 0, over all clients.
pub type WireMaker = Arc<dyn Fn(usize) -> Option<Box<dyn Wire>> + Send + Sync>;

/// The interceptors of what crosses the boundary; by default none.
#[derive(Clone, Default)]
pub struct Boundary {
    /// Changes WebSocket connections.
    pub wire: Option<WireMaker>,
    /// Intercepts what a gateway's broker sends and receives.
    pub feed: Option<Arc<dyn Fn() -> Box<dyn Feed> + Send + Sync>>,
    /// Intercepts what a client's adapter receives and sends.
    pub lines: Option<Arc<dyn Fn() -> Box<dyn Lines> + Send + Sync>>,
    /// Fails the gateways, or the clients, at a step.
    pub failure: Option<Failure>,
}
