//! Stored results in the order of time, and where a measure changed its level.
//!
//! Only like is compared with like: results of one workload with the same settings make a group. Results that say little about the
//! gateway (interrupted, limited by the load generator, a part of a divided load) are left out, and named.

mod change;

pub use change::{MIN_SEGMENT, change_points};

use std::collections::BTreeMap;

use crate::measure::{Better, Measure};
use crate::run::{Ending, Run};

/// The chance that a group of which no measure changed has any mark is at most this.
pub const FALSE_ALARM_RATE: f64 = 0.01;

/// Results are drawn from the order of time; chance only decides ties of a test, always alike.
const SEED: u64 = 17;

/// A stored result, and the file that it came from.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// The file.
    pub name: String,
    /// The result.
    pub run: Run,
}

/// Results, by what can be compared.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    /// One for each workload with its settings.
    pub groups: Vec<Group>,
    /// Files that were left out, and why.
    pub left_out: Vec<(String, String)>,
}

/// Results that can be compared, in the order of time.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// The workload's name.
    pub workload: String,
    /// Its settings.
    pub settings: BTreeMap<String, String>,
    /// The results.
    pub runs: Vec<Stored>,
    /// The measures that every result has, each with its changes.
    pub measures: Vec<Series>,
}

/// One measure of a group.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Which one.
    pub measure: Measure,
    /// Its value in each result.
    pub values: Vec<f64>,
    /// Where it changed.
    pub changes: Vec<Change>,
}

/// A measure went to another level.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Change {
    /// The first result on the new level.
    pub at: usize,
    /// The median before, since the change before that.
    pub before: f64,
    /// The median after, up to the next change.
    pub after: f64,
    /// Whether the new level is worse.
    pub is_worse: bool,
}

impl History {
    /// Orders results by time, and looks for changes.
    pub fn new(stored: Vec<Stored>) -> Self {
        let mut left_out = Vec::new();
        let mut groups: BTreeMap<(String, BTreeMap<String, String>), Vec<Stored>> = BTreeMap::new();
        for one in stored {
            match flaw(&one.run) {
                Some(flaw) => left_out.push((one.name, flaw)),
                None => {
                    groups.entry((one.run.workload.clone(), one.run.settings.clone())).or_default().push(one);
                }
            }
        }
        let groups =
            groups.into_iter().map(|((workload, settings), runs)| Group::new(workload, settings, runs));
        Self { groups: groups.collect(), left_out }
    }
}

impl Group {
    fn new(workload: String, settings: BTreeMap<String, String>, mut runs: Vec<Stored>) -> Self {
        // RFC 3339 in UTC, as results have it, sorts as text.
        runs.sort_by(|one, other| (&one.run.started, &one.name).cmp(&(&other.run.started, &other.name)));
        let everywhere =
            |measure: &Measure| runs.iter().all(|stored| stored.run.measures.contains_key(measure));
        let measures: Vec<_> = Measure::ALL.into_iter().filter(everywhere).collect();
        let rate = FALSE_ALARM_RATE / measures.len().max(1) as f64;
        let series = |measure| {
            let values: Vec<f64> = runs.iter().map(|stored| stored.run.measures[&measure]).collect();
            let changes = changes(measure, &values, rate);
            Series { measure, values, changes }
        };
        let measures = measures.into_iter().map(series).collect();
        Self { workload, settings, runs, measures }
    }
}

fn changes(measure: Measure, values: &[f64], rate: f64) -> Vec<Change> {
    let places = change_points(values, rate, SEED);
    let bounds: Vec<usize> = [0].into_iter().chain(places).chain([values.len()]).collect();
    let levels = bounds.windows(3).map(|three| {
        let (before, after) = (median(&values[three[0]..three[1]]), median(&values[three[1]..three[2]]));
        let is_worse = match measure.better() {
            Better::Lower => after > before,
            Better::Higher => after < before,
        };
        Change { at: three[1], before, after, is_worse }
    });
    levels.collect()
}

impl Change {
    /// In words: `+12.0 %`; from nothing, the figures.
    pub fn difference(&self) -> String {
        if self.before > 0.0 {
            format!("{:+.1} %", (self.after / self.before - 1.0) * 100.0)
        } else {
            format!("{} → {}", self.before, self.after)
        }
    }
}

/// Why a result says little about the gateway.
fn flaw(run: &Run) -> Option<String> {
    match (run.ending, run.shard, &run.generator.limited) {
        (Ending::Interrupted, ..) => Some("it was interrupted".to_owned()),
        (Ending::Died, ..) => Some("the gateway died".to_owned()),
        (Ending::Complete, Some(shard), _) => Some(format!(
            "it is part {} of {} of a divided load: `gatecheck bench merge`",
            shard.index, shard.count
        )),
        (Ending::Complete, None, Some(limited)) => Some(format!("the load generator limited it: {limited}")),
        (Ending::Complete, None, None) => None,
    }
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_unstable_by(f64::total_cmp);
    f64::midpoint(values[(values.len() - 1) / 2], values[values.len() / 2])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Shard;

    /// Results over as many days; the processor time of those from `worse` on is 20 % more.
    fn stored(count: usize, worse: usize) -> Vec<Stored> {
        let mut rng = fastrand::Rng::with_seed(2);
        let one = |day: usize| {
            let mut run = Run::sample();
            run.started = format!("2026-01-{:02}T03:04:05Z", day + 1);
            for value in run.measures.values_mut() {
                *value *= 1.0 + 0.02 * rng.f64();
            }
            if day >= worse {
                *run.measures.get_mut(&Measure::CpuPerDelivery).unwrap() *= 1.2;
            }
            Stored { name: format!("{day}.json"), run }
        };
        (0..count).map(one).collect()
    }

    /// A change is marked at its result, with its size, in its measure only, in whatever order the files were given.
    #[test]
    fn a_change_is_marked() {
        let mut results = stored(24, 14);
        results.reverse();
        let history = History::new(results);
        let [group] = &history.groups[..] else { panic!("{:?}", history.groups.len()) };
        let marked: Vec<_> = group.measures.iter().filter(|series| !series.changes.is_empty()).collect();
        assert_eq!(marked.len(), 1);
        assert_eq!(marked[0].measure, Measure::CpuPerDelivery);
        let change = marked[0].changes[0];
        assert_eq!((change.at, change.is_worse), (14, true));
        assert_eq!(group.runs[14].name, "14.json");
        assert!(
            change.difference().starts_with("+19") || change.difference().starts_with("+20"),
            "{change:?}"
        );
    }

    /// Other settings are another group, and what says little about the gateway is left out with its reason.
    #[test]
    fn only_like_is_compared_with_like() {
        let mut results = stored(5, 9);
        results[0].run.settings.insert("clients".to_owned(), "5".to_owned());
        results[1].run.ending = Ending::Interrupted;
        results[2].run.generator.limited = Some("it was busy".to_owned());
        results[3].run.shard = Some(Shard { index: 1, count: 2 });
        let history = History::new(results);
        assert_eq!(history.groups.iter().map(|group| group.runs.len()).collect::<Vec<_>>(), [1, 1]);
        let names: Vec<_> = history.left_out.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["1.json", "2.json", "3.json"]);
        assert!(history.left_out[1].1.contains("it was busy"));
    }
}
