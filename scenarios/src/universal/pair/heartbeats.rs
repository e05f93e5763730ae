//! PAIR-4: each half's heartbeat is one that the other answers, in time.

use std::time::Duration;

use super::Views;
use crate::expect::Finding;
use crate::requirement::SubjectKind;
use crate::trace::{Event, Frame, FrameKind, Message};

/// How a ping is answered.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Control,
    Message,
}

pub(super) fn fit(views: &Views<'_>) -> Option<Finding> {
    times_fit(views).or_else(|| pings_are_answered(views))
}

/// A client that waits longer for a pong than its gateway does for a sign of life believes in a connection that is gone.
fn times_fit(views: &Views<'_>) -> Option<Finding> {
    let gateway = &views.halves.gateway_timing;
    let patience = gateway.ping_interval + gateway.pong_timeout;
    let waits = views.halves.client_timing.pong_timeout;
    let opened = views.trace.iter().find(|(_, seen)| seen.event == Event::Opened)?.0;
    (waits > patience).then(|| {
        let expected =
            format!("a client that waits for a pong no longer than its gateway has patience, {patience:?}");
        Finding::forbidden(expected, format!("its `pong_timeout` is {waits:?}"), [opened])
    })
}

fn pings_are_answered(views: &Views<'_>) -> Option<Finding> {
    views.trace.iter().find_map(|(index, seen)| {
        let (who, whom, waits) = match &seen.event {
            Event::Sent(_) => {
                (SubjectKind::Client, SubjectKind::Gateway, views.halves.client_timing.pong_timeout)
            }
            Event::Received(_) => {
                (SubjectKind::Gateway, SubjectKind::Client, views.halves.gateway_timing.pong_timeout)
            }
            _ => return None,
        };
        let kind = ping(views, index, who)?;
        let waits = waits + views.times.slack;
        if views.is_disturbed_before(index)
            || !views.is_left_alone(index, waits.as_micros())
            || is_answered(views, index, kind, who, waits)
        {
            return None;
        }
        let seen = format!("the {whom} answers it by nothing in {waits:?}");
        let finding = Finding::owed(format!("a pong for the {who}'s ping"), seen, [index]);
        Some(finding.of_half(whom))
    })
}

/// The ping that a half has sent, as that half means it.
fn ping(views: &Views<'_>, index: usize, who: SubjectKind) -> Option<Kind> {
    let frame = frame(&views.trace.observations[index].event)?;
    let meant = match who {
        SubjectKind::Client => views.to_client(index),
        SubjectKind::Gateway | SubjectKind::Pair => views.to_gateway(index),
    };
    match frame.kind {
        FrameKind::Ping => Some(Kind::Control),
        FrameKind::Text if meant.is_some_and(|message| message.is_called("ping")) => Some(Kind::Message),
        _ => None,
    }
}

/// Whether the half that pinged gets a pong, as it knows one.
fn is_answered(views: &Views<'_>, index: usize, kind: Kind, who: SubjectKind, waits: Duration) -> bool {
    let since = &views.trace.observations[index];
    let until = since.at() + waits;
    let mut later = views.trace.iter().skip(index).take_while(|(_, seen)| seen.at() <= until);
    later.any(|(at, seen)| {
        let is_back = matches!(
            (&seen.event, who),
            (Event::Received(_), SubjectKind::Client) | (Event::Sent(_), SubjectKind::Gateway)
        );
        let read = if who == SubjectKind::Client { views.to_client(at) } else { views.to_gateway(at) };
        let is_pong = |message: &Message| message.is_called("pong");
        seen.connection == since.connection
            && is_back
            && match kind {
                Kind::Control => frame(&seen.event).is_some_and(|frame| frame.kind == FrameKind::Pong),
                Kind::Message => read.is_some_and(is_pong),
            }
    })
}

fn frame(event: &Event) -> Option<&Frame> {
    match event {
        Event::Sent(frame) | Event::Received(frame) => Some(frame),
        _ => None,
    }
}
