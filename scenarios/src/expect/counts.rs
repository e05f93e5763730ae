//! How often something happened, and in which order.

use std::ops::Range;

use super::{Bounds, Finding};
use crate::pattern::Pattern;
use crate::times::Times;
use crate::trace::Trace;

pub(super) fn some(trace: &Trace, range: Range<usize>, pattern: &Pattern) -> Result<(), Finding> {
    match matches(trace, range, pattern).next() {
        Some(_) => Ok(()),
        None => Err(missing(trace, pattern, Finding::owed(pattern, "that did not happen", []))),
    }
}

pub(super) fn never(trace: &Trace, range: Range<usize>, pattern: &Pattern) -> Result<(), Finding> {
    let at: Vec<_> = matches(trace, range, pattern).collect();
    match at.len() {
        0 => Ok(()),
        found => Err(Finding::forbidden(
            format!("never: {pattern}"),
            format!("it happened, {}", times_of(found)),
            at,
        )),
    }
}

pub(super) fn count(
    trace: &Trace,
    range: Range<usize>,
    pattern: &Pattern,
    bounds: &Bounds,
    times: &Times,
) -> Result<(), Finding> {
    let at: Vec<_> = matches(trace, range, pattern).collect();
    let found = at.len();
    let (good, expected) = match bounds {
        Bounds::Exactly(wanted) => (found == wanted.count(times), times_of(wanted.count(times))),
        Bounds::AtLeast(wanted) => {
            (found >= wanted.count(times), format!("at least {}", times_of(wanted.count(times))))
        }
        Bounds::AtMost(wanted) => {
            (found <= wanted.count(times), format!("at most {}", times_of(wanted.count(times))))
        }
    };
    if good {
        return Ok(());
    }
    let expected = format!("{pattern}, {expected}");
    let is_too_often = match bounds {
        Bounds::Exactly(wanted) | Bounds::AtMost(wanted) => found > wanted.count(times),
        Bounds::AtLeast(_) => false,
    };
    if is_too_often {
        return Err(Finding::forbidden(expected, times_of(found), at));
    }
    let finding = Finding::owed(expected, times_of(found), at);
    Err(if found == 0 { missing(trace, pattern, finding) } else { finding })
}

/// An expected message may have come in an unreadable form, or with another answer than expected: the finding then says so
/// and points at it.
fn missing(trace: &Trace, pattern: &Pattern, finding: Finding) -> Finding {
    let Some((at, why)) = pattern.nearly_in(trace) else {
        return finding;
    };
    Finding { seen: format!("{}; {why}", finding.seen.raw()).into(), at: vec![at], ..finding }
}

pub(super) fn order(trace: &Trace, range: Range<usize>, patterns: &[Pattern]) -> Result<(), Finding> {
    let mut from = range.start;
    let mut at = Vec::new();
    for pattern in patterns {
        let Some(index) = matches(trace, from..range.end, pattern).next() else {
            let sentence: Vec<_> = patterns.iter().map(ToString::to_string).collect();
            let seen = match at.last() {
                Some(_) => format!("not all of it: no sign that {pattern}, after what came before"),
                None => format!("no sign that {pattern}"),
            };
            return Err(Finding::owed(sentence.join(", then "), seen, at));
        };
        at.push(index);
        from = index + 1;
    }
    Ok(())
}

/// The indices in `range` at which the pattern matches.
pub(super) fn matches<'a>(
    trace: &'a Trace,
    range: Range<usize>,
    pattern: &'a Pattern,
) -> impl Iterator<Item = usize> + 'a {
    range.filter(|&index| pattern.matches(&trace.observations[index]))
}

fn times_of(count: usize) -> String {
    match count {
        0 => "not at all".to_owned(),
        1 => "once".to_owned(),
        count => format!("{count} times"),
    }
}
