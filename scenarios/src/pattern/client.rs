//! What a client under test shows apart from the wire: values that it was asked for, reports, its log.

use std::fmt;

use protocol::adapter::{Outcome, ReportEvent};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::contains;
use super::example::ANYTHING;
use crate::trace::{Key, Reading};

/// A value that the client was asked for: a consumer's, a query's, or its configuration where neither is named.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReadPattern {
    consumer: Option<String>,
    query: Option<Vec<Value>>,
    /// The whole value.
    value: Option<Value>,
    /// What the value has at least.
    with: Option<Value>,
}

/// An error report.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReportPattern {
    /// Text that its message holds.
    contains: Option<String>,
    /// Whom it names, with at least this.
    user: Option<Value>,
    /// Whether it names no user.
    nobody: Option<bool>,
}

/// What was printed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LogPattern {
    /// Text that it holds.
    contains: Option<String>,
    /// Whether it is empty.
    is_empty: Option<bool>,
}

impl ReadPattern {
    pub(super) fn matches(&self, what: &Reading, value: &Value) -> bool {
        let named = match (what, &self.consumer, &self.query) {
            (Reading::Consumer(name), Some(wanted), None) => name == wanted,
            (Reading::Query(key), None, Some(wanted)) => key == wanted,
            (Reading::Configuration, None, None) => true,
            _ => false,
        };
        named
            && self.value.as_ref().is_none_or(|wanted| wanted == value)
            && self.with.as_ref().is_none_or(|wanted| contains(value, wanted))
    }

    pub(super) fn consumer(&self) -> Option<&str> {
        self.consumer.as_deref()
    }

    /// A request of the adapter protocol, and an answer to it that matches.
    pub(super) fn example(&self) -> (&'static str, Outcome) {
        let value = self.value.as_ref().or(self.with.as_ref()).cloned().unwrap_or_default();
        match (&self.consumer, &self.query) {
            (Some(_), _) => ("read", Outcome::value(value)),
            (None, Some(_)) => ("get_query", Outcome::value(value)),
            (None, None) => ("config", Outcome::config(value)),
        }
    }
}

impl ReportPattern {
    pub(super) fn matches(&self, message: &str, user: &Value) -> bool {
        self.contains.as_ref().is_none_or(|text| message.contains(text.as_str()))
            && self.user.as_ref().is_none_or(|wanted| contains(user, wanted))
            && self.nobody.is_none_or(|without_user| user.is_null() == without_user)
    }

    /// A report that matches.
    pub(super) fn example(&self) -> ReportEvent {
        let user = match (&self.user, self.nobody) {
            (Some(user), _) => user.clone(),
            (None, Some(false)) => json!({ "id": ANYTHING }),
            (None, _) => Value::Null,
        };
        let message = self.contains.as_deref().unwrap_or(ANYTHING).to_owned();
        ReportEvent::Report { message, user: Some(user) }
    }
}

impl LogPattern {
    pub(super) fn matches(&self, text: &str) -> bool {
        self.contains.as_ref().is_none_or(|wanted| text.contains(wanted.as_str()))
            && self.is_empty.is_none_or(|empty| text.trim().is_empty() == empty)
    }

    /// A line that matches; none where only silence does.
    pub(super) fn example(&self) -> Option<&str> {
        (self.is_empty != Some(true)).then(|| self.contains.as_deref().unwrap_or(ANYTHING))
    }
}

impl fmt::Display for ReadPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.consumer, &self.query) {
            (Some(name), _) => write!(f, "at {name}")?,
            (None, Some(key)) => write!(f, "under {}", Key(key))?,
            (None, None) => f.write_str("as its configuration")?,
        }
        self.value.iter().chain(&self.with).try_for_each(|value| write!(f, " {value}"))
    }
}

impl fmt::Display for ReportPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an error")?;
        self.contains.iter().try_for_each(|text| write!(f, " that says {text:?}"))?;
        self.user.iter().try_for_each(|user| write!(f, " for the user {user}"))?;
        f.write_str(if self.nobody == Some(true) { " for nobody" } else { "" })
    }
}

impl fmt::Display for LogPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.contains, self.is_empty) {
            (Some(text), _) => write!(f, "{text:?}"),
            (None, Some(true)) => f.write_str("nothing"),
            (None, _) => f.write_str("something"),
        }
    }
}
