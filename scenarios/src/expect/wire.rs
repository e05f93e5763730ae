//! What travelled on the wire (MSG-1, BRIDGE-6, PING-4).

use protocol::Envelope;
use serde_json::Value;

use super::Finding;
use crate::pattern::payload;
use crate::times::Times;
use crate::trace::{Event, Frame, FrameKind, Trace};

/// What every message of a gateway is.
const WELL_FORMED: &str = "a JSON text frame with a string `type` and an ISO 8601 `timestamp`";

pub(super) fn well_formed(trace: &Trace, client: &str) -> Result<(), Finding> {
    let mut messages = 0;
    for (index, frame) in received(trace, client) {
        if let Some(finding) = ill_formed(index, frame) {
            return Err(finding);
        }
        messages += usize::from(frame.kind == FrameKind::Text);
    }
    match messages {
        0 => Err(Finding::owed(WELL_FORMED, "no message at all", [])),
        _ => Ok(()),
    }
}

/// What is wrong with a frame from a gateway, where anything is (MSG-1).
pub(crate) fn ill_formed(index: usize, frame: &Frame) -> Option<Finding> {
    let problem = match frame.kind {
        FrameKind::Ping | FrameKind::Pong | FrameKind::Close => return None,
        FrameKind::Binary | FrameKind::Raw => "a frame that is no text".to_owned(),
        FrameKind::Text => match Envelope::decode(&frame.body) {
            Ok(Envelope { timestamp: Some(_), .. }) => return None,
            Ok(Envelope { timestamp: None, .. }) => "no `timestamp`".to_owned(),
            Err(error) => error.to_string(),
        },
    };
    Some(Finding::forbidden(WELL_FORMED, problem, [index]))
}

pub(super) fn published_order(trace: &Trace, client: &str, types: &[String]) -> Result<(), Finding> {
    let wanted: Vec<(&str, &Value)> = trace
        .iter()
        .filter_map(|(_, observation)| match &observation.event {
            Event::Published { body, .. } => Some((body["type"].as_str()?, &body["data"])),
            _ => None,
        })
        .filter(|(kind, _)| types.iter().any(|wanted| wanted == kind))
        .collect();
    let seen: Vec<(usize, &str, &Value)> = received(trace, client)
        .filter_map(|(index, frame)| {
            let message = frame.message.as_ref()?;
            Some((index, message.name(), payload(Some(message))?))
        })
        .filter(|(_, name, _)| types.iter().any(|wanted| wanted == name))
        .collect();
    let expected =
        format!("{client} receives {} events in the order in which they were published", wanted.len());
    let mut pairs = wanted.iter().zip(&seen);
    if let Some((want, got)) = pairs.find(|(want, got)| (want.0, want.1) != (got.1, got.2)) {
        return Err(Finding::forbidden(
            expected,
            format!("{} {} where {} {} was due", got.1, got.2, want.0, want.1),
            [got.0],
        ));
    }
    if wanted.len() != seen.len() {
        let (told, last) = (format!("{} of them", seen.len()), seen.last().map(|last| last.0));
        return Err(match seen.len() > wanted.len() {
            true => Finding::forbidden(expected, told, last),
            false => Finding::owed(expected, told, last),
        });
    }
    Ok(())
}

pub(super) fn pongs_match(trace: &Trace, times: &Times) -> Result<(), Finding> {
    const EXPECTED: &str = "each ping frame is answered by a pong frame with the same payload";
    let mut pings = 0;
    for (index, observation) in trace.iter() {
        let Event::Received(ping @ Frame { kind: FrameKind::Ping, .. }) = &observation.event else {
            continue;
        };
        pings += 1;
        let answer = trace.iter().skip(index + 1).find_map(|(at, later)| match &later.event {
            Event::Sent(frame)
                if frame.kind == FrameKind::Pong && later.connection == observation.connection =>
            {
                Some((at, frame, later.at().saturating_sub(observation.at())))
            }
            _ => None,
        });
        match answer {
            None => return Err(Finding::owed(EXPECTED, "no pong frame", [index])),
            Some((at, frame, _)) if frame.body != ping.body => {
                return Err(Finding::forbidden(EXPECTED, "a pong frame with another payload", [index, at]));
            }
            Some((at, _, took)) if took > times.patience => {
                return Err(Finding::forbidden(
                    EXPECTED,
                    format!("a pong frame {} ms later", took.as_millis()),
                    [index, at],
                )
                .missed_by(took - times.patience));
            }
            Some(_) => {}
        }
    }
    match pings {
        0 => Err(Finding::owed(EXPECTED, "no ping frame", [])),
        _ => Ok(()),
    }
}

fn received<'a>(trace: &'a Trace, client: &'a str) -> impl Iterator<Item = (usize, &'a Frame)> {
    trace.iter().filter(move |(_, observation)| observation.actor.0 == client).filter_map(
        |(index, observation)| match &observation.event {
            Event::Received(frame) => Some((index, frame)),
            _ => None,
        },
    )
}
