//! What a thread counts, and hands over second by second.

use std::time::Duration;

use crate::latencies::Latencies;
use crate::run::{Bucket, LedgerTotals};

/// What came in one second.
#[derive(Debug, Clone, Default)]
pub(crate) struct SecondTally {
    pub(crate) second: usize,
    pub(crate) delivered: u64,
    pub(crate) latencies: Vec<Bucket>,
    /// Clients that were there at its end.
    pub(crate) clients: usize,
}

/// What falls due in each second, and what of it never came.
#[derive(Debug, Clone, Default)]
pub(crate) struct BySecond {
    pub(crate) owed: Vec<u64>,
    pub(crate) lost: Vec<u64>,
}

/// What a thread has counted in all.
#[derive(Debug, Clone, Default)]
pub(crate) struct Totals {
    pub(crate) ledger: LedgerTotals,
    pub(crate) by_second: BySecond,
    /// When the last event came, since the begin.
    pub(crate) last_arrival: Duration,
    /// The share of the time until then that it worked.
    pub(crate) busy: f64,
}

/// The second that is under way.
#[derive(Debug, Default)]
pub(super) struct CurrentSecond {
    second: usize,
    delivered: u64,
    latencies: Latencies,
    finished: Vec<SecondTally>,
}

impl CurrentSecond {
    /// An event came.
    pub(super) fn record(&mut self, latency_us: u64) {
        self.delivered += 1;
        self.latencies.record_us(latency_us);
    }

    /// The time is so much; whatever is recorded from now on belongs there.
    pub(super) fn advance(&mut self, now: Duration, clients: usize) {
        let second = now.as_secs() as usize;
        if second > self.second {
            self.finish(clients);
            self.second = second;
        }
    }

    /// Ends the second that is under way.
    pub(super) fn finish(&mut self, clients: usize) {
        let latencies = if self.delivered > 0 { self.latencies.buckets() } else { Vec::new() };
        self.finished.push(SecondTally {
            second: self.second,
            delivered: self.delivered,
            latencies,
            clients,
        });
        self.delivered = 0;
        self.latencies.clear();
    }

    /// What could not be handed over.
    pub(super) fn give_back(&mut self, seconds: Vec<SecondTally>) {
        self.finished.splice(0..0, seconds);
    }

    /// The seconds that have ended.
    pub(super) fn take_finished(&mut self) -> Vec<SecondTally> {
        std::mem::take(&mut self.finished)
    }
}

impl BySecond {
    /// Adds so many events of a second.
    pub(super) fn add(to: &mut Vec<u64>, second: usize, count: u64) {
        if to.len() <= second {
            to.resize(second + 1, 0);
        }
        to[second] += count;
    }
}
