//! The course of a soak: all clients connect and disconnect once, connect again, run under load, and disconnect.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, interval, sleep, timeout};

use super::adversary::Adversary;
use super::config::{PATIENCE, SoakConfig, SoakError, now};
use super::crowd::Crowd;
use super::feed::Feed;
use super::gateway::Gateway;
use super::publisher::Publisher;
use super::summary::{Ended, Memory, Outages, Problem, Progress, Summary};
use embedded_broker::Broker;

/// How often progress is reported, and memory measured.
const REPORT_EVERY: Duration = Duration::from_secs(1);
/// Problems that wait to be recorded; when the channel is full the sender waits.
const PROBLEMS: usize = 1024;

/// A soak under way.
pub(super) struct Course<'a> {
    config: &'a SoakConfig,
    broker: &'a Arc<Broker>,
    gateway: &'a Gateway,
    feed: Arc<Feed>,
    crowd: Crowd,
    problems: mpsc::Sender<Problem>,
    found: mpsc::Receiver<Problem>,
    summary: Summary,
}

impl<'a> Course<'a> {
    pub(super) fn new(config: &'a SoakConfig, broker: &'a Arc<Broker>, gateway: &'a Gateway) -> Self {
        let feed = Arc::new(Feed::default());
        let (problems, found) = mpsc::channel(PROBLEMS);
        let crowd =
            Crowd::new(config.connections, config.seed, gateway.dialer(), feed.clone(), problems.clone());
        Self { config, broker, gateway, feed, crowd, problems, found, summary: Summary::default() }
    }

    /// Runs to the end, or until `stop`. Before every client is connected there is no summary.
    pub(super) async fn run(
        mut self,
        mut stop: Pin<&mut impl Future<Output = ()>>,
        on_progress: &mut impl FnMut(&Progress),
    ) -> Result<Summary, SoakError> {
        tokio::select! {
            biased;
            () = &mut stop => return Err(SoakError::Interrupted),
            begun = self.begin() => begun?,
        }
        let (over, ending) = watch::channel(false);
        let mut adversaries = self.adversaries(&ending);
        let publisher =
            Publisher::open(self.broker, self.feed.clone(), self.config, self.gateway.names()).await?;
        let mut publishing =
            tokio::spawn(publisher.run(self.broker.clone(), self.problems.clone(), ending.clone()));

        let begun = now();
        let outages = self.endure(begun, stop, &mut publishing, on_progress).await?;
        self.summary.duration = begun.elapsed();
        self.summary.replaced = self.crowd.replaced();
        over.send_replace(true);
        self.summary.outages = match outages {
            Some(outages) => outages,
            None => timeout(PATIENCE, publishing)
                .await
                .map_err(|_| SoakError::Harness("the publisher does not end".to_owned()))???,
        };
        noting(&mut self.summary, &mut self.found, self.crowd.empty()).await?;
        while let Some(ended) = adversaries.join_next().await {
            self.summary.adversaries += ended?;
        }
        self.finish().await;
        Ok(self.summary)
    }

    /// All clients connect and disconnect once, since memory that the allocator keeps for so many connections is no leak; then
    /// all connect again.
    async fn begin(&mut self) -> Result<(), SoakError> {
        let Self { crowd, summary, found, gateway, .. } = self;
        noting(summary, found, crowd.fill()).await?;
        noting(summary, found, crowd.empty()).await?;
        if let Err(reason) = gateway.deserted(PATIENCE).await {
            summary.note(Problem::Left(reason));
        }
        summary.memory = Memory::begin(gateway.resident_bytes());
        noting(summary, found, crowd.fill()).await?;
        if crowd.len() == 0 && self.config.connections > 0 {
            let last = summary.problems.last().map(ToString::to_string).unwrap_or_default();
            return Err(gateway.over(format!("admits no client: {last}")).await);
        }
        Ok(())
    }

    fn adversaries(&self, ending: &watch::Receiver<bool>) -> JoinSet<Ended> {
        let mut adversaries = JoinSet::new();
        for kind in Adversary::ALL {
            for number in 0..self.config.adversaries {
                let seed = self.config.seed ^ ((number as u64) << 8) ^ kind as u64;
                adversaries.spawn(kind.run(self.gateway.dialer(), seed, ending.clone()));
            }
        }
        adversaries
    }

    /// Clients connect and disconnect until the time is over; returns the publisher's result if it ended by itself.
    ///
    /// Churn stands last: when this host cannot keep up with it, its ticks are always due, and whatever stood behind them
    /// would never have its turn.
    async fn endure(
        &mut self,
        begun: Instant,
        mut stop: Pin<&mut impl Future<Output = ()>>,
        publishing: &mut JoinHandle<Result<Outages, SoakError>>,
        on_progress: &mut impl FnMut(&Progress),
    ) -> Result<Option<Outages>, SoakError> {
        let mut churn = interval(Duration::from_secs(1) / self.config.churn.max(1));
        let mut reporting = interval(REPORT_EVERY);
        let mut end = pin!(sleep(self.config.duration));
        loop {
            tokio::select! {
                biased;
                () = &mut stop => return Ok(None),
                () = &mut end => return Ok(None),
                ended = &mut *publishing => return ended?.map(Some),
                _ = reporting.tick() => on_progress(&self.progress(begun)),
                Some(problem) = self.found.recv() => self.summary.note(problem),
                settled = self.crowd.settle() => settled?,
                _ = churn.tick(), if self.config.churn > 0 && self.crowd.has_room() => self.crowd.replace_one(),
            }
        }
    }

    fn progress(&mut self, begun: Instant) -> Progress {
        let resident_bytes = self.gateway.resident_bytes();
        self.summary.memory.look(resident_bytes);
        Progress {
            elapsed: begun.elapsed(),
            connections: self.crowd.len(),
            events: self.feed.confirmed(),
            checked: self.feed.checked(),
            resident_bytes,
            problems: self.summary.problem_count,
        }
    }

    /// Checks that no state is left once every client has disconnected.
    async fn finish(&mut self) {
        if let Err(reason) = self.gateway.deserted(PATIENCE).await {
            self.summary.note(Problem::Left(reason));
        }
        self.summary.memory.look(self.gateway.resident_bytes());
        while let Ok(problem) = self.found.try_recv() {
            self.summary.note(problem);
        }
        if let Some(problem) = self.summary.memory.verdict() {
            self.summary.note(problem);
        }
        self.summary.connections = self.crowd.arrived();
        self.summary.broke_off = self.crowd.broke_off();
        self.summary.events = self.feed.confirmed();
        self.summary.checked = self.feed.checked();
    }
}

/// Runs a future and records the problems that are found meanwhile, so that their senders do not block.
async fn noting<T>(
    summary: &mut Summary,
    found: &mut mpsc::Receiver<Problem>,
    work: impl Future<Output = T>,
) -> T {
    let mut work = pin!(work);
    loop {
        tokio::select! {
            biased;
            Some(problem) = found.recv() => summary.note(problem),
            done = &mut work => return done,
        }
    }
}
