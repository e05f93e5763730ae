//! How long processes under test were kept waiting for a processor.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, SyncSender};
use std::thread;
use std::time::Instant;

use futures_util::future::join_all;
use tokio::sync::oneshot;

use super::process_tree;
use super::sampler::{Sampler, SamplerCommand};
use super::waits::Waits;

/// Orders that may wait for the thread: a fleet's. Giving more waits.
const ORDERS: usize = 1024;

/// Measures processes under test, by one thread for all of them. Its copies share the thread, which ends with the last of them
/// and the last [`Watch`].
#[derive(Clone)]
pub struct SubjectProbe {
    /// `None` where this system does not provide the counters.
    orders: Option<SyncSender<SamplerCommand>>,
    trees: Arc<AtomicU64>,
}

/// A process that is measured, with its children, until this is dropped.
pub struct Watch {
    orders: SyncSender<SamplerCommand>,
    tree: u64,
}

impl SubjectProbe {
    /// Starts the thread, which does nothing until there is a process to measure.
    pub fn start() -> Self {
        let (orders, inbox) = mpsc::sync_channel(ORDERS);
        let thread = thread::Builder::new().name("subject-probe".to_owned());
        let runs =
            process_tree::is_available() && thread.spawn(move || Sampler::default().run(&inbox)).is_ok();
        Self { orders: runs.then_some(orders), trees: Arc::default() }
    }

    /// Measures a process and its children from now on; `None` where this system does not provide the counters.
    pub fn watch(&self, process: u32) -> Option<Watch> {
        let orders = self.orders.clone()?;
        let tree = self.trees.fetch_add(1, Ordering::Relaxed);
        orders.send(SamplerCommand::Watch { tree, leader: process }).ok()?;
        Some(Watch { orders, tree })
    }
}

impl Watch {
    /// What each of these has waited since an instant. Ask before they are killed: what a thread waits at this moment is
    /// awaited, and known only then.
    pub async fn waits_since(watches: &[Self], from: Instant) -> Vec<Waits> {
        let ask = |watch: &Self| {
            let (answer, answered) = oneshot::channel();
            // If the sampler thread has ended there is no answer, and nothing is measured.
            let _ = watch.orders.send(SamplerCommand::Settle { tree: watch.tree, from, answer });
            answered
        };
        let asked: Vec<_> = watches.iter().map(ask).collect();
        join_all(asked).await.into_iter().flatten().collect()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // The sampler thread may have ended already.
        let _ = self.orders.send(SamplerCommand::Forget { tree: self.tree });
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::noise::waits::SPAN;
    use crate::process::{Streams, Subject};
    use crate::profile::CommandProfile;
    use crate::template::Values;
    use std::path::Path;
    use std::sync::atomic::AtomicBool;
    use std::time::Duration;

    /// Threads that leave no processor idle, until this is dropped.
    struct Hogs(Arc<AtomicBool>);

    impl Hogs {
        fn start() -> Self {
            let over = Arc::new(AtomicBool::new(false));
            let cores = thread::available_parallelism().map_or(1, usize::from);
            for _ in 0..2 * cores {
                let over = over.clone();
                thread::spawn(move || while !over.load(Ordering::Relaxed) {});
            }
            Self(over)
        }
    }

    impl Drop for Hogs {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    fn subject(script: &str) -> Subject {
        let words = ["sh", "-c", script].map(str::to_owned).to_vec();
        let command = CommandProfile { words, env: Default::default() };
        Subject::spawn(&command, &Values::default(), Path::new("."), Streams::Kept).expect("a shell")
    }

    /// A process that gets no processor waits, and so does one whose child gets none; one that asks for none does not. What is
    /// measured is no more than the time that has passed.
    #[tokio::test]
    #[expect(clippy::disallowed_methods, reason = "what is measured is real time")]
    async fn starvation_is_seen_where_it_is() {
        let probe = SubjectProbe::start();
        let (starved, parent, idle) = (
            subject("while :; do :; done"),
            subject("(while :; do :; done) & wait"),
            subject("exec sleep 600"),
        );
        let subjects = [&starved, &parent, &idle];
        let watches: Vec<_> =
            subjects.iter().filter_map(|subject| probe.watch(subject.id().unwrap())).collect();
        assert_eq!(watches.len(), subjects.len());
        let hogs = Hogs::start();
        let begun = Instant::now();
        let enough = Duration::from_millis(300);
        let waits = loop {
            let waits = Watch::waits_since(&watches, begun).await;
            let seen: Vec<_> = waits.iter().map(|waits| waits.since(begun)).collect();
            if seen[..2].iter().all(|seen| *seen >= enough) {
                break waits;
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "{seen:?}");
        };
        drop(hogs);
        let passed = begun.elapsed() + Duration::from_millis(20);
        assert!(waits.iter().all(|waits| waits.since(begun) <= passed), "{waits:?}");
        assert!(waits[2].since(begun) < enough / 2, "{:?}", waits[2]);
    }

    /// A wait that is not over when it is read counts, although Linux reports it only once it is over. A starved process is
    /// in the middle of a long wait nearly whenever it is read.
    #[tokio::test]
    #[expect(clippy::disallowed_methods, reason = "what is measured is real time")]
    async fn a_wait_that_is_not_over_counts() {
        // How often it is in the middle of a wait is the host's affair: once is enough.
        const QUESTIONS: usize = 200;
        const LONG: Duration = Duration::from_millis(20);
        let probe = SubjectProbe::start();
        let starved = subject("exec nice -n 19 sh -c 'while :; do :; done'");
        let watches = [probe.watch(starved.id().unwrap()).unwrap()];
        let _hogs = Hogs::start();
        let mut longest = Duration::ZERO;
        for _ in 0..QUESTIONS {
            let asked = Instant::now();
            let waited = Watch::waits_since(&watches, asked).await[0].since(asked);
            // What was waited before may stand in the same span: only an answer that took as long is about this wait.
            longest = longest.max(waited.min(asked.elapsed()));
            if longest > LONG {
                return;
            }
        }
        panic!("{longest:?} at most");
    }

    /// A process that has ended waits for nothing, and the question is answered.
    #[tokio::test]
    #[expect(clippy::disallowed_methods, reason = "what is measured is real time")]
    async fn the_dead_wait_for_nothing() {
        let probe = SubjectProbe::start();
        let mut subject = subject("exec sleep 600");
        let watch = probe.watch(subject.id().unwrap()).unwrap();
        subject.kill().await;
        let killed = Instant::now();
        let waits = Watch::waits_since(&[watch], killed).await;
        assert_eq!(waits.len(), 1);
        // The span in which it was killed may hold what it waited before.
        assert_eq!(waits[0].since(killed + SPAN), Duration::ZERO);
    }
}
