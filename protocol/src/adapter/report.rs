//! What a client did by itself.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Key, User};

/// The statuses that a client may have (STATE-1).
const STATUSES: [&str; 5] = ["disconnected", "connecting", "connected", "reconnecting", "error"];

/// What the client did without being asked, on the adapter's standard output. Other events are ignored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "report")]
pub struct Report {
    /// The consumer that it concerns; missing: the client itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub consumer: Option<String>,
    /// What happened.
    #[serde(flatten)]
    pub event: ReportEvent,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum ReportEvent {
    /// Every change of the status, once; with `consumer` where a consumer sees it, and once at its mount, with the status that it
    /// finds in both.
    Status {
        /// The status before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "String", extend("enum" = STATUSES))]
        old: Option<String>,
        /// The status from now on.
        #[schemars(extend("enum" = STATUSES))]
        status: String,
    },
    /// Every call of a listener, or of the callback of the hook of that name.
    Emit {
        /// The event's name: a message's type, or one of the client's own, such as `connected`.
        name: String,
        /// What the listener got.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Value")]
        payload: Option<Value>,
        /// The listener's own name: one event may have several.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "String")]
        listener: Option<String>,
    },
    /// Every fetch of an observed query, the first too.
    Refetch {
        /// The key of the query.
        key: Key,
    },
    /// With the option `tokenProvider`: the client asks for the token of a dial, which waits for it (TOKEN-2).
    TokenWanted,
    /// What an error tracker would get: at least a listener that failed, a refused token, exhausted attempts (OBS-1).
    Report {
        /// What went wrong.
        message: String,
        /// Who is signed in; `null` where nobody is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<User>")]
        user: Option<Value>,
    },
    /// One of a later version.
    #[serde(other, skip_serializing)]
    Unknown,
}

impl From<ReportEvent> for Report {
    /// A report of the client itself.
    fn from(event: ReportEvent) -> Self {
        Self { consumer: None, event }
    }
}
