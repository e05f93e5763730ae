//! PAIR-5: a refusal is known to the client for what it is.

use protocol::Refusal;

use super::Views;
use crate::expect::Finding;
use crate::requirement::SubjectKind;
use crate::trace::{Event, FrameKind, Side};

/// No dial follows a refusal with the token that was refused.
pub(super) fn are_recognised(views: &Views<'_>) -> Option<Finding> {
    let declared = views.halves.gateway.refusal;
    views.trace.iter().find_map(|(index, seen)| {
        if !is_refusal(views, index, declared) {
            return None;
        }
        let refused = token(views, seen.connection)?;
        let (again, dial) = views.trace.iter().skip(index + 1).find(|(_, later)| {
            matches!(later.event, Event::Dialled { .. }) && token(views, later.connection) == Some(refused)
        })?;
        let after = dial.at().saturating_sub(seen.at());
        let expected = "a client that is refused for its token does not dial again with that token";
        let knows = views.halves.client.refusal;
        let seen = format!(
            "{}; it dials again {:.3} s later (the client's profile knows a refusal as {knows})",
            seen.event,
            after.as_secs_f64()
        );
        Some(Finding::forbidden(expected, seen, [index, again]).of_half(SubjectKind::Client))
    })
}

/// Whether the gateway refuses a token here, as its profile says or by HTTP 401 or 403.
fn is_refusal(views: &Views<'_>, index: usize, declared: Refusal) -> bool {
    let seen = &views.trace.observations[index];
    match &seen.event {
        Event::Refused { status: Some(status), .. } => {
            matches!(status, 401 | 403) || declared == Refusal::Http(*status)
        }
        Event::Closed { code: Some(code), by: Side::Gateway } => {
            let speaks =
                |event: &Event| matches!(event, Event::Received(frame) if frame.kind == FrameKind::Text);
            let before = views.trace.iter().take(index);
            let mut own = before.filter(|(_, other)| other.connection == seen.connection);
            declared == Refusal::Close(*code) && !own.any(|(_, other)| speaks(&other.event))
        }
        _ => false,
    }
}

/// The token that a connection was dialled with.
fn token<'a>(views: &'a Views<'_>, connection: Option<u32>) -> Option<&'a str> {
    views.trace.observations.iter().find_map(|seen| match &seen.event {
        Event::Dialled { query, .. } if seen.connection == connection => {
            query.iter().find(|(key, _)| key == "token").map(|(_, token)| token.as_str())
        }
        _ => None,
    })
}
