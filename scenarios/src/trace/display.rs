//! Observations as people read them.

use std::fmt;

use protocol::CloseCode;
use serde_json::Value;

use super::{AsSent, Event, Frame, FrameKind, Observation, Reading, Resources, Settlements, Side};
use crate::foreign::Foreign;

impl Observation {
    /// One line of a timeline for people.
    pub fn line(&self) -> Foreign {
        let who = match self.connection {
            Some(connection) => format!("{}#{connection}", self.actor),
            None => self.actor.to_string(),
        };
        format!("{:>9.3}s  {who:<12} {}", self.at().as_secs_f64(), self.event).into()
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Step { number, action } => write!(f, "step {number}: {action}"),
            Self::InVain { label, detail, waited_us, .. } => {
                write!(f, "{detail}, in {:.3} s ({label})", *waited_us as f64 / 1e6)
            }
            Self::StepsEnded => f.write_str("the steps are over"),
            Self::Dialled { path, query, token_in } => {
                write!(f, "dials {path}")?;
                let parameters: Vec<_> = query
                    .iter()
                    .map(|(key, _)| match token_in {
                        Some(place) if key == "token" => format!("a token {place}"),
                        _ => key.clone(),
                    })
                    .collect();
                if parameters.is_empty() { Ok(()) } else { write!(f, " with {}", parameters.join(", ")) }
            }
            Self::Handshake { request, answer } => {
                let first = |text: &str| text.lines().next().unwrap_or_default().to_owned();
                let line = first(request);
                let asked = line.split('?').next().unwrap_or_default();
                write!(f, "handshake: {}, ", Shortened(asked))?;
                match answer.is_empty() {
                    true => f.write_str("unanswered"),
                    false => write!(f, "answered {}", Shortened(&first(answer))),
                }
            }
            Self::Opened => f.write_str("opened"),
            Self::Refused { status: Some(status), .. } => write!(f, "refused with HTTP {status}"),
            Self::Refused { code: Some(CloseCode::NO_STATUS), .. } => {
                f.write_str("refused by a close without a code")
            }
            Self::Refused { code: Some(code), .. } => write!(f, "refused by a close with {code}"),
            Self::Refused { status: None, reason, .. } => write!(f, "refused: {reason}"),
            Self::Sent(frame) => write!(f, "──► {frame}"),
            Self::Received(frame) => write!(f, "◄── {frame}"),
            Self::BadFrame { why, .. } => write!(f, "a wrong frame: {why}"),
            Self::Closed { code: Some(CloseCode::NO_STATUS), by } => {
                write!(f, "closed without a code by the {by}")
            }
            Self::Closed { code: Some(code), by } => write!(f, "closed with {code} by the {by}"),
            Self::Closed { code: None, by } => write!(f, "dropped by the {by}"),
            Self::Status { old, new } => write!(f, "status {old} → {new}"),
            Self::Emitted { name, payload, .. } if payload.is_null() => write!(f, "emits {name}"),
            Self::Emitted { name, payload, .. } => write!(f, "emits {name} {payload}"),
            Self::RequestFailed { op, error } => write!(f, "{op} failed: {error}"),
            Self::Published { as_sent: Some(AsSent { exchange, routing_key, body }), .. } => {
                write!(f, "publish to {exchange}: {routing_key} {}", Shortened(body))
            }
            Self::Published { routing_key, body, .. } => {
                write!(f, "publish {routing_key} {}", Shortened(&body.to_string()))
            }
            Self::Topology { exchange, queue } => {
                let say = |what: &Result<(), String>| {
                    what.clone().err().unwrap_or_else(|| "as specified".to_owned())
                };
                write!(f, "exchange {}, queue {}", say(exchange), say(queue))
            }
            Self::Unrouted { exchange, routing_key, bindings } => {
                let there = if bindings.is_empty() { "none".to_owned() } else { bindings.join(", ") };
                write!(f, "{routing_key} is routed to no queue; the bindings of {exchange} are {there}")
            }
            Self::Resources(Resources { processes, memory_kib, descriptors }) => {
                write!(f, "holds {memory_kib} KiB and {descriptors} descriptors in {processes} processes")
            }
            Self::Consumers { limited, unlimited } => {
                let of = |(queue, most): &(String, u16)| format!("{queue}: at most {most} deliveries");
                let limited = limited.iter().map(of);
                let unlimited = unlimited.iter().map(|queue| format!("{queue}: as many as there are"));
                f.write_str(&limited.chain(unlimited).collect::<Vec<_>>().join(", "))
            }
            Self::Queues { names, unconsumed } => {
                write!(f, "{} queues: {}", names.len(), names.join(", "))?;
                match &unconsumed[..] {
                    [] => Ok(()),
                    names => write!(f, "; without a consumer: {}", names.join(", ")),
                }
            }
            Self::QueueDepth { ready } => write!(f, "queue holds {ready}"),
            Self::Settlements(Settlements { acknowledged, rejected, unasked }) => {
                write!(f, "{acknowledged} acknowledged, {rejected} rejected, {unasked} sent to be forgotten")
            }
            Self::GatewayClosed => f.write_str("ended by the gateway's end"),
            Self::BrokerDialled => f.write_str("dials the broker"),
            Self::Answered { path, status, .. } => write!(f, "{path} answers {status}"),
            Self::Refetched { key } => write!(f, "fetches {}", Key(key)),
            Self::Read { what, value } => write!(f, "{what} is {}", Shortened(&value.to_string())),
            Self::Reported { message, user } if user.is_null() => write!(f, "reports for nobody: {message}"),
            Self::Reported { message, user } => write!(f, "reports for {user}: {message}"),
            Self::TokenWanted => f.write_str("asks for a token"),
            Self::Log { text } => write!(f, "printed {} lines", text.lines().count()),
            Self::Ended { status } => write!(f, "ended: {status}"),
            Self::Fault { what } => f.write_str(what),
            Self::SubjectDied { status } => write!(f, "the process under test ended: {status}"),
        }
    }
}

/// A text of which a line shows the beginning.
pub(crate) struct Shortened<'a>(pub(crate) &'a str);

impl fmt::Display for Shortened<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// Characters that are shown.
        const SHOWN: usize = 120;
        match self.0.char_indices().nth(SHOWN) {
            Some((end, _)) => write!(f, "{}…", &self.0[..end]),
            None => f.write_str(self.0),
        }
    }
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            FrameKind::Text => "",
            FrameKind::Binary => "binary ",
            FrameKind::Ping => "PING ",
            FrameKind::Pong => "PONG ",
            FrameKind::Close => "CLOSE ",
            FrameKind::Raw => "bytes ",
        };
        write!(f, "{kind}{}", Shortened(&self.body))
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Client => "client",
            Self::Gateway => "gateway",
        })
    }
}

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Consumer(name) => write!(f, "what {name} shows"),
            Self::Query(key) => write!(f, "the query {}", Key(key)),
            Self::Configuration => f.write_str("the configuration"),
        }
    }
}

/// A query's key.
pub(crate) struct Key<'a>(pub(crate) &'a [Value]);

impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        write!(f, "[{}]", parts.join(","))
    }
}
