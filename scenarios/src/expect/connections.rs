//! How many connections a client had at once (STATE-5, TOKEN-1).

use std::collections::BTreeSet;

use super::Finding;
use crate::trace::{Event, Trace};

pub(super) fn one_at_a_time(trace: &Trace) -> Result<(), Finding> {
    let mut live = BTreeSet::new();
    for (index, observation) in trace.iter() {
        let Some(connection) = observation.connection else { continue };
        match observation.event {
            Event::Dialled { .. } => {
                live.insert((connection, index));
                if live.len() > 1 {
                    let at: Vec<_> = live.iter().map(|(_, dialled)| *dialled).collect();
                    return Err(Finding::forbidden(
                        "one connection at a time",
                        format!("{} at once", live.len()),
                        at,
                    ));
                }
            }
            Event::Refused { .. } | Event::Closed { .. } => live.retain(|(number, _)| *number != connection),
            _ => {}
        }
    }
    Ok(())
}
