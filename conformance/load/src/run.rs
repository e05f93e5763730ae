//! What one run of a workload found: the versioned document that `gatecheck bench` writes, stores, merges and compares.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::measure::{Measure, Measures};

/// The version of the document. It changes when a reader of the former could misunderstand it.
pub const VERSION: u32 = 1;

/// What one run of a workload found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Run {
    /// The version of this document: 1.
    pub version: u32,
    /// The version of gatecheck that wrote it.
    pub gatecheck: String,
    /// The workload's name.
    pub workload: String,
    /// The gateway: the command that started it, or the address at which it was reached.
    pub subject: String,
    /// When the measured time began (RFC 3339, UTC).
    pub started: String,
    /// How the run ended.
    pub ending: Ending,
    /// Which part of the load this process was, where it was divided.
    pub shard: Option<Shard>,
    /// The workload's settings as they were used, each spelled as in its file.
    pub settings: BTreeMap<String, String>,
    /// The measured time, in seconds.
    pub duration: f64,
    /// The most clients that were connected at once.
    pub clients: u64,
    /// What was owed to the clients, and what came.
    pub ledger: LedgerTotals,
    /// The figures. A measure that the workload does not have, or that cannot be taken on this host, is absent.
    pub measures: Measures,
    /// Latency by percentile, ascending.
    pub latency: Vec<Percentile>,
    /// Every latency that was recorded, ascending: histograms of several processes can be added.
    pub histogram: Vec<Bucket>,
    /// What happened in each second.
    pub series: Vec<Second>,
    /// How busy the load generator was, and whether it limited the run.
    pub generator: Generator,
    /// The thresholds, with what came of each.
    pub thresholds: Vec<ThresholdOutcome>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// It took its whole time.
    Complete,
    /// It was interrupted; what had been measured until then is here.
    Interrupted,
    /// The gateway ended, or closed every connection.
    Died,
}

/// One part of a load that several processes make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Shard {
    /// Which part, from 1.
    pub index: u32,
    /// How many parts there are.
    pub count: u32,
}

/// What was owed to the clients, and what came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LedgerTotals {
    /// Events that were published.
    pub events: u64,
    /// Deliveries that were owed: each event, for each client of its audience.
    pub owed: u64,
    /// Deliveries that came, each counted once.
    pub delivered: u64,
    /// Deliveries that were owed and did not come.
    pub lost: u64,
    /// Deliveries that came again.
    pub duplicated: u64,
    /// Deliveries that came after a later event.
    pub disordered: u64,
    /// Events that reached a client to which they were not addressed.
    pub misdirected: u64,
    /// Connections that the gateway ended.
    pub cut: u64,
    /// Bytes that the clients received.
    pub bytes: u64,
}

impl std::ops::AddAssign for LedgerTotals {
    fn add_assign(&mut self, other: Self) {
        self.events += other.events;
        self.owed += other.owed;
        self.delivered += other.delivered;
        self.lost += other.lost;
        self.duplicated += other.duplicated;
        self.disordered += other.disordered;
        self.misdirected += other.misdirected;
        self.cut += other.cut;
        self.bytes += other.bytes;
    }
}

/// A latency that so many deliveries did not exceed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Percentile {
    /// The share of deliveries, in per cent.
    pub percentile: f64,
    /// Milliseconds.
    pub ms: f64,
}

/// Equal latencies, to three significant digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Bucket(
    /// Microseconds.
    pub u64,
    /// How many deliveries.
    pub u64,
);

/// One second of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Second {
    /// Seconds from the begin of the measured time to the begin of this one.
    pub at: u32,
    /// Clients that were connected at its end.
    pub clients: u64,
    /// Deliveries that fell due in it.
    pub offered: u64,
    /// Deliveries that came in it.
    pub delivered: u64,
    /// Deliveries that fell due in it and never came.
    pub lost: u64,
    /// Median latency of what came in it, in milliseconds; absent where nothing came.
    pub p50: Option<f64>,
    /// The latency that 99 % of it did not exceed.
    pub p99: Option<f64>,
    /// Resident memory of the gateway's process tree at its end, in KiB; absent where it is not local.
    pub memory: Option<f64>,
    /// Processor time of that tree, as a share of one core.
    pub cpu: Option<f64>,
    /// Latencies of what came in it, as in `histogram`; only where the load was divided, so that seconds can be added.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub histogram: Vec<Bucket>,
}

/// The load generator itself.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Generator {
    /// Threads that read the clients' sockets.
    pub threads: u32,
    /// The share of its time that the busiest of them, or the publisher, worked: 1 is all of it.
    pub busy: f64,
    /// The latest that an event was published after it was due, in milliseconds.
    pub late: f64,
    /// Why the generator, not the gateway, limited the run, where it did: then the figures say little about the gateway.
    pub limited: Option<String>,
}

/// A bound, and whether it held.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ThresholdOutcome {
    /// The bound, as it was written: `p99 < 50ms`.
    pub threshold: String,
    /// What it bounds.
    pub measure: Measure,
    /// What was measured, in the measure's unit; absent where it was not: then the bound does not hold.
    pub actual: Option<f64>,
    /// Whether it held.
    pub holds: bool,
}

/// A text is no run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// It is no such JSON document.
    #[error("no result of `gatecheck bench`: {0}")]
    Invalid(#[from] serde_json::Error),
    /// Another version wrote it.
    #[error("a result in version {0} of the format, and this gatecheck reads version {VERSION}")]
    Version(u64),
}

impl Run {
    /// Reads a stored result.
    ///
    /// # Errors
    /// When it is none, or one of another version.
    pub fn from_json(text: &str) -> Result<Self, RunError> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u64,
        }
        let Versioned { version } = serde_json::from_str(text)?;
        if version != u64::from(VERSION) {
            return Err(RunError::Version(version));
        }
        Ok(serde_json::from_str(text)?)
    }

    /// The document.
    ///
    /// # Panics
    /// Never: every key is a string.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a run has string keys")
    }

    /// The thresholds that broke.
    pub fn broken(&self) -> impl Iterator<Item = &ThresholdOutcome> {
        self.thresholds.iter().filter(|outcome| !outcome.holds)
    }

    /// The JSON Schema of the document.
    pub fn schema() -> serde_json::Value {
        let mut schema = schemars::schema_for!(Self);
        schema.insert("title".to_owned(), "A result of `gatecheck bench`".into());
        schema.to_value()
    }

    /// A run with plausible figures, to test renderings with.
    pub fn sample() -> Self {
        let series = (0..30_u32).map(|at| Second {
            at,
            clients: 1000,
            offered: 100_000,
            delivered: 99_990 + u64::from(at % 3),
            lost: u64::from(at == 17) * 4,
            p50: Some(1.2 + f64::from(at % 5) / 10.0),
            p99: Some(8.5 + f64::from(at % 7)),
            memory: Some(f64::from(22_000 + at * 10)),
            cpu: Some(0.61),
            histogram: Vec::new(),
        });
        let latency = [(50.0, 1.4), (90.0, 3.9), (99.0, 11.2), (99.9, 31.0), (100.0, 48.4)];
        Self {
            version: VERSION,
            gatecheck: env!("CARGO_PKG_VERSION").to_owned(),
            workload: "paced".to_owned(),
            subject: "node dist/main.js".to_owned(),
            started: "2026-01-02T03:04:05Z".to_owned(),
            ending: Ending::Complete,
            shard: None,
            settings: [("clients", "1000"), ("rate", "100/s"), ("duration", "30s")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            duration: 30.0,
            clients: 1000,
            ledger: LedgerTotals {
                events: 3000,
                owed: 3_000_000,
                delivered: 2_999_996,
                lost: 4,
                bytes: 720_000_000,
                ..LedgerTotals::default()
            },
            measures: [
                (Measure::DeliveriesPerSecond, 99_999.9),
                (Measure::P50, 1.4),
                (Measure::P90, 3.9),
                (Measure::P99, 11.2),
                (Measure::P999, 31.0),
                (Measure::Max, 48.4),
                (Measure::Lost, 4.0),
                (Measure::Duplicated, 0.0),
                (Measure::CpuPerDelivery, 6.1),
                (Measure::Cpu, 0.61),
                (Measure::MemoryPeak, 22_290.0),
                (Measure::MemoryPerConnection, 7.9),
                (Measure::BytesPerDelivery, 240.0),
            ]
            .into(),
            latency: latency.map(|(percentile, ms)| Percentile { percentile, ms }).to_vec(),
            histogram: vec![Bucket(1_400, 2_999_000), Bucket(48_400, 996)],
            series: series.collect(),
            generator: Generator { threads: 1, busy: 0.42, late: 0.8, limited: None },
            thresholds: vec![
                ThresholdOutcome {
                    threshold: "p99 < 50ms".to_owned(),
                    measure: Measure::P99,
                    actual: Some(11.2),
                    holds: true,
                },
                ThresholdOutcome {
                    threshold: "lost == 0".to_owned(),
                    measure: Measure::Lost,
                    actual: Some(4.0),
                    holds: false,
                },
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stored result is read as it was written.
    #[test]
    fn a_result_survives_storage() {
        let run = Run::sample();
        assert_eq!(Run::from_json(&run.to_json()).unwrap(), run);
    }

    /// A result of another version, and what is no result, are told apart.
    #[test]
    fn other_versions_are_refused() {
        let text = Run::sample().to_json().replace("\"version\": 1", "\"version\": 2");
        assert!(matches!(Run::from_json(&text), Err(RunError::Version(2))));
        assert!(matches!(Run::from_json("{\"version\":1}"), Err(RunError::Invalid(_))));
        assert!(matches!(Run::from_json("no"), Err(RunError::Invalid(_))));
    }

    /// What broke is named.
    #[test]
    fn broken_thresholds_are_named() {
        let run = Run::sample();
        let broken: Vec<_> = run.broken().map(|outcome| outcome.threshold.as_str()).collect();
        assert_eq!(broken, ["lost == 0"]);
    }
}
