//! The file's form of a pattern.

use protocol::CloseCode;
use serde::Deserialize;
use serde_json::Value;

use super::client::{LogPattern, ReadPattern, ReportPattern};
use super::{
    AnswerPattern, ClosePattern, DialPattern, EmitPattern, MessagePattern, Pattern, PatternError, What,
};

/// The file's form of a pattern.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPattern {
    client: Option<String>,
    consumer: Option<String>,
    connection: Option<u32>,
    dials: Option<Switch<DialPattern>>,
    opens: Option<bool>,
    refused: Option<Switch<u16>>,
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
    log: Option<LogPattern>,
    queue_depth: Option<bool>,
    topology: Option<bool>,
    answers: Option<AnswerPattern>,
    ended: Option<bool>,
    turned_away: Option<bool>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected `true` or the details")]
enum Switch<T> {
    On(bool),
    Details(T),
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "expected `true`, a close code, or a table of `code` or `code_or_none`, and `by`"
)]
enum RawClose {
    On(bool),
    Code(CloseCode),
    Details(ClosePattern),
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "expected a message's name, or a table of `type`, `any`, `frame`, `body`, `target`, `room`, `code`, `data`, `with`"
)]
enum RawMessage {
    Name(String),
    Details(MessagePattern),
}

#[derive(Deserialize)]
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
            Some(Switch::On(false)) => return Err(PatternError::False("refused")),
            Some(Switch::On(true)) => whats.push(What::Refused(None)),
            Some(Switch::Details(status)) => whats.push(What::Refused(Some(status))),
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
        whats.extend(raw.refetches.map(What::Refetches));
        whats.extend(raw.reads.map(What::Reads));
        whats.extend(raw.log.map(What::Log));
        whats.extend(on("opens", raw.opens)?.map(|_| What::Opens));
        whats.extend(on("queue_depth", raw.queue_depth)?.map(|_| What::QueueDepth));
        whats.extend(on("topology", raw.topology)?.map(|_| What::Topology));
        whats.extend(on("ended", raw.ended)?.map(|_| What::Ended));
        whats.extend(on("turned_away", raw.turned_away)?.map(|_| What::TurnedAway));
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
                if pattern.name.is_none() && pattern.any.is_empty() && pattern.frame.is_none() =>
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
