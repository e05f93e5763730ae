//! What a subject's processes keep (LIFE-2).

use serde::{Deserialize, Serialize};

use super::Finding;
use crate::trace::{Event, Resources, Trace};

/// How much more the last reading may show than the first one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Growth {
    /// Resident memory, in KiB.
    memory_kib: u64,
    /// Open descriptors.
    descriptors: u64,
}

impl Growth {
    pub(super) fn check(self, trace: &Trace) -> Result<(), Finding> {
        let Self { memory_kib, descriptors } = self;
        let read: Vec<(usize, Resources)> = trace
            .iter()
            .filter_map(|(index, seen)| match seen.event {
                Event::Resources(resources) => Some((index, resources)),
                _ => None,
            })
            .collect();
        let expected = format!("no more than {memory_kib} KiB and {descriptors} descriptors are added");
        let [(first, before), .., (last, after)] = read[..] else {
            return Err(Finding::owed(expected, "its processes were not looked at twice", []));
        };
        let more = |before: u64, after: u64| after.saturating_sub(before);
        let (memory, handles) =
            (more(before.memory_kib, after.memory_kib), more(before.descriptors, after.descriptors));
        if memory > memory_kib || handles > descriptors {
            let seen = format!("{memory} KiB and {handles} descriptors");
            return Err(Finding::forbidden(expected, seen, [first, last]));
        }
        Ok(())
    }
}
