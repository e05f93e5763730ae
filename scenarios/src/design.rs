//! How a client is designed where that may differ: what it declares is judged as declared, and is no defect.
//!
//! ```text
//!  [client.design] ──► ClientDesign ──► Times: what delays and counts are due
//!                            └────────► Scenario::as_designed: the case for it, or why it is not run
//! ```

mod backoff;
mod cases;
mod law;

use serde::Deserialize;

pub use backoff::{Attempts, BackoffDesign, JitterKind, Length, Reset, Span, Unlimited};
pub use law::Law;

use crate::requirement::RequirementId;

/// `[client.design]` of a profile; the default is what the requirements say.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClientDesign {
    /// After which delays, and how often, it dials again (BACKOFF-1 to BACKOFF-6).
    pub backoff: BackoffDesign,
}

impl ClientDesign {
    /// Why it has no place for a requirement, where it has none.
    pub fn lacks(&self, id: &RequirementId) -> Option<&'static str> {
        self.backoff.lacks(&id.to_string())
    }

    /// What is declared, a line each; nothing of what is the default.
    pub fn lines(&self) -> Vec<String> {
        let usual = Self::default();
        let mut lines = Vec::new();
        if self.backoff != usual.backoff {
            lines.push(self.backoff.to_string());
        }
        lines
    }
}
