//! A smaller plan that breaks the same rule: delta debugging (Zeller and Hildebrandt, 2002) over entries, then over clients, gateways,
//! durations, counts and settings, until nothing can be left out.

use std::time::Duration;

use protocol::Timing;
use scenarios::plan::{Act, Participant, Plan};
use scenarios::scenario::{ClientAct, Publication};

use crate::defect::DefectMaker;
use crate::engine::{Options, play};

/// Plays at most: enough for plans of hundreds of entries.
const MAX_PLAYS: u32 = 5_000;

/// What came of it.
#[derive(Debug)]
pub struct Shrunk {
    /// The smallest plan that was found.
    pub plan: Plan,
    /// How many plays that took.
    pub plays: u32,
}

/// Makes a plan smaller that breaks a requirement. A plan that does not break it stays as it is.
pub fn shrink(plan: &Plan, requirement: &str, defect: Option<DefectMaker>) -> Shrunk {
    let mut shrinker = Shrinker { requirement, defect, plan: plan.clone(), plays: 0 };
    if !shrinker.fails(plan) {
        return Shrunk { plan: plan.clone(), plays: shrinker.plays };
    }
    loop {
        let before = shrinker.plan.clone();
        shrinker.entries();
        shrinker.participants();
        shrinker.settings();
        shrinker.values();
        shrinker.times();
        if shrinker.plan == before || shrinker.plays >= MAX_PLAYS {
            return Shrunk { plan: shrinker.plan, plays: shrinker.plays };
        }
    }
}

struct Shrinker<'a> {
    requirement: &'a str,
    defect: Option<DefectMaker>,
    /// The smallest one so far.
    plan: Plan,
    plays: u32,
}

impl Shrinker<'_> {
    fn fails(&mut self, plan: &Plan) -> bool {
        self.plays += 1;
        let options = Options { defect: self.defect, ..Options::default() };
        let played = play(plan, options);
        played.violations.iter().any(|violation| violation.requirement == self.requirement)
    }

    /// Takes a change where the plan still fails with it.
    fn attempt(&mut self, change: impl FnOnce(&mut Plan)) -> bool {
        let mut plan = self.plan.clone();
        change(&mut plan);
        let is_smaller = plan != self.plan && self.plays < MAX_PLAYS && self.fails(&plan);
        if is_smaller {
            self.plan = plan;
        }
        is_smaller
    }

    /// Leaves out entries: halves, quarters, single ones.
    fn entries(&mut self) {
        let mut length = self.plan.entries.len().div_ceil(2);
        while length > 0 {
            let mut from = 0;
            while from < self.plan.entries.len() {
                let to = (from + length).min(self.plan.entries.len());
                if !self.attempt(|plan| drop(plan.entries.drain(from..to))) {
                    from = to;
                }
            }
            length = if length == 1 { 0 } else { length.div_ceil(2) };
        }
    }

    /// Leaves out clients with all that they do.
    fn participants(&mut self) {
        for name in self.plan.clients.keys().cloned().collect::<Vec<_>>() {
            if self.plan.clients.len() > 1 {
                self.attempt(|plan| {
                    plan.clients.remove(&name);
                    plan.entries.retain(|entry| entry.act.client() != Some(&name));
                });
            }
        }
        self.attempt(|plan| {
            plan.gateways = 1;
            plan.clients.values_mut().for_each(|client| client.gateway = 1);
            for entry in &mut plan.entries {
                if let Act::Gateway(number, _) = &mut entry.act {
                    *number = 1;
                }
            }
        });
    }

    /// Usual settings instead of unusual ones.
    fn settings(&mut self) {
        self.attempt(|plan| plan.timing = Timing::default());
        self.attempt(|plan| plan.latency = Duration::from_millis(5));
        self.attempt(|plan| plan.seed = 0);
        let usual = Participant::default();
        for name in self.plan.clients.keys().cloned().collect::<Vec<_>>() {
            let mut set = |change: &dyn Fn(&mut Participant)| {
                self.attempt(|plan| change(plan.clients.get_mut(&name).expect("it takes part")));
            };
            set(&|client| client.role = usual.role);
            set(&|client| client.queue = usual.queue);
            set(&|client| client.provider = usual.provider);
            set(&|client| client.token = usual.token.clone());
        }
    }

    /// Fewer messages, shorter faults.
    fn values(&mut self) {
        for at in 0..self.plan.entries.len() {
            while let Some(count) =
                count_of(&mut self.plan.entries[at].act).copied().filter(|count| *count > 1)
            {
                let set = |value: u32| {
                    move |plan: &mut Plan| {
                        if let Some(count) = count_of(&mut plan.entries[at].act) {
                            *count = value;
                        }
                    }
                };
                if !self.attempt(set(1)) && !self.attempt(set(count / 2)) && !self.attempt(set(count - 1)) {
                    break;
                }
            }
            while let Some(lasts) =
                self.plan.entries[at].lasts.filter(|lasts| *lasts > Duration::from_millis(1))
            {
                if !self.attempt(|plan| plan.entries[at].lasts = Some(rounded(lasts / 2))) {
                    break;
                }
            }
        }
    }

    /// Earlier, and at whole seconds.
    fn times(&mut self) {
        for at in 0..self.plan.entries.len() {
            let previous = at.checked_sub(1).map_or(Duration::ZERO, |before| self.plan.entries[before].at);
            let gap = self.plan.entries[at].at - previous;
            for shorter in
                [Duration::ZERO, Duration::from_secs(1), rounded(gap / 2), gap.saturating_sub(gap / 4)]
            {
                if shorter >= gap {
                    continue;
                }
                let earlier = gap - shorter;
                // Everything behind it keeps its distance.
                if self.attempt(|plan| plan.entries[at..].iter_mut().for_each(|entry| entry.at -= earlier)) {
                    break;
                }
            }
            let exact = self.plan.entries[at].at;
            let whole = Duration::from_secs(exact.as_secs());
            if whole >= previous {
                self.attempt(|plan| plan.entries[at].at = whole);
            }
        }
    }
}

/// Whole seconds, where there is one, otherwise whole milliseconds.
fn rounded(time: Duration) -> Duration {
    match time.as_secs() {
        0 => Duration::from_millis(u64::try_from(time.as_millis().max(1)).unwrap_or(1)),
        seconds => Duration::from_secs(seconds),
    }
}

/// How many messages or events an act is about.
fn count_of(act: &mut Act) -> Option<&mut u32> {
    match act {
        Act::Client(_, ClientAct::Send { count, .. }) | Act::Publish(Publication::Events { count, .. }) => {
            Some(count)
        }
        _ => None,
    }
}
