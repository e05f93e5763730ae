//! A variant of the reference, which does one thing that it must not, once.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use protocol::adapter::{Answer, Operation, Request};
use scenarios::frame::RawFrame;
use scenarios::trace::Side;
use scenarios::{Example, SubjectKind};
use serde_json::{Value, json};
use sim::boundary::{AdapterLine, Boundary, Lines, Passed, Wire};
use tungstenite::handshake::derive_accept_key;
use tungstenite::protocol::frame::coding::Control;

/// The first of the numbers that requests have which the judge has not made.
const OWN_REQUESTS: u64 = 1_000_000_000;
/// What a client signs in with that dials though it has no token.
const TOKEN: &str = "a-token";

/// When it does it. Connections are counted from 0, in the order in which the subject has them; frames and lines from 1, over both
/// directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In the answer to the dial of this connection.
    Answer(usize),
    /// Ahead of this frame of this connection.
    Ahead(usize, usize),
    /// Behind this frame of this connection.
    Behind(usize, usize),
    /// Behind this line of its adapter's.
    Line(usize),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer(connection) => write!(f, "the answer to dial {connection}"),
            Self::Ahead(connection, frame) => write!(f, "ahead of frame {frame} of connection {connection}"),
            Self::Behind(connection, frame) => write!(f, "behind frame {frame} of connection {connection}"),
            Self::Line(line) => write!(f, "behind line {line} of the adapter"),
        }
    }
}

/// How much crosses the boundary of a subject that does nothing wrong.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Frames of each connection.
    pub(super) frames: BTreeMap<usize, usize>,
    /// Lines.
    pub(super) lines: usize,
}

type SharedState = Arc<Mutex<Tally>>;

/// The reference as it is, counted.
pub(super) fn counted(tally: &SharedState) -> Boundary {
    let (frames, lines) = (tally.clone(), tally.clone());
    Boundary {
        wire: Some(Arc::new(move |connection| {
            Some(Box::new(CountedWire { connection, tally: frames.clone() }))
        })),
        lines: Some(Arc::new(move || Box::new(CountedLines(lines.clone())))),
        ..Boundary::default()
    }
}

/// The reference that does this, there.
pub(super) fn doing(example: &Example, place: Place, subject: SubjectKind) -> Boundary {
    let example = example.clone();
    match place {
        Place::Answer(wanted) | Place::Ahead(wanted, _) | Place::Behind(wanted, _) => {
            let wire = move |connection| {
                let wire = VariantWire { example: example.clone(), place, subject, key: None, passed: 0 };
                (connection == wanted).then(|| Box::new(wire) as Box<dyn Wire>)
            };
            Boundary { wire: Some(Arc::new(wire)), ..Boundary::default() }
        }
        Place::Line(at) => {
            let lines = move || {
                let asked = BTreeMap::new();
                Box::new(VariantLines { example: example.clone(), at, passed: 0, asked }) as Box<dyn Lines>
            };
            Boundary { lines: Some(Arc::new(lines)), ..Boundary::default() }
        }
    }
}

struct CountedWire {
    connection: usize,
    tally: SharedState,
}

impl CountedWire {
    fn count(&self) {
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        *tally.frames.entry(self.connection).or_default() += 1;
    }
}

impl Wire for CountedWire {
    fn up(&mut self, frame: RawFrame) -> Passed {
        self.count();
        Passed { up: vec![frame], ..Passed::default() }
    }

    fn down(&mut self, frame: RawFrame) -> Passed {
        self.count();
        Passed { down: vec![frame], ..Passed::default() }
    }
}

struct CountedLines(SharedState);

impl CountedLines {
    fn count(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).lines += 1;
    }
}

impl Lines for CountedLines {
    fn request(&mut self, line: Value) -> AdapterLine {
        self.count();
        AdapterLine { to_adapter: vec![line], to_judge: Vec::new() }
    }

    fn report(&mut self, line: Value) -> AdapterLine {
        self.count();
        AdapterLine { to_adapter: Vec::new(), to_judge: vec![line] }
    }
}

struct VariantWire {
    example: Example,
    place: Place,
    subject: SubjectKind,
    /// The key of the request.
    key: Option<String>,
    passed: usize,
}

impl VariantWire {
    /// A frame passes, and what is to be done with it is.
    fn pass(&mut self, mut passed: Passed) -> Passed {
        self.passed += 1;
        let (at, is_ahead) = match self.place {
            Place::Ahead(_, at) => (at, true),
            Place::Behind(_, at) => (at, false),
            Place::Answer(_) | Place::Line(_) => return passed,
        };
        if self.passed != at {
            return passed;
        }
        let add = |frames: &mut Vec<RawFrame>, frame: &RawFrame| {
            let place = if is_ahead { 0 } else { frames.len() };
            frames.insert(place, frame.clone());
        };
        match &self.example {
            Example::Received(frame) => add(&mut passed.down, frame),
            Example::Sent(frame) => add(&mut passed.up, frame),
            Example::Closed { code, by } => {
                let close = RawFrame::control(Control::Close, code.0.to_be_bytes());
                let by_client = by.map_or(self.subject == SubjectKind::Client, |side| side == Side::Client);
                if by_client {
                    passed.up.push(close);
                } else {
                    passed.down.push(close);
                }
                passed.end = true;
            }
            Example::Printed(text) => print(text),
            Example::Opened
            | Example::Refused(_)
            | Example::Dialled
            | Example::Reported(_)
            | Example::Answered(..) => {}
        }
        passed
    }
}

impl Wire for VariantWire {
    fn request(&mut self, head: String) -> String {
        let mut fields = head.lines().filter_map(|line| line.split_once(':'));
        let key = fields.find(|(name, _)| name.trim().eq_ignore_ascii_case("sec-websocket-key"));
        self.key = key.map(|(_, key)| key.trim().to_owned());
        head
    }

    fn answer(&mut self, text: String) -> String {
        match (self.place, &self.example) {
            (Place::Answer(_), Example::Refused(status)) => refusal(*status),
            (Place::Answer(_), Example::Opened | Example::Received(_)) => {
                grant(self.key.as_deref().unwrap_or_default())
            }
            _ => text,
        }
    }

    fn granted(&mut self) -> Vec<RawFrame> {
        match (self.place, &self.example) {
            (Place::Answer(_), Example::Received(frame)) => vec![frame.clone()],
            _ => Vec::new(),
        }
    }

    fn up(&mut self, frame: RawFrame) -> Passed {
        self.pass(Passed { up: vec![frame], ..Passed::default() })
    }

    fn down(&mut self, frame: RawFrame) -> Passed {
        self.pass(Passed { down: vec![frame], ..Passed::default() })
    }
}

struct VariantLines {
    example: Example,
    at: usize,
    passed: usize,
    /// The judge's requests, by their numbers.
    asked: BTreeMap<u64, String>,
}

impl VariantLines {
    /// A line passes, and what is to be done with it is.
    fn pass(&mut self, said: &mut AdapterLine) {
        self.passed += 1;
        if self.passed != self.at {
            return;
        }
        match &self.example {
            Example::Reported(report) => said.to_judge.push(json!(report)),
            // A scripted gateway grants and refuses what is dialled.
            Example::Dialled | Example::Opened | Example::Refused(_) => {
                let token = Operation::SetToken { token: Some(TOKEN.to_owned()) };
                for (id, operation) in (OWN_REQUESTS..).zip([token, Operation::Connect]) {
                    said.to_adapter.push(json!(Request { id, operation }));
                }
            }
            Example::Answered(op, outcome) => {
                for line in &mut said.to_judge {
                    let Some(id) = line["id"].as_u64() else { continue };
                    if self.asked.get(&id) == Some(op) {
                        *line = json!(Answer { id, outcome: outcome.clone() });
                    }
                }
            }
            Example::Printed(text) => print(text),
            Example::Received(_) | Example::Sent(_) | Example::Closed { .. } => {}
        }
    }
}

impl Lines for VariantLines {
    fn request(&mut self, line: Value) -> AdapterLine {
        if let (Some(id), Some(op)) = (line["id"].as_u64(), line["op"].as_str()) {
            self.asked.insert(id, op.to_owned());
        }
        let mut said = AdapterLine { to_adapter: vec![line], to_judge: Vec::new() };
        self.pass(&mut said);
        said
    }

    fn report(&mut self, line: Value) -> AdapterLine {
        if line["id"].as_u64().is_some_and(|id| id >= OWN_REQUESTS) {
            return AdapterLine::default();
        }
        let mut said = AdapterLine { to_adapter: Vec::new(), to_judge: vec![line] };
        self.pass(&mut said);
        said
    }
}

/// A line in the log of the reference: the simulation keeps what these two say.
fn print(text: &str) {
    tracing::info!(target: "reference_client", "{text}");
    tracing::info!(target: "reference_server", "{text}");
}

fn refusal(status: u16) -> String {
    format!("HTTP/1.1 {status} Refused\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}

fn grant(key: &str) -> String {
    let accept = derive_accept_key(key.as_bytes());
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    )
}
