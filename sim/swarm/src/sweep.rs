//! Many seeds, side by side.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use scenarios::invariants::Violation;

use crate::coverage::Coverage;
use crate::defect::DefectMaker;
use crate::draw::draw;
use crate::engine::{Options, play};

/// Seeds that a thread plays before it reports.
const BATCH: u64 = 16;

/// Which seeds are played, and how.
#[derive(Debug, Clone, Copy)]
pub struct Seeds {
    /// The first one.
    pub first: u64,
    /// How many, all shards together.
    pub count: u64,
    /// Every so manieth, beginning with this one, counted from 0.
    pub shard: (u64, u64),
    /// Threads.
    pub jobs: usize,
    /// What is wrong with the pair.
    pub defect: Option<DefectMaker>,
    /// Whether nothing more is played once something was found.
    pub stops: bool,
}

/// What came of seeds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sweep {
    /// How many were played.
    pub seeds: u64,
    /// The time that passed inside.
    pub simulated: Duration,
    /// Observations.
    pub observed: u64,
    /// What was reached.
    pub coverage: Coverage,
    /// Seeds that break a rule, each with the first violation, by seed.
    pub found: Vec<(u64, Violation)>,
}

impl Sweep {
    /// Adds what came of other seeds.
    pub fn add(&mut self, other: &Self) {
        self.seeds += other.seeds;
        self.simulated += other.simulated;
        self.observed += other.observed;
        self.coverage.add(&other.coverage);
        self.found.extend(other.found.iter().cloned());
        self.found.sort_by_key(|(seed, _)| *seed);
    }
}

impl Seeds {
    /// So many seeds from the first on, on one thread.
    pub fn new(first: u64, count: u64) -> Self {
        Self { first, count, shard: (0, 1), jobs: 1, defect: None, stops: false }
    }

    /// Plays them; `progress` sees what has come so far, now and then.
    pub fn play(&self, mut progress: impl FnMut(&Sweep)) -> Sweep {
        let (next, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
        let (done, batches) = mpsc::channel();
        let mut sum = Sweep::default();
        std::thread::scope(|scope| {
            for _ in 0..self.jobs.max(1) {
                let (next, is_over, done) = (&next, &is_over, done.clone());
                scope.spawn(move || {
                    while !is_over.load(Ordering::Relaxed) {
                        let from = next.fetch_add(BATCH, Ordering::Relaxed);
                        if from >= self.count {
                            return;
                        }
                        let batch = self.batch(from..(from + BATCH).min(self.count));
                        is_over.fetch_or(self.stops && !batch.found.is_empty(), Ordering::Relaxed);
                        // The receiver has ended only where this program does.
                        let _ = done.send(batch);
                    }
                });
            }
            drop(done);
            for batch in batches {
                sum.add(&batch);
                progress(&sum);
            }
        });
        sum
    }

    fn batch(&self, numbers: std::ops::Range<u64>) -> Sweep {
        let (shard, shards) = self.shard;
        let mut sweep = Sweep::default();
        for number in numbers.filter(|number| number % shards == shard) {
            let seed = self.first + number;
            let options = Options { defect: self.defect, ..Options::default() };
            let played = play(&draw(seed), options);
            sweep.seeds += 1;
            sweep.simulated += played.simulated;
            sweep.observed += played.observed;
            sweep.coverage.add(&played.coverage);
            sweep.found.extend(played.violations.into_iter().next().map(|violation| (seed, violation)));
            if self.stops && !sweep.found.is_empty() {
                break;
            }
        }
        sweep
    }
}
