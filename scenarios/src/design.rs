//! How a client is designed where that may differ: what it declares is judged as declared, and is no defect.
//!
//! ```text
//!  [client.design] ──► ClientDesign ──► Times: what delays and counts are due
//!                            └────────► Scenario::as_designed: the case for it, or why it is not run
//! ```

mod backoff;
mod cases;
mod ends;
mod law;

use std::collections::BTreeSet;

use protocol::CloseCode;
use serde::Deserialize;

pub use backoff::{Attempts, BackoffDesign, JitterKind, Length, Reset, Span, Unlimited};
pub use ends::Codes;
pub use law::Law;

use crate::requirement::RequirementId;

/// `[client.design]` of a profile; the default is what the requirements say.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClientDesign {
    /// After which delays, and how often, it dials again (BACKOFF-1 to BACKOFF-6).
    pub backoff: BackoffDesign,
    /// Close codes after which it dials no more by itself (default 1000; STATE-7). Those that refuse a token are for STATE-8.
    pub final_codes: Vec<Codes>,
    /// HTTP statuses after which it does not dial again, beside 401 (default none; STATE-3).
    pub final_statuses: BTreeSet<u16>,
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
        if self.final_codes != usual.final_codes {
            lines.push(format!("final close codes: {}", list(&self.final_codes)));
        }
        if self.final_statuses != usual.final_statuses {
            lines.push(format!("final statuses: {}", list(&self.final_statuses)));
        }
        lines
    }
}

impl Default for ClientDesign {
    fn default() -> Self {
        Self {
            backoff: BackoffDesign::default(),
            final_codes: vec![Codes::one(CloseCode::NORMAL)],
            final_statuses: BTreeSet::new(),
        }
    }
}

/// Things one after the other; `none` where there is none.
fn list<T: ToString>(things: impl IntoIterator<Item = T>) -> String {
    let things: Vec<_> = things.into_iter().map(|thing| thing.to_string()).collect();
    if things.is_empty() { "none".to_owned() } else { things.join(", ") }
}
