//! A test bench for the machine: it keeps virtual time and renders each output as a line.

use std::time::Duration;

use protocol::{ClientMessage, CloseCode, Dialect, Target, Timestamp, Timing};
use serde_json::{Value, json};

use crate::{
    Command, ConnectionId, DialFailure, Input, Now, Output, QueueFull, SendKind, Session, SessionConfig,
};

/// A machine and its virtual time; each output is rendered as a line.
pub(super) struct Bench {
    pub(super) session: Session,
    pub(super) now: Duration,
}

impl Bench {
    pub(super) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(super) fn with(adjust: impl FnOnce(&mut SessionConfig)) -> Self {
        let s = Duration::from_secs;
        let timing = Timing {
            reconnect_delay: s(1),
            max_reconnect_delay: s(4),
            max_reconnect_attempts: 5,
            jitter: 0.0,
            ping_interval: s(30),
            pong_timeout: s(10),
            connect_timeout: s(10),
            stable_after: s(5),
        };
        let mut config = SessionConfig {
            timing,
            dialect: Dialect::default(),
            auto_reconnect: true,
            queue_capacity: 8,
            request_window: 16,
            token: "old".into(),
            asks_for_token: false,
            seed: 1,
        };
        adjust(&mut config);
        Self { session: Session::new(config), now: Duration::ZERO }
    }

    /// A client whose first connection has just opened.
    pub(super) fn connected() -> Self {
        let mut bench = Self::new();
        bench.command(Command::Connect);
        bench.opened(1);
        bench
    }

    pub(super) fn handle(&mut self, input: Input) -> Vec<String> {
        self.try_handle(input).unwrap()
    }

    pub(super) fn try_handle(&mut self, input: Input) -> Result<Vec<String>, QueueFull> {
        let now = Now { monotonic: self.now, wall: Timestamp::EPOCH };
        let outcome = self.session.handle(now, input);
        let lines = std::iter::from_fn(|| self.session.poll()).filter_map(line).collect();
        outcome.map(|()| lines)
    }

    pub(super) fn command(&mut self, command: Command) -> Vec<String> {
        self.handle(Input::Command(command))
    }

    pub(super) fn send(&mut self, number: u32) -> Vec<String> {
        self.command(Command::Send { kind: "n".to_owned(), payload: json!(number) })
    }

    pub(super) fn subscribe(&mut self, name: &str) -> Vec<String> {
        self.command(Command::Subscribe(Target::EventType(name.to_owned())))
    }

    pub(super) fn unsubscribe(&mut self, name: &str) -> Vec<String> {
        self.command(Command::Unsubscribe(Target::EventType(name.to_owned())))
    }

    pub(super) fn opened(&mut self, id: u64) -> Vec<String> {
        self.handle(Input::Opened(ConnectionId(id)))
    }

    pub(super) fn written(&mut self, id: u64) -> Vec<String> {
        self.written_of(id, SendKind::Message)
    }

    pub(super) fn written_of(&mut self, id: u64, kind: SendKind) -> Vec<String> {
        self.handle(Input::Written(ConnectionId(id), kind))
    }

    pub(super) fn text(&mut self, id: u64, text: &str) -> Vec<String> {
        self.handle(Input::Text(ConnectionId(id), text.to_owned()))
    }

    pub(super) fn closed(&mut self, id: u64, code: Option<CloseCode>) -> Vec<String> {
        self.handle(Input::Closed(ConnectionId(id), code))
    }

    /// The token provider answers.
    pub(super) fn token(&mut self, id: u64, answer: Result<&str, &str>) -> Vec<String> {
        self.handle(Input::Token(ConnectionId(id), answer.map(Into::into).map_err(str::to_owned)))
    }

    /// The gateway answers 401.
    pub(super) fn dial_refused(&mut self, id: u64) -> Vec<String> {
        self.handle(Input::DialFailed(ConnectionId(id), DialFailure::Unauthorized))
    }

    pub(super) fn dial_failed(&mut self, id: u64) -> Vec<String> {
        self.handle(Input::DialFailed(ConnectionId(id), DialFailure::Other("refused".to_owned())))
    }

    /// Time passes, and a timer with it.
    pub(super) fn after(&mut self, time: Duration) -> Vec<String> {
        self.now += time;
        self.handle(Input::Timer)
    }

    /// Time passes up to the deadline; answers how much, and what follows.
    pub(super) fn at_deadline(&mut self) -> (Duration, Vec<String>) {
        let wait = self.session.deadline().unwrap().saturating_sub(self.now);
        (wait, self.after(wait))
    }
}

/// An output as a line; delays and reasons have assertions of their own, and what goes into the log is no behaviour.
fn line(output: Output) -> Option<String> {
    Some(match output {
        Output::AskToken { connection } => format!("ask for {}", connection.0),
        Output::Dial { connection, token } => format!("dial {} with {}", connection.0, token.reveal()),
        Output::Send { connection, text, .. } => format!("on {}: {}", connection.0, spoken(&text)),
        Output::Close { connection, code } => format!("close {} with {code}", connection.0),
        Output::Drop(connection) => format!("drop {}", connection.0),
        Output::Status { old, new } => format!("{old} → {new}"),
        Output::Emit { name, payload: Value::Null } => format!("emit {name}"),
        Output::Emit { name, payload } => format!("emit {name} {payload}"),
        Output::Redial { .. } | Output::DialFailed(_) | Output::Log(_) => return None,
    })
}

fn spoken(text: &str) -> String {
    match Dialect::default().decode_client(text).unwrap().message {
        ClientMessage::Ping => "ping".to_owned(),
        ClientMessage::Pong => "pong".to_owned(),
        ClientMessage::Subscribe(target) => format!("subscribe {target}"),
        ClientMessage::Unsubscribe(target) => format!("unsubscribe {target}"),
        ClientMessage::Other { kind, payload } => format!("{kind} {payload}"),
    }
}
