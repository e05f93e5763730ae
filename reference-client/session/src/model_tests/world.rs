//! The application, the network and the gateway of one case, and what they expect of the machine.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use protocol::{ClientMessage, CloseCode, Dialect, Target, Timestamp};
use serde_json::json;

use super::step::Step;
use super::{CAPACITY, Variant, WINDOW};
use crate::{
    Command, ConnectionId, DialFailure, Input, Now, Output, SendKind, Session, SessionConfig, Status, Token,
};

/// A connection that the machine has not closed.
#[derive(Debug)]
struct Live {
    id: ConnectionId,
    began: Duration,
    phase: Phase,
    /// What it was given and has not written.
    unwritten: VecDeque<SendKind>,
    subscribed: BTreeSet<u8>,
    last_beat: Duration,
    unanswered_since: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Phase {
    Asking,
    Dialling,
    Open { since: Duration },
}

/// A connection that the client has closed and that is not over. It still writes what it was given.
#[derive(Debug)]
struct Closing {
    id: ConnectionId,
    since: Duration,
    unwritten: VecDeque<SendKind>,
}

pub(super) struct World {
    variant: Variant,
    session: Session,
    now: Duration,
    status: Status,
    live: Option<Live>,
    closing: Option<Closing>,
    over: Option<ConnectionId>,
    /// Messages accepted and not written.
    queue: VecDeque<u32>,
    next_message: u32,
    wanted: BTreeSet<u8>,
    /// Whether a dial may begin: `connect()` was called, and nothing final has happened since.
    sought: bool,
    redials: u32,
    /// The delay that was reported last.
    reported_delay: Option<Duration>,
    /// The newest token, and whether it was given or answered for the next dial.
    newest: u8,
    fresh: bool,
    refused: Option<u8>,
    /// Stopped for a refused token: a new one is another attempt.
    stopped: bool,
    /// An `error` for a refused token has yet to come.
    unauthorized: bool,
}

impl World {
    pub(super) fn new(variant: Variant) -> Self {
        let config = SessionConfig {
            timing: variant.timing(),
            dialect: Dialect::default(),
            auto_reconnect: variant.auto_reconnect,
            queue_capacity: CAPACITY,
            request_window: WINDOW,
            token: token(0),
            asks_for_token: variant.asks_for_token,
            seed: variant.seed,
        };
        Self {
            variant,
            session: Session::new(config),
            now: Duration::ZERO,
            status: Status::Disconnected,
            live: None,
            closing: None,
            over: None,
            queue: VecDeque::new(),
            next_message: 0,
            wanted: BTreeSet::new(),
            sought: false,
            redials: 0,
            reported_delay: None,
            newest: 0,
            fresh: false,
            refused: None,
            stopped: false,
            unauthorized: false,
        }
    }

    pub(super) fn take(&mut self, step: Step) {
        match step {
            Step::Connect => {
                if self.status == Status::Disconnected {
                    self.refused = None;
                    self.asked();
                }
                self.command(Command::Connect);
            }
            Step::Disconnect => {
                (self.sought, self.stopped) = (false, false);
                self.command(Command::Disconnect);
                assert_eq!(self.status, Status::Disconnected, "STATE-6");
            }
            Step::Send => self.send(),
            Step::Subscribe(name) => {
                self.wanted.insert(name);
                self.command(Command::Subscribe(target(name)));
            }
            Step::Unsubscribe(name) => {
                self.wanted.remove(&name);
                self.command(Command::Unsubscribe(target(name)));
            }
            Step::SetToken(number) => {
                (self.newest, self.fresh) = (number, true);
                if self.stopped {
                    self.refused = None;
                    self.asked();
                }
                self.command(Command::SetToken(token(number)));
            }
            Step::TokenComes(number) => {
                let Some(id) = self.in_phase(Phase::Asking) else { return };
                if self.refused == Some(number) {
                    self.stops_refused();
                } else {
                    (self.newest, self.fresh) = (number, true);
                }
                self.handle(Input::Token(id, Ok(token(number))));
            }
            Step::NoTokenComes => {
                let Some(id) = self.in_phase(Phase::Asking) else { return };
                self.fails();
                self.handle(Input::Token(id, Err("none".to_owned())));
            }
            Step::DialSucceeds => {
                let now = self.now;
                let Some(live) = self.live.as_mut().filter(|live| live.phase == Phase::Dialling) else {
                    return;
                };
                (live.phase, live.last_beat) = (Phase::Open { since: now }, now);
                let id = live.id;
                self.handle(Input::Opened(id));
            }
            Step::DialFails => {
                let Some(id) = self.in_phase(Phase::Dialling) else { return };
                self.fails();
                self.handle(Input::DialFailed(id, DialFailure::Other("no".to_owned())));
            }
            Step::DialIsRefused => {
                let Some(id) = self.in_phase(Phase::Dialling) else { return };
                self.fails();
                self.is_refused();
                self.handle(Input::DialFailed(id, DialFailure::Unauthorized));
            }
            Step::ServerCloses(code) => {
                let Some(id) = self.open() else { return };
                self.fails();
                match code {
                    1000 => self.sought = false,
                    1008 | 4401 => self.is_refused(),
                    _ => {}
                }
                self.handle(Input::Closed(id, (code != 1006).then_some(CloseCode(code))));
            }
            Step::ClosingEnds => {
                let Some(Closing { id, .. }) = self.closing.take() else { return };
                self.over = Some(id);
                self.handle(Input::Closed(id, Some(CloseCode::NORMAL)));
            }
            Step::ClosingWrites => {
                let Some(closing) = &mut self.closing else { return };
                let Some(kind) = closing.unwritten.pop_front() else { return };
                let id = closing.id;
                self.written(id, kind);
            }
            Step::Written => {
                let Some(live) = &mut self.live else { return };
                let Some(kind) = live.unwritten.pop_front() else { return };
                let id = live.id;
                self.written(id, kind);
            }
            Step::Pong => {
                let Some(id) = self.open() else { return };
                self.live.iter_mut().for_each(|live| live.unanswered_since = None);
                self.handle(Input::Text(id, r#"{"type":"pong"}"#.to_owned()));
            }
            Step::Ping | Step::Event | Step::Garbage => {
                let Some(id) = self.open() else { return };
                let text = match step {
                    Step::Ping => r#"{"type":"ping"}"#,
                    Step::Event => r#"{"type":"a:b","payload":1}"#,
                    _ => "{",
                };
                self.handle(Input::Text(id, text.to_owned()));
            }
            Step::Wait(ms) => {
                let then = self.now + Duration::from_millis(u64::from(ms));
                self.now = self.session.deadline().map_or(then, |deadline| then.min(deadline));
                self.tick();
            }
            Step::Deadline => {
                let Some(deadline) = self.session.deadline() else { return };
                self.now = self.now.max(deadline);
                self.tick();
            }
            Step::Late(kind) => self.late(kind),
        }
        self.check_at_rest();
    }

    fn send(&mut self) {
        let number = self.next_message;
        self.next_message += 1;
        let full = self.queue.len() >= CAPACITY;
        if !full {
            self.queue.push_back(number);
        }
        let command = Command::Send { kind: "n".to_owned(), payload: json!(number) };
        let outcome = self.session.handle(self.moment(), Input::Command(command));
        assert_eq!(outcome.is_err(), full, "QUEUE-3");
        self.drain();
    }

    fn written(&mut self, id: ConnectionId, kind: SendKind) {
        if kind == SendKind::Message {
            self.queue.pop_front();
        }
        self.handle(Input::Written(id, kind));
    }

    fn late(&mut self, kind: u8) {
        let Some(id) = self.over else { return };
        let before = (self.status, self.session.deadline());
        let sign = match kind {
            0 => Input::Opened(id),
            1 => Input::Closed(id, Some(CloseCode::UNAUTHORIZED)),
            2 => Input::Text(id, r#"{"type":"a:b"}"#.to_owned()),
            3 => Input::Token(id, Ok(token(0))),
            4 => Input::DialFailed(id, DialFailure::Unauthorized),
            5 => Input::Written(id, SendKind::Request),
            _ => Input::Written(id, SendKind::Message),
        };
        self.session.handle(self.moment(), sign).unwrap();
        assert_eq!(self.session.poll(), None, "a late sign changes nothing");
        assert_eq!(before, (self.session.status(), self.session.deadline()));
    }

    fn tick(&mut self) {
        let due = |since: Duration, timeout: Duration| self.now >= since + timeout;
        let timing = self.variant.timing();
        let dead = self.live.as_ref().is_some_and(|live| match live.phase {
            Phase::Asking | Phase::Dialling => due(live.began, timing.connect_timeout),
            Phase::Open { .. } => live.unanswered_since.is_some_and(|since| due(since, timing.pong_timeout)),
        });
        let stuck = self.closing.as_ref().is_some_and(|closing| due(closing.since, timing.connect_timeout));
        let id = self.live.as_ref().map(|live| live.id);
        self.handle(Input::Timer);
        if dead {
            assert_ne!(self.live.as_ref().map(|live| live.id), id, "DIAL-2, PING-3: it is not waited for");
        }
        if stuck && self.sought {
            assert!(self.closing.is_none(), "DIAL-2: a socket that does not end is not waited for");
        }
        assert!(self.session.deadline().is_none_or(|deadline| deadline > self.now), "a timer stays due");
    }

    fn command(&mut self, command: Command) {
        self.handle(Input::Command(command));
    }

    fn handle(&mut self, input: Input) {
        self.session.handle(self.moment(), input).unwrap();
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.session.poll() {
            self.observe(output);
        }
    }

    fn observe(&mut self, output: Output) {
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
            SendKind::Ping | SendKind::Pong => 1,
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
    fn check_at_rest(&self) {
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

    /// The application wants a connection.
    fn asked(&mut self) {
        (self.sought, self.stopped, self.redials) = (true, false, 0);
    }

    /// The live connection is over by itself.
    fn fails(&mut self) {
        self.over = self.end().map(|live| live.id);
        self.sought &= self.variant.auto_reconnect;
    }

    /// The token that was dialled with last is refused.
    fn is_refused(&mut self) {
        self.refused = Some(self.newest);
        if !(self.variant.asks_for_token && self.variant.auto_reconnect) {
            self.stops_refused();
        }
    }

    fn stops_refused(&mut self) {
        (self.sought, self.stopped, self.unauthorized) = (false, true, true);
    }

    fn end(&mut self) -> Option<Live> {
        let live = self.live.take()?;
        if let Phase::Open { since } = live.phase
            && self.now - since >= self.variant.timing().stable_after
        {
            self.redials = 0;
        }
        Some(live)
    }

    fn open(&self) -> Option<ConnectionId> {
        let open = self.live.as_ref().filter(|live| matches!(live.phase, Phase::Open { .. }));
        open.map(|live| live.id)
    }

    fn in_phase(&self, phase: Phase) -> Option<ConnectionId> {
        self.live.as_ref().filter(|live| live.phase == phase).map(|live| live.id)
    }

    fn moment(&self) -> Now {
        Now { monotonic: self.now, wall: Timestamp::EPOCH }
    }
}

/// How many texts of this kind the connection was given and has not written.
fn waiting(live: &Live, kind: SendKind) -> usize {
    live.unwritten.iter().filter(|waits| **waits == kind).count()
}

fn token(number: u8) -> Token {
    format!("token {number}").into()
}

fn target(name: u8) -> Target {
    Target::EventType(format!("event:{name}"))
}

fn number(target: &Target) -> u8 {
    target.name().strip_prefix("event:").unwrap().parse().unwrap()
}
