//! What is known of one connection.

use std::collections::{BTreeMap, BTreeSet};

use protocol::Target;

/// How long what was sent at once may take.
const BUSY_US: u64 = 5_000_000;

/// A connection, from its dial until both ends are over.
#[derive(Debug, Default)]
pub(super) struct ConnectionWatch {
    pub(super) dialled_us: u64,
    /// When it opened, as the client saw it.
    pub(super) opened_us: Option<u64>,
    /// Whether the client's end is over.
    pub(super) is_over: bool,
    /// Whether the gateway's end is.
    pub(super) is_over_there: bool,
    /// Whether the client closes it, for a new token or for good.
    pub(super) is_replaced: bool,
    /// Until when its token is good, where that is known.
    pub(super) expires_us: Option<u64>,
    pub(super) has_welcome: bool,

    /// Messages that were queued when it opened, and those sent since.
    pub(super) owes: usize,
    pub(super) messages: usize,
    /// What may be asked for: what was wanted when it opened, or since.
    pub(super) wanted: BTreeSet<Target>,
    pub(super) asked: BTreeSet<Target>,
    /// Requests without an answer.
    pub(super) unanswered_requests: usize,
    /// What the gateway has granted.
    pub(super) joined: BTreeSet<String>,

    /// When the application's last message went out, and whether that was shortly before the last ping: pings wait behind messages.
    pub(super) busy_us: Option<u64>,
    pub(super) was_busy: bool,
    /// The same of the gateway: when its last message came, and whether that was shortly before its last ping.
    pub(super) heard_us: Option<u64>,
    pub(super) was_heard: bool,
    pub(super) last_ping_us: u64,
    /// Since when the client waits for a pong.
    pub(super) waits_since_us: Option<u64>,
    /// When the gateway's last ping came, and when the last one was answered.
    pub(super) last_beat_us: u64,
    pub(super) last_pong_us: u64,

    /// Events that it is owed and has not received, by their numbers.
    pub(super) owed: BTreeSet<usize>,
    /// Events that it has received: how often, and when first.
    pub(super) received: BTreeMap<usize, (usize, u64)>,
    pub(super) newest: Option<usize>,
}

impl ConnectionWatch {
    /// Whether messages have gone out so shortly before that pings may still wait behind them.
    pub(super) fn is_busy(&self, at_us: u64) -> bool {
        self.busy_us.is_some_and(|busy_us| busy_us + BUSY_US > at_us)
    }

    /// The same of what the gateway sends.
    pub(super) fn is_busy_there(&self, at_us: u64) -> bool {
        self.heard_us.is_some_and(|heard_us| heard_us + BUSY_US > at_us)
    }

    pub(super) fn is_open(&self) -> bool {
        self.opened_us.is_some() && !self.is_over
    }
}
