//! Tokens must not be disclosed (AUTH-8, TOKEN-3).

use std::collections::BTreeSet;

use percent_encoding::percent_decode_str;

use super::Finding;
use crate::trace::{Event, Trace};

/// Shortest signature that is searched for, in bytes. The signature identifies a token and is its secret part.
const MIN_SIGNATURE_BYTES: usize = 20;

/// What is expected: no token appears in a message, page or log.
const EXPECTED: &str = "no token in anything that is said, printed or shown";

pub(super) fn no_tokens(trace: &Trace) -> Result<(), Finding> {
    if let Some(finding) = leak(trace) {
        return Err(finding);
    }
    let is_looked_at = |event: &Event| matches!(event, Event::Log { .. } | Event::Answered { .. });
    let looked_at = trace.iter().filter(|(_, seen)| is_looked_at(&seen.event)).count();
    match (signatures(trace).is_empty(), looked_at) {
        (true, _) => Err(Finding::owed(EXPECTED, "no token was ever sent", [])),
        (false, 0) => Err(Finding::owed(EXPECTED, "nothing was looked at", [])),
        (false, _) => Ok(()),
    }
}

/// A token that turns up where it must not.
pub(crate) fn leak(trace: &Trace) -> Option<Finding> {
    let signatures = signatures(trace);
    trace.iter().find_map(|(index, observation)| {
        let (what, text) = match &observation.event {
            Event::Log { text } => ("its log", text),
            Event::Answered { path, body, .. } => (path.as_str(), body),
            Event::Received(frame) => ("a message", &frame.body),
            Event::Reported { message, .. } => ("an error report", message),
            Event::RequestFailed { error, .. } => ("an answer", error),
            _ => return None,
        };
        // A URL in a log has the token percent-encoded, in one of several ways.
        let plain = percent_decode_str(text).decode_utf8_lossy();
        let is_in = |signature: &&str| text.contains(*signature) || plain.contains(*signature);
        signatures
            .iter()
            .any(is_in)
            .then(|| Finding::forbidden(EXPECTED, format!("a token in {what}"), [index]))
    })
}

/// The signature of each token that was sent.
fn signatures(trace: &Trace) -> BTreeSet<&str> {
    let tokens = trace.iter().filter_map(|(_, observation)| match &observation.event {
        Event::Dialled { query, .. } => query.iter().find(|(name, _)| name == "token"),
        _ => None,
    });
    let parts = tokens.filter_map(|(_, token)| token.rsplit('.').next());
    parts.filter(|part| part.len() >= MIN_SIGNATURE_BYTES).collect()
}
