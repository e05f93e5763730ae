//! The rules for gateways.

use std::collections::{BTreeMap, BTreeSet};

use protocol::{ClientMessage, Role, ServerMessage};
use serde_json::Value;

use crate::expect::{Finding, secrecy, wire};
use crate::scenario::{Bindings, GatewayScript, Scenario};
use crate::trace::{Actor, Event, Frame, FrameKind, Message, Side, Trace};

/// Event types that only their owner may see, by what their names begin with.
const PRIVATE: [&str; 2] = ["profile:", "session:"];
/// Event types that only administrators may see.
const OF_ADMINS: &str = "admin:";

pub(super) fn violations(
    scenario: &Scenario,
    script: &GatewayScript,
    trace: &Trace,
) -> Vec<(&'static str, Finding)> {
    let bindings = scenario.bindings();
    let found = [
        ("MSG-1", messages_are_well_formed(trace)),
        ("MSG-7", frames_are_right(trace)),
        ("AUTH-8", secrecy::leak(trace)),
        ("BRIDGE-4", bindings.and_then(|bindings| no_other_user_receives(scenario, script, bindings, trace))),
        ("BRIDGE-6", events_keep_their_order(script, trace)),
        ("ROOM-6", requests_are_answered_once(trace, bindings)),
    ];
    found.into_iter().filter_map(|(id, finding)| Some((id, finding?))).collect()
}

/// What each scripted client received.
fn received(trace: &Trace) -> impl Iterator<Item = (usize, (&Actor, Option<u32>), &Frame)> {
    trace.iter().filter_map(|(index, seen)| match &seen.event {
        Event::Received(frame) => Some((index, (&seen.actor, seen.connection), frame)),
        _ => None,
    })
}

/// The type and payload of an event.
fn event(frame: &Frame) -> Option<(&str, &Value)> {
    match &frame.message {
        Some(Message::Server(ServerMessage::Event { name, payload })) => Some((name, payload)),
        _ => None,
    }
}

/// MSG-1.
fn messages_are_well_formed(trace: &Trace) -> Option<Finding> {
    received(trace).find_map(|(index, _, frame)| wire::ill_formed(index, frame))
}

/// MSG-7, as far as the frames of a gateway show it (RFC 6455 section 5).
fn frames_are_right(trace: &Trace) -> Option<Finding> {
    trace.iter().find_map(|(index, seen)| match &seen.event {
        Event::BadFrame { why, by: Side::Gateway } => {
            Some(Finding::forbidden("frames as RFC 6455 has them", why, [index]))
        }
        _ => None,
    })
}

/// BRIDGE-4: a private event reaches its owner, and one for administrators no other role. A client that has asked to join such a
/// room is the affair of ROOM-3; one that signs in as another besides, that of its own case.
fn no_other_user_receives(
    scenario: &Scenario,
    script: &GatewayScript,
    bindings: &Bindings,
    trace: &Trace,
) -> Option<Finding> {
    let called = |kind: &str| bindings.event_names.get(kind).map_or(kind, String::as_str).to_owned();
    let published: BTreeSet<String> = trace
        .iter()
        .filter_map(|(_, seen)| match &seen.event {
            Event::Published { body, .. } => Some(body["type"].as_str()?.to_owned()),
            _ => None,
        })
        .collect();
    // Scenarios know types by their usual names; what was published carries the subject's.
    let usual: BTreeMap<String, String> =
        bindings.event_names.iter().map(|(kind, name)| (name.clone(), kind.clone())).collect();
    for (index, (actor, _), frame) in received(trace) {
        let Some((name, payload)) = event(frame) else { continue };
        if !published.contains(name) {
            continue;
        }
        let kind = usual.get(name).cloned().unwrap_or_else(|| name.to_owned());
        debug_assert_eq!(called(&kind), name);
        let role = script.clients.get(&actor.0).map_or(Role::Customer, |spec| spec.role);
        let own = scenario.user_id(&actor.0, bindings);
        let owner = match &payload[bindings.owner_key(Some(&kind))] {
            Value::String(owner) => Some(owner.clone()),
            Value::Number(owner) => Some(owner.to_string()),
            _ => None,
        };
        let expected = if PRIVATE.iter().any(|prefix| kind.starts_with(prefix)) {
            let is_shared = bindings.audiences.is_shared(&kind);
            let others = if is_shared { " and administrators" } else { "" };
            owner
                .filter(|owner| *owner != own && !(is_shared && role == Role::Admin))
                .map(|owner| format!("{name} reaches its owner {owner}{others} alone"))
        } else if kind.starts_with(OF_ADMINS) && role != Role::Admin {
            Some(format!("{name} reaches administrators alone"))
        } else {
            None
        };
        if let Some(expected) = expected
            && !has_asked_for_a_private_room(scenario, script, bindings, trace, actor)
            && !script.signs_in_as_another(&actor.0)
        {
            return Some(Finding::forbidden(expected, format!("{actor} receives it"), [index]));
        }
    }
    None
}

/// Whether a client has named another user, or the room of a role, in what it sent.
fn has_asked_for_a_private_room(
    scenario: &Scenario,
    script: &GatewayScript,
    bindings: &Bindings,
    trace: &Trace,
    actor: &Actor,
) -> bool {
    let id = |name: &str| scenario.user_id(name, bindings);
    let others = script.clients.keys().map(|name| id(name)).filter(|other| *other != id(&actor.0));
    let roles = Role::ALL.into_iter().filter_map(|role| bindings.rooms.of_role(role, &bindings.roles));
    let private: Vec<String> = others.chain(roles).collect();
    trace.iter().any(|(_, seen)| match &seen.event {
        Event::Sent(frame) => {
            seen.actor == *actor && private.iter().any(|name| frame.body.contains(name.as_str()))
        }
        _ => false,
    })
}

/// BRIDGE-6: on each connection, events come in the order in which they were published; where a gateway has several queues,
/// or an unknown number, events of one type do. Duplicates are not judged here.
fn events_keep_their_order(script: &GatewayScript, trace: &Trace) -> Option<Finding> {
    let mut published = Vec::new();
    let mut has_one_order = BTreeSet::new();
    for (_, seen) in trace.iter() {
        let Event::Published { body, queues, .. } = &seen.event else { continue };
        let Some(kind) = body["type"].as_str() else { continue };
        if *queues == Some(script.gateways) {
            has_one_order.insert(published.len());
        }
        published.push((kind, &body["data"]));
    }
    // Which of several equal events has come cannot be inferred from events of another type.
    has_one_order.retain(|place| published.iter().filter(|event| **event == published[*place]).count() == 1);
    let mut came = BTreeMap::<_, BTreeSet<usize>>::new();
    let mut newest = BTreeMap::<_, (usize, usize)>::new();
    for (index, connection, frame) in received(trace) {
        let Some((name, payload)) = event(frame) else { continue };
        let came = came.entry(connection).or_default();
        let is_this = |(place, (kind, data)): &(usize, &(&str, &Value))| {
            *kind == name && *data == payload && !came.contains(place)
        };
        let mut places = published.iter().enumerate().filter(is_this).map(|(place, _)| place);
        let Some(first) = places.next() else { continue };
        // Which of several equal events it is cannot be told: it is taken for one that keeps the order, where one does.
        let before = newest.get(&(connection, Some(name))).map_or(0, |(place, _)| *place);
        let place =
            if first < before { places.find(|place| *place >= before).unwrap_or(first) } else { first };
        came.insert(place);
        let of_type = (!has_one_order.contains(&place)).then_some(name);
        let newest = newest.entry((connection, of_type)).or_insert((place, index));
        if place < newest.0 {
            let expected =
                format!("{} receives events in the order in which they were published", connection.0);
            let (other, data) = published[newest.0];
            let seen = format!("{name} {payload} after {other} {data}");
            return Some(Finding::forbidden(expected, seen, [newest.1, index]));
        }
        *newest = (place, index);
    }
    None
}

/// ROOM-6: no more acknowledgements than requests.
fn requests_are_answered_once(trace: &Trace, bindings: Option<&Bindings>) -> Option<Finding> {
    let words = bindings.map(|bindings| &bindings.dialect.requests);
    let is_request = |frame: &Frame| {
        frame.kind == FrameKind::Raw
            || frame.kind == FrameKind::Binary
            // Where the dialect has a form for it, its words need not stand there.
            || matches!(
                frame.message,
                Some(
                    Message::Client(ClientMessage::Subscribe(_) | ClientMessage::Unsubscribe(_))
                        | Message::Unreadable(_)
                )
            )
            || words.is_none_or(|words| {
                frame.body.contains(&words.subscribe) || frame.body.contains(&words.unsubscribe)
            })
    };
    let mut open = BTreeMap::<_, usize>::new();
    for (index, seen) in trace.iter() {
        let connection = (&seen.actor, seen.connection);
        match &seen.event {
            Event::Sent(frame) if is_request(frame) => *open.entry(connection).or_default() += 1,
            Event::Received(Frame { message: Some(message), .. })
                if matches!(message.name(), "subscribed" | "unsubscribed") =>
            {
                let open = open.entry(connection).or_default();
                if *open == 0 {
                    let seen = format!("one more `{}`", message.name());
                    return Some(Finding::forbidden("each request is answered once", seen, [index]));
                }
                *open -= 1;
            }
            _ => {}
        }
    }
    None
}
