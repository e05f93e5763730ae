//! The statuses that a client announced (STATE-1 to STATE-3).

use super::Finding;
use crate::trace::{Actor, Event, Trace};

/// Every transition that exists (STATE-2), apart from those to `disconnected`, which may follow any status.
const TRANSITIONS: [(&str, &str); 11] = [
    ("disconnected", "connecting"),
    ("connecting", "connected"),
    ("connecting", "error"),
    ("connecting", "reconnecting"),
    ("connected", "reconnecting"),
    ("connected", "error"),
    ("error", "reconnecting"),
    ("reconnecting", "connecting"),
    ("reconnecting", "connected"),
    ("reconnecting", "error"),
    ("error", "disconnected"),
];

pub(super) fn sequence(trace: &Trace, wanted: &[String]) -> Result<(), Finding> {
    let (at, seen): (Vec<_>, Vec<_>) = changes(trace).map(|(index, _, new)| (index, new)).unzip();
    if seen == wanted {
        return Ok(());
    }
    let is_begun = seen.len() < wanted.len() && seen.iter().zip(wanted).all(|(seen, wanted)| seen == wanted);
    let seen = if seen.is_empty() { "no status at all".to_owned() } else { seen.join(", ") };
    let expected = wanted.join(", ");
    Err(if is_begun { Finding::owed(expected, seen, at) } else { Finding::forbidden(expected, seen, at) })
}

pub(super) fn legal(trace: &Trace) -> Result<(), Finding> {
    let mut current = "disconnected";
    for (index, old, new) in changes(trace) {
        if old != current {
            let expected = format!("a change from {current}, the status announced last");
            return Err(Finding::forbidden(expected, format!("a change from {old}"), [index]));
        }
        if !exists(old, new) {
            return Err(Finding::forbidden("a transition that exists", format!("{old} → {new}"), [index]));
        }
        current = new;
    }
    Ok(())
}

/// Whether the diagram has a transition (STATE-2).
pub(crate) fn exists(old: &str, new: &str) -> bool {
    TRANSITIONS.contains(&(old, new)) || (new == "disconnected" && old != "disconnected")
}

fn changes(trace: &Trace) -> impl Iterator<Item = (usize, &str, &str)> {
    // A consumer reports the status that it finds on mount, which is no change.
    let own = trace.iter().filter(|(_, observation)| observation.actor == Actor::client());
    own.filter_map(|(index, observation)| match &observation.event {
        Event::Status { old, new } => Some((index, old.as_str(), new.as_str())),
        _ => None,
    })
}
