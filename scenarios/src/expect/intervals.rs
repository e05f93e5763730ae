//! When things happened. Every bound is widened by the executor's slack, so that a busy host is not a finding. Of several misses the
//! one by most counts: noise that explains it explains the others, and not the other way round. What came late enough says by how
//! much, since noise can hold back what was too early.

use std::ops::Range;
use std::time::Duration;

use super::counts::matches;
use super::{Finding, Margin};
use crate::pattern::Pattern;
use crate::times::{Expr, Times};
use crate::trace::{Event, Observation, Trace};

pub(super) fn interval(
    trace: &Trace,
    range: Range<usize>,
    [from, to]: [&Pattern; 2],
    [min, max]: [Option<&Expr>; 2],
    oldest: bool,
    times: &Times,
) -> Result<Option<Margin>, Finding> {
    let shortest = min.map(|expr| expr.duration(times).saturating_sub(times.slack));
    let longest = max.map(|expr| expr.duration(times) + times.slack);
    let window = match (min, max) {
        (Some(min), Some(max)) => format!("between {} and {}", describe(min, times), describe(max, times)),
        (Some(min), None) => format!("not before {}", describe(min, times)),
        (None, Some(max)) => format!("within {}", describe(max, times)),
        (None, None) => "at any time".to_owned(),
    };
    let expected = format!("after {from}: {to}, {window}");
    let starts: Vec<_> = matches(trace, range.clone(), from).collect();
    if starts.is_empty() {
        return Err(Finding::owed(expected, format!("no sign that {from}"), []));
    }
    let mut answered = range.start;
    let mut worst = None;
    let mut narrowest = None;
    for start in starts {
        // One that is older is still waiting: this one waits with it.
        if oldest && start < answered {
            continue;
        }
        let Some(end) = matches(trace, start + 1..range.end, to).next() else {
            // A connection ends once: another code is no matter of time.
            if let Some((end, seen)) = to.other_close(trace, start + 1..range.end) {
                let took = trace.observations[end].at().saturating_sub(trace.observations[start].at());
                let seen = format!("after {}: {seen}", milliseconds(took));
                return Err(Finding::forbidden(expected, seen, [start, end]));
            }
            let seen = "that did not happen";
            // What has a deadline is proved to be late by a trace that goes on beyond it.
            let awaited = last(trace).saturating_sub(trace.observations[start].at());
            return Err(match longest {
                Some(longest) if awaited > longest => {
                    Finding::forbidden(expected, seen, [start]).missed_by(awaited - longest)
                }
                _ => Finding::owed(expected, seen, [start]),
            });
        };
        answered = end;
        let took = trace.observations[end].at().saturating_sub(trace.observations[start].at());
        let missed = outside(took, shortest.unwrap_or_default(), longest.unwrap_or(Duration::MAX));
        if let Some(missed) = missed {
            // Without an answer the harness gave up; the reason is its own.
            let reason = match &trace.observations[end].event {
                Event::Refused { status: None, code: None, by: _, reason } if !reason.is_empty() => {
                    format!(": {reason}")
                }
                _ => String::new(),
            };
            let seen = format!("after {}{reason}", milliseconds(took));
            let found = Finding::forbidden(expected.clone(), seen, [start, end]).missed_by(missed);
            worst = Some(worse(worst, found));
        }
        if let Some(shortest) = shortest.filter(|shortest| !shortest.is_zero()) {
            narrowest = Some(narrower(narrowest, &expected, took.saturating_sub(shortest), end));
        }
    }
    worst.map_or(Ok(narrowest), Err)
}

pub(super) fn every(
    trace: &Trace,
    range: Range<usize>,
    pattern: &Pattern,
    period: &Expr,
    times: &Times,
) -> Result<(), Finding> {
    let expected = format!("{pattern}, every {period} ({})", milliseconds(period.duration(times)));
    let at: Vec<_> = matches(trace, range, pattern).collect();
    if at.len() < 2 {
        return Err(Finding::owed(expected, format!("{} of them", at.len()), at));
    }
    let period = period.duration(times);
    let mut worst = None;
    for pair in at.windows(2) {
        let gap = trace.observations[pair[1]].at().saturating_sub(trace.observations[pair[0]].at());
        if let Some(missed) = outside(gap, period.saturating_sub(times.slack), period + times.slack) {
            let seen = format!("{} apart", milliseconds(gap));
            let found = Finding::forbidden(expected.clone(), seen, pair.iter().copied()).missed_by(missed);
            worst = Some(worse(worst, found));
        }
    }
    worst.map_or(Ok(()), Err)
}

/// The smaller one of two margins: of what was seen before, and of what is seen here. What holds something back, does so just
/// before it is seen.
pub(super) fn narrower(one: Option<Margin>, expected: &str, beyond: Duration, at: usize) -> Margin {
    let beyond_us = u64::try_from(beyond.as_micros()).unwrap_or(u64::MAX);
    match one {
        Some(one) if one.beyond_us <= beyond_us => one,
        _ => Margin { expected: expected.to_owned(), beyond_us, at: vec![at] },
    }
}

/// The one that missed by more; the earlier one where there is no difference.
pub(super) fn worse(one: Option<Finding>, other: Finding) -> Finding {
    match one {
        Some(one) if one.missed_by_us >= other.missed_by_us => one,
        _ => other,
    }
}

/// When the steps ended.
fn last(trace: &Trace) -> Duration {
    trace.observations.last().map(Observation::at).unwrap_or_default()
}

/// A time as the scenario says it, and what that is in this run.
fn describe(expr: &Expr, times: &Times) -> String {
    format!("{expr} ({})", milliseconds(expr.duration(times)))
}

/// By how much a time lies outside its window, if it does.
pub(super) fn outside(time: Duration, shortest: Duration, longest: Duration) -> Option<Duration> {
    if time < shortest {
        Some(shortest - time)
    } else {
        time.checked_sub(longest).filter(|missed| !missed.is_zero())
    }
}

pub(super) fn milliseconds(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1000.0)
}
