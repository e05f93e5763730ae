//! The rules for clients.

use std::collections::BTreeMap;
use std::time::Duration;

use protocol::ServerMessage;
use serde_json::{Value, json};

use crate::design::Statuses;
use crate::expect::{Finding, secrecy, statuses};
use crate::pattern::payload;
use crate::scenario::{ClientAct, ClientAction, ClientScript};
use crate::times::Times;
use crate::trace::{Actor, Event, Frame, Message, Side, Trace};

/// What a client says of its connection while it has none.
const NOT_CONNECTED: [&str; 4] = ["disconnected", "connecting", "reconnecting", "error"];

pub(super) fn violations(
    script: &ClientScript,
    trace: &Trace,
    times: &Times,
) -> Vec<(&'static str, Finding)> {
    let statuses = &times.design.statuses;
    // Clients of a fleet are one actor on the wire; only their reports can be distinguished.
    let is_fleet = script.client.fleet;
    // While the network or the gateway is at fault, the trace sees things later than they were.
    let is_disturbed = trace.iter().any(|(_, seen)| matches!(seen.event, Event::Fault { .. }));
    let mut found: Vec<(&str, Option<Finding>)> = vec![
        ("STATE-1", each_change_is_announced_once(trace, statuses)),
        ("STATE-2", transitions_exist(trace, statuses)),
        ("TOKEN-3", secrecy::leak(trace)),
        ("WIRE-1", frames_are_right(trace)),
    ];
    // Who does not say that it is connected says nothing of when events may come.
    if !statuses.lacks("connected") {
        found.push(("STATE-10", no_event_without_a_connection(trace)));
    }
    if !is_fleet {
        found.push(("QUEUE-4", nothing_is_sent_twice(script, trace)));
    }
    if !is_fleet && !is_disturbed {
        found.push(("STATE-5", one_socket(trace, times)));
        // Who does not say that it is connected says nothing of when pings are due.
        if !statuses.lacks("connected") {
            found.push(("PING-1", no_ping_without_a_connection(trace, times)));
        }
    }
    found.into_iter().filter_map(|(id, finding)| Some((id, finding?))).collect()
}

/// The clients under test: one, or a fleet.
fn clients(trace: &Trace) -> BTreeMap<&Actor, Vec<(usize, &str, &str)>> {
    let mut changes = BTreeMap::<_, Vec<_>>::new();
    for (index, seen) in trace.iter() {
        let is_client = seen.actor == Actor::client() || seen.actor.0.starts_with("client-");
        if let Event::Status { old, new } = &seen.event
            && is_client
        {
            changes.entry(&seen.actor).or_default().push((index, old.as_str(), new.as_str()));
        }
    }
    changes
}

/// STATE-1: each change is announced once, with the status that it leaves.
fn each_change_is_announced_once(trace: &Trace, statuses: &Statuses) -> Option<Finding> {
    clients(trace).into_values().find_map(|changes| {
        let mut current = statuses::first(&changes, statuses);
        for (index, old, new) in changes {
            if old == new || new == current {
                return Some(Finding::forbidden(
                    "each change is announced once",
                    format!("{new} again"),
                    [index],
                ));
            }
            if old != current {
                let expected = format!("a change from {current}, the status announced last");
                return Some(Finding::forbidden(expected, format!("a change from {old}"), [index]));
            }
            current = new;
        }
        None
    })
}

/// STATE-2, by the statuses that are announced.
fn transitions_exist(trace: &Trace, statuses: &Statuses) -> Option<Finding> {
    clients(trace).into_values().find_map(|changes| statuses::illegal(&changes, statuses))
}

/// STATE-5: an older connection is over soon after a newer one has opened.
fn one_socket(trace: &Trace, times: &Times) -> Option<Finding> {
    let opened: Vec<_> = trace
        .iter()
        .filter(|(_, seen)| seen.event == Event::Opened)
        .filter_map(|(index, seen)| Some((index, seen.connection?, seen.at())))
        .collect();
    let end = trace.observations.last()?.at();
    for pair in opened.windows(2) {
        let ((first, older, _), (second, _, since)) = (pair[0], pair[1]);
        let closed = trace.iter().find_map(|(_, seen)| {
            let is_end = matches!(seen.event, Event::Closed { .. });
            (is_end && seen.connection == Some(older)).then(|| seen.at())
        });
        // The end of a connection may be seen a little after the next one has opened.
        let together = closed.unwrap_or(end).saturating_sub(since);
        if together > times.patience {
            let finding = Finding::forbidden("one socket at a time", "two are open", [first, second]);
            return Some(finding.missed_by(together - times.patience));
        }
    }
    None
}

/// WIRE-1, as far as the client's own frames show it (RFC 6455 section 5).
fn frames_are_right(trace: &Trace) -> Option<Finding> {
    trace.iter().find_map(|(index, seen)| match &seen.event {
        Event::BadFrame { why, by: Side::Client } => {
            Some(Finding::forbidden("frames as RFC 6455 has them", why, [index]))
        }
        _ => None,
    })
}

/// STATE-10: what a gateway has sent is emitted while the client says that it is connected, and not when that is over. Statuses and
/// events come from one client in the order in which they were.
fn no_event_without_a_connection(trace: &Trace) -> Option<Finding> {
    let mut over = BTreeMap::<&Actor, (usize, &str)>::new();
    for (index, seen) in trace.iter() {
        match &seen.event {
            Event::Status { new, .. } if NOT_CONNECTED.contains(&new.as_str()) => {
                over.insert(&seen.actor, (index, new));
            }
            Event::Status { .. } => drop(over.remove(&seen.actor)),
            Event::Emitted { name, payload, .. } if comes_from_the_wire(trace, index, name, payload) => {
                let Some((status, new)) = over.get(&seen.actor) else { continue };
                let expected = format!("no message is emitted of a connection that is over ({new})");
                return Some(Finding::forbidden(expected, format!("{name} {payload}"), [*status, index]));
            }
            _ => {}
        }
    }
    None
}

/// Whether a gateway has sent this event before.
fn comes_from_the_wire(trace: &Trace, until: usize, name: &str, payload: &Value) -> bool {
    trace.iter().take(until).any(|(_, seen)| match &seen.event {
        Event::Received(Frame {
            message: Some(Message::Server(ServerMessage::Event { name: sent, payload: data })),
            ..
        }) => sent == name && data == payload,
        _ => false,
    })
}

/// PING-1: none while the client says that it is not connected.
fn no_ping_without_a_connection(trace: &Trace, times: &Times) -> Option<Finding> {
    let mut left: Option<(usize, Duration)> = None;
    for (index, seen) in trace.iter() {
        match &seen.event {
            Event::Status { new, .. } if seen.actor == Actor::client() => {
                let is_connected = !NOT_CONNECTED.contains(&new.as_str());
                left = match left {
                    _ if is_connected => None,
                    Some(left) => Some(left),
                    None => Some((index, seen.at())),
                };
            }
            Event::Sent(frame) if frame.message.as_ref().is_some_and(|message| message.name() == "ping") => {
                let Some((status, since)) = left else { continue };
                let late = seen.at().saturating_sub(since).saturating_sub(times.slack * 2);
                if !late.is_zero() {
                    let finding =
                        Finding::forbidden("no ping while not connected", "a ping", [status, index]);
                    return Some(finding.missed_by(late));
                }
            }
            _ => {}
        }
    }
    None
}

/// QUEUE-4: no message goes out more often than the scenario had the client send it.
fn nothing_is_sent_twice(script: &ClientScript, trace: &Trace) -> Option<Finding> {
    let mut requested = BTreeMap::<String, usize>::new();
    let key = |kind: &str, payload: &Value| json!([kind, payload]).to_string();
    for step in &script.steps {
        let ClientAction::Client(ClientAct::Send { kind, payload, count }) = &step.action else { continue };
        for number in 1..=*count {
            let mut payload = payload.clone();
            if *count > 1 {
                payload["seq"] = json!(number);
            }
            *requested.entry(key(kind, &payload)).or_default() += 1;
        }
    }
    let mut sent = BTreeMap::<String, Vec<usize>>::new();
    for (index, seen) in trace.iter() {
        let Event::Sent(frame) = &seen.event else { continue };
        let Some(message) = &frame.message else { continue };
        let Some(payload) = payload(Some(message)) else { continue };
        let key = key(message.name(), payload);
        let Some(most) = requested.get(&key) else { continue };
        let at = sent.entry(key.clone()).or_default();
        at.push(index);
        if at.len() > *most {
            let expected = format!("{key} goes out {most} times, as often as it was sent");
            return Some(Finding::forbidden(expected, format!("{} times", at.len()), at.iter().copied()));
        }
    }
    None
}
