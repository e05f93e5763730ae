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
const FIRST: &str = "disconnected";

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
    illegal(&changes(trace).collect::<Vec<_>>(), statuses).map_or(Ok(()), Err)
}

/// The first change of one client that does not exist, by the statuses that it announced one after the other. What each says that it
/// leaves is for STATE-1.
pub(crate) fn illegal(changes: &[(usize, &str, &str)], statuses: &Statuses) -> Option<Finding> {
    let mut current = first(changes, statuses);
    for &(index, _, new) in changes {
        if new != current && !exists(current, new, statuses) {
            let seen = format!("{current} → {new}");
            return Some(Finding::forbidden("a transition that exists", seen, [index]));
        }
        current = new;
    }
    None
}

/// The status before any change: what the first change leaves, where the client does not have the usual one.
pub(crate) fn first<'a>(changes: &[(usize, &'a str, &'a str)], statuses: &Statuses) -> &'a str {
    match changes.first() {
        Some((_, old, _)) if statuses.lacks(FIRST) => old,
        _ => FIRST,
    }
}

/// Whether the diagram has a transition (STATE-2), or leads from one to the other through statuses that the client does not have.
fn exists(old: &str, new: &str, statuses: &Statuses) -> bool {
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
