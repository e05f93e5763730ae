//! What a subject's processes keep (LIFE-2, CONN-12).

use serde::{Deserialize, Serialize};

use super::Finding;
use crate::trace::{Resources, Trace};

/// How much more the last reading may show than the first one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Growth {
    /// Resident memory, in KiB, where it is not looked at from round to round.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    memory_kib: Option<u64>,
    /// What most of the later rounds may add to it, in KiB, unless the last ones added nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    each_round_kib: Option<u64>,
    /// Open descriptors.
    descriptors: u64,
}

impl Growth {
    pub(super) fn check(self, trace: &Trace) -> Result<(), Finding> {
        let read = Resources::readings(trace);
        let [(first, before), .., (last, after)] = read[..] else {
            let expected = "what its processes hold does not grow";
            return Err(Finding::owed(expected, "they were not looked at twice", []));
        };
        let more = |before: u64, after: u64| after.saturating_sub(before);
        let found = |expected: String, seen: String| Err(Finding::forbidden(expected, seen, [first, last]));
        let handles = more(before.descriptors, after.descriptors);
        if handles > self.descriptors {
            return found(
                format!("no more than {} descriptors are added", self.descriptors),
                handles.to_string(),
            );
        }
        let memory = more(before.memory_kib, after.memory_kib);
        if let Some(most) = self.memory_kib.filter(|most| memory > *most) {
            return found(format!("no more than {most} KiB are added"), format!("{memory} KiB"));
        }
        let Some(most) = self.each_round_kib.filter(|_| !Resources::are_steady(trace)) else { return Ok(()) };
        // The first rounds warm a heap up, and one of the later ones may enlarge it.
        let rounds: Vec<u64> =
            read.windows(2).map(|pair| more(pair[0].1.memory_kib, pair[1].1.memory_kib)).collect();
        let mut later = rounds[rounds.len() / 2..].to_vec();
        later.sort_unstable();
        let usual = later[(later.len() - 1) / 2];
        if usual <= most {
            return Ok(());
        }
        let seen = format!("{usual} KiB, and {memory} KiB in {} rounds", rounds.len());
        found(format!("most of the later rounds add no more than {most} KiB"), seen)
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
        Growth { memory_kib: None, each_round_kib: Some(1280), descriptors: 20 }.check(&trace)
    }

    /// CONN-12: what grows from round to round is found, though each connection leaves little; a heap that becomes warm is none, nor is
    /// one whose collector has not looked yet. The readings are those of a gateway that keeps its closed connections, and of two that do not.
    #[test]
    fn growth_without_end_is_found() {
        let keeps = [75_176, 85_068, 109_260, 111_752, 113_648, 114_688, 116_832, 119_092, 120_972, 126_212];
        let found = check(&keeps).unwrap_err();
        assert_eq!((found.property, found.at.as_slice()), (Property::Safety, [0, 9].as_slice()));
        assert!(found.seen.raw().starts_with("2144 KiB"), "{found:?}");
        assert_eq!(check(&[74_104, 82_828, 87_456, 95_040, 103_472, 103_488, 103_500]), Ok(()), "warm");
        let waits = [96_360, 98_524, 100_388, 115_072, 116_188, 116_856, 117_720, 118_524];
        assert_eq!(check(&waits), Ok(()), "a collector that waits");
        assert_eq!(check(&[75_360]).unwrap_err().property, Property::Liveness);
    }
}
