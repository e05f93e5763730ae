//! The file's form of a pattern.

use protocol::CloseCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::client::{LogPattern, ReadPattern, ReportPattern};
use super::{
    AnswerPattern, ClosePattern, DialPattern, EmitPattern, MessagePattern, Pattern, PatternError,
    RefusedPattern, What,
};

/// The file's form of a pattern.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPattern {
    client: Option<String>,
    consumer: Option<String>,
    connection: Option<u32>,
    dials: Option<Switch<DialPattern>>,
    opens: Option<bool>,
    refused: Option<RawRefused>,
    closes: Option<RawClose>,
    receives: Option<RawMessage>,
    sends: Option<RawMessage>,
    status: Option<String>,
    emits: Option<RawEmit>,
    request_fails: Option<String>,
    refetches: Option<Vec<Value>>,
    reads: Option<ReadPattern>,
    reports: Option<Switch<ReportPattern>>,
    wants_token: Option<bool>,
    continues: Option<bool>,
    dials_broker: Option<bool>,
    gateway_closes: Option<bool>,
    log: Option<LogPattern>,
    queue_depth: Option<bool>,
    topology: Option<bool>,
    answers: Option<AnswerPattern>,
    ended: Option<bool>,
    turned_away: Option<bool>,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged, expecting = "expected `true` or the details")]
enum Switch<T> {
    On(bool),
    Details(T),
}

#[derive(Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "expected `true`, a status, `\"as_declared\"`, `\"client_error\"`, or `{ close = CODE }`"
)]
enum RawRefused {
    On(bool),
    Status(u16),
    Named(NamedRefusal),
    Close { close: CloseCode },
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum NamedRefusal {
    AsDeclared,
    ClientError,
}

#[derive(Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "expected `true`, a close code, or a table of `code`, `code_or_none` or `as_declared`, and `by`"
)]
enum RawClose {
    On(bool),
    Code(CloseCode),
    Details(ClosePattern),
}

#[derive(Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "expected a message's name, or a table of `type`, `any`, `frame`, `body`, `target`, `room`, `code`, `data`, `with`"
)]
enum RawMessage {
    Name(String),
    Details(MessagePattern),
}

#[derive(Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "expected an event's name, or a table of `name`, `payload`, `with`, `listener`"
)]
enum RawEmit {
    Name(String),
    Details(EmitPattern),
}

impl TryFrom<RawPattern> for Pattern {
    type Error = PatternError;

    fn try_from(raw: RawPattern) -> Result<Self, PatternError> {
        let on = |name, value: Option<bool>| match value {
            Some(false) => Err(PatternError::False(name)),
            other => Ok(other),
        };
        let mut whats = Vec::new();
        match raw.dials {
            Some(Switch::On(false)) => return Err(PatternError::False("dials")),
            Some(Switch::On(true)) => whats.push(What::Dials(DialPattern::default())),
            Some(Switch::Details(details)) => whats.push(What::Dials(details)),
            None => {}
        }
        match raw.refused {
            Some(RawRefused::On(false)) => return Err(PatternError::False("refused")),
            Some(RawRefused::On(true)) => whats.push(What::Refused(RefusedPattern::Any)),
            Some(RawRefused::Status(status)) => whats.push(What::Refused(RefusedPattern::Status(status))),
            Some(RawRefused::Named(NamedRefusal::AsDeclared)) => {
                whats.push(What::Refused(RefusedPattern::AsDeclared));
            }
            Some(RawRefused::Named(NamedRefusal::ClientError)) => {
                whats.push(What::Refused(RefusedPattern::ClientError));
            }
            Some(RawRefused::Close { close }) => whats.push(What::Refused(RefusedPattern::Close(close))),
            None => {}
        }
        match raw.closes {
            Some(RawClose::On(false)) => return Err(PatternError::False("closes")),
            Some(RawClose::On(true)) => whats.push(What::Closes(ClosePattern::default())),
            Some(RawClose::Code(code)) => {
                whats.push(What::Closes(ClosePattern { code: Some(code), ..ClosePattern::default() }));
            }
            Some(RawClose::Details(details)) => whats.push(What::Closes(details)),
            None => {}
        }
        match raw.reports {
            Some(Switch::On(false)) => return Err(PatternError::False("reports")),
            Some(Switch::On(true)) => whats.push(What::Reports(ReportPattern::default())),
            Some(Switch::Details(details)) => whats.push(What::Reports(details)),
            None => {}
        }
        whats.extend(on("wants_token", raw.wants_token)?.map(|_| What::WantsToken));
        whats.extend(on("continues", raw.continues)?.map(|_| What::Continues));
        whats.extend(on("dials_broker", raw.dials_broker)?.map(|_| What::DialsBroker));
        whats.extend(on("gateway_closes", raw.gateway_closes)?.map(|_| What::GatewayCloses));
        whats.extend(raw.refetches.map(What::Refetches));
        whats.extend(raw.reads.map(What::Reads));
        whats.extend(raw.log.map(What::Log));
        whats.extend(on("opens", raw.opens)?.map(|_| What::Opens));
        whats.extend(on("queue_depth", raw.queue_depth)?.map(|_| What::QueueDepth));
        whats.extend(on("topology", raw.topology)?.map(|_| What::Topology));
        whats.extend(on("ended", raw.ended)?.map(|_| What::Ended));
        whats.extend(on("turned_away", raw.turned_away)?.map(|_| What::TurnedAway(Vec::new())));
        whats.extend(raw.answers.map(What::Answers));
        whats.extend(raw.receives.map(MessagePattern::try_from).transpose()?.map(What::Receives));
        whats.extend(raw.sends.map(MessagePattern::try_from).transpose()?.map(What::Sends));
        whats.extend(raw.status.map(What::Status));
        whats.extend(raw.emits.map(|emits| What::Emits(emits.into())));
        whats.extend(raw.request_fails.map(What::RequestFails));
        let found = whats.len();
        match whats.pop() {
            Some(what) if found == 1 => {
                let RawPattern { client, consumer, connection, .. } = raw;
                Ok(Self { client, consumer, connection, what })
            }
            _ => Err(PatternError::Kinds { found }),
        }
    }
}

impl TryFrom<RawMessage> for MessagePattern {
    type Error = PatternError;

    fn try_from(raw: RawMessage) -> Result<Self, PatternError> {
        match raw {
            RawMessage::Name(name) => Ok(Self { name: Some(name), ..Self::default() }),
            RawMessage::Details(pattern)
                if pattern.name.is_none()
                    && pattern.any.is_empty()
                    && !pattern.event
                    && pattern.frame.is_none() =>
            {
                Err(PatternError::EmptyMessage)
            }
            RawMessage::Details(pattern) => Ok(pattern),
        }
    }
}

impl From<RawEmit> for EmitPattern {
    fn from(raw: RawEmit) -> Self {
        match raw {
            RawEmit::Name(name) => Self { name, payload: None, with: None, listener: None },
            RawEmit::Details(pattern) => pattern,
        }
    }
}

impl From<Pattern> for RawPattern {
    fn from(pattern: Pattern) -> Self {
        let Pattern { client, consumer, connection, what } = pattern;
        let none = Self { client, consumer, connection, ..Self::default() };
        match what {
            What::Dials(dial) => Self { dials: Some(Switch::Details(dial)), ..none },
            What::Opens => Self { opens: Some(true), ..none },
            What::Refused(refused) => {
                let refused = match refused {
                    RefusedPattern::Any => RawRefused::On(true),
                    RefusedPattern::Status(status) => RawRefused::Status(status),
                    RefusedPattern::Close(close) => RawRefused::Close { close },
                    RefusedPattern::AsDeclared => RawRefused::Named(NamedRefusal::AsDeclared),
                    RefusedPattern::ClientError => RawRefused::Named(NamedRefusal::ClientError),
                };
                Self { refused: Some(refused), ..none }
            }
            What::Closes(close) => Self { closes: Some(RawClose::Details(close)), ..none },
            What::Receives(message) => Self { receives: Some(RawMessage::Details(message)), ..none },
            What::Sends(message) => Self { sends: Some(RawMessage::Details(message)), ..none },
            What::Status(status) => Self { status: Some(status), ..none },
            What::Emits(emit) => Self { emits: Some(RawEmit::Details(emit)), ..none },
            What::RequestFails(op) => Self { request_fails: Some(op), ..none },
            What::Refetches(key) => Self { refetches: Some(key), ..none },
            What::Reads(reads) => Self { reads: Some(reads), ..none },
            What::Reports(report) => Self { reports: Some(Switch::Details(report)), ..none },
            What::WantsToken => Self { wants_token: Some(true), ..none },
            What::Continues => Self { continues: Some(true), ..none },
            What::DialsBroker => Self { dials_broker: Some(true), ..none },
            What::GatewayCloses => Self { gateway_closes: Some(true), ..none },
            What::Log(log) => Self { log: Some(log), ..none },
            What::QueueDepth => Self { queue_depth: Some(true), ..none },
            What::Topology => Self { topology: Some(true), ..none },
            What::Answers(answer) => Self { answers: Some(answer), ..none },
            What::Ended => Self { ended: Some(true), ..none },
            What::TurnedAway(_) => Self { turned_away: Some(true), ..none },
        }
    }
}
