//! How long this host kept threads waiting: what a window missed by no more than that does not show.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How often the probe asks to be woken.
const PERIOD: Duration = Duration::from_millis(5);

/// Threads and tasks, one of each for each core, that do nothing but wake up, and remember how late they were. The threads see
/// a host that is too busy, the tasks a runtime that is: its other tasks are scripted clients and gateways.
pub struct StallProbe {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

/// The time of one case, during which stalls are looked at.
pub struct StallWatch {
    shared: Arc<Shared>,
    slot: usize,
}

/// Cases that may be watched at once; more share a slot, and so see each other's stalls as well.
const SLOTS: usize = 64;

struct Shared {
    over: AtomicBool,
    next: AtomicU64,
    /// The worst stall in microseconds, for each watch.
    worst: [AtomicU64; SLOTS],
}

impl StallProbe {
    /// Starts the threads, and the tasks on this runtime.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn start() -> Self {
        let shared = Arc::new(Shared {
            over: AtomicBool::new(false),
            next: AtomicU64::new(0),
            worst: std::array::from_fn(|_| AtomicU64::new(0)),
        });
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let start = |_| {
            let shared = shared.clone();
            thread::spawn(move || shared.run())
        };
        let threads = (0..cores).map(start).collect();
        let tasks = (0..cores).map(|_| tokio::spawn(shared.clone().run_on_runtime())).collect();
        Self { shared, threads, tasks }
    }

    /// Begins to watch.
    pub fn watch(&self) -> StallWatch {
        let slot = self.shared.next.fetch_add(1, Ordering::Relaxed) as usize % SLOTS;
        self.shared.worst[slot].store(0, Ordering::Relaxed);
        StallWatch { shared: self.shared.clone(), slot }
    }
}

impl Drop for StallProbe {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        self.tasks.iter().for_each(tokio::task::JoinHandle::abort);
        for thread in self.threads.drain(..) {
            // A probe that panicked has measured nothing more, which is no harm here.
            let _ = thread.join();
        }
    }
}

impl StallWatch {
    /// The worst stall since the watch began.
    pub fn worst(&self) -> Duration {
        Duration::from_micros(self.shared.worst[self.slot].load(Ordering::Relaxed))
    }
}

impl Shared {
    #[expect(clippy::disallowed_methods, reason = "the probe measures the real clock; that is its purpose")]
    fn run(&self) {
        while !self.over.load(Ordering::Relaxed) {
            let before = Instant::now();
            thread::sleep(PERIOD);
            self.note(before.elapsed());
        }
    }

    #[expect(clippy::disallowed_methods, reason = "the probe measures the real clock; that is its purpose")]
    async fn run_on_runtime(self: Arc<Self>) {
        loop {
            let before = Instant::now();
            tokio::time::sleep(PERIOD).await;
            self.note(before.elapsed());
        }
    }

    fn note(&self, took: Duration) {
        let late = took.saturating_sub(PERIOD);
        let late = u64::try_from(late.as_micros()).unwrap_or(u64::MAX);
        for worst in &self.worst {
            worst.fetch_max(late, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A task that keeps the runtime to itself is a stall, though the host has nothing to do.
    #[tokio::test]
    #[expect(clippy::disallowed_methods, reason = "it keeps the runtime busy on purpose")]
    async fn a_busy_runtime_is_a_stall() {
        let probe = StallProbe::start();
        tokio::time::sleep(2 * PERIOD).await;
        let watch = probe.watch();
        thread::sleep(Duration::from_millis(200));
        tokio::time::sleep(2 * PERIOD).await;
        assert!(watch.worst() >= Duration::from_millis(150), "{:?}", watch.worst());
    }
}
