//! The statuses of a client and the ways between them (STATE-1, STATE-2).
//!
//! ```text
//!                 connect()                    opened
//!  disconnected ────────────► connecting ────────────────► connected
//!       ▲                      │      ▲                        │
//!       │                      │ dial │ backoff                │ lost, or a new token
//!       │                failed│      │ over                   │
//!       │                      ▼      │                        ▼
//!       │                    error ──► reconnecting ◄──────────┘
//!       │                      │            │
//!       └──────────────────────┴────────────┘   attempts exhausted, disconnect(), or a final close: from any
//! ```

use std::fmt;

/// What a client announces of its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// There is no connection and none is sought.
    Disconnected,
    /// A dial is under way.
    Connecting,
    /// The connection is open.
    Connected,
    /// The connection was lost; a dial will follow.
    Reconnecting,
    /// The dial failed.
    Error,
}

impl Status {
    /// The status as the adapter protocol has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Disconnected => "disconnected",
            Self::Connecting => "connecting",
            Self::Connected => "connected",
            Self::Reconnecting => "reconnecting",
            Self::Error => "error",
        }
    }

    /// Whether a client may go from this status to `next` (STATE-2). Only what this client does is here; what a browser's
    /// error-then-close makes of it is for its judge to allow.
    pub(super) fn may_become(self, next: Self) -> bool {
        match self {
            Self::Disconnected => matches!(next, Self::Connecting),
            Self::Connecting => {
                matches!(next, Self::Connected | Self::Error | Self::Reconnecting | Self::Disconnected)
            }
            Self::Connected => matches!(next, Self::Reconnecting | Self::Disconnected),
            Self::Reconnecting => matches!(next, Self::Connecting | Self::Disconnected),
            Self::Error => matches!(next, Self::Reconnecting | Self::Disconnected),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
