//! Numbered messages that outlive a connection (QUEUE-4).

use serde::{Deserialize, Serialize};

use super::Finding;
use crate::pattern::payload;
use crate::times::{Expr, Times};
use crate::trace::{Event, Trace};

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
        for (index, observation) in trace.iter() {
            let Event::Sent(frame) = &observation.event else { continue };
            let Some(message) = frame.message.as_ref().filter(|message| message.name() == kind) else {
                continue;
            };
            let Some(number) = payload(Some(message)).and_then(|payload| payload["seq"].as_u64()) else {
                return Err(Finding::forbidden(expected, format!("a {kind} without a number"), [index]));
            };
            let moved = on.replace(observation.connection).is_some_and(|on| on != observation.connection);
            let seen = match number {
                _ if number <= before => format!("{kind} {number} after {kind} {before}"),
                _ if number > before + 1 && !(*cut && moved) => {
                    format!("{kind} {before}, then {kind} {number}: {} lost", number - before - 1)
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
}
