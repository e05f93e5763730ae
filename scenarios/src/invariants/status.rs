//! Statuses, dials and their delays, tokens (STATE-1 to STATE-8, BACKOFF-1, BACKOFF-2, DIAL-2, AUTH-6).

use std::time::Duration;

use protocol::CloseCode;
use serde_json::Value;

use super::client::{ClientWatch, HOUR_S};
use super::connection::ConnectionWatch;
use super::{Findings, SLACK_US, us};
use crate::trace::Side;

/// How much a delay may differ from the law beside its jitter: timers are rounded.
const ROUNDING_US: u64 = 2_000;
/// How much longer than its token a connection may live: a second (AUTH-6), and one that expiry times are rounded by.
const EXPIRY_US: u64 = 2_000_000;

impl ClientWatch {
    /// `connect()`: nothing where a connection is sought already.
    pub(super) fn connects(&mut self) {
        self.wants = true;
        self.stopped = None;
        if self.status == "disconnected" {
            self.attempts = Some(0);
            self.was_refused = false;
        }
    }

    pub(super) fn is_given_a_token(&mut self, at_us: u64, good_for_s: i64) {
        self.tokens.push((at_us, good_for_s));
        self.newest_token = self.tokens.len() - 1;
        self.was_refused = false;
        if self.stopped == Some("refused") {
            self.stopped = None;
            self.attempts = Some(0);
        }
        // A dial or connection under way is replaced at once, and its end counts as now.
        let stable_us = us(self.timing.stable_after);
        for connection in self.connections.values_mut().filter(|one| !one.is_over && !one.is_replaced) {
            connection.is_replaced = true;
            if connection.opened_us.is_some_and(|opened| at_us - opened >= stable_us) {
                self.attempts = Some(0);
            }
        }
    }

    pub(super) fn is_announced(&mut self, at_us: u64, old: &str, new: &str, found: &mut Findings) {
        if old == new || old != self.status {
            found.add(
                "STATE-1",
                format!("a change from {old} to {new}, where the status was {}", self.status),
            );
        }
        let exists = new == "disconnected"
            || matches!(
                (old, new),
                ("disconnected", "connecting")
                    | ("connecting", "connected" | "error" | "reconnecting")
                    | ("connected", "reconnecting" | "error")
                    | ("error", "reconnecting")
                    | ("reconnecting", "connecting" | "connected" | "error")
            );
        if !exists {
            found.add("STATE-2", format!("{old} → {new}"));
        }
        let is_replaced = self.connections.values().any(|one| one.is_replaced && !one.is_over);
        match new {
            "reconnecting" => self.waits_since_us = (!is_replaced).then_some(at_us),
            // The attempt itself says how long it was put off.
            "connecting" => {}
            _ => self.waits_since_us = None,
        }
        if new == "connected" {
            let owes = self.waiting();
            let mut open = self.connections.values_mut().filter(|one| one.is_open());
            if let Some(connection) = open.next_back() {
                connection.owes = owes;
            }
        }
        if new != "connecting" {
            self.token_wanted_us = None;
        }
        self.status = new.to_owned();
    }

    /// An attempt begins, by asking for a token or by dialling.
    pub(super) fn seeks(&mut self, at_us: u64, found: &mut Findings) {
        self.token_wanted_us = Some(at_us);
        if self.status == "disconnected" {
            let id = if self.stopped == Some("exhausted") { "STATE-4" } else { "STATE-6" };
            found.add(id, "an attempt at a connection while disconnected");
        }
        if self.was_refused && !self.has_provider {
            found.add("STATE-8", "another attempt with a token that was refused");
        }
        let Some(since_us) = self.waits_since_us.take() else { return };
        let Some(attempts) = self.attempts else { return };
        self.attempts = Some(attempts + 1);
        if attempts >= self.timing.max_reconnect_attempts {
            found.add("BACKOFF-2", format!("redial {}", attempts + 1));
        }
        let bound = |draw: f64| us(self.timing.backoff().delay(attempts, draw));
        let (least, most) = (bound(0.0), bound(1.0));
        let delay = at_us - since_us;
        let is_late = delay > most + ROUNDING_US && !self.slept_since(since_us);
        if delay + ROUNDING_US < least || is_late {
            let [delay, least, most] = [delay, least, most].map(Duration::from_micros);
            let after = format!("redial {} after {delay:?}, not {least:?} to {most:?}", attempts + 1);
            found.add("BACKOFF-1", after);
        }
    }

    pub(super) fn dials(
        &mut self,
        at_us: u64,
        number: u32,
        query: &[(String, String)],
        found: &mut Findings,
    ) {
        if self.has_provider && self.token_wanted_us.take().is_some() {
            // The attempt began when the token was asked for.
        } else {
            self.seeks(at_us, found);
            self.token_wanted_us = None;
        }
        if let Some((other, _)) = self.connections.iter().find(|(_, one)| !one.is_over) {
            found.add("STATE-5", format!("connection {number} is dialled beside connection {other}"));
        }
        let token = query.iter().find(|(name, _)| name == "token").map_or("", |(_, token)| token.as_str());
        let dialled = token.rsplit_once('/').and_then(|(_, number)| number.parse::<usize>().ok());
        let mut expires_us = None;
        if let Some(dialled) = dialled.filter(|_| !self.has_provider) {
            if dialled < self.newest_token {
                found.add(
                    "STATE-8",
                    format!("dialled with token {dialled}, where {} is newer", self.newest_token),
                );
            }
            let expiry = |(made_us, good_for_s): &(u64, i64)| {
                made_us.saturating_add_signed(good_for_s.saturating_mul(1_000_000))
            };
            expires_us = self.tokens.get(dialled).map(expiry);
        }
        let connection = ConnectionWatch { dialled_us: at_us, expires_us, ..ConnectionWatch::default() };
        self.connections.insert(number, connection);
    }

    pub(super) fn opens(&mut self, at_us: u64, number: u32, found: &mut Findings) {
        let wanted = self.wanted.clone();
        let timeout_us = self.connect_timeout_us();
        let slept = self.connections.get(&number).is_some_and(|one| self.slept_since(one.dialled_us));
        let Some(connection) = self.connections.get_mut(&number) else { return };
        if at_us > connection.dialled_us + timeout_us + SLACK_US && !slept {
            found.add("DIAL-2", "a dial that took longer than the connect timeout came true");
        }
        connection.opened_us = Some(at_us);
        (connection.last_ping_us, connection.last_beat_us, connection.last_pong_us) = (at_us, at_us, at_us);
        connection.wanted = wanted;
    }

    pub(super) fn is_refused(&mut self, at_us: u64, number: u32, status: Option<u16>, found: &mut Findings) {
        let timeout_us = self.connect_timeout_us();
        let slept = self.connections.get(&number).is_some_and(|one| self.slept_since(one.dialled_us));
        let Some(connection) = self.connections.get_mut(&number) else { return };
        if at_us > connection.dialled_us + timeout_us + SLACK_US && !slept {
            found.add("DIAL-2", "a dial hung for longer than the connect timeout");
        }
        (connection.is_over, connection.is_over_there) = (true, true);
        if status == Some(401) && !connection.is_replaced {
            self.was_refused = true;
        }
        self.forget(number);
    }

    pub(super) fn is_closed(
        &mut self,
        at_us: u64,
        number: u32,
        code: Option<CloseCode>,
        by: Side,
        found: &mut Findings,
    ) {
        self.heartbeat_ended(at_us, number, code, by, found);
        let is_quiet = self.is_quiet_since(at_us.saturating_sub(EXPIRY_US));
        let stable_us = us(self.timing.stable_after);
        let Some(connection) = self.connections.get_mut(&number) else { return };
        connection.is_over = true;
        let is_stable = connection.opened_us.is_some_and(|opened| at_us - opened >= stable_us);
        if is_stable && !connection.is_replaced {
            self.attempts = Some(0);
        }
        let is_refusal = matches!(code, Some(CloseCode::UNAUTHORIZED | CloseCode::POLICY));
        if by == Side::Gateway && is_refusal && !connection.is_replaced {
            self.was_refused = true;
            self.expired_us = Some(at_us);
        }
        if let Some(expires_us) = connection.expires_us
            && by == Side::Gateway
            && code == Some(CloseCode::UNAUTHORIZED)
            && at_us + EXPIRY_US < expires_us
            && is_quiet
        {
            found.add("AUTH-6", "a connection ends with 4401 before its token expires");
        }
        self.forget(number);
    }

    /// Whether the gateway still says something on a connection whose token has expired.
    pub(super) fn is_past_expiry(&self, at_us: u64, number: u32) -> bool {
        let expires_us = self.connections.get(&number).and_then(|connection| connection.expires_us);
        expires_us.is_some_and(|expires_us| {
            at_us > expires_us + EXPIRY_US + SLACK_US && self.is_quiet_since(expires_us)
        })
    }

    /// Whether its token expires about now, or has so shortly before that it may still seek another connection: tokens of a provider that
    /// makes short ones expire until the end.
    pub(super) fn renews(&self, at_us: u64) -> bool {
        let is_about = |expires_us: u64| expires_us.abs_diff(at_us) <= 2 * EXPIRY_US;
        if self.connections.values().any(|one| one.expires_us.is_some_and(is_about)) {
            return true;
        }
        let redial_us = us(self.timing.max_reconnect_delay * 2 + self.timing.connect_timeout);
        let is_short = |good_for_s: &i64| *good_for_s < HOUR_S;
        let renews =
            self.has_provider && self.tokens.first().is_some_and(|(_, good_for_s)| is_short(good_for_s));
        renews || self.expired_us.is_some_and(|expired_us| expired_us + redial_us > at_us)
    }

    /// What the client says of why it seeks no connection.
    pub(super) fn gives_up(&mut self, name: &str, payload: &Value, found: &mut Findings) {
        if name == "max_reconnect_attempts" {
            self.stopped = Some("exhausted");
            if self.attempts.is_some_and(|attempts| attempts != self.timing.max_reconnect_attempts) {
                let made = self.attempts.unwrap_or_default();
                found.add("STATE-4", format!("gave up after {made} redials"));
            }
        } else if name == "error" && payload["code"] == "unauthorized" {
            self.stopped = Some("refused");
            if !self.was_refused {
                found.add("STATE-8", "gave up for a refused token, and none was refused");
            }
        }
    }
}
