//! A long run of the reference gateway with everything that goes wrong at once, and a ledger of what each client saw.
//!
//! ```text
//!  Publisher ──numbered events──► embedded broker ──► reference gateway (a process)
//!      │        (restarted each minute)                    ║
//!     Feed ◄── what should have come ── Members (healthy, coming and going), stalled, flooding, garbage
//! ```

mod crowd;
mod dial;
mod feed;
mod gateway;
mod ledger;
mod member;
mod nuisance;
mod publisher;
mod summary;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

use crate::broker::{Broker, BrokerConfig, BrokerError};
use crate::reference_gateway::GatewayError;
use crowd::Crowd;
use feed::Feed;
use gateway::Gateway;
use nuisance::Nuisance;
use publisher::Publisher;

pub use summary::{Memory, Problem, Progress, Summary};

/// How much of everything there is.
#[derive(Debug, Clone)]
pub struct SoakConfig {
    /// This program, which the gateway is a part of.
    pub program: PathBuf,
    /// How long it takes, not counting the beginning and the end.
    pub duration: Duration,
    /// Healthy clients at any time.
    pub connections: usize,
    /// How many of them leave each second, each followed by another.
    pub churn: u32,
    /// Events each second.
    pub events: u32,
    /// Clients of each kind that does harm: stalled, flooding, sending garbage.
    pub nuisances: usize,
    /// Time between two restarts of the broker.
    pub restart_every: Duration,
    /// Where randomness begins.
    pub seed: u64,
}

/// Why a soak has no result.
#[derive(Debug, miette::Diagnostic, thiserror::Error)]
pub enum SoakError {
    /// So many connections need more descriptors than this process may have.
    #[error("{needed} open files are needed, and this process may have {allowed}")]
    #[diagnostic(help("raise the limit (`ulimit -n {needed}`), or ask for fewer `--connections`"))]
    Descriptors {
        /// How many.
        needed: u64,
        /// How many there may be.
        allowed: u64,
    },
    /// The embedded broker cannot start.
    #[error("the embedded broker: {0}")]
    Broker(#[from] BrokerError),
    /// The gateway is not there, or not any more.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Gateway(#[from] GatewayError),
    /// The harness failed.
    #[error("{0}")]
    Harness(String),
}

/// How often progress is told.
const TELL_EVERY: Duration = Duration::from_secs(10);
/// Longest wait for anything that must happen; healthy runs never wait so long.
const PATIENCE: Duration = Duration::from_secs(30);
/// Problems that wait to be noted; a run with more has failed long since.
const PROBLEMS: usize = 1024;

/// Runs to the end, or until `stop`; both are summed up.
///
/// # Errors
/// When it could not run: that is no finding about the gateway, unless the gateway died.
pub async fn run(
    config: SoakConfig,
    stop: impl Future<Output = ()>,
    mut tell: impl FnMut(&Progress),
) -> Result<Summary, SoakError> {
    dial::raise_descriptors(config.connections + 8 * config.nuisances)?;
    let broker = Arc::new(Broker::start(BrokerConfig::default()).await?);
    let mut gateway = Gateway::start(&config.program, &broker.url()).await?;
    let outcome = tokio::select! {
        biased;
        reason = gateway.end() => Err(gateway.over(format!("ended: {reason}")).await),
        outcome = soak(&config, &broker, &gateway, stop, &mut tell) => outcome,
    };
    let summary = match outcome {
        Ok(mut summary) => {
            gateway.stop().await.into_iter().for_each(|problem| summary.note(problem));
            Ok(summary)
        }
        Err(error) => Err(error),
    };
    if let Some(broker) = Arc::into_inner(broker) {
        broker.shutdown().await;
    }
    summary
}

async fn soak(
    config: &SoakConfig,
    broker: &Arc<Broker>,
    gateway: &Gateway,
    stop: impl Future<Output = ()>,
    tell: &mut impl FnMut(&Progress),
) -> Result<Summary, SoakError> {
    let feed = Arc::new(Feed::default());
    let (problems, mut found) = mpsc::channel(PROBLEMS);
    let mut crowd = Crowd::new(config, gateway, feed.clone(), problems.clone());

    // Once in and out: what an allocator keeps for so many connections is no leak.
    crowd.fill().await?;
    crowd.empty().await?;
    gateway.deserted(PATIENCE).await.map_err(SoakError::Harness)?;
    let mut memory = Memory::begin(gateway.resident_bytes());
    crowd.fill().await?;

    let (over, ending) = watch::channel(false);
    let mut nuisances = JoinSet::new();
    for (number, kind) in
        Nuisance::ALL.into_iter().flat_map(|kind| (0..config.nuisances).map(move |n| (n, kind)))
    {
        let seed = config.seed ^ ((number as u64) << 8) ^ kind as u64;
        nuisances.spawn(kind.run(gateway.door(), seed, ending.clone()));
    }
    let publisher = Publisher::open(broker, feed.clone(), config, gateway.names()).await?;
    let mut publishing = tokio::spawn(publisher.run(broker.clone(), problems.clone(), ending.clone()));

    let begun = now();
    let mut churn = interval(Duration::from_secs(1) / config.churn.max(1));
    // On a host that is too busy for it, the churn is what it can be.
    churn.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut telling = interval(TELL_EVERY);
    telling.tick().await;
    let mut stop = std::pin::pin!(stop);
    let mut end = std::pin::pin!(sleep(config.duration));
    let mut summary = Summary::default();
    let mut published = None;
    loop {
        tokio::select! {
            biased;
            () = &mut stop => break,
            () = &mut end => break,
            Some(problem) = found.recv() => summary.note(problem),
            ended = &mut publishing => {
                published = Some(ended.map_err(|error| SoakError::Harness(error.to_string()))??);
                break;
            }
            Some(arrived) = crowd.next_arrival() => crowd.settle(arrived)?,
            _ = telling.tick() => {
                memory.look(gateway.resident_bytes());
                tell(&Progress {
                    elapsed: begun.elapsed(),
                    connections: crowd.len(),
                    events: feed.confirmed(),
                    checked: feed.checked(),
                    resident_bytes: memory.last,
                    problems: summary.problem_count,
                });
            }
            _ = churn.tick(), if config.churn > 0 => crowd.replace_one(),
        }
    }
    summary.duration = begun.elapsed();
    over.send_replace(true);
    let published = match published {
        Some(published) => published,
        None => timeout(PATIENCE, publishing)
            .await
            .map_err(|_| SoakError::Harness("the publisher does not end".to_owned()))?
            .map_err(|error| SoakError::Harness(error.to_string()))??,
    };
    crowd.empty().await?;
    while let Some(ended) = nuisances.join_next().await {
        summary.nuisances += ended.map_err(|error| SoakError::Harness(error.to_string()))?;
    }
    if let Err(reason) = gateway.deserted(PATIENCE).await {
        summary.note(Problem::Left(reason));
    }
    memory.look(gateway.resident_bytes());
    while let Ok(problem) = found.try_recv() {
        summary.note(problem);
    }
    if let Some(problem) = memory.verdict() {
        summary.note(problem);
    }
    summary.memory = memory;
    summary.restarts = published;
    summary.connections = crowd.came();
    summary.events = feed.confirmed();
    summary.checked = feed.checked();
    Ok(summary)
}

#[expect(clippy::disallowed_methods, reason = "a soak takes real time")]
fn now() -> Instant {
    Instant::now()
}
