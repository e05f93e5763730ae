//! What a run found, made into its document.

use std::collections::BTreeMap;
use std::time::Duration;

use conformance::noise::TreeUsage;
use jiff::Timestamp;

use super::BenchConfig;
use crate::generator::SecondTally;
use crate::latencies::Latencies;
use crate::measure::{Measure, Measures};
use crate::plan::Plan;
use crate::publisher::Published;
use crate::run::{Ending, Generator, LedgerTotals, Run, Second, VERSION};
use crate::workload::{Load, Ramp};

/// A thread that works so much of its time may be what limits a run.
const BUSY: f64 = 0.9;
/// An event that is published so late is not the load that was asked for, in milliseconds,
const LATE_MS: f64 = 10.0;
/// where that is such a part of the latency that was measured, which counts from when it was due.
const LATE_PART: f64 = 0.2;

/// A burst whose publishing takes such a part of its time measures the publisher.
const PUBLISHING: f64 = 0.8;

/// What a run found.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) ending: Option<Ending>,
    pub(super) started_ms: i64,
    /// The measured time, as the workload has it.
    pub(super) duration: Duration,
    /// The time over which processor time was measured.
    pub(super) measured: Duration,
    pub(super) last_arrival: Duration,
    pub(super) clients: usize,
    pub(super) ledger: LedgerTotals,
    pub(super) owed: Vec<u64>,
    pub(super) lost: Vec<u64>,
    pub(super) samples: Vec<Sample>,
    /// What came of publishing.
    pub(super) published: Option<Published>,
    pub(super) busy: f64,
    pub(super) threads: usize,
    /// Threads that have reported their totals.
    pub(super) reported: usize,
    pub(super) connect_time: Option<Duration>,
    pub(super) return_time: Option<Duration>,
    pub(super) base_kib: Option<u64>,
    pub(super) connected_kib: Option<u64>,
    pub(super) peak_kib: Option<u64>,
    pub(super) begun_ns: Option<u64>,
    pub(super) used_ns: Option<u64>,
}

/// What the gateway's processes used at the end of a second.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    pub(super) second: usize,
    pub(super) clients: usize,
    pub(super) usage: Option<TreeUsage>,
}

impl Findings {
    /// The document.
    pub(super) fn run(
        mut self,
        config: &BenchConfig,
        subject: String,
        plan: &Plan,
        seconds: BTreeMap<usize, SecondTally>,
    ) -> Run {
        let workload = &config.workload;
        self.ledger.delivered = self.ledger.owed - self.ledger.lost;
        let mut latencies = Latencies::default();
        seconds.values().for_each(|second| latencies.add(&second.latencies));
        // A burst takes as long as its events need; and so does what could not be kept up with.
        self.duration = self.duration.max(self.last_arrival);
        let measures = self.measures(config, plan, &seconds, &latencies);
        let started = Timestamp::from_millisecond(self.started_ms).unwrap_or(Timestamp::UNIX_EPOCH);
        Run {
            version: VERSION,
            gatecheck: env!("CARGO_PKG_VERSION").to_owned(),
            workload: workload.name.clone(),
            subject,
            started: started.to_string(),
            ending: self.ending.unwrap_or(Ending::Interrupted),
            shard: config.shard,
            settings: workload.settings(),
            duration: self.duration.as_secs_f64(),
            clients: self.clients as u64,
            ledger: self.ledger,
            thresholds: workload.thresholds.iter().map(|threshold| threshold.outcome(&measures)).collect(),
            measures,
            latency: latencies.percentiles(),
            histogram: latencies.buckets(),
            generator: self.generator(workload.load.is_paced(), latencies.percentile_ms(99.0)),
            series: self.series(seconds, config.shard.is_some()),
        }
    }

    fn measures(
        &self,
        config: &BenchConfig,
        plan: &Plan,
        seconds: &BTreeMap<usize, SecondTally>,
        latencies: &Latencies,
    ) -> Measures {
        let workload = &config.workload;
        let mut measures = latencies.measures();
        let mut set = |measure, value: Option<f64>| {
            measures.extend(value.filter(|value: &f64| value.is_finite()).map(|value| (measure, value)));
        };
        let seconds_taken = self.duration.as_secs_f64();
        let delivered = self.ledger.delivered as f64;
        let has_events = !plan.channels().is_empty();
        let if_events = |value: f64| has_events.then_some(value);
        set(Measure::DeliveriesPerSecond, if_events(delivered / seconds_taken));
        set(Measure::Lost, if_events(self.ledger.lost as f64));
        set(Measure::Duplicated, if_events(self.ledger.duplicated as f64));
        set(Measure::BytesPerDelivery, if_events(self.ledger.bytes as f64 / delivered));
        if let Load::Ramp(ramp) = &workload.load {
            let steps = ramp.steps().count();
            set(Measure::EventsPerSecond, Some(carried(ramp, seconds, &self.lost, steps).rate));
        }
        if matches!(workload.load, Load::Connect { .. }) {
            let rate = self.connect_time.map(|time| self.clients as f64 / time.as_secs_f64());
            set(Measure::SignInsPerSecond, rate);
            set(Measure::ReturnTime, self.return_time.map(|time| time.as_secs_f64() * 1000.0));
        }
        let used_ns = self.used_ns.zip(self.begun_ns).map(|(used, begun)| used.saturating_sub(begun) as f64);
        set(Measure::CpuPerDelivery, used_ns.and_then(|ns| if_events(ns / 1000.0 / delivered)));
        set(Measure::Cpu, used_ns.map(|ns| ns / 1e9 / self.measured.max(self.duration).as_secs_f64()));
        set(Measure::MemoryPeak, self.peak_kib.map(|kib| kib as f64));
        let grown = self.connected_kib.zip(self.base_kib).map(|(then, before)| then.saturating_sub(before));
        // Where the load is divided, the others' clients are connected, too.
        set(Measure::MemoryPerConnection, grown.map(|kib| kib as f64 / workload.clients as f64));
        measures
    }

    fn generator(&self, is_paced: bool, p99: Option<f64>) -> Generator {
        let late = |percentile| self.published.as_ref()?.late.percentile_ms(percentile);
        let mut reasons = Vec::new();
        if self.busy > BUSY {
            reasons.push(format!("its busiest thread worked {:.0} % of the time", self.busy * 100.0));
        }
        // In a burst all events are due at once.
        if let Some(ms) =
            late(99.0).filter(|ms| is_paced && *ms > LATE_MS.max(p99.unwrap_or_default() * LATE_PART))
        {
            reasons
                .push(format!("one event in a hundred was published {ms:.0} ms after it was due, or later"));
        }
        let took = self.published.as_ref().map_or(Duration::ZERO, |published| published.took);
        if !is_paced && took > self.last_arrival.mul_f64(PUBLISHING) && !self.last_arrival.is_zero() {
            let (took, whole) = (took.as_millis(), self.last_arrival.as_millis());
            reasons.push(format!(
                "publishing through the broker took {took} ms, and all events had come after {whole} ms"
            ));
        }
        Generator {
            threads: self.threads as u32,
            busy: self.published.as_ref().map_or(self.busy, |published| self.busy.max(published.busy)),
            late: late(100.0).filter(|_| is_paced).unwrap_or_default(),
            limited: (!reasons.is_empty()).then(|| reasons.join("; ")),
        }
    }

    fn series(&self, seconds: BTreeMap<usize, SecondTally>, is_part: bool) -> Vec<Second> {
        let last = seconds.keys().next_back().copied();
        let sampled = self.samples.iter().map(|sample| sample.second);
        let count =
            sampled.chain(last).map(|second| second + 1).max().unwrap_or_default().max(self.owed.len());
        let mut series: Vec<Second> =
            (0..count).map(|at| Second { at: at as u32, ..Second::default() }).collect();
        let mut before = self.begun_ns;
        for Sample { second, clients, usage } in &self.samples {
            let of_second = &mut series[*second];
            of_second.clients = *clients as u64;
            of_second.memory = usage.map(|usage| usage.resident_kib as f64);
            if let (Some(usage), Some(begun)) = (usage, before.replace(usage.map_or(0, |usage| usage.cpu_ns)))
            {
                of_second.cpu = Some(usage.cpu_ns.saturating_sub(begun) as f64 / 1e9);
            }
        }
        for (second, tally) in seconds {
            let mut latencies = Latencies::default();
            latencies.add(&tally.latencies);
            let of_second = &mut series[second];
            of_second.delivered = tally.delivered;
            of_second.clients = of_second.clients.max(tally.clients as u64);
            of_second.p50 = latencies.percentile_ms(50.0);
            of_second.p99 = latencies.percentile_ms(99.0);
            if is_part {
                of_second.histogram = latencies.buckets();
            }
        }
        for (second, owed) in self.owed.iter().enumerate() {
            series[second].offered = *owed;
        }
        for (second, lost) in self.lost.iter().enumerate() {
            series[second].lost = *lost;
        }
        series
    }
}

impl Load {
    /// Whether events are due at a rate.
    fn is_paced(&self) -> bool {
        matches!(self, Self::Paced(_) | Self::Ramp(_))
    }
}

/// What came of the steps of a ramp.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Carried {
    /// The highest rate at which the bound held and nothing was lost; 0 where the first broke.
    pub(super) rate: f64,
    /// Whether a step broke.
    pub(super) is_broken: bool,
}

/// How far a ramp came in so many steps. The first second of each is no measure: what came before is still under way.
pub(super) fn carried(
    ramp: &Ramp,
    seconds: &BTreeMap<usize, SecondTally>,
    lost: &[u64],
    steps: usize,
) -> Carried {
    let hold = ramp.hold.as_secs() as usize;
    let mut rate = 0.0;
    for (step, of_step) in ramp.steps().take(steps).enumerate() {
        let (begin, end) = (step * hold, (step + 1) * hold);
        let mut latencies = Latencies::default();
        seconds.range(begin + 1..end).for_each(|(_, second)| latencies.add(&second.latencies));
        let measured = latencies.measures();
        let kept = measured.get(&ramp.bound.measure()).is_some_and(|value| ramp.bound.holds(*value));
        let is_lossless = lost.iter().skip(begin).take(hold).all(|lost| *lost == 0);
        if !kept || !is_lossless {
            return Carried { rate, is_broken: true };
        }
        rate = of_step;
    }
    Carried { rate, is_broken: false }
}

/// Adds second by second.
pub(super) fn add_each(to: &mut Vec<u64>, counts: &[u64]) {
    to.resize(to.len().max(counts.len()), 0);
    to.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Bucket;

    /// A ramp carries the last rate that held: a latency, a loss or a silence ends it, and the first second of a step does not.
    #[test]
    fn a_ramp_ends_at_its_bound() {
        let ramp = Ramp {
            from: 10.0,
            to: 80.0,
            factor: 2.0,
            hold: Duration::from_secs(2),
            bound: "p99 < 50ms".parse().unwrap(),
        };
        let seconds = |latencies_ms: &[u64]| -> BTreeMap<usize, SecondTally> {
            let tally = |(second, ms): (usize, &u64)| {
                let latencies = vec![Bucket(ms * 1000, 5)];
                (second, SecondTally { second, delivered: 5, latencies, clients: 1 })
            };
            latencies_ms.iter().enumerate().map(tally).collect()
        };
        let good = seconds(&[90, 1, 90, 1, 90, 1, 90, 1]);
        assert_eq!(carried(&ramp, &good, &[], 4), Carried { rate: 80.0, is_broken: false });
        let slow = seconds(&[1, 1, 1, 60, 1, 1, 1, 1]);
        assert_eq!(carried(&ramp, &slow, &[], 4), Carried { rate: 10.0, is_broken: true });
        assert_eq!(carried(&ramp, &good, &[0, 0, 0, 0, 7], 4), Carried { rate: 20.0, is_broken: true });
        assert_eq!(carried(&ramp, &seconds(&[1, 1]), &[], 4), Carried { rate: 10.0, is_broken: true });
    }
}
