//! What must not be told (AUTH-8, TOKEN-3).

use percent_encoding::percent_decode_str;

use super::Finding;
use crate::trace::{Event, Trace};

/// Shortest part of a token that is looked for: a signature is unmistakable, and is the part that must not be known.
const TELLING: usize = 20;

pub(super) fn no_tokens(trace: &Trace) -> Result<(), Finding> {
    const EXPECTED: &str = "no token in anything that is said, printed or shown";
    let signatures: Vec<&str> = trace
        .iter()
        .filter_map(|(_, observation)| match &observation.event {
            Event::Dialled { query, .. } => query.iter().find(|(name, _)| name == "token"),
            _ => None,
        })
        .filter_map(|(_, token)| token.rsplit('.').next())
        .filter(|part| part.len() >= TELLING)
        .collect();
    let mut looked_at = 0;
    for (index, observation) in trace.iter() {
        let (what, text) = match &observation.event {
            Event::Log { text } => ("its log", text),
            Event::Answered { path, body, .. } => (path.as_str(), body),
            Event::Received(frame) => ("a message", &frame.body),
            Event::Reported { message, .. } => ("an error report", message),
            Event::RequestFailed { error, .. } => ("an answer", error),
            _ => continue,
        };
        looked_at += usize::from(matches!(observation.event, Event::Log { .. } | Event::Answered { .. }));
        // A URL in a log has the token percent-encoded, in one of several ways.
        let plain = percent_decode_str(text).decode_utf8_lossy();
        if signatures.iter().any(|signature| text.contains(signature) || plain.contains(signature)) {
            return Err(Finding::forbidden(EXPECTED, format!("a token in {what}"), [index]));
        }
    }
    match (signatures.is_empty(), looked_at) {
        (true, _) => Err(Finding::owed(EXPECTED, "no token was ever sent", [])),
        (false, 0) => Err(Finding::owed(EXPECTED, "nothing was looked at", [])),
        (false, _) => Ok(()),
    }
}
