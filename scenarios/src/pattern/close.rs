//! The end of a connection.

use std::fmt;
use std::ops::Range;

use protocol::{CloseCode, Dialect};
use serde::{Deserialize, Serialize};

use super::{Pattern, What};
use crate::trace::{Event, Side, Trace};

/// The end of a connection.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClosePattern {
    pub(super) code: Option<CloseCode>,
    /// This code, or none, be it without a close or in one: who fails a connection should say why, and need not (RFC 6455 section 7.1.7).
    pub(super) code_or_none: Option<CloseCode>,
    /// Another code that is as good.
    #[serde(skip)]
    pub(super) or: Option<CloseCode>,
    /// The code that the dialect declares for this.
    pub(super) as_declared: Option<DeclaredClose>,
    pub(super) by: Option<Side>,
}

/// What a dialect declares a close code for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DeclaredClose {
    /// A frame that is no message.
    BadMessage,
    /// A message whose type means nothing.
    UnknownType,
    /// A token that has expired.
    Expired,
    /// More messages than are allowed, again and again.
    Flood,
    /// A client that does not read.
    SlowReader,
}

impl DeclaredClose {
    pub(super) fn code(self, dialect: &Dialect) -> Option<CloseCode> {
        match self {
            Self::BadMessage => dialect.closes.bad_message,
            Self::UnknownType => dialect.closes.unknown_type,
            Self::Expired => Some(dialect.expiry()),
            Self::Flood => Some(dialect.flood()),
            Self::SlowReader => Some(dialect.slow_reader()),
        }
    }
}

impl ClosePattern {
    pub(super) fn matches(&self, code: Option<CloseCode>, by: Side) -> bool {
        self.code.is_none_or(|wanted| Some(wanted) == code || self.or.is_some() && self.or == code)
            && self
                .code_or_none
                .is_none_or(|wanted| code.is_none_or(|code| [wanted, CloseCode::NO_STATUS].contains(&code)))
            && self.by.is_none_or(|wanted| wanted == by)
    }

    pub(super) fn declare(&mut self, dialect: &Dialect) {
        if let Some(declared) = self.as_declared {
            self.code = declared.code(dialect);
            let usual = CloseCode::UNAUTHORIZED;
            let or_usual =
                declared == DeclaredClose::Expired && dialect.expires_with(usual) && self.code != Some(usual);
            self.or = or_usual.then_some(usual);
        }
    }

    /// Whether another code than it wants is another end.
    pub(super) fn names_a_code(&self) -> bool {
        self.code.or(self.code_or_none).is_some() || self.as_declared.is_some()
    }
}

impl Pattern {
    /// What it looks for the declared close of, where that is a message which is not understood.
    pub(crate) fn declared_close(&self) -> Option<DeclaredClose> {
        match &self.what {
            What::Closes(close) => close.as_declared.filter(|declared| {
                matches!(declared, DeclaredClose::BadMessage | DeclaredClose::UnknownType)
            }),
            _ => None,
        }
    }

    /// How the gateway ended the connection instead, and where, where this looks for an end with another code.
    pub(crate) fn other_close(&self, trace: &Trace, range: Range<usize>) -> Option<(usize, String)> {
        let What::Closes(wanted) = &self.what else { return None };
        let client = self.client.as_ref().filter(|_| wanted.names_a_code())?;
        let ends = |event: &Event| matches!(event, Event::Closed { by: Side::Gateway, .. });
        let mut ends = trace.iter().filter(|(index, seen)| {
            range.contains(index) && seen.actor.0 == *client && ends(&seen.event) && !self.matches(seen)
        });
        ends.next().map(|(index, seen)| (index, seen.event.to_string()))
    }
}

impl fmt::Display for ClosePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.code.iter().try_for_each(|code| write!(f, " with {code}"))?;
        self.or.iter().try_for_each(|code| write!(f, " or {code}"))?;
        self.code_or_none.iter().try_for_each(|code| write!(f, " with {code} or without a code"))?;
        self.by.iter().try_for_each(|side| write!(f, " by the {side}"))
    }
}
