//! What the broker knows of the gateway (BRIDGE-1, BRIDGE-7, BRIDGE-8).

use serde::{Deserialize, Serialize};

use super::Finding;
use crate::trace::{Event, Settlements, Trace};

/// How deliveries must have been settled; what is not named does not matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settled {
    /// Deliveries rejected without being put back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rejected: Option<u64>,
    /// Deliveries to consumers that acknowledge none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unasked: Option<u64>,
}

impl Settled {
    pub(super) fn check(self, trace: &Trace) -> Result<(), Finding> {
        let seen = trace.iter().rev().find_map(|(index, observation)| match observation.event {
            Event::Settlements(settlements) => Some((index, settlements)),
            _ => None,
        });
        let wanted = [(self.rejected, "rejected"), (self.unasked, "sent without being acknowledged")];
        for (wanted, how) in wanted {
            let Some(wanted) = wanted else { continue };
            let expected = format!("{wanted} deliveries {how}");
            let Some((index, Settlements { rejected, unasked, .. })) = seen else {
                return Err(Finding::owed(expected, "deliveries were not counted", []));
            };
            let found = if how == "rejected" { rejected } else { unasked };
            if found != wanted {
                return Err(Finding::forbidden(expected, found, [index]));
            }
        }
        Ok(())
    }
}

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
