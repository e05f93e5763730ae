//! What the broker knows of the gateway (BRIDGE-1, BRIDGE-7).

use super::Finding;
use crate::trace::{Event, Trace};

pub(super) fn topology(trace: &Trace) -> Result<(), Finding> {
    const EXPECTED: &str = "a durable topic exchange and a durable, shared queue";
    let seen = trace.iter().rev().find_map(|(index, observation)| match &observation.event {
        Event::Topology { exchange, queue } => Some((index, exchange, queue)),
        _ => None,
    });
    match seen {
        None => Err(Finding::owed(EXPECTED, "the broker was not asked", [])),
        Some((_, Ok(()), Ok(()))) => Ok(()),
        Some((index, Err(problem), _)) => {
            Err(Finding::forbidden(EXPECTED, format!("exchange: {problem}"), [index]))
        }
        Some((index, _, Err(problem))) => {
            Err(Finding::forbidden(EXPECTED, format!("queue: {problem}"), [index]))
        }
    }
}

pub(super) fn queue_ready(trace: &Trace, wanted: u32) -> Result<(), Finding> {
    let expected = format!("{wanted} messages in the gateway's queue");
    let seen = trace.iter().rev().find_map(|(index, observation)| match observation.event {
        Event::QueueDepth { ready } => Some((index, ready)),
        _ => None,
    });
    match seen {
        None => Err(Finding::owed(expected, "the queue was not counted", [])),
        Some((_, ready)) if ready == wanted => Ok(()),
        Some((index, ready)) => Err(Finding::forbidden(expected, ready, [index])),
    }
}
