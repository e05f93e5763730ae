//! What is measured of a gateway under load.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The figures of one run, or of one block of a comparison. A measure that the workload does not have is absent.
pub type Measures = BTreeMap<Measure, f64>;

/// One figure. Its name, as in files and thresholds, is in snake case; its unit is fixed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Events that reached clients, each client counted, in each second of the measured time.
    DeliveriesPerSecond,
    /// The highest rate of events, in each second, at which the workload's bounds held (workload `ramp`).
    EventsPerSecond,
    /// Sign-ins completed in each second (workload `connect`).
    SignInsPerSecond,
    /// Milliseconds from the time at which an event was due to its arrival at a client: the median.
    P50,
    /// The same, 90 % of them.
    P90,
    /// The same, 99 % of them.
    P99,
    /// The same, 99.9 % of them.
    P999,
    /// The same, the longest.
    Max,
    /// Milliseconds from the cut of all connections until all are signed in again (workload `connect`).
    ReturnTime,
    /// Deliveries that were owed and did not come.
    Lost,
    /// Deliveries that came again.
    Duplicated,
    /// Processor time of the gateway's process tree for each delivery, in microseconds.
    CpuPerDelivery,
    /// Processor time of the gateway's process tree, as a share of one core.
    Cpu,
    /// The most resident memory that the gateway's process tree had, in KiB.
    MemoryPeak,
    /// Resident memory for each connection beyond that of the gateway without any, in KiB.
    MemoryPerConnection,
    /// Bytes that clients received for each delivery, frames and heartbeats included.
    BytesPerDelivery,
}

/// Which way a measure is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// The more, the better.
    Higher,
    /// The less, the better.
    Lower,
}

impl Measure {
    /// All of them, in the order of reports.
    pub const ALL: [Self; 16] = [
        Self::DeliveriesPerSecond,
        Self::EventsPerSecond,
        Self::SignInsPerSecond,
        Self::P50,
        Self::P90,
        Self::P99,
        Self::P999,
        Self::Max,
        Self::ReturnTime,
        Self::Lost,
        Self::Duplicated,
        Self::CpuPerDelivery,
        Self::Cpu,
        Self::MemoryPeak,
        Self::MemoryPerConnection,
        Self::BytesPerDelivery,
    ];

    /// Its name in files, thresholds and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::DeliveriesPerSecond => "deliveries_per_second",
            Self::EventsPerSecond => "events_per_second",
            Self::SignInsPerSecond => "sign_ins_per_second",
            Self::P50 => "p50",
            Self::P90 => "p90",
            Self::P99 => "p99",
            Self::P999 => "p999",
            Self::Max => "max",
            Self::ReturnTime => "return_time",
            Self::Lost => "lost",
            Self::Duplicated => "duplicated",
            Self::CpuPerDelivery => "cpu_per_delivery",
            Self::Cpu => "cpu",
            Self::MemoryPeak => "memory_peak",
            Self::MemoryPerConnection => "memory_per_connection",
            Self::BytesPerDelivery => "bytes_per_delivery",
        }
    }

    /// Its unit, as it is printed behind figures; empty for counts and shares.
    pub fn unit(self) -> &'static str {
        match self {
            Self::P50 | Self::P90 | Self::P99 | Self::P999 | Self::Max | Self::ReturnTime => "ms",
            Self::CpuPerDelivery => "µs",
            Self::MemoryPeak | Self::MemoryPerConnection => "KiB",
            Self::BytesPerDelivery => "B",
            Self::DeliveriesPerSecond | Self::EventsPerSecond | Self::SignInsPerSecond => "/s",
            Self::Lost | Self::Duplicated | Self::Cpu => "",
        }
    }

    /// Whether it is a latency of events.
    pub fn is_latency(self) -> bool {
        matches!(self, Self::P50 | Self::P90 | Self::P99 | Self::P999 | Self::Max)
    }

    /// Which way it is better.
    pub fn better(self) -> Better {
        match self {
            Self::DeliveriesPerSecond | Self::EventsPerSecond | Self::SignInsPerSecond => Better::Higher,
            _ => Better::Lower,
        }
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A measure is called the same in JSON as in tables, and none is left out.
    #[test]
    fn names_are_those_of_files() {
        for measure in Measure::ALL {
            assert_eq!(serde_json::to_value(measure).unwrap(), measure.name());
        }
        assert!(Measure::ALL.is_sorted(), "and so none stands there twice");
    }
}
