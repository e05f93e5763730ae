//! Pings of both ends, and peers that fall silent (PING-1, PING-3, HB-1 to HB-3).

use protocol::CloseCode;

use super::client::ClientWatch;
use super::{Findings, SLACK_US, us};
use crate::trace::Side;

/// How long a gateway may wait for the answer to its close.
const CLOSING_US: u64 = 5_000_000;

impl ClientWatch {
    /// The client pings.
    pub(super) fn pings(&mut self, at_us: u64, number: u32, found: &mut Findings) {
        let interval_us = us(self.timing.ping_interval);
        let Some(connection) = self.connections.get(&number) else { return };
        let since_us = connection.last_ping_us;
        if self.status != "connected" && !self.slept_since(at_us) && connection.waits_since_us.is_none() {
            let is_leaving = connection.is_replaced || !self.wants;
            if !is_leaving {
                found.add("PING-1", format!("a ping while {}", self.status));
            }
        }
        let is_busy = connection.is_busy(at_us);
        if self.is_quiet_since(since_us) && !is_busy && !connection.was_busy {
            let gap_us = at_us - since_us;
            if gap_us + SLACK_US < interval_us {
                found.add("PING-1", format!("a ping {} ms after the last", gap_us / 1000));
            } else if gap_us > interval_us + SLACK_US {
                found.add("PING-1", format!("no ping for {} ms", gap_us / 1000));
            }
        }
        if let Some(connection) = self.connections.get_mut(&number) {
            connection.last_ping_us = at_us;
            connection.was_busy = is_busy;
            connection.waits_since_us.get_or_insert(at_us);
        }
    }

    /// The gateway's ping comes.
    pub(super) fn beats(&mut self, at_us: u64, number: u32, found: &mut Findings) {
        let interval_us = us(self.timing.ping_interval);
        let Some(connection) = self.connections.get(&number) else { return };
        let (since_us, is_busy) = (connection.last_beat_us, connection.is_busy_there(at_us));
        if self.is_quiet_since(since_us) && !is_busy && !connection.was_heard {
            let gap_us = at_us - since_us;
            if gap_us + SLACK_US < interval_us || gap_us > interval_us + SLACK_US {
                found.add("HB-1", format!("the gateway pings {} ms after its last ping", gap_us / 1000));
            }
        }
        if let Some(connection) = self.connections.get_mut(&number) {
            connection.last_beat_us = at_us;
            connection.was_heard = is_busy;
        }
    }

    /// What an end says of the heartbeat of both ends until then.
    pub(super) fn heartbeat_ended(
        &mut self,
        at_us: u64,
        number: u32,
        code: Option<CloseCode>,
        by: Side,
        found: &mut Findings,
    ) {
        let Some(connection) = self.connections.get(&number) else { return };
        if connection.opened_us.is_none() {
            return;
        }
        self.is_overdue(at_us, number, found);
        let patience_us = us(self.timing.ping_interval + self.timing.pong_timeout) + SLACK_US;
        let is_quiet = self.is_quiet_since(at_us.saturating_sub(patience_us));
        if code.is_some() || !is_quiet || self.connections[&number].is_replaced {
            return;
        }
        match by {
            Side::Gateway => found.add("HB-3", "the gateway drops a connection that nothing has disturbed"),
            Side::Client => found.add("PING-3", "the client drops a connection that nothing has disturbed"),
        }
    }

    /// Whether pings or their answers are overdue by now.
    pub(super) fn is_overdue(&self, at_us: u64, number: u32, found: &mut Findings) {
        let Some(connection) = self.connections.get(&number) else { return };
        if connection.is_replaced {
            return;
        }
        let [interval_us, timeout_us] = [self.timing.ping_interval, self.timing.pong_timeout].map(us);
        if connection.is_busy(at_us) || connection.is_busy_there(at_us) {
            return;
        }
        for (id, since_us) in [("PING-1", connection.last_ping_us), ("HB-1", connection.last_beat_us)] {
            if self.is_quiet_since(since_us) && at_us > since_us + interval_us + SLACK_US {
                found.add(id, format!("no ping for {} ms", (at_us - since_us) / 1000));
            }
        }
        if let Some(since_us) = connection.waits_since_us
            && !self.slept_since(since_us)
            && at_us > since_us + timeout_us + SLACK_US
        {
            found.add(
                "PING-3",
                format!("no pong for {} ms, and the connection goes on", (at_us - since_us) / 1000),
            );
        }
    }

    /// The gateway's end is over.
    pub(super) fn is_over_there(&mut self, at_us: u64, number: u32, found: &mut Findings) {
        self.is_overdue_there(at_us, number, found);
        if let Some(connection) = self.connections.get_mut(&number) {
            connection.is_over_there = true;
        }
        self.forget(number);
    }

    /// A peer that has fallen silent is noticed: its last answer comes within the pong timeout or not at all, the next ping an interval
    /// later, and no answer to that within another timeout (HB-2). A closing handshake that is not answered takes a while, too.
    pub(super) fn is_overdue_there(&self, at_us: u64, number: u32, found: &mut Findings) {
        let Some(connection) = self.connections.get(&number) else { return };
        let bound_us = us(self.timing.ping_interval + 2 * self.timing.pong_timeout) + CLOSING_US + SLACK_US;
        if connection.opened_us.is_some() && at_us > connection.last_pong_us + bound_us {
            let silent_ms = (at_us - connection.last_pong_us) / 1000;
            found.add("HB-2", format!("the gateway keeps a peer that was silent for {silent_ms} ms"));
        }
    }
}
