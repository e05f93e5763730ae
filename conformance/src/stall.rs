//! How long this host kept threads waiting: what a window missed by no more than that does not show.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How often the probe asks to be woken.
const PERIOD: Duration = Duration::from_millis(5);
/// How finely it is remembered when a stall ended.
const SPAN: Duration = Duration::from_millis(50);

/// Threads and tasks, one of each for each core, that do nothing but wake up, and remember how late they were. The threads see
/// a host that is too busy, the tasks a runtime that is: its other tasks are scripted clients and gateways.
pub struct StallProbe {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

struct Shared {
    start: Instant,
    over: AtomicBool,
    /// The worst stall that ended in each [`SPAN`] since the start.
    worst: Mutex<Vec<Duration>>,
}

impl StallProbe {
    /// Starts the threads, and the tasks on this runtime.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[expect(clippy::disallowed_methods, reason = "the probe measures the real clock; that is its purpose")]
    pub fn start() -> Self {
        let shared = Arc::new(Shared {
            start: Instant::now(),
            over: AtomicBool::new(false),
            worst: Mutex::new(Vec::new()),
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

    /// The worst stall that ended since an instant.
    pub fn worst_since(&self, instant: Instant) -> Duration {
        let first = span(instant.saturating_duration_since(self.shared.start));
        self.shared.worst().iter().skip(first).max().copied().unwrap_or_default()
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
        let now = span(self.start.elapsed());
        let mut worst = self.worst();
        if worst.len() <= now {
            worst.resize(now + 1, Duration::ZERO);
        }
        worst[now] = worst[now].max(late);
    }

    fn worst(&self) -> MutexGuard<'_, Vec<Duration>> {
        self.worst.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Which span a time since the start is in.
fn span(time: Duration) -> usize {
    usize::try_from(time.as_millis() / SPAN.as_millis()).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A task that keeps the runtime to itself is a stall, though the host has nothing to do; whoever begins after it has not
    /// met it.
    #[tokio::test]
    #[expect(clippy::disallowed_methods, reason = "it keeps the runtime busy on purpose")]
    async fn a_busy_runtime_is_a_stall() {
        let probe = StallProbe::start();
        tokio::time::sleep(2 * PERIOD).await;
        let begin = Instant::now();
        thread::sleep(Duration::from_millis(200));
        tokio::time::sleep(2 * PERIOD).await;
        let stall = probe.worst_since(begin);
        assert!(stall >= Duration::from_millis(150), "{stall:?}");
        tokio::time::sleep(2 * SPAN).await;
        let later = probe.worst_since(Instant::now());
        assert!(later < stall, "{later:?}");
    }
}
