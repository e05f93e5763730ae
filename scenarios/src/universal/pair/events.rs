//! PAIR-2 and PAIR-3: what is published reaches the gateway, and the client under names that it listens to.

use std::collections::BTreeSet;

use protocol::ServerMessage;

use super::Views;
use crate::expect::Finding;
use crate::requirement::SubjectKind;
use crate::scenario::{ClientAct, PairAction};
use crate::trace::{Actor, Event, Message};

/// PAIR-3: nothing that is published finds no queue while broker and gateway are up.
pub(super) fn are_routed(views: &Views<'_>) -> Option<Finding> {
    let is_elsewhere = |actor: &Actor| *actor == Actor::client();
    let disturbs =
        |event: &Event, actor: &Actor| matches!(event, Event::Fault { .. }) && !is_elsewhere(actor);
    let mut sound = views.trace.iter().take_while(|(_, seen)| !disturbs(&seen.event, &seen.actor));
    sound.find_map(|(index, seen)| {
        matches!(seen.event, Event::Unrouted { .. }).then(|| {
            let expected = "a routing key that a binding of the gateway's matches";
            let finding = Finding::forbidden(expected, &seen.event, [index]);
            finding.of_half(SubjectKind::Gateway)
        })
    })
}

/// PAIR-2: the client can read each event, and where it waits for one, it has a listener for what came.
pub(super) fn have_listeners(views: &Views<'_>) -> Option<Finding> {
    are_read(views).or_else(|| are_listened_to(views))
}

fn are_read(views: &Views<'_>) -> Option<Finding> {
    views.trace.iter().find_map(|(index, seen)| {
        let Event::Received(frame) = &seen.event else { return None };
        let name = event(views.to_gateway(index)?)?;
        if views.to_client(index).and_then(event).is_some() {
            return None;
        }
        let seen = format!("{} is none to the client, by its profile", frame.body);
        let expected = format!("the client reads the gateway's event `{name}` as one");
        Some(Finding::forbidden(expected, seen, [index]))
    })
}

fn are_listened_to(views: &Views<'_>) -> Option<Finding> {
    let wanted = wanted(views)?;
    let listens = listens(views);
    let published =
        views.trace.iter().rev().find(|(_, seen)| matches!(seen.event, Event::Published { .. }))?.0;
    views.trace.iter().skip(published).find_map(|(index, seen)| {
        let Event::Received(_) = &seen.event else { return None };
        let name = event(views.to_client(index)?)?;
        if !listens.contains(name) {
            let there: Vec<_> = listens.iter().map(|name| format!("`{name}`")).collect();
            let seen = format!("`{name}` has no listener; the client listens to {}", there.join(", "));
            return Some(Finding::forbidden(
                "events come under names that the client listens to",
                seen,
                [index],
            ));
        }
        let emits = |event: &Event| matches!(event, Event::Emitted { name: emitted, .. } if emitted == name);
        let is_emitted = views.trace.iter().skip(index).any(|(_, seen)| emits(&seen.event));
        (name == wanted && !is_emitted).then(|| {
            let seen = format!("`{name}` came, and no listener was called");
            let finding = Finding::owed("an event that comes is given to its listeners", seen, [index]);
            finding.of_half(SubjectKind::Client)
        })
    })
}

/// The event that a step waited for in vain.
fn wanted<'a>(views: &'a Views<'_>) -> Option<&'a str> {
    let step = views.trace.observations.iter().find_map(|seen| match &seen.event {
        Event::InVain { step, .. } => step.checked_sub(1),
        _ => None,
    })?;
    match &views.script.steps.get(step)?.action {
        PairAction::Wait(wait) => wait.pattern.event(),
        PairAction::Publish { until, .. } => until.iter().find_map(crate::Pattern::event),
        _ => None,
    }
}

/// What the client listens to, from the start or since a step.
fn listens<'a>(views: &'a Views<'_>) -> BTreeSet<&'a str> {
    let from_start = views.script.client.listen.iter().map(String::as_str);
    let later = views.script.steps.iter().filter_map(|step| match &step.action {
        PairAction::Client(ClientAct::Listen { name, .. }) => Some(name.as_str()),
        _ => None,
    });
    from_start.chain(later).collect()
}

fn event(message: &Message) -> Option<&str> {
    match message {
        Message::Server(ServerMessage::Event { name, .. }) => Some(name),
        _ => None,
    }
}
