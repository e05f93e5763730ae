//! What a subject's processes keep (LIFE-2, CONN-12).

use serde::{Deserialize, Serialize};

use super::Finding;
use crate::trace::{Resources, Trace};

/// How much more the last reading may show than the first one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Growth {
    /// Resident memory, in KiB.
    memory_kib: u64,
    /// Open descriptors.
    descriptors: u64,
    /// Whether memory may grow further as long as it does so no more at the end: a heap that is warm.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    or_steady: bool,
}

impl Growth {
    pub(super) fn check(self, trace: &Trace) -> Result<(), Finding> {
        let Self { memory_kib, descriptors, or_steady } = self;
        let read = Resources::readings(trace);
        let end = if or_steady { ", unless memory is steady at the end" } else { "" };
        let expected = format!("no more than {memory_kib} KiB and {descriptors} descriptors are added{end}");
        let [(first, before), .., (last, after)] = read[..] else {
            return Err(Finding::owed(expected, "its processes were not looked at twice", []));
        };
        let more = |before: u64, after: u64| after.saturating_sub(before);
        let (memory, handles) =
            (more(before.memory_kib, after.memory_kib), more(before.descriptors, after.descriptors));
        let grows = memory > memory_kib && !(or_steady && Resources::are_steady(trace));
        if grows || handles > descriptors {
            let seen = match read.len() {
                2 => format!("{memory} KiB and {handles} descriptors"),
                count => format!("{memory} KiB and {handles} descriptors, over {count} readings"),
            };
            return Err(Finding::forbidden(expected, seen, [first, last]));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expect::Property;
    use crate::trace::{Actor, Event, Observation};

    fn check(memory: &[u64]) -> Result<(), Finding> {
        let see = |memory_kib: &u64| Observation {
            at_us: 0,
            actor: Actor::gateway(),
            connection: None,
            event: Event::Resources(Resources { memory_kib: *memory_kib, ..Resources::default() }),
        };
        let trace = Trace { observations: memory.iter().map(see).collect() };
        Growth { memory_kib: 8192, descriptors: 20, or_steady: true }.check(&trace)
    }

    /// CONN-12: what grows from round to round is found, however little that is; a heap that has become warm is none, whatever it
    /// took to become so.
    #[test]
    fn growth_without_end_is_found() {
        assert_eq!(check(&[74_104, 82_828, 95_040, 103_472, 103_488, 103_500]), Ok(()));
        let found = check(&[75_360, 85_220, 100_012, 111_068, 113_004, 113_888, 116_304]).unwrap_err();
        assert_eq!((found.property, found.at.as_slice()), (Property::Safety, [0, 6].as_slice()));
        assert_eq!(check(&[5_000, 7_000, 9_000, 11_000]), Ok(()), "little in all");
        assert!(check(&[75_360, 85_220, 85_230, 88_888]).is_err(), "it stood still once");
        assert_eq!(check(&[75_360]).unwrap_err().property, Property::Liveness);
    }
}
