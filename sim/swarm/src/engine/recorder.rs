//! What is observed: given to the watch at once, and kept where a trace is wanted.

use scenarios::invariants::Watch;
use scenarios::{Actor, Event, Observation, Trace};

use crate::coverage::Coverage;

/// Observations, in their order.
#[derive(Debug)]
pub(crate) struct Recorder<'a> {
    pub(crate) now_us: u64,
    pub(crate) watch: Watch<'a>,
    pub(crate) coverage: Coverage,
    pub(crate) trace: Option<Trace>,
    /// How many there were.
    pub(crate) observed: u64,
}

impl Recorder<'_> {
    /// Something happened.
    pub(crate) fn note(&mut self, actor: &Actor, connection: Option<u32>, event: Event) {
        let observation = Observation { at_us: self.now_us, actor: actor.clone(), connection, event };
        self.observed += 1;
        self.coverage.observe(&observation);
        self.watch.observe(&observation);
        if let Some(trace) = &mut self.trace {
            trace.observations.push(observation);
        }
    }
}
