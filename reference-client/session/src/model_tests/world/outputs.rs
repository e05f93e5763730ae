//! What the machine may do, and how it must stand between two inputs.

use std::collections::{BTreeSet, VecDeque};

use protocol::{ClientMessage, CloseCode, Dialect, Target};
use serde_json::json;

use super::super::{CAPACITY, WINDOW};
use super::{Closing, Live, Phase, World, token};
use crate::{ConnectionId, Output, SendKind, Status};

impl World {
    pub(super) fn observe(&mut self, output: Output) {
        match output {
            Output::AskToken { connection } => {
                assert!(self.variant.asks_for_token && !self.fresh, "TOKEN-2: no token is needed");
                self.begin(connection, Phase::Asking);
            }
            Output::Dial { connection, token: with } => {
                assert_eq!(with, token(self.newest), "TOKEN-1, TOKEN-2: an older token");
                assert!(self.fresh || !self.variant.asks_for_token, "TOKEN-2: the provider was not asked");
                self.fresh = false;
                match self.live.as_mut().filter(|live| live.phase == Phase::Asking) {
                    Some(live) => {
                        assert_eq!(live.id, connection, "STATE-5: two at once");
                        live.phase = Phase::Dialling;
                    }
                    None => self.begin(connection, Phase::Dialling),
                }
            }
            Output::Send { connection, text, kind } => self.sent(connection, &text, kind),
            Output::Close { connection, code } => {
                assert_eq!(code, CloseCode::NORMAL, "STATE-6, TOKEN-1");
                assert!(self.closing.is_none(), "STATE-5: two at once");
                let Live { id, phase, unwritten, .. } = self.end().expect("there is a socket to close");
                assert!(id == connection && phase != Phase::Asking, "there is a socket to close");
                self.closing = Some(Closing { id, since: self.now, unwritten });
            }
            Output::Drop(id) => {
                self.over = Some(id);
                if self.closing.as_ref().is_some_and(|closing| closing.id == id) {
                    self.closing = None;
                } else if let Some(live) = self.end() {
                    assert_eq!(live.id, id, "another connection is dropped");
                    self.sought &= self.variant.auto_reconnect;
                }
            }
            Output::Redial { attempt, delay } => {
                assert_eq!(attempt, self.redials + 1, "BACKOFF-2");
                self.reported_delay = Some(delay);
            }
            Output::Status { old, new } => self.changed(old, new),
            Output::Emit { name, payload } => {
                assert_ne!(name, "pong", "PING-2");
                if name == "max_reconnect_attempts" {
                    assert_eq!(self.redials, self.variant.timing().max_reconnect_attempts, "BACKOFF-2");
                    assert_eq!(self.status, Status::Disconnected, "STATE-4");
                    assert!(self.variant.auto_reconnect, "BACKOFF-4");
                    self.sought = false;
                }
                if name == "error" {
                    assert!(self.unauthorized && payload["code"] == "unauthorized", "STATE-8");
                    self.unauthorized = false;
                }
            }
            Output::DialFailed(_) | Output::Log(_) => {}
        }
    }

    fn begin(&mut self, id: ConnectionId, phase: Phase) {
        assert!(self.live.is_none() && self.closing.is_none(), "STATE-5, TOKEN-1: two at once");
        assert!(self.sought, "STATE-4, STATE-6, STATE-8: a dial that was not asked for");
        self.live = Some(Live {
            id,
            began: self.now,
            phase,
            unwritten: VecDeque::new(),
            subscribed: BTreeSet::new(),
            last_beat: self.now,
            unanswered_since: None,
        });
    }

    fn sent(&mut self, connection: ConnectionId, text: &str, kind: SendKind) {
        let (now, ping_interval) = (self.now, self.variant.timing().ping_interval);
        let open = self.live.as_mut().filter(|live| matches!(live.phase, Phase::Open { .. }));
        let live = open.filter(|live| live.id == connection).expect("only the open connection is sent on");
        let is = match Dialect::default().decode_client(text).unwrap().message {
            ClientMessage::Other { payload, .. } => {
                let offered = waiting(live, SendKind::Message);
                assert_eq!(payload, json!(self.queue[offered]), "QUEUE-1: in order, none twice");
                SendKind::Message
            }
            ClientMessage::Subscribe(asked) => {
                let name = number(&asked);
                assert!(
                    self.wanted.contains(&name) && live.subscribed.insert(name),
                    "SUB-1, SUB-2: once each"
                );
                SendKind::Request
            }
            ClientMessage::Unsubscribe(asked) => {
                assert!(live.subscribed.remove(&number(&asked)), "it was never subscribed");
                SendKind::Request
            }
            ClientMessage::Ping => {
                assert!(now - live.last_beat >= ping_interval, "PING-1: too early");
                live.last_beat = now;
                SendKind::Ping
            }
            ClientMessage::Pong => SendKind::Pong,
        };
        assert_eq!(kind, is, "QUEUE-4, IN-2: what is written is known by its kind");
        live.unwritten.push_back(kind);
        let bound = match kind {
            SendKind::Message => CAPACITY,
            SendKind::Request => WINDOW,
            SendKind::SignIn | SendKind::Ping | SendKind::Pong => 1,
        };
        assert!(waiting(live, kind) <= bound, "IN-2: what waits is bounded");
        if kind == SendKind::Ping {
            live.unanswered_since.get_or_insert(now);
        }
    }

    /// The ways between statuses, from STATE-2.
    fn changed(&mut self, old: Status, new: Status) {
        use Status::{Connected, Connecting, Disconnected, Error, Reconnecting};
        assert_eq!(old, self.status, "STATE-1");
        let known = matches!(
            (old, new),
            (Disconnected, Connecting)
                | (Connecting, Connected | Error | Reconnecting)
                | (Connected, Reconnecting | Error)
                | (Error, Reconnecting)
                | (Reconnecting, Connecting | Connected | Error)
        ) || (new == Disconnected && old != Disconnected);
        assert!(known, "STATE-2: {old} → {new}");
        self.status = new;
        // A dial that waits for an old socket to end has no delay.
        if new == Reconnecting && self.closing.is_none() {
            let (shortest, longest) = self.variant.timing().backoff().window(self.redials);
            let delay = self.session.deadline().expect("a redial is due") - self.now;
            assert_eq!(self.reported_delay.take(), Some(delay), "the delay is reported");
            assert!(
                shortest <= delay && delay <= longest,
                "BACKOFF-1: redial {} after {delay:?}",
                self.redials
            );
            self.redials += 1;
            assert!(self.redials <= self.variant.timing().max_reconnect_attempts, "BACKOFF-2");
        }
    }

    /// What holds whenever the machine is drained.
    pub(super) fn check_at_rest(&self) {
        assert_eq!(self.session.status(), self.status);
        assert!(!self.unauthorized, "STATE-8: the refusal was not reported");
        let expected: &[Status] = match &self.live {
            Some(Live { phase: Phase::Asking | Phase::Dialling, .. }) => &[Status::Connecting],
            Some(Live { phase: Phase::Open { .. }, .. }) => &[Status::Connected],
            None if !self.sought => &[Status::Disconnected],
            // A closing socket is waited for.
            None if self.closing.is_some() => &[Status::Connecting, Status::Reconnecting],
            None => &[Status::Reconnecting],
        };
        assert!(expected.contains(&self.status), "STATE-1: {} and not {expected:?}", self.status);
        assert_eq!(self.session.deadline().is_some(), self.sought, "STATE-3, STATE-6: a timer, or none");
        assert!(
            self.in_phase(Phase::Asking).is_none() || !self.fresh,
            "TOKEN-1: what is asked for has been given"
        );
        if let Some(live @ Live { phase: Phase::Open { .. }, .. }) = &self.live {
            let asked_in_full = live.subscribed == self.wanted;
            let must_wait = waiting(live, SendKind::Request) == WINDOW;
            assert!(asked_in_full || must_wait, "SUB-2: the connection knows what is wanted");
            let offered = waiting(live, SendKind::Message);
            assert_eq!(offered, self.queue.len(), "QUEUE-2: everything is on its way");
        }
    }
}

/// How many texts of this kind the connection was given and has not written.
fn waiting(live: &Live, kind: SendKind) -> usize {
    live.unwritten.iter().filter(|waits| **waits == kind).count()
}

fn number(target: &Target) -> u8 {
    target.name().strip_prefix("event:").unwrap().parse().unwrap()
}
