//! How a session is configured.

use protocol::{Dialect, Timing};

use super::token::Token;

/// The machine's configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionConfig {
    /// Delays, intervals and timeouts.
    pub timing: Timing,
    /// How the gateway spells the wire.
    pub dialect: Dialect,
    /// Whether a lost connection is sought again (BACKOFF-4).
    pub auto_reconnect: bool,
    /// Messages kept while they cannot be sent: while there is no connection, and while the one there is takes no more
    /// (QUEUE-3).
    pub queue_capacity: usize,
    /// Requests for subscriptions and for their ends that wait for the connection to take them, at least 1. Those beyond follow
    /// as they are written.
    pub request_window: usize,
    /// The first token.
    pub token: Token,
    /// Whether each dial asks for its token instead (TOKEN-2).
    pub asks_for_token: bool,
    /// Where the jitter begins.
    pub seed: u64,
}
