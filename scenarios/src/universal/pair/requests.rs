//! PAIR-1: requests are understood, and their acknowledgements are.

use std::collections::BTreeMap;

use protocol::{ClientMessage, ServerMessage, Target};

use super::Views;
use crate::expect::Finding;
use crate::trace::{Event, Message, Trace};

/// The code of an error that says that a request was understood, and is not granted.
const FORBIDDEN: &str = "forbidden";

pub(super) fn are_understood(views: &Views<'_>) -> Option<Finding> {
    are_read(views).or_else(|| welcome_is_read(views)).or_else(|| are_answered(views))
}

/// Each request means to the gateway what it means to the client.
fn are_read(views: &Views<'_>) -> Option<Finding> {
    views.trace.iter().find_map(|(index, seen)| {
        let Event::Sent(frame) = &seen.event else { return None };
        let meant = views.to_client(index)?;
        let target = target(meant)?;
        let read = views.to_gateway(index);
        if read.is_some_and(|read| read.name() == meant.name() && self::target(read) == Some(target)) {
            return None;
        }
        let read = read.map_or("nothing".to_owned(), described);
        let expected = format!("the gateway reads the client's `{}` as one", meant.name());
        let seen = format!("{} is {read} to the gateway, by its profile", frame.body);
        Some(Finding::forbidden(expected, seen, [index]))
    })
}

/// What a gateway's welcome is to the client, where it knows one.
fn welcome_is_read(views: &Views<'_>) -> Option<Finding> {
    views.halves.client.welcome_type()?;
    views.trace.iter().find_map(|(index, seen)| {
        let Event::Received(frame) = &seen.event else { return None };
        let is_welcome =
            |message: Option<&Message>| message.is_some_and(|message| message.is_called("welcome"));
        if !is_welcome(views.to_gateway(index)) || is_welcome(views.to_client(index)) {
            return None;
        }
        let read = views.to_client(index).map_or("nothing".to_owned(), described);
        let seen = format!("{} is {read} to the client, by its profile", frame.body);
        Some(Finding::forbidden("the client reads the gateway's welcome as one", seen, [index]))
    })
}

/// Each request has its answer, in order, which names what was asked for.
fn are_answered(views: &Views<'_>) -> Option<Finding> {
    if !views.halves.gateway.acks {
        return None;
    }
    let mut open = BTreeMap::<Option<u32>, (Vec<usize>, Vec<usize>)>::new();
    for (index, seen) in views.trace.iter() {
        let (requests, answers) = open.entry(seen.connection).or_default();
        match &seen.event {
            Event::Sent(_) if views.to_client(index).and_then(target).is_some() => requests.push(index),
            Event::Received(_) if views.to_gateway(index).is_some_and(is_answer) => answers.push(index),
            _ => {}
        }
    }
    open.into_values().find_map(|(requests, answers)| {
        let mut answers = answers.into_iter();
        requests.into_iter().find_map(|request| match answers.next() {
            Some(answer) => mismatch(views, request, answer),
            None => unanswered(views, request),
        })
    })
}

fn mismatch(views: &Views<'_>, request: usize, answer: usize) -> Option<Finding> {
    let [asked, answered] = [request, answer].map(|index| body(views.trace, index));
    if let Some(Message::Server(ServerMessage::Error { code, .. })) = views.to_gateway(answer) {
        let forbidden = views.halves.gateway.errors.spelled(FORBIDDEN).unwrap_or_default();
        return (code != forbidden).then(|| {
            let seen = format!("{asked} is answered by the error `{code}`");
            Finding::forbidden("the gateway understands the client's request", seen, [request, answer])
        });
    }
    let wanted = views.to_client(request).and_then(target);
    let named = views.to_client(answer).and_then(target);
    (named != wanted).then(|| {
        let named = named
            .map_or("names nothing that the client can read".to_owned(), |name| format!("names `{name}`"));
        let seen = format!("{asked} is answered by {answered}, which {named}");
        Finding::forbidden(
            "an acknowledgement by which the client knows its request",
            seen,
            [request, answer],
        )
    })
}

fn unanswered(views: &Views<'_>, request: usize) -> Option<Finding> {
    let patience = views.times.patience.as_micros();
    views.is_left_alone(request, patience).then(|| {
        let seen = format!("{} is answered by nothing", body(views.trace, request));
        Finding::owed("the gateway understands the client's request", seen, [request])
    })
}

/// Adds the client's last request to a finding that something did not come of it.
pub(super) fn name_the_last(trace: &Trace, finding: &mut Finding) {
    let is_request = |message: &Message| target(message).is_some() && matches!(message, Message::Client(_));
    let last = trace.iter().rev().find(|(_, seen)| match &seen.event {
        Event::Sent(frame) => frame.message.as_ref().is_some_and(is_request),
        _ => false,
    });
    if let Some((index, _)) = last
        && !finding.at.contains(&index)
    {
        finding.seen = format!("{}; the client had asked {}", finding.seen.raw(), body(trace, index)).into();
        finding.at.insert(0, index);
    }
}

fn body(trace: &Trace, index: usize) -> &str {
    match &trace.observations[index].event {
        Event::Sent(frame) | Event::Received(frame) => &frame.body,
        _ => "",
    }
}

/// What a request or its acknowledgement names.
fn target(message: &Message) -> Option<&str> {
    let (Message::Client(ClientMessage::Subscribe(target) | ClientMessage::Unsubscribe(target))
    | Message::Server(ServerMessage::Subscribed(target) | ServerMessage::Unsubscribed(target))) = message
    else {
        return None;
    };
    // Which of the two it is called depends on the dialect's keys.
    Some(match target {
        Target::EventType(name) => name,
        Target::Room(room) => room,
    })
}

fn is_answer(message: &Message) -> bool {
    ["subscribed", "unsubscribed", "error"].iter().any(|name| message.is_called(name))
}

fn described(message: &Message) -> String {
    match message {
        Message::Unreadable(why) => format!("unreadable ({why})"),
        message => format!("a `{}`", message.name()),
    }
}
