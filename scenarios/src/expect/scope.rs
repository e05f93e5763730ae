//! The part of a trace that an expectation looks at.

use std::ops::Range;

use super::Finding;
use crate::pattern::Pattern;
use crate::trace::{Observation, Trace};

/// The part of the trace that is looked at.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Scope {
    /// Only what follows the first match.
    pub(super) after: Option<Pattern>,
    /// Only what precedes the first match.
    pub(super) before: Option<Pattern>,
}

impl Scope {
    /// The indices that are looked at, of those from this one on.
    pub(super) fn range(&self, trace: &Trace, begins: usize) -> Result<Range<usize>, Finding> {
        let find = |pattern: &Pattern| {
            trace.iter().skip(begins).find(|(_, seen)| pattern.matches(seen)).map(|(index, _)| index)
        };
        let start = match &self.after {
            None => begins,
            Some(pattern) => {
                1 + find(pattern).ok_or_else(|| Finding::owed(pattern, "that did not happen", []))?
            }
        };
        let end = self.before.as_ref().and_then(find).unwrap_or(trace.observations.len());
        Ok(start..end.max(start))
    }

    /// What is forbidden in this scope, `surplus` of its matches being too many: by how much it stands inside, beside what says
    /// where the scope begins or ends. Nothing is said where that is certain: things on one connection, or on one adapter's pipe,
    /// stand in the order in which they happened, but which of two channels a stalled host reads first is chance (SPEC, "What a
    /// verdict means", rule 7).
    pub(super) fn judge(
        &self,
        trace: &Trace,
        range: &Range<usize>,
        finding: Finding,
        surplus: usize,
    ) -> Finding {
        let begins = self.after.as_ref().and_then(|_| range.start.checked_sub(1));
        let ends = self.before.as_ref().map(|_| range.end);
        let marks: Vec<_> = [begins, ends].into_iter().flatten().collect();
        let inside = |at: &usize| {
            let found = trace.observations.get(*at)?;
            let of = |mark: &usize| {
                let seen = trace.observations.get(*mark)?;
                (channel(seen) != channel(found)).then(|| (seen.at().abs_diff(found.at()), *mark))
            };
            marks.iter().filter_map(of).min()
        };
        let mut uncertain: Vec<_> = finding.at.iter().filter_map(inside).collect();
        uncertain.sort_unstable();
        // The nearest ones are the first that may belong outside.
        match surplus.checked_sub(1).and_then(|last| uncertain.get(last)) {
            Some((time, mark)) => {
                let mut at = finding.at.clone();
                at.push(*mark);
                at.sort_unstable();
                Finding { at, ..finding }.missed_by(*time)
            }
            None => finding,
        }
    }
}

/// What an observation came through.
fn channel(seen: &Observation) -> (&str, Option<u32>) {
    (&seen.actor.0, seen.connection)
}
