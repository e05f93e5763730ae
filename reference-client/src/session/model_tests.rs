//! Arbitrary interleavings against a model that is written from the requirements, not from the machine.
//!
//! Whatever happens, in whatever order:
//!
//! * STATE-1, STATE-2: each change is announced from the status announced last, along a way that exists;
//! * STATE-4, BACKOFF-2: `max_reconnect_attempts` redials and no more, then one event and no dial;
//! * STATE-5, TOKEN-1: a dial begins only when no other is under way or open, nor closing for the sake of a new token;
//! * STATE-6: after `disconnect()` nothing is dialled until somebody asks;
//! * BACKOFF-1, BACKOFF-3, BACKOFF-6: the delay before a redial lies in its window, counted since a stable connection;
//! * QUEUE-1, QUEUE-3, QUEUE-4: what was taken is offered in order, again after a death, never twice to one connection, nor
//!   again once it was written, be it by a connection that was closing;
//! * QUEUE-5, SUB-1, SUB-2: a connection is told of each live subscription once, and of the end of each that it was told of;
//! * PING-1, PING-3: pings keep the interval, on the open connection only, and one left unanswered ends it;
//! * signs of a connection that is over change nothing, and a timer that is handled does not stay due.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use proptest::prelude::*;
use protocol::{ClientMessage, CloseCode, Dialect, Target, Timestamp, Timing};
use serde_json::json;

use super::{Command, ConnectionId, DialFailure, Input, Now, Output, Session, SessionConfig, Status};

const CAPACITY: usize = 4;

fn timing() -> Timing {
    let s = Duration::from_secs;
    Timing {
        reconnect_delay: s(1),
        max_reconnect_delay: s(2),
        max_reconnect_attempts: 3,
        jitter: 0.2,
        ping_interval: s(30),
        pong_timeout: s(10),
        connect_timeout: s(10),
        stable_after: s(5),
    }
}

/// What happens next, as far as it can.
#[derive(Debug, Clone)]
enum Step {
    Connect,
    Disconnect,
    Send,
    Subscribe(u8),
    Unsubscribe(u8),
    SetToken,
    DialSucceeds,
    DialFails,
    DialIsRefused,
    ServerCloses(u16),
    ClosingEnds,
    /// A connection that is closing writes what it was given before.
    ClosingWrites,
    Written,
    Pong,
    Event,
    Garbage,
    /// Time passes to the deadline, or by this many milliseconds where that is less.
    Wait(u32),
    Deadline,
    /// A sign of a connection that is over.
    Late(u8),
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Connect),
        1 => Just(Step::Disconnect),
        3 => Just(Step::Send),
        2 => (0_u8..3).prop_map(Step::Subscribe),
        1 => (0_u8..3).prop_map(Step::Unsubscribe),
        1 => Just(Step::SetToken),
        6 => Just(Step::DialSucceeds),
        3 => Just(Step::DialFails),
        1 => Just(Step::DialIsRefused),
        2 => prop_oneof![Just(1000), Just(1001), Just(1006), Just(1008), Just(4401)].prop_map(Step::ServerCloses),
        2 => Just(Step::ClosingEnds),
        2 => Just(Step::ClosingWrites),
        3 => Just(Step::Written),
        2 => Just(Step::Pong),
        1 => Just(Step::Event),
        1 => Just(Step::Garbage),
        2 => (0_u32..40_000).prop_map(Step::Wait),
        5 => Just(Step::Deadline),
        1 => (0_u8..4).prop_map(Step::Late),
    ]
}

/// A connection that is dialled or open.
#[derive(Debug)]
struct Live {
    id: ConnectionId,
    open_since: Option<Duration>,
    /// Messages, from the front of the queue, that it has been offered.
    offered: usize,
    told: BTreeSet<u8>,
    last_beat: Duration,
    unanswered_since: Option<Duration>,
}

struct World {
    session: Session,
    now: Duration,
    status: Status,
    live: Option<Live>,
    /// Closed by the client, but not over yet; the last one may be in the way of a new token.
    closing: Vec<ConnectionId>,
    /// The connection whose writing still counts though it is closing, and how much of the queue it was offered: until it
    /// ends or another one is offered the queue.
    leftover: Option<(ConnectionId, usize)>,
    in_the_way: Option<ConnectionId>,
    over: Vec<ConnectionId>,
    /// Messages taken and not written.
    queue: VecDeque<u32>,
    next_message: u32,
    wanted: BTreeSet<u8>,
    /// Whether a dial may begin: somebody asked, and nobody asked for the opposite since.
    sought: bool,
    redials: u32,
    refused: bool,
}

impl World {
    fn new(seed: u64) -> Self {
        let config = SessionConfig {
            timing: timing(),
            dialect: Dialect::default(),
            auto_reconnect: true,
            queue_capacity: CAPACITY,
            token: "t".into(),
            asks_for_token: false,
            seed,
        };
        Self {
            session: Session::new(config),
            now: Duration::ZERO,
            status: Status::Disconnected,
            live: None,
            closing: Vec::new(),
            leftover: None,
            in_the_way: None,
            over: Vec::new(),
            queue: VecDeque::new(),
            next_message: 0,
            wanted: BTreeSet::new(),
            sought: false,
            redials: 0,
            refused: false,
        }
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Connect => {
                if self.status == Status::Disconnected {
                    self.asked();
                }
                self.command(Command::Connect);
            }
            Step::Disconnect => {
                self.sought = false;
                self.refused = false;
                self.in_the_way = None;
                self.command(Command::Disconnect);
                assert_eq!(self.status, Status::Disconnected, "STATE-6");
            }
            Step::Send => {
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
            Step::Subscribe(name) => {
                self.wanted.insert(*name);
                self.command(Command::Subscribe(target(*name)));
            }
            Step::Unsubscribe(name) => {
                self.wanted.remove(name);
                self.command(Command::Unsubscribe(target(*name)));
            }
            Step::SetToken => {
                if let Some(live) = &self.live {
                    self.in_the_way = Some(live.id);
                }
                if self.refused {
                    self.asked();
                }
                self.command(Command::SetToken("u".into()));
            }
            Step::DialSucceeds => {
                if let Some(live) = self.live.as_mut().filter(|live| live.open_since.is_none()) {
                    live.open_since = Some(self.now);
                    live.last_beat = self.now;
                    let id = live.id;
                    self.leftover = None;
                    self.handle(Input::Opened(id));
                }
            }
            Step::DialFails | Step::DialIsRefused => {
                let refused = matches!(step, Step::DialIsRefused);
                if let Some(id) = self.end_dial() {
                    self.refused = refused;
                    self.sought &= !refused;
                    let failure =
                        if refused { DialFailure::Unauthorized } else { DialFailure::Other("no".to_owned()) };
                    self.handle(Input::DialFailed(id, failure));
                }
            }
            Step::ServerCloses(code) => {
                if self.live.as_ref().is_some_and(|live| live.open_since.is_some()) {
                    let id = self.end_live();
                    self.refused = matches!(code, 1008 | 4401);
                    self.sought &= !matches!(code, 1000 | 1008 | 4401);
                    let code = (*code != 1006).then_some(CloseCode(*code));
                    self.handle(Input::Closed(id, code));
                }
            }
            Step::ClosingEnds => {
                if let Some(id) = self.closing.pop() {
                    self.gone(id);
                    self.handle(Input::Closed(id, Some(CloseCode::NORMAL)));
                }
            }
            Step::ClosingWrites => {
                if let Some((id, offered)) = self.leftover.as_mut().filter(|(_, offered)| *offered > 0) {
                    *offered -= 1;
                    self.queue.pop_front();
                    let id = *id;
                    self.handle(Input::Written(id));
                }
            }
            Step::Written => {
                if let Some(live) = self.live.as_mut().filter(|live| live.offered > 0) {
                    live.offered -= 1;
                    self.queue.pop_front();
                    let id = live.id;
                    self.handle(Input::Written(id));
                }
            }
            Step::Pong => {
                if let Some(live) = self.live.as_mut().filter(|live| live.open_since.is_some()) {
                    live.unanswered_since = None;
                    let id = live.id;
                    self.handle(Input::Text(id, r#"{"type":"pong"}"#.to_owned()));
                }
            }
            Step::Event | Step::Garbage => {
                let text = if matches!(step, Step::Event) { r#"{"type":"a:b","payload":1}"# } else { "{" };
                if let Some(id) = self.open() {
                    self.handle(Input::Text(id, text.to_owned()));
                }
            }
            Step::Wait(ms) => {
                let then = self.now + Duration::from_millis(u64::from(*ms));
                self.now = self.session.deadline().map_or(then, |deadline| then.min(deadline));
                self.tick();
            }
            Step::Deadline => {
                if let Some(deadline) = self.session.deadline() {
                    self.now = self.now.max(deadline);
                    self.tick();
                }
            }
            Step::Late(kind) => {
                if let Some(id) = self.over.last().copied() {
                    let before = (self.status, self.session.deadline());
                    let sign = match kind {
                        0 => Input::Opened(id),
                        1 => Input::Closed(id, Some(CloseCode::UNAUTHORIZED)),
                        2 => Input::Text(id, r#"{"type":"a:b"}"#.to_owned()),
                        _ => Input::Written(id),
                    };
                    self.session.handle(self.moment(), sign).unwrap();
                    assert_eq!(self.session.poll(), None, "a late sign changes nothing");
                    assert_eq!(before, (self.session.status(), self.session.deadline()));
                }
            }
        }
        self.check_at_rest();
    }

    fn tick(&mut self) {
        let dead = self.live.as_ref().and_then(|live| live.unanswered_since);
        let dead = dead.is_some_and(|since| self.now >= since + timing().pong_timeout);
        let id = self.open();
        self.handle(Input::Timer);
        if dead {
            assert_ne!(self.open(), id, "PING-3: an unanswered ping ends the connection");
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
            Output::Dial { connection, .. } => {
                assert!(self.live.is_none() && self.in_the_way.is_none(), "STATE-5, TOKEN-1: two at once");
                assert!(self.sought, "STATE-4, STATE-6: nobody asked for it");
                self.live = Some(Live {
                    id: connection,
                    open_since: None,
                    offered: 0,
                    told: BTreeSet::new(),
                    last_beat: self.now,
                    unanswered_since: None,
                });
            }
            Output::Send { connection, text, report } => self.sent(connection, &text, report),
            Output::Close { connection, code } => {
                assert_eq!(code, CloseCode::NORMAL);
                let open = self.live.as_ref().filter(|live| live.open_since.is_some());
                self.leftover = open.map(|live| (live.id, live.offered)).or(self.leftover);
                let id = self.end_live();
                assert_eq!(id, connection);
                self.over.pop();
                self.closing.push(id);
            }
            Output::Drop(id) => {
                self.closing.retain(|closing| *closing != id);
                if self.live.as_ref().is_some_and(|live| live.id == id) {
                    self.end_live();
                }
                self.gone(id);
            }
            Output::Status { old, new } => self.changed(old, new),
            Output::Emit { name, .. } => {
                if name == "max_reconnect_attempts" {
                    assert_eq!(self.redials, timing().max_reconnect_attempts, "BACKOFF-2");
                    assert_eq!(self.status, Status::Disconnected, "STATE-4");
                    self.sought = false;
                }
                assert_ne!(name, "pong", "PING-2");
            }
            Output::AskToken { .. } | Output::Redial { .. } | Output::DialFailed(_) | Output::Log(_) => {}
        }
    }

    fn sent(&mut self, connection: ConnectionId, text: &str, report: bool) {
        let now = self.now;
        let live = self.live.as_mut().expect("only a live connection is sent on");
        assert!(live.id == connection && live.open_since.is_some(), "only the open connection is sent on");
        match Dialect::default().decode_client(text).unwrap().message {
            ClientMessage::Other { payload, .. } => {
                assert!(report);
                assert_eq!(payload, json!(self.queue[live.offered]), "QUEUE-1: in order, none twice");
                live.offered += 1;
            }
            ClientMessage::Subscribe(asked) => {
                let name = number(&asked);
                assert!(self.wanted.contains(&name) && live.told.insert(name), "SUB-1, SUB-2: once each");
            }
            ClientMessage::Unsubscribe(asked) => {
                assert!(live.told.remove(&number(&asked)), "it was never told");
            }
            ClientMessage::Ping => {
                assert!(now - live.last_beat >= timing().ping_interval, "PING-1: too early");
                live.last_beat = now;
                live.unanswered_since.get_or_insert(now);
            }
            ClientMessage::Pong => panic!("nobody pinged"),
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
        if new == Reconnecting && self.in_the_way.is_none() {
            let (shortest, longest) = timing().backoff().window(self.redials);
            let delay = self.session.deadline().expect("a redial is due") - self.now;
            assert!(
                shortest <= delay && delay <= longest,
                "BACKOFF-1: redial {} after {delay:?}",
                self.redials
            );
            self.redials += 1;
            assert!(self.redials <= timing().max_reconnect_attempts, "BACKOFF-2");
        }
    }

    /// What holds whenever the machine is drained.
    fn check_at_rest(&self) {
        assert_eq!(self.session.status(), self.status);
        let Some(live) = &self.live else { return };
        if live.open_since.is_some() {
            assert_eq!(self.status, Status::Connected);
            assert_eq!(live.told, self.wanted, "SUB-2: the connection knows what is wanted");
            assert_eq!(live.offered, self.queue.len(), "QUEUE-2: everything is on its way");
        }
    }

    fn asked(&mut self) {
        self.sought = true;
        self.refused = false;
        self.redials = 0;
    }

    fn open(&self) -> Option<ConnectionId> {
        self.live.as_ref().filter(|live| live.open_since.is_some()).map(|live| live.id)
    }

    fn end_dial(&mut self) -> Option<ConnectionId> {
        self.live.as_ref().filter(|live| live.open_since.is_none())?;
        Some(self.end_live())
    }

    fn end_live(&mut self) -> ConnectionId {
        let live = self.live.take().expect("a live connection");
        if live.open_since.is_some_and(|since| self.now - since >= timing().stable_after) {
            self.redials = 0;
        }
        self.over.push(live.id);
        live.id
    }

    fn gone(&mut self, id: ConnectionId) {
        self.over.push(id);
        self.leftover = self.leftover.filter(|(leftover, _)| *leftover != id);
        if self.in_the_way == Some(id) {
            self.in_the_way = None;
        }
    }

    fn moment(&self) -> Now {
        Now { monotonic: self.now, wall: Timestamp::EPOCH }
    }
}

fn target(name: u8) -> Target {
    Target::EventType(format!("event:{name}"))
}

fn number(target: &Target) -> u8 {
    target.name().strip_prefix("event:").unwrap().parse().unwrap()
}

proptest! {
    /// The invariants at the top hold, whatever happens in whatever order.
    #[test]
    fn the_invariants_hold(seed in any::<u64>(), steps in proptest::collection::vec(steps(), 1..120)) {
        let mut world = World::new(seed);
        for step in &steps {
            world.take(step);
        }
    }
}
