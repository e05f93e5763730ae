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
/// sooner than the law says, an earlier one no later than twice its delay, or than half way to the other.
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
            (Some(floor), false) => {
                (self.law(times).window(late).0, self.law(times).window(early).1.max(floor))
            }
            (None, _) => (self.law(times).window(late).0, self.law(times).window(early).1),
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
            // Half way to the other redial, where twice the delay is as long as that one.
            let other = law.window(self.unlike).0;
            let half_way = longest + other.saturating_sub(longest) / 2;
            let told = twice.saturating_add(2 * times.slack) < other;
            let most = if told { twice } else { twice.min(half_way) };
            (Duration::ZERO, longest.max(most).max(floor.unwrap_or_default()))
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
    let (pauses, _) = pauses(trace, times);
    let mut worst = None;
    let mut narrowest = None;
    for pause in &pauses {
        let earliest = pause.shortest.saturating_sub(times.slack);
        let expected = pause.expected();
        if let Some(missed) = outside(pause.took, earliest, pause.longest + times.slack) {
            let found = Finding::forbidden(expected.clone(), pause.seen(), [pause.end, pause.dial]);
            worst = Some(worse(worst, found.missed_by(missed)));
        }
        if !earliest.is_zero() {
            let beyond = pause.took.saturating_sub(earliest);
            narrowest = Some(narrower(narrowest, &expected, beyond, pause.dial));
        }
    }
    match pauses.is_empty() {
        true => {
            let ended = trace.iter().rev().find(|(_, seen)| ends(&seen.event)).map(|(at, _)| at);
            Err(Finding::owed("redials after the declared delays", "no redial", ended))
        }
        false => worst.map_or(Ok(narrowest), Err),
    }
}

/// What says that redials came so much later than declared that a wait of this time, which reckons with the declared delays, ran
/// out. One that has not come counts for a client that has always been late.
pub(crate) fn too_late(trace: &Trace, waited: Range<Duration>, times: &Times) -> Option<String> {
    let (pauses, pending) = pauses(trace, times);
    let late = |pause: &Pause| pause.took.saturating_sub(pause.longest + times.slack);
    let is_late = |pause: &Pause| !late(pause).is_zero();
    let within = pauses.iter().filter(|pause| trace.observations[pause.dial].at() >= waited.start);
    let came: Duration = within.map(late).sum();
    let is_always_late = pauses.len() > 1 && pauses.iter().all(is_late);
    let pending = pending.filter(|_| is_always_late).map_or(Duration::ZERO, |pending| {
        let took = waited.end.saturating_sub(trace.observations[pending.end].at());
        late(&Pause { took, ..pending })
    });
    let worst = pauses.iter().max_by_key(|pause| late(pause)).filter(|pause| is_late(pause))?;
    (came + pending >= times.patience).then(|| format!("{}; {}", worst.expected(), worst.seen()))
}

/// The pause before a redial.
struct Pause {
    /// Which redial it is, counted from 0.
    attempt: u32,
    /// Where the connection or attempt ended.
    end: usize,
    /// Where the client dialled.
    dial: usize,
    took: Duration,
    shortest: Duration,
    longest: Duration,
    /// What is declared, in words.
    declared: String,
}

impl Pause {
    fn expected(&self) -> String {
        let (shortest, longest) = (milliseconds(self.shortest), milliseconds(self.longest));
        format!("redial {} after {shortest} to {longest}: declared are {}", self.attempt, self.declared)
    }

    fn seen(&self) -> String {
        format!("it came after {}", milliseconds(self.took))
    }
}

fn ends(event: &Event) -> bool {
    matches!(event, Event::Refused { .. } | Event::Closed { .. })
}

/// The pauses that a dial has ended, and the one that none has: `dial` and `took` of that are not known.
fn pauses(trace: &Trace, times: &Times) -> (Vec<Pause>, Option<Pause>) {
    let mut law = times.law();
    let mut attempt = 0;
    let mut opened: Option<Duration> = None;
    let mut pending: Option<Pause> = None;
    let mut pauses = Vec::new();
    for (index, observation) in trace.iter() {
        match observation.event {
            Event::Opened => opened = Some(observation.at()),
            Event::Refused { .. } | Event::Closed { .. } => {
                let is_closed = matches!(observation.event, Event::Closed { .. });
                let lived =
                    opened.take().filter(|_| is_closed).map(|since| observation.at().saturating_sub(since));
                let resets = |lived| match times.design.backoff.reset {
                    Reset::Stable => lived >= times.timing.stable_after,
                    Reset::Open => true,
                };
                if lived.is_some_and(resets) {
                    (attempt, law) = (0, times.law());
                }
                let (shortest, longest) = law.window(attempt);
                let floor = lived.and_then(|_| law.floor()).unwrap_or_default();
                let (shortest, longest) = (shortest.max(floor), longest.max(floor));
                let (dial, took) = (index, Duration::ZERO);
                let declared = law.describe(attempt);
                pending = Some(Pause { attempt, end: index, dial, took, shortest, longest, declared });
            }
            Event::Dialled { .. } => {
                let Some(pause) = pending.take() else { continue };
                let took = observation.at().saturating_sub(trace.observations[pause.end].at());
                pauses.push(Pause { dial: index, took, ..pause });
                law = law.after(attempt, took, times.slack);
                attempt += 1;
            }
            _ => {}
        }
    }
    (pauses, pending)
}
