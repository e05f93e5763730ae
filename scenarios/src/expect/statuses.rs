//! The statuses that a client announced (STATE-1 to STATE-3).

use super::Finding;
use crate::design::Statuses;
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

/// The status at first (STATE-1).
pub(crate) const FIRST: &str = "disconnected";

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

pub(super) fn legal(trace: &Trace, statuses: &Statuses) -> Result<(), Finding> {
    let mut current = if statuses.lacks(FIRST) { None } else { Some(FIRST) };
    for (index, old, new) in changes(trace) {
        if let Some(current) = current.filter(|current| *current != old) {
            let expected = format!("a change from {current}, the status announced last");
            return Err(Finding::forbidden(expected, format!("a change from {old}"), [index]));
        }
        if !exists(old, new, statuses) {
            return Err(Finding::forbidden("a transition that exists", format!("{old} → {new}"), [index]));
        }
        current = Some(new);
    }
    Ok(())
}

/// Whether the diagram has a transition (STATE-2), or leads from one to the other through statuses that the client does not have.
pub(crate) fn exists(old: &str, new: &str, statuses: &Statuses) -> bool {
    let mut reached = vec![old];
    let mut next = 0;
    while let Some(from) = reached.get(next).copied() {
        if is_drawn(from, new) {
            return true;
        }
        let through = statuses.lacking().filter(|status| is_drawn(from, status) && !reached.contains(status));
        let through: Vec<_> = through.collect();
        reached.extend(through);
        next += 1;
    }
    false
}

fn is_drawn(old: &str, new: &str) -> bool {
    TRANSITIONS.contains(&(old, new)) || (new == FIRST && old != FIRST)
}

fn changes(trace: &Trace) -> impl Iterator<Item = (usize, &str, &str)> {
    // A consumer reports the status that it finds on mount, which is no change.
    let own = trace.iter().filter(|(_, observation)| observation.actor == Actor::client());
    own.filter_map(|(index, observation)| match &observation.event {
        Event::Status { old, new } => Some((index, old.as_str(), new.as_str())),
        _ => None,
    })
}
