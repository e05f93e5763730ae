//! Adds the parts of a divided load: ledgers, histograms and seconds.

use crate::latencies::Latencies;
use crate::measure::{Measure, Measures};
use crate::run::{Ending, Generator, LedgerTotals, Run, Second, Shard};
use crate::threshold::Threshold;

/// Why results cannot be added.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// There is none.
    #[error("no result to merge")]
    Nothing,
    /// One is no part.
    #[error("the result of `{workload}` on {subject} is no part of a divided load: `--shard I/N` makes one")]
    Whole {
        /// Its workload.
        workload: String,
        /// Its gateway.
        subject: String,
    },
    /// They are of different runs.
    #[error("part {0} of the load has another workload, other settings or another begin than the first")]
    Foreign(u32),
    /// One is there twice.
    #[error("part {0} is there twice")]
    Twice(u32),
    /// One is not there.
    #[error("part {part} of {count} is missing")]
    Missing {
        /// Which.
        part: u32,
        /// Of how many.
        count: u32,
    },
    /// One was written by hand.
    #[error("`{0}` is no threshold")]
    Threshold(String),
}

/// Adds the parts of a divided load.
///
/// # Errors
/// When they are not all parts of one run.
pub fn merge(mut parts: Vec<Run>) -> Result<Run, MergeError> {
    check(&mut parts)?;
    let first = &parts[0];
    let thresholds = first.thresholds.iter().map(|outcome| {
        let text = &outcome.threshold;
        text.parse::<Threshold>().map_err(|_| MergeError::Threshold(text.clone()))
    });
    let thresholds = thresholds.collect::<Result<Vec<_>, _>>()?;
    let mut latencies = Latencies::default();
    let mut ledger = LedgerTotals::default();
    for part in &parts {
        latencies.add(&part.histogram);
        ledger += part.ledger;
    }
    let duration = parts.iter().map(|part| part.duration).fold(0.0, f64::max);
    let measures = measures(&parts, &ledger, duration, &latencies);
    Ok(Run {
        ending: parts
            .iter()
            .map(|part| part.ending)
            .max_by_key(|ending| badness(*ending))
            .unwrap_or(first.ending),
        shard: None,
        duration,
        clients: parts.iter().map(|part| part.clients).sum(),
        ledger,
        thresholds: thresholds.iter().map(|threshold| threshold.outcome(&measures)).collect(),
        measures,
        latency: latencies.percentiles(),
        histogram: latencies.buckets(),
        series: series(&parts),
        generator: generator(&parts),
        ..first.clone()
    })
}

fn badness(ending: Ending) -> u8 {
    match ending {
        Ending::Complete => 0,
        Ending::Interrupted => 1,
        Ending::Died => 2,
    }
}

/// Puts the parts in order.
fn check(parts: &mut [Run]) -> Result<(), MergeError> {
    if let Some(whole) = parts.iter().find(|part| part.shard.is_none()) {
        return Err(MergeError::Whole { workload: whole.workload.clone(), subject: whole.subject.clone() });
    }
    let index = |part: &Run| part.shard.map_or(0, |shard| shard.index);
    parts.sort_by_key(index);
    let first = parts.first().ok_or(MergeError::Nothing)?;
    let count = first.shard.map_or(0, |shard| shard.count);
    let is_of_first = |part: &&Run| {
        let same = |shard: Shard| shard.count == count;
        part.shard.is_some_and(same) && part.workload == first.workload && part.settings == first.settings
    };
    if let Some(foreign) = parts.iter().find(|part| !is_of_first(part)) {
        return Err(MergeError::Foreign(index(foreign)));
    }
    if let Some(twice) = parts.windows(2).find(|pair| index(&pair[0]) == index(&pair[1])) {
        return Err(MergeError::Twice(index(&twice[0])));
    }
    let missing = (1..=count).find(|part| parts.iter().all(|known| index(known) != *part));
    missing.map_or(Ok(()), |part| Err(MergeError::Missing { part, count }))
}

fn measures(parts: &[Run], ledger: &LedgerTotals, duration: f64, latencies: &Latencies) -> Measures {
    let mut measures = latencies.measures();
    let all = |measure: Measure| parts.iter().filter_map(move |part| part.measures.get(&measure).copied());
    let most = |measure: Measure| all(measure).reduce(f64::max);
    let delivered = ledger.delivered as f64;
    let has_events = most(Measure::Lost).is_some();
    let mut set = |measure, value: Option<f64>| {
        measures.extend(value.filter(|value| value.is_finite()).map(|value| (measure, value)));
    };
    let if_events = |value: f64| has_events.then_some(value);
    set(Measure::DeliveriesPerSecond, if_events(delivered / duration));
    set(Measure::Lost, if_events(ledger.lost as f64));
    set(Measure::Duplicated, if_events(ledger.duplicated as f64));
    set(Measure::BytesPerDelivery, if_events(ledger.bytes as f64 / delivered));
    let sign_ins = most(Measure::SignInsPerSecond).map(|_| all(Measure::SignInsPerSecond).sum());
    set(Measure::SignInsPerSecond, sign_ins);
    // The last that is back; and one process of the gateway is measured by one part, or by several alike.
    for measure in [Measure::ReturnTime, Measure::Cpu, Measure::MemoryPeak, Measure::MemoryPerConnection] {
        set(measure, most(measure));
    }
    let used = parts.iter().filter_map(|part| Some(part.measures.get(&Measure::Cpu)? * part.duration));
    let used = used.reduce(f64::max);
    set(Measure::CpuPerDelivery, used.and_then(|seconds| if_events(seconds * 1e6 / delivered)));
    measures
}

fn series(parts: &[Run]) -> Vec<Second> {
    let count = parts.iter().map(|part| part.series.len()).max().unwrap_or_default();
    let second = |at: usize| {
        let of_parts = || parts.iter().filter_map(move |part| part.series.get(at));
        let mut latencies = Latencies::default();
        of_parts().for_each(|second| latencies.add(&second.histogram));
        Second {
            at: at as u32,
            clients: of_parts().map(|second| second.clients).sum(),
            offered: of_parts().map(|second| second.offered).sum(),
            delivered: of_parts().map(|second| second.delivered).sum(),
            lost: of_parts().map(|second| second.lost).sum(),
            p50: latencies.percentile_ms(50.0),
            p99: latencies.percentile_ms(99.0),
            memory: of_parts().filter_map(|second| second.memory).reduce(f64::max),
            cpu: of_parts().filter_map(|second| second.cpu).reduce(f64::max),
            histogram: Vec::new(),
        }
    };
    (0..count).map(second).collect()
}

fn generator(parts: &[Run]) -> Generator {
    let limited = parts.iter().filter_map(|part| {
        let index = part.shard.map_or(0, |shard| shard.index);
        Some(format!("part {index}: {}", part.generator.limited.as_ref()?))
    });
    let limited: Vec<_> = limited.collect();
    let most = |of: fn(&Generator) -> f64| parts.iter().map(|part| of(&part.generator)).fold(0.0, f64::max);
    Generator {
        threads: parts.iter().map(|part| part.generator.threads).sum(),
        busy: most(|generator| generator.busy),
        late: most(|generator| generator.late),
        limited: (!limited.is_empty()).then(|| limited.join("; ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Bucket;

    fn part(index: u32, count: u32) -> Run {
        let mut run = Run::sample();
        run.shard = Some(Shard { index, count });
        run.ledger.events = if index == 1 { run.ledger.events } else { 0 };
        run.histogram = vec![Bucket(1000 * u64::from(index), 100)];
        run.series.iter_mut().for_each(|second| second.histogram = vec![Bucket(1000 * u64::from(index), 1)]);
        run
    }

    /// Ledgers are added, percentiles are those of all deliveries, and a bound is held against the whole.
    #[test]
    fn parts_are_added() {
        let merged = merge(vec![part(2, 2), part(1, 2)]).unwrap();
        let one = part(1, 2);
        assert_eq!(merged.shard, None);
        assert_eq!(merged.ledger.owed, 2 * one.ledger.owed);
        assert_eq!(merged.ledger.events, one.ledger.events);
        assert_eq!((merged.clients, merged.measures[&Measure::Lost]), (2000, 8.0));
        assert_eq!(merged.measures[&Measure::P50].round(), 1.0);
        assert_eq!(merged.measures[&Measure::Max].round(), 2.0);
        assert_eq!(merged.series[3].delivered, 2 * one.series[3].delivered);
        assert_eq!(merged.broken().map(|outcome| outcome.actual).collect::<Vec<_>>(), [Some(8.0)]);
    }

    /// What is no part, a part of another run, twice or not there is an error that names it.
    #[test]
    fn only_parts_of_one_run_are_added() {
        assert!(matches!(merge(vec![Run::sample()]), Err(MergeError::Whole { .. })));
        assert_eq!(merge(Vec::new()), Err(MergeError::Nothing));
        assert_eq!(merge(vec![part(1, 2)]), Err(MergeError::Missing { part: 2, count: 2 }));
        assert_eq!(merge(vec![part(1, 2), part(1, 2)]), Err(MergeError::Twice(1)));
        assert_eq!(merge(vec![part(1, 2), part(2, 3)]), Err(MergeError::Foreign(2)));
        let mut other = part(2, 2);
        other.settings.insert("clients".to_owned(), "7".to_owned());
        assert_eq!(merge(vec![part(1, 2), other]), Err(MergeError::Foreign(2)));
    }
}
