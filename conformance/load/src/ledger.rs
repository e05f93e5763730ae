//! What one client got of one channel, against what it was owed: every event, once, in order. The events of a channel are numbered
//! from 0.
//!
//! ```text
//!   early │ owed ─────────────────────────────────► │ not owed yet, or any more
//!   ──────┼───────────┬─────┬────────────┬──────────┼──────►
//!        from   came  │ gap │    came   next       until
//! ```

use std::ops::Range;

/// Gaps that are kept, so that what comes late is told from what comes again. Where there are more, the oldest is lost for good.
const MAX_GAPS: usize = 1024;

/// What one client got of one channel.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    /// The first that is owed.
    from: u64,
    /// The one behind the latest that came.
    next: u64,
    /// What did not come before a later one did, ascending.
    gaps: Vec<Range<u64>>,
    /// What is lost for good, beyond the gaps.
    given_up: u64,
}

/// What an event is to a ledger when it comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// It was owed.
    Owed,
    /// It was owed, and a later one came before it.
    Late,
    /// It has come before.
    Again,
    /// It was under way when the client came.
    Early,
}

impl Ledger {
    /// One to which every event from this number on is owed.
    pub fn owed_from(from: u64) -> Self {
        Self { from, next: from, ..Self::default() }
    }

    /// An event came.
    pub fn take(&mut self, number: u64) -> Arrival {
        if number == self.next {
            self.next += 1;
            return Arrival::Owed;
        }
        if number > self.next {
            if self.gaps.len() == MAX_GAPS {
                let oldest = self.gaps.remove(0);
                self.given_up += oldest.end - oldest.start;
            }
            self.gaps.push(self.next..number);
            self.next = number + 1;
            return Arrival::Owed;
        }
        match number < self.from {
            true => Arrival::Early,
            false => self.fill(number),
        }
    }

    fn fill(&mut self, number: u64) -> Arrival {
        let at = self.gaps.partition_point(|gap| gap.end <= number);
        let Some(gap) = self.gaps.get_mut(at).filter(|gap| gap.contains(&number)) else {
            return Arrival::Again;
        };
        let behind = number + 1..gap.end;
        gap.end = number;
        if !behind.is_empty() {
            self.gaps.insert(at + 1, behind);
        }
        if self.gaps[at].is_empty() {
            self.gaps.remove(at);
        }
        Arrival::Late
    }

    /// How many have not come, though a later one has.
    pub fn skipped(&self) -> u64 {
        self.given_up + self.gaps.iter().map(|gap| gap.end - gap.start).sum::<u64>()
    }

    /// What is owed below `until`.
    pub fn owed(&self, until: u64) -> Range<u64> {
        self.from..until.max(self.from)
    }

    /// How many below `until` did not come.
    pub fn missing(&self, until: u64) -> u64 {
        self.given_up + self.missing_ranges(until).map(|range| range.end - range.start).sum::<u64>()
    }

    /// Which below `until` did not come; what was given up is not among them.
    pub fn missing_ranges(&self, until: u64) -> impl Iterator<Item = Range<u64>> {
        let tail = self.next..until;
        let gaps = self.gaps.iter().map(move |gap| gap.start..gap.end.min(until));
        gaps.chain([tail]).filter(|range| !range.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Arrival::{Again, Early, Late, Owed};

    fn take(from: u64, numbers: &[u64]) -> (Ledger, Vec<Arrival>) {
        let mut ledger = Ledger::owed_from(from);
        let arrivals = numbers.iter().map(|number| ledger.take(*number)).collect();
        (ledger, arrivals)
    }

    /// Every event, once and in order, leaves nothing missing; the same late, again and early are told apart.
    #[test]
    fn arrivals_are_told_apart() {
        for (from, numbers, arrivals, until, missing) in [
            (0, &[0, 1, 2][..], &[Owed, Owed, Owed][..], 3, 0),
            (0, &[0, 3, 1, 2], &[Owed, Owed, Late, Late], 4, 0),
            (0, &[0, 3, 2, 1], &[Owed, Owed, Late, Late], 4, 0),
            (0, &[0, 0, 1, 0], &[Owed, Again, Owed, Again], 2, 0),
            (0, &[0, 3, 2, 2], &[Owed, Owed, Late, Again], 4, 1),
            (5, &[3, 4, 5, 6], &[Early, Early, Owed, Owed], 7, 0),
            (5, &[6], &[Owed], 8, 2),
            (0, &[], &[], 4, 4),
            (0, &[0, 1], &[Owed, Owed], 2, 0),
        ] {
            let (ledger, seen) = take(from, numbers);
            assert_eq!((seen.as_slice(), ledger.missing(until)), (arrivals, missing), "{numbers:?}");
            assert_eq!(ledger.owed(until), from..until);
        }
    }

    /// What is not owed any more is not missing, though a later one came.
    #[test]
    fn nothing_is_owed_behind_the_end() {
        let (ledger, _) = take(0, &[0, 5]);
        assert_eq!((ledger.missing(2), ledger.missing(6), ledger.missing(0)), (1, 4, 0));
        assert_eq!(ledger.missing_ranges(8).collect::<Vec<_>>(), [1..5, 6..8]);
    }

    /// However many gaps there are, memory is bounded and what is lost is counted.
    #[test]
    fn many_gaps_are_counted_without_end() {
        let mut ledger = Ledger::owed_from(0);
        let count = 3 * MAX_GAPS as u64;
        (0..count).for_each(|number| assert_eq!(ledger.take(2 * number + 1), Owed));
        assert_eq!((ledger.missing(2 * count), ledger.gaps.len()), (count, MAX_GAPS));
    }
}
