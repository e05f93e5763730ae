//! Numbered messages that outlive a connection (QUEUE-4).

use serde::{Deserialize, Serialize};

use super::Finding;
use crate::pattern::payload;
use crate::times::{Expr, Times};
use crate::trace::{Event, Message, Observation, Trace};

/// `sequence`: messages of a type, numbered from 1 by a `seq` in their payload, come in order over all connections, each
/// at most once, and the last one comes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sequence {
    /// The messages' type.
    #[serde(rename = "type")]
    kind: String,
    /// The last number.
    last: Expr,
    /// Whether events in flight when a connection was cut may be missing: their delivery cannot be known.
    #[serde(default)]
    cut: bool,
}

impl Sequence {
    pub(super) fn check(&self, trace: &Trace, times: &Times) -> Result<(), Finding> {
        let Self { kind, cut, .. } = self;
        let last = self.last.count(times) as u64;
        let gap = if *cut { ", but for what was under way when a connection was cut" } else { "" };
        let expected = format!("the client sends {kind} 1 to {last} in order, each once{gap}");
        let mut before = 0;
        let mut on = None;
        for (index, observation, message) in self.in_order_of_sending(trace) {
            let Some(number) = payload(Some(message)).and_then(|payload| payload["seq"].as_u64()) else {
                return Err(Finding::forbidden(expected, format!("a {kind} without a number"), [index]));
            };
            let left = on.replace(observation).filter(|on| on.connection != observation.connection);
            let seen = match number {
                _ if number <= before => format!("{kind} {number} after {kind} {before}"),
                _ if number > before + 1 && !(*cut && left.is_some()) => {
                    let seen = format!("{kind} {before}, then {kind} {number}: {} lost", number - before - 1);
                    // What is missing may still be under way on a connection that has not been read to its end.
                    if left.is_some_and(|left| trace.is_open(&left.actor, left.connection)) {
                        return Err(Finding::owed(expected, seen, [index]));
                    }
                    seen
                }
                _ => {
                    before = number;
                    continue;
                }
            };
            return Err(Finding::forbidden(expected, seen, [index]));
        }
        if before == last {
            Ok(())
        } else {
            Err(Finding::owed(expected, format!("none after {kind} {before}"), []))
        }
    }

    /// The messages by their connections: a client has one at a time (STATE-5), so that all it sends on one precedes the next
    /// one's dial, however much later the last bytes of the old one are read.
    fn in_order_of_sending<'t>(&self, trace: &'t Trace) -> Vec<(usize, &'t Observation, &'t Message)> {
        let sent = trace.iter().filter_map(|(index, observation)| {
            let Event::Sent(frame) = &observation.event else { return None };
            let message = frame.message.as_ref().filter(|message| message.name() == self.kind)?;
            Some((index, observation, message))
        });
        let mut sent: Vec<_> = sent.collect();
        sent.sort_by_key(|(_, observation, _)| observation.connection);
        sent
    }
}
