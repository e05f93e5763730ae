//! Who may see the numbers on the clients' port.

use reference_gateway::Head;
use sha2::{Digest, Sha256};

/// A token, by its digest: it is in no memory dump and no log, and comparing it tells nothing about it.
#[derive(Clone, PartialEq, Eq)]
pub struct StatsToken([u8; 32]);

impl StatsToken {
    /// This one.
    pub fn new(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }

    /// Whether a request has it, as a bearer token (RFC 6750 section 2.1).
    pub fn is_held_by(&self, head: &Head) -> bool {
        head.token(&protocol::TokenPlace::Bearer).is_some_and(|token| Self::new(token) == *self)
    }
}

impl std::fmt::Debug for StatsToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StatsToken")
    }
}
