//! What is mounted under the provider.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Key;

/// What a consumer does with the connection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
#[schemars(rename = "hook", deny_unknown_fields)]
pub enum Hook {
    /// Shows the connection's status.
    Status,
    /// Hands an event to a callback (HOOK-1).
    Subscription {
        /// The event.
        event_type: String,
    },
    /// Invalidates queries when an event comes, then calls its handler (HOOK-2).
    RealTimeUpdates {
        /// The event.
        event_type: String,
        /// The keys of the queries.
        query_keys: Vec<Key>,
    },
    /// Appends the event's payload to the cached value, taken as a list (HOOK-3).
    RealTimeQueryUpdate {
        /// The event.
        event_type: String,
        /// The query's key.
        query_key: Key,
    },
    /// What a page of payments uses (HOOK-4).
    PaymentUpdates,
    /// What a dashboard uses (HOOK-5).
    DashboardUpdates,
    /// What a profile page uses (HOOK-6).
    ProfileUpdates,
}

impl fmt::Display for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status => f.write_str("which shows the status"),
            Self::Subscription { event_type } => write!(f, "which subscribes to {event_type}"),
            Self::RealTimeUpdates { event_type, .. } => {
                write!(f, "which invalidates queries on {event_type}")
            }
            Self::RealTimeQueryUpdate { event_type, query_key } => {
                let key: Vec<_> = query_key.iter().map(ToString::to_string).collect();
                write!(f, "which changes the query [{}] on {event_type}", key.join(","))
            }
            Self::PaymentUpdates => f.write_str("which follows payments"),
            Self::DashboardUpdates => f.write_str("which shows the last activities"),
            Self::ProfileUpdates => f.write_str("which follows the profile"),
        }
    }
}
