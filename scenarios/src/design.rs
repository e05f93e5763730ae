//! How a client is designed where that may differ: what it declares is judged as declared, and is no defect.
//!
//! ```text
//!  [client.design] ──► ClientDesign ──► Times: what delays and counts are due
//!                            └────────► Scenario::as_designed: the case for it, or why it is not run
//! ```

mod attempts;
mod backoff;
mod cases;
mod defaults;
mod ends;
mod first_connection;
mod flat;
mod law;
mod observed;
mod places;
mod statuses;

use std::collections::BTreeSet;

use protocol::CloseCode;
use schemars::JsonSchema;
use serde::Deserialize;

pub use backoff::{Attempts, BackoffDesign, JitterKind, Length, Reset, Span, Unlimited};
pub use ends::Codes;
pub use law::Law;
pub use statuses::Statuses;

use crate::requirement::RequirementId;

/// `[client.design]` of a profile; the default is what the requirements say.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ClientDesign {
    /// After which delays, and how often, it dials again (BACKOFF-1 to BACKOFF-6).
    pub backoff: BackoffDesign,
    /// Close codes after which it dials no more by itself (default 1000; STATE-7). Those that refuse a token are for STATE-8.
    pub final_codes: Vec<Codes>,
    /// HTTP statuses after which it does not dial again, beside 401 (default none; STATE-3).
    pub final_statuses: BTreeSet<u16>,
    /// What becomes of what is sent while there is no connection (QUEUE-1, QUEUE-3).
    pub queue: QueuePolicy,
    /// Whether that is kept before the first connection, too (default true).
    pub before_first_connection: bool,
    /// What tells a client that its connection is alive (PING-3).
    pub sign_of_life: SignOfLife,
    /// What goes out first as a connection opens (QUEUE-2).
    pub on_opening: OnOpening,
    /// What becomes of a listener's exception (SUB-3, OBS-1).
    pub listeners: Listeners,
    /// What its statuses are called, and which it lacks (STATE-1 to STATE-4).
    pub statuses: Statuses,
}

/// What tells a client that its connection is alive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SignOfLife {
    /// The answer to its ping.
    #[default]
    Pong,
    /// Whatever the gateway sends.
    AnyFrame,
}

/// What goes out first as a connection opens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnOpening {
    /// What waited, and then the subscriptions.
    #[default]
    QueueFirst,
    /// The subscriptions, and then what waited.
    SubscriptionsFirst,
}

/// What becomes of a listener's exception.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Listeners {
    /// Other listeners still receive the event.
    #[default]
    Contained,
    /// It ends the process, as the platform has it.
    Fatal,
}

/// What becomes of what is sent while there is no connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum QueuePolicy {
    /// It waits; where too much waits, the newest is refused.
    #[default]
    Refuse,
    /// It waits; where too much waits, the oldest goes.
    DropOldest,
    /// It waits; where too much waits, the newest goes, and the sender does not learn of it.
    DropNewest,
    /// It is refused.
    None,
}

impl QueuePolicy {
    /// The word by which a profile says it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::DropOldest => "drop-oldest",
            Self::DropNewest => "drop-newest",
            Self::None => "none",
        }
    }
}

impl ClientDesign {
    /// Why it has no place for a requirement, where it has none.
    pub fn lacks(&self, id: &RequirementId) -> Option<&'static str> {
        let id = id.to_string();
        let has_queue = self.queue != QueuePolicy::None;
        self.backoff
            .lacks(&id)
            .or_else(|| (id == "QUEUE-3" && !has_queue).then_some("the design has no queue"))
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
        match self.queue {
            QueuePolicy::Refuse => {}
            QueuePolicy::DropOldest => lines.push("queue: a full one drops the oldest".to_owned()),
            QueuePolicy::DropNewest => lines.push("queue: a full one drops the newest".to_owned()),
            QueuePolicy::None => lines.push("queue: none".to_owned()),
        }
        if !self.before_first_connection {
            lines.push("queue: nothing is kept before the first connection".to_owned());
        }
        if self.sign_of_life == SignOfLife::AnyFrame {
            lines.push("sign of life: any frame".to_owned());
        }
        if self.on_opening == OnOpening::SubscriptionsFirst {
            lines.push("on opening: subscriptions before the queue".to_owned());
        }
        if self.listeners == Listeners::Fatal {
            lines.push("listeners: an exception is fatal".to_owned());
        }
        if self.statuses != usual.statuses {
            lines.push(self.statuses.line());
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
            queue: QueuePolicy::default(),
            before_first_connection: true,
            sign_of_life: SignOfLife::default(),
            on_opening: OnOpening::default(),
            listeners: Listeners::default(),
            statuses: Statuses::default(),
        }
    }
}

/// Things one after the other; `none` where there is none.
fn list<T: ToString>(things: impl IntoIterator<Item = T>) -> String {
    let things: Vec<_> = things.into_iter().map(|thing| thing.to_string()).collect();
    if things.is_empty() { "none".to_owned() } else { things.join(", ") }
}
