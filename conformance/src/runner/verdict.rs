//! What one run of a case says, and whether it counts (SPEC, "What a verdict means", rule 7).
//!
//! ```text
//!                                               beside other cases             alone
//!  something forbidden occurred                 counts                         counts
//!  anything, once a stall has cut a connection  is run again                   is run again
//!  late, or away for all of its window          is run again                   counts, unless noise explains it
//!  blocked by what is claimed                   counts, unless there is noise  counts, unless noise explains it
//!  a pass, wide enough by no more than noise    is run again                   is run again
//!  without room beside other cases              is run again                   is run again
//!  any other pass, not run, died                counts                         counts
//! ```

use std::collections::BTreeSet;
use std::time::Duration;

use player::{Play, PlayError};
use scenarios::trace::{Event, Observation, Side, Trace};
use scenarios::{
    Ending, Finding, Foreign, Judged, Judgement, Margin, NotPlayed, Property, RequirementId, Scenario,
    SubjectKind, Times, Verdicts, Violation, judge,
};

use crate::noise::{CaseNoise, Noise, Span};
use crate::result::{CaseReport, Check, UniversalFinding, Verdict};

/// Who else was on this host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Concurrency {
    /// Other cases of this run.
    Others,
    /// No other case of this run.
    Alone,
}

/// What a finding, or a pass, may be due to beside the subject.
#[derive(Clone, Copy)]
pub struct HostNoise<'a> {
    /// What was measured; nothing where time is virtual.
    pub noise: Option<&'a CaseNoise<'a>>,
    /// Who else was there.
    pub company: Concurrency,
}

/// One run of a case.
pub(super) struct Run {
    /// What it says. Where it does not count, its verdict is [`Verdict::Inconclusive`].
    pub(super) report: CaseReport,
    /// Whether it counts.
    pub(super) weight: Weight,
}

/// Whether a run counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    /// It does.
    Certain,
    /// Noise that was measured can have made it what it is, be that a failure or a pass; or there was no room for it beside others.
    Explained,
    /// It missed by time alone, and no noise that was measured explains that; but other cases were beside it.
    Unexplained,
}

/// How much later than it happened something may stand in the trace, in stalls of this host, or how much further apart two things
/// may: each of the two passes a thread and a task of the harness.
const HOPS: u32 = 4;
/// The same, where what the subject waits is not measured: its threads are not the probe's, and stalls add up.
const UNMEASURED: u32 = 10;
/// How much longer than the worst stall what was in vain may have been awaited: stalls add up.
const ADDED_UP: u32 = 10;
/// The part of a window that a subject must have been kept waiting for to have had too little of it: windows are at least twice as
/// long as what they are for.
const STARVED: u32 = 2;
/// How long before something happened what delayed it may have begun: what a subject owes in answer to a timer or a message begins
/// with that, and takes a few turns of its threads.
const LOOKBACK: Duration = Duration::from_millis(250);
/// The same, where something may have been held back until it was late enough: in margins, since what held it back for a margin
/// did so just before it was seen.
const HELD_BACK: u32 = 2;
/// The least of that: noise is not measured more finely.
const LEAST_LOOKBACK: Duration = Duration::from_millis(50);
/// How much longer than a stall the subject may have heard nothing: what it asks is read late, and what it is answered is sent late.
const ENDS: u32 = 2;
/// How long something was waited for where no step says so: what a scripted client does settles for so long.
const WINDOW: Duration = Duration::from_secs(1);

impl HostNoise<'_> {
    /// No doubt.
    pub const NONE: Self = Self { noise: None, company: Concurrency::Alone };
}

impl Run {
    /// A run that counts.
    pub(super) fn certain(report: CaseReport) -> Self {
        Self { report, weight: Weight::Certain }
    }
}

/// What a play says of the requirements that it is judged by, where it is not run again.
pub fn judged(
    scenario: &Scenario,
    requirements: &BTreeSet<RequirementId>,
    play: Play,
    times: &Times,
    doubt: HostNoise<'_>,
) -> CaseReport {
    weighed(scenario, requirements, None, play, times, doubt).report
}

/// The same, with its weight. What blocks must be `claimed`, where that is said: a subject is not held up by what it
/// does not claim.
pub(super) fn weighed(
    scenario: &Scenario,
    requirements: &BTreeSet<RequirementId>,
    claimed: Option<&BTreeSet<RequirementId>>,
    play: Play,
    times: &Times,
    doubt: HostNoise<'_>,
) -> Run {
    let Play { trace, outcome } = play;
    let ending = match &outcome {
        Ok(()) => Ending::Complete,
        Err(PlayError::SubjectDied(status)) => Ending::Died {
            why: format!("the {} ended during the case: {status}", who_died(scenario, &trace)),
        },
        Err(error @ (PlayError::DidNotStart(_) | PlayError::Adapter(_) | PlayError::Flooded(_))) => {
            Ending::Died { why: error.to_string() }
        }
        Err(error @ (PlayError::NotRun(_) | PlayError::Crowded(_) | PlayError::Harness(_))) => {
            Ending::Cut { why: error.to_string() }
        }
    };
    let cut = doubt.noise.and_then(|noise| {
        let shortest = times.timing.pong_timeout.min(times.timing.connect_timeout);
        cut(&trace, scenario.subject(), shortest, |span| noise.during(&span))
    });
    let Verdicts { judged, violations } = judge(scenario, &trace, &ending, times);
    let is_noise = |finding: &Finding| {
        let missed = finding.missed_by_us.map(Duration::from_micros);
        let longest = doubt.noise.map(|noise| noise.during(&Span::Whole).longest_ms());
        missed.zip(longest).is_some_and(|(missed, ms)| missed <= HOPS * Duration::from_millis(ms))
    };
    // What follows from the end of a connection that a stall has cut is run again, as everything else that does.
    let follows = |finding: &Finding| cut.is_some_and(|cut| cut.at <= last(finding));
    let (cut_violations, violations): (Vec<_>, Vec<_>) = violations
        .into_iter()
        .filter(|violation| !is_noise(&violation.finding))
        .partition(|violation| follows(&violation.finding));
    let universal: Vec<_> = violations
        .into_iter()
        .map(|Violation { requirement, finding }| UniversalFinding { requirement, finding })
        .collect();
    let seen: Vec<_> = judged
        .into_iter()
        .filter(|judged| requirements.contains(&judged.requirement))
        .map(|judged| {
            let noise = doubt.noise.map(|noise| noise.during(&span(&judged, &trace))).unwrap_or_default();
            let cut = cut.filter(|cut| cut.at <= end(&judged)).map(|cut| cut.noise);
            Seen { judged, noise, cut }
        })
        .collect();
    let window = in_vain(&trace).map_or(WINDOW, |(from, to)| to - from);
    let (verdict, weight) = match (outcome, ending) {
        (Ok(()), _) => {
            let given = scenario.where_claimed();
            let conditions = Conditions { claimed, given, company: doubt.company, slack: times.slack };
            conditions.verdict(&seen, window)
        }
        // What ends for reasons of the profile or the harness says nothing of the subject.
        (Err(PlayError::NotRun(why)), _) => {
            let verdict = Verdict::not_run(why);
            return Run::certain(of_play(scenario, verdict, Vec::new(), universal, trace));
        }
        // Alone there are no others in this run: then what holds so much is no case of it.
        (Err(PlayError::Crowded(_)), _) if doubt.company == Concurrency::Others => {
            let verdict = Verdict::Inconclusive { stall_ms: 0 };
            let report = of_play(scenario, verdict, Vec::new(), universal, trace);
            return Run { report, weight: Weight::Explained };
        }
        (Err(PlayError::Crowded(detail) | PlayError::Harness(detail)), _) => {
            let verdict = Verdict::HarnessError { detail: detail.into() };
            return Run::certain(of_play(scenario, verdict, Vec::new(), universal, trace));
        }
        (Err(_), Ending::Died { why }) => (Verdict::SubjectError { detail: why.into() }, Weight::Certain),
        (Err(error), _) => (Verdict::HarnessError { detail: error.to_string().into() }, Weight::Certain),
    };
    let (verdict, weight) = match (verdict, cut) {
        (Verdict::Pass, Some(cut)) if !cut_violations.is_empty() => {
            (Verdict::Inconclusive { stall_ms: cut.noise.longest_ms() }, Weight::Explained)
        }
        (verdict, _) => (verdict, weight),
    };
    // A case that fails for another reason is not run again: what noise may have caused beside that is blamed on no one.
    let is_over = verdict == Verdict::Fail;
    let checks = seen.into_iter().map(|seen| seen.into_check(is_over, window)).collect();
    Run { report: of_play(scenario, verdict, checks, universal, trace), weight }
}

/// What ended: of a pair, the half that the trace names.
fn who_died(scenario: &Scenario, trace: &Trace) -> String {
    let death = trace.observations.iter().find(|seen| matches!(seen.event, Event::SubjectDied { .. }));
    match (scenario.subject(), death) {
        (SubjectKind::Pair, Some(death)) => death.actor.to_string(),
        (subject, _) => subject.to_string(),
    }
}

fn of_play(
    scenario: &Scenario,
    verdict: Verdict,
    checks: Vec<Check>,
    universal: Vec<UniversalFinding>,
    trace: Trace,
) -> CaseReport {
    CaseReport { checks, universal, trace, ..CaseReport::without_play(scenario, verdict) }
}

/// What a trace says of one requirement, and the noise where it says that.
struct Seen {
    judged: Judged,
    noise: Noise,
    /// The stall that had cut a connection by then, where one had.
    cut: Option<Noise>,
}

/// What a verdict depends on beside what was seen.
#[derive(Clone, Copy)]
struct Conditions<'a> {
    claimed: Option<&'a BTreeSet<RequirementId>>,
    /// What the subject claims, and the case takes for granted only where it holds.
    given: Option<&'a RequirementId>,
    company: Concurrency,
    slack: Duration,
}

impl Conditions<'_> {
    /// The verdict, and whether it counts. What is in vain was awaited for `window`.
    fn verdict(self, seen: &[Seen], window: Duration) -> (Verdict, Weight) {
        let failures: Vec<_> = seen.iter().filter_map(|seen| Some((seen, seen.failure()?))).collect();
        if failures.iter().any(|(seen, finding)| seen.cut.is_none() && !is_by_time(finding)) {
            return (Verdict::Fail, Weight::Certain);
        }
        if !failures.is_empty() {
            // One that nothing explains is enough.
            let is_explained = |(seen, finding): &(&Seen, &Finding)| seen.is_explained(finding, window);
            let weight = match (failures.iter().all(is_explained), self.company) {
                (true, _) => Weight::Explained,
                (false, Concurrency::Others) => Weight::Unexplained,
                (false, Concurrency::Alone) => return (Verdict::Fail, Weight::Certain),
            };
            return (inconclusive(failures.iter().map(|(seen, _)| *seen)), weight);
        }
        if let Some((seen, by, detail)) = seen.iter().find_map(Seen::block) {
            let explained = match self.company {
                _ if seen.cut.is_some() => true,
                Concurrency::Others => longest(seen.noise) >= self.slack,
                Concurrency::Alone => could_withhold(seen.noise, window),
            };
            if self.claimed.is_some_and(|claimed| !claimed.contains(&by)) {
                let is_given = self.given == Some(&by);
                let lack = if is_given { "did not hold in it" } else { "is not claimed" };
                let why =
                    format!("takes {by} for granted, which {lack}; without it, this case shows nothing");
                return (Verdict::not_run(NotPlayed::by_design(why)), Weight::Certain);
            }
            if explained {
                return (inconclusive([seen]), Weight::Explained);
            }
            return (Verdict::Blocked { by, detail }, Weight::Certain);
        }
        let doubted: Vec<_> = seen.iter().filter(|seen| seen.is_doubtful_pass()).collect();
        match doubted.is_empty() {
            true => (Verdict::Pass, Weight::Certain),
            false => (inconclusive(doubted), Weight::Explained),
        }
    }
}

impl Seen {
    fn failure(&self) -> Option<&Finding> {
        match &self.judged.judgement {
            Judgement::Failed(finding) => Some(finding),
            Judgement::Passed | Judgement::Blocked { .. } | Judgement::Undecided { .. } => None,
        }
    }

    fn block(&self) -> Option<(&Self, RequirementId, Foreign)> {
        match &self.judged.judgement {
            Judgement::Blocked { by, detail } => Some((self, by.clone(), detail.clone())),
            Judgement::Passed | Judgement::Failed(_) | Judgement::Undecided { .. } => None,
        }
    }

    /// By how much what passed is wide enough, where noise can have made it so.
    fn doubted(&self) -> Option<&Margin> {
        let margin = self.judged.margin.as_ref().filter(|_| self.judged.judgement == Judgement::Passed);
        margin.filter(|margin| could_delay(self.noise, Duration::from_micros(margin.beyond_us)))
    }

    fn is_doubtful_pass(&self) -> bool {
        self.doubted().is_some()
    }

    /// Whether noise can have caused a failure.
    fn is_explained(&self, finding: &Finding, window: Duration) -> bool {
        self.cut.is_some() || is_by_time(finding) && explains(self.noise, finding, window)
    }

    /// For the report: a pass that is doubted shows nothing; nor, where its case is over, does a failure that noise can have caused.
    fn into_check(self, is_over: bool, window: Duration) -> Check {
        let explained = || self.failure().filter(|finding| is_over && self.is_explained(finding, window));
        let expected = match self.doubted() {
            Some(margin) => Some(margin.expected.as_str()),
            None => explained().map(|finding| finding.expected.raw()),
        };
        let doubt = expected.map(|expected| {
            let ms = self.cut.unwrap_or(self.noise).longest_ms();
            format!("{expected}: noise of {ms} ms may have made it so")
        });
        let judgement = match doubt {
            Some(why) => Judgement::Undecided { why: why.into() },
            None => self.judged.judgement,
        };
        Check { requirement: self.judged.requirement, judgement, known: false }
    }
}

/// Whether a finding is about time alone: something was early or late, did not come within its window, or stands on the wrong
/// side of something that was read elsewhere. Whatever else was forbidden and occurred, no stall makes occur that has not cut a
/// connection before.
fn is_by_time(finding: &Finding) -> bool {
    finding.property == Property::Liveness || finding.missed_by_us.is_some()
}

fn explains(noise: Noise, finding: &Finding, window: Duration) -> bool {
    match finding.missed_by_us.map(Duration::from_micros) {
        Some(missed) => could_delay(noise, missed),
        None => could_withhold(noise, window),
    }
}

/// Whether noise can have moved something by so much.
fn could_delay(noise: Noise, by: Duration) -> bool {
    let most = match noise.subject {
        Some(waited) => waited.max(noise.host * HOPS),
        None => noise.host * UNMEASURED,
    };
    !most.is_zero() && most >= by
}

/// Whether noise can have kept something away for so long.
fn could_withhold(noise: Noise, window: Duration) -> bool {
    let most = (noise.subject.unwrap_or_default() * STARVED).max(noise.host * ADDED_UP);
    !most.is_zero() && most >= window
}

fn longest(noise: Noise) -> Duration {
    noise.host.max(noise.subject.unwrap_or_default())
}

fn inconclusive<'a>(seen: impl IntoIterator<Item = &'a Seen>) -> Verdict {
    let noise = seen.into_iter().map(|seen| seen.cut.unwrap_or(seen.noise));
    Verdict::Inconclusive {
        stall_ms: noise.into_iter().map(|noise| noise.longest_ms()).max().unwrap_or_default(),
    }
}

/// The part of a case in which noise matters to what was judged.
fn span(judged: &Judged, trace: &Trace) -> Span {
    let around = |at: &[usize], and: Option<Duration>, lookback: Duration| {
        let times = at.iter().filter_map(|index| trace.observations.get(*index)).map(Observation::at);
        Span::Around { times: times.chain(and).collect(), lookback }
    };
    match (&judged.judgement, &judged.margin) {
        (Judgement::Failed(finding), _) if finding.missed_by_us.is_some() => {
            // What never came is late until the end.
            let end = trace.observations.last().filter(|_| finding.at.len() == 1);
            around(&finding.at, end.map(Observation::at), LOOKBACK)
        }
        (Judgement::Failed(_) | Judgement::Blocked { .. }, _) => {
            in_vain(trace).map_or(Span::WorstOf(WINDOW), |(from, to)| Span::Between(from, to))
        }
        (Judgement::Passed, Some(margin)) => {
            let beyond = Duration::from_micros(margin.beyond_us);
            around(&margin.at, None, (beyond * HELD_BACK).clamp(LEAST_LOOKBACK, LOOKBACK))
        }
        (Judgement::Passed | Judgement::Undecided { .. }, _) => Span::Whole,
    }
}

/// A stall that cut a connection.
#[derive(Clone, Copy)]
struct Cut {
    /// The first observation that may follow from the end of the connection.
    at: usize,
    noise: Noise,
}

/// The first connection that the subject gave up while noise kept it from hearing anything, or from looking, for as long as its
/// shortest time-out: a pong that the harness sends too late, or that a starved subject reads too late, ends a connection that a
/// sound subject would have kept on an idle host. What follows from that end is no more certain than it is.
fn cut(
    trace: &Trace,
    subject: SubjectKind,
    shortest: Duration,
    noise: impl Fn(Span) -> Noise,
) -> Option<Cut> {
    let is_given_up = |event: &Event| match event {
        Event::Closed { by, .. } => match subject {
            SubjectKind::Client => *by == Side::Client,
            SubjectKind::Gateway => *by == Side::Gateway,
            SubjectKind::Pair => true,
        },
        // A scripted gateway refuses as its scenario has it.
        Event::Refused { status: None, by, .. } => {
            subject != SubjectKind::Client || *by != Some(Side::Gateway)
        }
        _ => false,
    };
    let ends = trace.iter().filter(|(_, seen)| is_given_up(&seen.event));
    let mut cuts = ends.map(|(at, seen)| {
        let from = seen.at().saturating_sub(shortest + LOOKBACK);
        let noise = noise(Span::Between(from, seen.at()));
        // A host that stalled sees the end late, and sees together, in any order, what happened meanwhile.
        let stalled_from = seen.at().saturating_sub(noise.host);
        let since = trace.observations.partition_point(|seen| seen.at() < stalled_from);
        Cut { at: since.min(at), noise }
    });
    cuts.find(|Cut { noise, .. }| {
        let heard_nothing = noise.host * ENDS;
        heard_nothing.max(noise.host + noise.subject.unwrap_or_default()) >= shortest
    })
}

/// The last observation that shows what was judged; what did not come did not come to the end.
fn end(judged: &Judged) -> usize {
    match &judged.judgement {
        Judgement::Failed(finding) if finding.property == Property::Safety => last(finding),
        _ => usize::MAX,
    }
}

/// The last observation that shows a finding.
fn last(finding: &Finding) -> usize {
    finding.at.iter().copied().max().unwrap_or(usize::MAX)
}

/// When something was awaited in vain, where a step says so.
fn in_vain(trace: &Trace) -> Option<(Duration, Duration)> {
    let found = trace.in_vain().filter(|found| !found.waited.is_zero())?;
    let end = trace.observations[found.at].at();
    Some((end.saturating_sub(found.waited), end))
}

#[cfg(test)]
mod tests;
