//! After which delays a client dials again (BACKOFF-1, BACKOFF-3, BACKOFF-6), by the law that it declares.

use std::ops::Range;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::counts::matches;
use super::intervals::{milliseconds, narrower, outside, worse};
use super::{Finding, Margin};
use crate::design::{Law, Reset};
use crate::pattern::Pattern;
use crate::times::{Expr, Times};
use crate::trace::{Event, Trace};

/// `redial`: the dial that follows the end of a connection counts as this redial, and not as the other one. A later redial comes no
/// sooner than the law says, an earlier one no later than twice its delay.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Redial {
    /// The end of the connection.
    pub(super) from: Pattern,
    /// Which redial it is, counted from 0.
    attempt: u32,
    /// Which one it would be if the count were wrong.
    unlike: u32,
    /// What the case configures as `reconnect_delay`, where it does.
    delay: Option<Expr>,
    /// What it configures as `max_reconnect_delay`.
    cap: Option<Expr>,
    /// What it configures as `jitter`.
    jitter: Option<f64>,
}

impl Redial {
    pub(super) fn check(
        &self,
        trace: &Trace,
        range: Range<usize>,
        times: &Times,
    ) -> Result<Option<Margin>, Finding> {
        let (shortest, longest) = self.bounds(times);
        let bound = match self.is_later() {
            true => format!("{} at least", milliseconds(shortest)),
            false => format!("{} at most", milliseconds(longest)),
        };
        let declared = self.law(times).describe(self.attempt);
        let expected = format!("redial {} after {bound}: declared are {declared}", self.attempt);
        let Some(end) = matches(trace, range.clone(), &self.from).next() else {
            return Err(Finding::owed(expected, format!("no sign that {}", self.from), []));
        };
        let is_dial = |index: &usize| matches!(trace.observations[*index].event, Event::Dialled { .. });
        let Some(dial) = (end + 1..range.end).find(is_dial) else {
            return Err(Finding::owed(expected, "no redial", [end]));
        };
        let pause = trace.observations[dial].at().saturating_sub(trace.observations[end].at());
        let shortest = shortest.saturating_sub(times.slack);
        if let Some(missed) = outside(pause, shortest, longest.saturating_add(times.slack)) {
            let seen = format!("it came after {}", milliseconds(pause));
            return Err(Finding::forbidden(expected, seen, [end, dial]).missed_by(missed));
        }
        let beyond = pause.saturating_sub(shortest);
        Ok((!shortest.is_zero()).then(|| narrower(None, &expected, beyond, dial)))
    }

    /// Why a trace cannot show it under the declared law, where it cannot: the two redials come equally soon.
    pub(super) fn cannot_tell(&self, times: &Times) -> Option<String> {
        let (early, late) = (self.attempt.min(self.unlike), self.attempt.max(self.unlike));
        let floor = self.floor(times);
        let (earliest, latest) = match (floor, self.is_later()) {
            (Some(floor), true) => (floor, Duration::ZERO),
            (Some(floor), false) => (self.law(times).window(late).0, self.bounds(times).1.max(floor)),
            (None, true) => (self.law(times).window(late).0, self.law(times).window(early).1),
            (None, false) => (self.law(times).window(late).0, self.bounds(times).1),
        };
        (earliest <= latest.saturating_add(2 * times.slack)).then(|| {
            let (early_delay, late_delay) = (self.law(times).describe(early), self.law(times).describe(late));
            format!(
                "the declared delays do not show the count: {early_delay} before redial {early}, {late_delay} before redial {late}, \
                 which must be {} apart",
                milliseconds(2 * times.slack)
            )
        })
    }

    fn is_later(&self) -> bool {
        self.attempt > self.unlike
    }

    fn bounds(&self, times: &Times) -> (Duration, Duration) {
        let law = self.law(times);
        let (shortest, longest) = law.window(self.attempt);
        let floor = self.floor(times);
        if self.is_later() {
            // Where opening begins the count again, only the floor is left.
            (floor.unwrap_or(shortest), Duration::MAX)
        } else {
            let twice = law.nominal(self.attempt).0 * 2;
            (Duration::ZERO, longest.max(twice).max(floor.unwrap_or_default()))
        }
    }

    /// The shortest delay after a connection that opened, where opening begins the count again.
    fn floor(&self, times: &Times) -> Option<Duration> {
        self.law(times).floor()
    }

    fn law<'a>(&self, times: &'a Times) -> Law<'a> {
        let time = |expr: &Option<Expr>, usual| expr.as_ref().map_or(usual, |expr| expr.duration(times));
        let base = time(&self.delay, times.timing.reconnect_delay);
        let cap = time(&self.cap, times.timing.max_reconnect_delay);
        Law::new(&times.design.backoff, base, cap, self.jitter.unwrap_or(times.timing.jitter))
    }
}

/// The pause before a redial runs from the end of the connection, or of the attempt, to the next dial.
pub(super) fn backoff(trace: &Trace, times: &Times) -> Result<Option<Margin>, Finding> {
    let mut law = times.law();
    let mut attempt = 0;
    let mut ended: Option<usize> = None;
    let mut opened: Option<Duration> = None;
    let mut floor = None;
    let mut redials = 0;
    let mut worst = None;
    let mut narrowest = None;
    for (index, observation) in trace.iter() {
        match observation.event {
            Event::Opened => opened = Some(observation.at()),
            Event::Refused { .. } => ended = Some(index),
            Event::Closed { .. } => {
                let lived = opened.take().map(|since| observation.at().saturating_sub(since));
                let resets = |lived| match times.design.backoff.reset {
                    Reset::Stable => lived >= times.timing.stable_after,
                    Reset::Open => true,
                };
                if lived.is_some_and(resets) {
                    (attempt, law) = (0, times.law());
                }
                floor = lived.and_then(|_| law.floor());
                ended = Some(index);
            }
            Event::Dialled { .. } => {
                let Some(before) = ended.take() else { continue };
                let pause = observation.at().saturating_sub(trace.observations[before].at());
                let (shortest, longest) = law.window(attempt);
                let floor = floor.take().unwrap_or_default();
                let (shortest, longest) = (shortest.max(floor), longest.max(floor));
                let window = (shortest.saturating_sub(times.slack), longest + times.slack);
                let (shortest, longest) = (milliseconds(shortest), milliseconds(longest));
                let declared = law.describe(attempt);
                let expected =
                    format!("redial {attempt} after {shortest} to {longest}: declared are {declared}");
                if let Some(missed) = outside(pause, window.0, window.1) {
                    let seen = format!("it came after {}", milliseconds(pause));
                    let found = Finding::forbidden(expected.clone(), seen, [before, index]).missed_by(missed);
                    worst = Some(worse(worst, found));
                }
                if !window.0.is_zero() {
                    narrowest = Some(narrower(narrowest, &expected, pause.saturating_sub(window.0), index));
                }
                law = law.after(attempt, pause, times.slack);
                attempt += 1;
                redials += 1;
            }
            _ => {}
        }
    }
    match redials {
        0 => Err(Finding::owed("redials after the declared delays", "no redial", ended)),
        _ => worst.map_or(Ok(narrowest), Err),
    }
}
