//! The application, the network and the gateway of one case: what happens to the machine.

mod outputs;

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use protocol::{CloseCode, Dialect, Target, Timestamp};
use serde_json::json;

use super::step::Step;
use super::{CAPACITY, Variant, WINDOW};
use crate::{
    Command, ConnectionId, DialFailure, Input, Now, SendKind, Session, SessionConfig, Status, Token,
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

fn token(number: u8) -> Token {
    format!("token {number}").into()
}

fn target(name: u8) -> Target {
    Target::EventType(format!("event:{name}"))
}
