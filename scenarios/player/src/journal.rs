//! The trace while it is being written: many recorders, one owner.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::budget::Budget;
use super::stage::PlayError;
use scenarios::label::Label;
use scenarios::pattern::Pattern;
use scenarios::trace::{Actor, Event, Observation, Trace};

/// Observations that wait for the player; a recorder waits when there are more.
const CAPACITY: usize = 1024;
/// Observations that are kept of a case that was flooded: they show by what.
const KEPT_OF_A_FLOOD: usize = 200;
/// Longest frame that is kept of a case that was flooded, in bytes.
const KEPT_FRAME_BYTES: usize = 1024;

/// The time since the case began.
pub type Clock = Arc<dyn Fn() -> Duration + Send + Sync>;

/// Writes observations.
#[derive(Clone)]
pub struct Recorder {
    clock: Clock,
    to: mpsc::Sender<Observation>,
    budget: Arc<Budget>,
}

/// Owns the trace.
pub struct Journal {
    clock: Clock,
    from: mpsc::Receiver<Observation>,
    trace: Trace,
    budget: Arc<Budget>,
}

/// Ends a case that is flooded, or has no room beside others.
pub(super) struct Flood(Arc<Budget>);

/// A place in the trace.
#[derive(Clone, Copy)]
pub(super) struct Place {
    index: usize,
    at: Duration,
}

/// A journal and the recorder that fills it.
pub fn journal(clock: Clock) -> (Recorder, Journal) {
    let (to, from) = mpsc::channel(CAPACITY);
    let budget = Arc::new(Budget::new());
    let recorder = Recorder { clock: clock.clone(), to, budget: Arc::clone(&budget) };
    (recorder, Journal { clock, from, trace: Trace::default(), budget })
}

impl Recorder {
    /// Writes what just happened. A case that is over, or flooded, takes nothing any more.
    pub async fn record(&self, actor: Actor, connection: Option<u32>, event: Event) {
        let is_end = matches!(event, Event::SubjectDied { .. });
        if !self.budget.admits_observation("subject") && !is_end {
            return;
        }
        let observation = observation(&self.clock, actor, connection, event);
        let _ = self.to.send(observation).await;
    }

    /// Whether the case has room for a message or a line; `by` is who says it. Asked before anything is read in it. Where there is
    /// none, the case ends.
    pub(super) fn admits(&self, text: &[u8], by: &str) -> bool {
        self.budget.admits(text, by)
    }

    /// Ends the case: something says more than is read.
    pub(super) fn floods(&self, why: String) {
        self.budget.floods(why);
    }
}

impl Flood {
    /// Plays until that has ended, or the case must: nothing is waited for then.
    pub(super) async fn end(
        &self,
        playing: impl Future<Output = Result<(), PlayError>>,
    ) -> Result<(), PlayError> {
        tokio::select! {
            biased;
            why = self.0.spent() => Err(why),
            played = playing => played,
        }
    }
}

impl Journal {
    /// The trace so far.
    pub(super) fn trace(&self) -> &Trace {
        &self.trace
    }

    /// Writes what the player itself did, behind everything that has been recorded by now.
    pub(super) fn write(&mut self, actor: Actor, connection: Option<u32>, event: Event) {
        self.drain();
        self.trace.observations.push(observation(&self.clock, actor, connection, event));
    }

    /// Where and when the trace stands now.
    pub(super) fn place(&mut self) -> Place {
        self.drain();
        Place { index: self.trace.observations.len(), at: (self.clock)() }
    }

    /// Writes what began at an earlier place, and is known by now.
    pub(super) fn write_at(&mut self, place: Place, actor: &Actor, events: impl Iterator<Item = Event>) {
        let clock: Clock = Arc::new(move || place.at);
        let seen = events.map(|event| observation(&clock, actor.clone(), None, event));
        let seen: Vec<_> = seen.collect();
        self.trace.observations.splice(place.index..place.index, seen);
    }

    /// Awaits something while the trace goes on.
    pub(super) async fn during<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                biased;
                Some(observation) = self.from.recv() => self.trace.observations.push(observation),
                done = &mut work => return done,
            }
        }
    }

    /// Waits until the trace holds `times` matches from index `start` on; false when that did not come in time.
    pub(super) async fn until(
        &mut self,
        pattern: &Pattern,
        times: usize,
        start: usize,
        within: Duration,
    ) -> Result<bool, PlayError> {
        self.until_count(|observation| pattern.matches(observation), times, start, within).await
    }

    /// As [`Journal::until`], for any condition on an observation.
    pub(super) async fn until_count(
        &mut self,
        matches: impl Fn(&Observation) -> bool,
        times: usize,
        start: usize,
        within: Duration,
    ) -> Result<bool, PlayError> {
        let mut timeout = std::pin::pin!(tokio::time::sleep(within));
        let mut next = start;
        let mut found = 0;
        loop {
            self.drain();
            self.check()?;
            for observation in &self.trace.observations[next..] {
                found += usize::from(matches(observation));
            }
            next = self.trace.observations.len();
            if found >= times {
                return Ok(true);
            }
            tokio::select! {
                biased;
                Some(observation) = self.from.recv() => self.trace.observations.push(observation),
                () = &mut timeout => return Ok(false),
            }
        }
    }

    /// Notes that a step waited in vain.
    pub(super) fn in_vain(&mut self, step: usize, label: Label, detail: String, waited: Duration) {
        let waited_us = u64::try_from(waited.as_micros()).unwrap_or(u64::MAX);
        self.write(Actor::scenario(), None, Event::InVain { step, label, detail, waited_us });
    }

    /// Lets time pass.
    pub(super) async fn quiet(&mut self, time: Duration) -> Result<(), PlayError> {
        self.until_count(|_| false, 1, self.trace.observations.len(), time).await.map(|_| ())
    }

    /// That a text is about to come so often, since a step has it said: it floods nothing.
    pub(super) fn expects(&self, text: &str, times: usize) {
        self.budget.expects(text.as_bytes(), times);
    }

    /// What ends the case where something floods it.
    pub(super) fn flood(&self) -> Flood {
        Flood(Arc::clone(&self.budget))
    }

    /// Ends the journal. Of a case that was flooded the beginning is kept, of one without room nothing: it is played again.
    pub(super) fn finish(mut self, outcome: &Result<(), PlayError>) -> Trace {
        self.drain();
        if matches!(outcome, Err(PlayError::Crowded(_))) {
            return Trace::default();
        }
        if matches!(outcome, Err(PlayError::Flooded(_))) {
            let is_short = |seen: &Observation| match &seen.event {
                Event::Sent(frame) | Event::Received(frame) => frame.body.len() <= KEPT_FRAME_BYTES,
                Event::Emitted { .. } | Event::Refetched { .. } | Event::Read { .. } => false,
                _ => true,
            };
            self.trace.observations.retain(is_short);
            self.trace.observations.truncate(KEPT_OF_A_FLOOD);
            self.trace.observations.shrink_to_fit();
        }
        self.trace
    }

    /// Whether the case can go on.
    fn check(&self) -> Result<(), PlayError> {
        let death = self.trace.observations.iter().rev().find_map(|observation| match &observation.event {
            Event::SubjectDied { status } => Some(status),
            _ => None,
        });
        death.map_or(Ok(()), |status| Err(PlayError::SubjectDied(status.clone())))
    }

    fn drain(&mut self) {
        while let Ok(observation) = self.from.try_recv() {
            self.trace.observations.push(observation);
        }
    }
}

fn observation(clock: &Clock, actor: Actor, connection: Option<u32>, event: Event) -> Observation {
    let at_us = u64::try_from(clock().as_micros()).unwrap_or(u64::MAX);
    Observation { at_us, actor, connection, event }
}
