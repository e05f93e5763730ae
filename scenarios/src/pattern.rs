//! What a step waits for and an expectation counts: a filter over observations.

mod addressed;
mod client;
mod close;
mod example;
mod file;
mod message;

use std::collections::BTreeMap;
use std::fmt;

use protocol::{CloseCode, Dialect, Refusal};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(crate) use self::addressed::{EVENT, merge};
use self::client::{LogPattern, ReadPattern, ReportPattern};
use self::close::ClosePattern;
pub use self::example::Example;
use self::message::MessagePattern;
pub(crate) use self::message::payload;
use crate::requirement::SubjectKind;
use crate::scenario::ProcessAct;
use crate::trace::{Actor, Event, Key, Message, Observation, Trace};

/// A filter over observations: who, on which connection, and what.
///
/// ```toml
/// { client = "alice", receives = "subscribed" }
/// { client = "mallory", receives = { type = "error", code = "forbidden" } }
/// { sends = { type = "note", data = 1 }, connection = 1 }
/// { dials = { query = { token = "new" } } }
/// { consumer = "badge", status = "connected" }
/// { refetches = ["payments"] }
/// { reads = { query = ["catalog"], value = [1, 2] } }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "file::RawPattern", into = "file::RawPattern")]
pub struct Pattern {
    client: Option<String>,
    consumer: Option<String>,
    connection: Option<u32>,
    what: What,
}

/// What must have happened.
#[derive(Debug, Clone, PartialEq)]
enum What {
    Dials(DialPattern),
    Opens,
    Refused(RefusedPattern),
    Closes(ClosePattern),
    Receives(MessagePattern),
    Sends(MessagePattern),
    Status(String),
    Emits(EmitPattern),
    RequestFails(String),
    Refetches(Vec<Value>),
    Reads(ReadPattern),
    Reports(ReportPattern),
    WantsToken,
    Continues,
    DialsBroker,
    GatewayCloses,
    Log(LogPattern),
    QueueDepth,
    Topology,
    Answers(AnswerPattern),
    Ended,
    TurnedAway(Vec<Refusal>),
}

/// A pattern that says nothing usable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// Nothing, or several things, should have happened.
    #[error("a pattern names exactly one of {}; this one names {found}", KINDS.join(", "))]
    Kinds {
        /// How many it names.
        found: usize,
    },
    /// A message pattern without any condition.
    #[error("a message pattern names at least one of `type`, `any`, `event` and `frame`")]
    EmptyMessage,
    /// A switch set to false: say `never` instead.
    #[error("`{0} = false` matches nothing: leave it out, or use `never`")]
    False(&'static str),
}

const KINDS: [&str; 22] = [
    "dials",
    "opens",
    "refused",
    "closes",
    "receives",
    "sends",
    "status",
    "emits",
    "request_fails",
    "refetches",
    "reads",
    "reports",
    "wants_token",
    "continues",
    "dials_broker",
    "gateway_closes",
    "log",
    "queue_depth",
    "topology",
    "answers",
    "ended",
    "turned_away",
];

/// How an upgrade was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RefusedPattern {
    /// In whatever way.
    Any,
    /// With this HTTP status.
    Status(u16),
    /// With any HTTP status from 400 to 499.
    ClientError,
    /// By a close with this code before any message.
    Close(CloseCode),
    /// As the subject's dialect says; which that is, is known once the scenario is bound to a run.
    AsDeclared,
}

/// An upgrade request.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DialPattern {
    path: Option<String>,
    #[serde(default)]
    query: BTreeMap<String, String>,
}

/// A call of a listener.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EmitPattern {
    name: String,
    payload: Option<Value>,
    with: Option<Value>,
    listener: Option<String>,
}

/// A page.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AnswerPattern {
    path: Option<String>,
    status: Option<u16>,
    /// Text that its body holds.
    contains: Option<String>,
    /// What its body, which is JSON, has at least.
    json: Option<Value>,
}

impl Pattern {
    /// Whether the observation is one of those.
    pub fn matches(&self, observation: &Observation) -> bool {
        let names = [&self.client, &self.consumer];
        names.into_iter().flatten().all(|name| observation.actor.0 == *name)
            && self.connection.is_none_or(|number| observation.connection == Some(number))
            && self.what.matches(&observation.event)
    }

    /// The event that must come to the client, or to a listener of it, where that is what must happen.
    pub(crate) fn event(&self) -> Option<&str> {
        match &self.what {
            What::Emits(EmitPattern { name, .. }) => Some(name),
            What::Receives(message) if !message.is_of_dialect() => message.name.as_deref(),
            _ => None,
        }
    }

    /// The half of a pair that owes it: who must act next, as far as the trace says.
    pub(crate) fn owed_by(&self, trace: &Trace) -> SubjectKind {
        let has_come = |event: &Event| match (&self.what, event) {
            (What::Emits(wanted), Event::Received(frame)) => {
                frame.message.as_ref().is_some_and(|message| message.name() == wanted.name)
            }
            (What::Opens, Event::Refused { .. }) => true,
            _ => false,
        };
        let has_come = trace.observations.iter().any(|seen| has_come(&seen.event));
        let mut faults =
            trace.observations.iter().rev().filter(|seen| matches!(seen.event, Event::Fault { .. }));
        let is_cut_off = faults.next().is_some_and(|fault| fault.actor == Actor::client());
        match &self.what {
            What::Receives(_) | What::Answers(_) | What::DialsBroker | What::GatewayCloses => {
                SubjectKind::Gateway
            }
            What::Emits(_) if has_come => SubjectKind::Client,
            What::Emits(_) => SubjectKind::Gateway,
            What::Opens if has_come => SubjectKind::Gateway,
            // Where the network is at fault, the client must notice.
            What::Closes(_) if is_cut_off => SubjectKind::Client,
            What::Closes(_) | What::Refused(_) | What::TurnedAway(_) => SubjectKind::Pair,
            _ => SubjectKind::Client,
        }
    }

    /// What is said where a trace has no match, or too few: also what came instead, where that was nearly it, and that nothing can come.
    pub fn missing_in(&self, trace: &Trace) -> String {
        let came = match trace.observations.iter().filter(|seen| self.matches(seen)).count() {
            0 => String::new(),
            1 => " more than once".to_owned(),
            count => format!(" more than {count} times"),
        };
        let nearly = self.nearly_in(trace).map(|(_, why)| why);
        let why: String =
            [nearly, self.cut_off(trace)].iter().flatten().map(|why| format!("; {why}")).collect();
        format!("no sign that {self}{came}{why}")
    }

    /// How the last connection ended on which something was to come.
    fn cut_off(&self, trace: &Trace) -> Option<String> {
        let client = self.client.as_ref().filter(|_| matches!(self.what, What::Receives(_)))?;
        let last = trace.observations.iter().rev().find(|seen| {
            seen.actor.0 == *client && matches!(seen.event, Event::Opened | Event::Closed { .. })
        })?;
        matches!(last.event, Event::Closed { .. }).then(|| format!("its connection was {}", last.event))
    }

    /// What came instead, and where: for an answer, only what came after something was asked.
    pub(crate) fn nearly_in(&self, trace: &Trace) -> Option<(usize, String)> {
        let asks = |seen: &Observation| {
            matches!(&seen.event, Event::Sent(frame) if !frame.kind.is_control())
                && self.client.as_ref().is_none_or(|client| *client == seen.actor.0)
        };
        let is_answer = matches!(&self.what, What::Receives(wanted) if wanted.is_answer());
        trace
            .iter()
            .skip_while(|(_, seen)| is_answer && !asks(seen))
            .find_map(|(at, seen)| Some((at, self.nearly(seen)?)))
    }

    /// Why an observation that does not match may have been meant so: a message that cannot be read where one was expected, or
    /// a page with another answer.
    fn nearly(&self, observation: &Observation) -> Option<String> {
        let is_of_client = self.client.as_ref().is_none_or(|client| *client == observation.actor.0);
        match (&self.what, &observation.event) {
            (What::Receives(wanted), Event::Received(frame)) if is_of_client && wanted.is_of_dialect() => {
                match &frame.message {
                    Some(Message::Unreadable(why)) => Some(format!("what came cannot be read: {why}")),
                    _ => None,
                }
            }
            (What::Refused(_), Event::Refused { .. }) if is_of_client && !self.matches(observation) => {
                Some(format!("it is {}", observation.event))
            }
            (What::Closes(wanted), Event::Closed { .. })
                if is_of_client && wanted.names_a_code() && !self.matches(observation) =>
            {
                Some(format!("it was {}", observation.event))
            }
            (What::Answers(wanted), Event::Answered { path, status, body })
                if wanted.path.as_ref() == Some(path) && !self.matches(observation) =>
            {
                let begin: String = body.chars().take(SHOWN_BODY).collect();
                Some(format!("it answered {status}: {begin}"))
            }
            _ => None,
        }
    }

    /// Says what a dialect declares: what a refusal looks like, and what error codes are called.
    pub(crate) fn declare(&mut self, dialect: &Dialect) {
        if let What::Receives(message) = &mut self.what
            && let Some(code) = message.code.take()
        {
            message.code = dialect.errors.spelled(&code).map(str::to_owned);
        }
        if let What::Closes(close) = &mut self.what {
            close.declare(dialect);
        }
        if let What::TurnedAway(declared) = &mut self.what {
            declared.clone_from(&dialect.over_limit);
        }
        let refusal = dialect.refusal;
        if let What::Refused(wanted @ RefusedPattern::AsDeclared) = &mut self.what {
            *wanted = match refusal {
                Refusal::Http(status) => RefusedPattern::Status(status),
                Refusal::Close(code) => RefusedPattern::Close(code),
            };
        }
    }

    /// The client that the pattern names.
    pub fn client(&self) -> Option<&str> {
        self.client.as_deref()
    }

    /// Whether a connection stands once it matches, as the gateway or the client sees it.
    pub(crate) fn is_connection(&self) -> bool {
        match &self.what {
            What::Opens => true,
            What::Status(status) => status == "connected" && self.consumer.is_none(),
            _ => false,
        }
    }

    /// The status that it looks at, where it looks at one.
    pub(crate) fn status(&self) -> Option<&str> {
        match &self.what {
            What::Status(status) => Some(status),
            _ => None,
        }
    }

    /// Counts the connections that it names from a later one.
    pub(crate) fn count_connections_from(&mut self, first: u32) {
        self.connection = self.connection.map(|number| number.saturating_add(first));
    }

    /// What the gateway sees as the client reports the status that it looks at; nothing where that is not the same.
    pub(crate) fn seen_by_the_gateway(&self) -> Option<Self> {
        let what = match self.status()? {
            "connected" if self.consumer.is_none() => What::Opens,
            "connecting" if self.consumer.is_none() => What::Dials(DialPattern::default()),
            _ => return None,
        };
        Some(Self { what, ..self.clone() })
    }

    /// Whether it is about the opening of a connection, and nothing that the client says of it.
    #[cfg(test)]
    pub(crate) fn is_opening(&self) -> bool {
        self.what == What::Opens
    }

    /// The consumers that the pattern names.
    pub(crate) fn consumers(&self) -> impl Iterator<Item = &str> {
        let read = match &self.what {
            What::Reads(reads) => reads.consumer(),
            _ => None,
        };
        self.consumer.as_deref().into_iter().chain(read)
    }

    /// Whether only an acknowledgement of a subscription can match, which some dialects do not have.
    pub fn needs_acknowledgement(&self) -> bool {
        let What::Receives(message) = &self.what else { return false };
        message.name.as_deref().is_some_and(acknowledges)
            || (!message.any.is_empty() && message.any.iter().all(|name| acknowledges(name)))
    }

    /// What a dialect lacks of what can match, where that is all or, for an acknowledgement, the ordinary answer.
    pub(crate) fn lacks(&self, dialect: &Dialect) -> Option<&'static str> {
        if let Some(declared) = self.declared_close() {
            let is_declared = declared.code(dialect).is_some();
            return (!is_declared).then_some("the dialect declares no close for such a message");
        }
        let What::Receives(message) = &self.what else { return None };
        let mut names = message.name.iter().chain(&message.any).map(String::as_str);
        if !dialect.acks && names.clone().any(acknowledges) {
            Some("the dialect has no acknowledgements")
        } else if !dialect.error_messages && names.clone().any(|name| name == "error") {
            Some("the dialect has no error messages")
        } else if dialect.welcome_type().is_none() && names.any(|name| name == "welcome") {
            Some("the dialect has no welcome")
        } else {
            None
        }
    }
}

/// Characters of a page that are shown.
const SHOWN_BODY: usize = 400;

fn acknowledges(name: &str) -> bool {
    matches!(name, "subscribed" | "unsubscribed")
}

impl What {
    fn matches(&self, event: &Event) -> bool {
        match (self, event) {
            (Self::Dials(pattern), Event::Dialled { path, query, .. }) => {
                pattern.path.as_ref().is_none_or(|wanted| wanted == path)
                    && pattern.query.iter().all(|(key, value)| {
                        let mut values = query.iter().filter(|(name, _)| name == key);
                        values.next().is_some_and(|(_, found)| found == value) && values.next().is_none()
                    })
            }
            (Self::Opens, Event::Opened)
            | (Self::QueueDepth, Event::QueueDepth { .. })
            | (Self::Topology, Event::Topology { .. })
            | (Self::WantsToken, Event::TokenWanted)
            | (Self::DialsBroker, Event::BrokerDialled)
            | (Self::GatewayCloses, Event::GatewayClosed)
            | (Self::Ended, Event::Ended { .. }) => true,
            (Self::Continues, Event::Fault { what }) => what == ProcessAct::Continue.fault(),
            (Self::Refused(wanted), Event::Refused { status, code, .. }) => match wanted {
                RefusedPattern::Any => true,
                RefusedPattern::Status(wanted) => *status == Some(*wanted),
                RefusedPattern::ClientError => status.is_some_and(|status| (400..500).contains(&status)),
                RefusedPattern::Close(wanted) => *code == Some(*wanted),
                RefusedPattern::AsDeclared => false,
            },
            (Self::Closes(pattern), Event::Closed { code, by }) => pattern.matches(*code, *by),
            (Self::Receives(pattern), Event::Received(frame))
            | (Self::Sends(pattern), Event::Sent(frame)) => pattern.matches(frame),
            (Self::Status(wanted), Event::Status { new, .. }) => wanted == new,
            (Self::Emits(pattern), Event::Emitted { name, payload, listener }) => {
                pattern.name == *name
                    && pattern.payload.as_ref().is_none_or(|wanted| wanted == payload)
                    && pattern.with.as_ref().is_none_or(|wanted| contains(payload, wanted))
                    && pattern.listener.as_ref().is_none_or(|wanted| wanted == listener)
            }
            (Self::Answers(pattern), Event::Answered { path, status, body }) => {
                pattern.path.as_ref().is_none_or(|wanted| wanted == path)
                    && pattern.status.is_none_or(|wanted| wanted == *status)
                    && pattern.contains.as_ref().is_none_or(|wanted| body.contains(wanted.as_str()))
                    && pattern.json.as_ref().is_none_or(|wanted| {
                        serde_json::from_str(body).is_ok_and(|found: Value| contains(&found, wanted))
                    })
            }
            // CONN-7 leaves the choice between an answer and a close.
            (Self::TurnedAway(declared), Event::Refused { status, code, .. }) => {
                let answers = [status.map(Refusal::Http), code.map(Refusal::Close)];
                answers.into_iter().flatten().any(|answer| answer.turns_away(declared))
            }
            (Self::TurnedAway(declared), Event::Closed { code, .. }) => {
                code.is_some_and(|code| Refusal::Close(code).turns_away(declared))
            }
            (Self::RequestFails(wanted), Event::RequestFailed { op, .. }) => wanted == op,
            (Self::Refetches(wanted), Event::Refetched { key }) => wanted == key,
            (Self::Reads(pattern), Event::Read { what, value }) => pattern.matches(what, value),
            (Self::Reports(pattern), Event::Reported { message, user }) => pattern.matches(message, user),
            (Self::Log(pattern), Event::Log { text }) => pattern.matches(text),
            _ => false,
        }
    }
}

/// Whether `found` has everything that `wanted` has; objects may have more, lists may not.
pub(crate) fn contains(found: &Value, wanted: &Value) -> bool {
    match (found, wanted) {
        (Value::Object(found), Value::Object(wanted)) => {
            wanted.iter().all(|(key, value)| found.get(key).is_some_and(|inner| contains(inner, value)))
        }
        (Value::Array(found), Value::Array(wanted)) => {
            found.len() == wanted.len()
                && found.iter().zip(wanted).all(|(inner, value)| contains(inner, value))
        }
        // Some languages write a whole number as 1000.0.
        (Value::Number(found), Value::Number(wanted)) => found.as_f64() == wanted.as_f64(),
        _ => found == wanted,
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.client.as_deref().or(self.consumer.as_deref()).unwrap_or("the client"))?;
        match &self.what {
            What::Dials(dial) => {
                f.write_str(" dials")?;
                dial.path.iter().try_for_each(|path| write!(f, " {path}"))?;
                dial.query.iter().try_for_each(|(key, value)| write!(f, " with {key}={value}"))?;
            }
            What::Opens => f.write_str(" is connected")?,
            What::Refused(RefusedPattern::Any) => f.write_str(" is refused")?,
            What::Refused(RefusedPattern::Status(status)) => write!(f, " is refused with HTTP {status}")?,
            What::Refused(RefusedPattern::ClientError) => {
                f.write_str(" is refused with an HTTP status from 400 to 499")?;
            }
            What::Refused(RefusedPattern::Close(code)) => {
                write!(f, " is refused by a close with {code} before any message")?;
            }
            What::Refused(RefusedPattern::AsDeclared) => f.write_str(" is refused as the dialect says")?,
            What::Closes(close) => write!(f, " sees the connection end{close}")?,
            What::Receives(message) => write!(f, " receives {message}")?,
            What::Sends(message) => write!(f, " sends {message}")?,
            What::Status(status) => write!(f, " becomes {status}")?,
            What::Emits(emit) => {
                write!(f, " emits {}", emit.name)?;
                emit.listener.iter().try_for_each(|listener| write!(f, " to listener {listener}"))?;
                emit.payload.iter().chain(&emit.with).try_for_each(|payload| write!(f, " {payload}"))?;
            }
            What::RequestFails(op) => write!(f, " refuses to {op}")?,
            What::Refetches(key) => write!(f, " fetches {}", Key(key))?,
            What::Reads(reads) => write!(f, " shows {reads}")?,
            What::Reports(report) => write!(f, " reports {report}")?,
            What::WantsToken => f.write_str(" asks for a token")?,
            What::Continues => f.write_str(" goes on after it was stopped")?,
            What::DialsBroker => f.write_str(" sees the gateway dial its broker")?,
            What::GatewayCloses => f.write_str(" is given up by the gateway")?,
            What::Log(log) => write!(f, " has printed {log}")?,
            What::QueueDepth => f.write_str(" has its queue counted")?,
            What::Topology => f.write_str(" has its topology read")?,
            What::Answers(answer) => {
                f.write_str(" gets")?;
                match &answer.path {
                    Some(path) => write!(f, " {path}")?,
                    None => f.write_str(" a page")?,
                }
                answer.status.iter().try_for_each(|status| write!(f, " with status {status}"))?;
                answer.contains.iter().try_for_each(|text| write!(f, " that holds {text:?}"))?;
                answer.json.iter().try_for_each(|json| write!(f, " that says {json}"))?;
            }
            What::Ended => f.write_str(" sees the gateway end")?,
            What::TurnedAway(declared) => {
                let answers: Vec<String> = declared
                    .iter()
                    .map(|answer| match answer {
                        Refusal::Http(status) => format!("HTTP {status}"),
                        Refusal::Close(code) => format!("a close with {code}"),
                    })
                    .collect();
                let usual = "HTTP 503 or a close with 1013".to_owned();
                let answers = if answers.is_empty() { usual } else { answers.join(" or ") };
                write!(f, " is told to come again later, by {answers}")?;
            }
        }
        self.connection.iter().try_for_each(|number| write!(f, " on connection {number}"))
    }
}

#[cfg(test)]
mod tests;
