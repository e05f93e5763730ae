//! How long this host kept threads waiting: what a window missed by no more than that does not show.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio_util::task::AbortOnDropHandle;

/// How often the probe asks to be woken.
const PERIOD: Duration = Duration::from_millis(5);
/// How finely it is remembered when a stall ended.
const SPAN: Duration = Duration::from_millis(50);

/// Threads and tasks, one of each for each core, that do nothing but wake up, and remember how late they were. The threads see
/// a host that is too busy, the tasks a runtime that is: its other tasks are scripted clients and gateways.
pub struct StallProbe {
    shared: Arc<HostState>,
    threads: Vec<JoinHandle<()>>,
    _tasks: Vec<AbortOnDropHandle<()>>,
}

struct HostState {
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
        let shared = Arc::new(HostState {
            start: Instant::now(),
            over: AtomicBool::new(false),
            worst: Mutex::new(Vec::new()),
        });
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let start = |_| {
            let shared = shared.clone();
            thread::Builder::new().name("stall-probe".to_owned()).spawn(move || shared.run())
        };
        // Where the host has no room for one more thread, the others measure.
        let threads = (0..cores).map(start).filter_map(Result::ok).collect();
        let tasks = (0..cores)
            .map(|_| AbortOnDropHandle::new(tokio::spawn(shared.clone().run_on_runtime())))
            .collect();
        Self { shared, threads, _tasks: tasks }
    }

    /// The worst stall of which any part lies between two instants.
    pub fn worst_between(&self, from: Instant, to: Instant) -> Duration {
        let [from, to] = [from, to].map(|at| at.saturating_duration_since(self.shared.start));
        let worst = self.shared.worst();
        let ended = worst.iter().enumerate().skip(span(from));
        let before = |ended: usize| SPAN * u32::try_from(ended).unwrap_or(u32::MAX);
        let overlapping = ended.filter(|(ended, stall)| before(*ended).saturating_sub(**stall) <= to);
        overlapping.map(|(_, stall)| *stall).max().unwrap_or_default()
    }

    /// The worst stall that ended since an instant.
    pub fn worst_since(&self, instant: Instant) -> Duration {
        let first = span(instant.saturating_duration_since(self.shared.start));
        self.shared.worst().iter().skip(first).max().copied().unwrap_or_default()
    }
}

#[cfg(test)]
impl StallProbe {
    /// One that measures nothing, and has measured stalls of so long that ended so long after its start.
    pub(crate) fn of(start: Instant, stalls: &[(Duration, Duration)]) -> Self {
        let mut worst = Vec::new();
        for (ended, stall) in stalls {
            worst.resize(worst.len().max(span(*ended) + 1), Duration::ZERO);
            worst[span(*ended)] = *stall;
        }
        let shared = HostState { start, over: AtomicBool::new(false), worst: Mutex::new(worst) };
        Self { shared: Arc::new(shared), threads: Vec::new(), _tasks: Vec::new() }
    }
}

impl Drop for StallProbe {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // A probe that panicked has measured nothing more, which is no harm here.
            let _ = thread.join();
        }
    }
}

impl HostState {
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

    /// A task that blocks the runtime is a stall, although the host is idle; a case that begins after it is unaffected.
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

    /// A stall belongs to each span of time that it overlaps, and to no other.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "there is no other instant to begin at")]
    fn a_stall_has_its_place() {
        let (start, ms) = (Instant::now(), Duration::from_millis);
        let probe = StallProbe::of(start, &[(ms(2000), ms(900))]);
        let between = |from, to| probe.worst_between(start + ms(from), start + ms(to)) >= ms(900);
        assert!(between(1500, 1600), "it ended at about 2000 and took 900");
        assert!(between(1900, 5000) && between(0, 1150));
        assert!(!between(0, 1000) && !between(2100, 4000));
    }
}
