//! Events are published and counted.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::{Duration, Instant};

use conformance::amqp::BrokerLink;
use tokio::time::{MissedTickBehavior, interval_at, sleep, sleep_until};

use super::super::scene::{now, unix_ms};
use super::super::summary::carried;
use super::super::{BenchError, Phase, Progress};
use super::Course;
use crate::generator::WorkerCommand;
use crate::publisher::{Messages, Published, Publisher};
use crate::run::Ending;
use crate::workload::Load;

/// How long an event may take to reach a client before the run, while it is published again and again.
const PROBED_WITHIN: Duration = Duration::from_secs(20);
/// Time between two such attempts.
const PROBE_AGAIN: Duration = Duration::from_millis(500);
/// How long a client's connection is quiet until what it is still owed counts as lost.
const QUIET: Duration = Duration::from_secs(5);
/// The same once the run was interrupted.
const QUIET_INTERRUPTED: Duration = Duration::from_secs(1);
/// From the command to begin to the first event.
const LEAD: Duration = Duration::from_millis(100);
const SECOND: Duration = Duration::from_secs(1);

impl Course<'_> {
    /// When the measured time begins, where that was said.
    fn start(&self) -> Option<Instant> {
        let left = u64::try_from(self.config.start_at_ms? - unix_ms()).unwrap_or_default();
        Some(now() + Duration::from_millis(left))
    }

    fn unprobed(&self) -> Vec<u32> {
        let mut channels: Vec<u32> =
            self.latest.iter().flat_map(|status| status.unprobed.iter().copied()).collect();
        channels.sort_unstable();
        channels.dedup();
        channels
    }

    /// Finds out that events reach every client: gateway, subscriptions and all. Returns the connection by which they are published,
    /// where this process publishes.
    pub(super) async fn probe(
        &mut self,
        on_progress: &mut impl FnMut(&Progress),
    ) -> Result<Option<BrokerLink>, BenchError> {
        let start = self.start();
        let mut link = None;
        let messages = self.messages();
        if self.config.publishes() {
            let opened = self.scene.gateway.link().await?;
            let mut opened = opened.ok_or_else(|| BenchError::Harness("there is no broker".to_owned()))?;
            let first = self.scene.gateway.publish_first(&mut opened, messages.probe(0)).await;
            first.map_err(|reason| BenchError::Subject { reason, output: Vec::new() })?;
            link = Some(opened);
        }
        let begun = now();
        loop {
            let lacking = self.unprobed();
            // The others' clients wait for events of every channel.
            let wanted: Vec<u32> = match self.config.shard {
                Some(_) => (0..self.plan.channels().len() as u32).collect(),
                None => lacking.clone(),
            };
            if let Some(link) = &mut link {
                let failed = |error: player::StageError| BenchError::Harness(error.to_string());
                for channel in wanted {
                    link.post(&messages.probe(channel)).await.map_err(failed)?;
                }
                link.confirm().await.map_err(failed)?;
            }
            on_progress(&self.progress(
                if start.is_some() { Phase::Waiting } else { Phase::Probing },
                Duration::ZERO,
                None,
            ));
            let mut again = pin!(sleep(PROBE_AGAIN));
            loop {
                tokio::select! {
                    biased;
                    () = &mut again => break,
                    reported = self.report() => reported?,
                }
                if start.is_none() && self.unprobed().is_empty() {
                    return Ok(link);
                }
            }
            let is_late = match start {
                Some(start) => now() + PROBE_AGAIN + LEAD >= start,
                None => begun.elapsed() > PROBED_WITHIN,
            };
            if is_late {
                return match self.unprobed().first() {
                    None => Ok(link),
                    Some(channel) => Err(self.unreached(*channel)),
                };
            }
        }
    }

    fn unreached(&self, channel: u32) -> BenchError {
        let channel = self.plan.channels()[channel as usize];
        let whom = match channel.user {
            Some(user) => format!("the connections of user {}", user + 1),
            None => format!("`{}`", channel.to),
        };
        BenchError::Subject {
            reason: format!(
                "events for {whom} do not reach all of its {} clients: `gatecheck gateway` shows whether the gateway \
                 delivers them at all",
                channel.members
            ),
            output: Vec::new(),
        }
    }

    fn messages(&self) -> Messages {
        let exchange = self.scene.gateway.exchange();
        let payload = self.config.workload.payload;
        Messages::new(&self.config.profile, &self.plan, exchange, payload, self.run_number)
    }

    /// Publishes what is due when it is, and waits for what is owed.
    pub(super) async fn play(
        &mut self,
        link: Option<BrokerLink>,
        mut stop: Pin<&mut impl Future<Output = ()>>,
        on_progress: &mut impl FnMut(&Progress),
    ) -> Result<(), BenchError> {
        let origin = self.start().unwrap_or_else(|| now() + LEAD);
        let length = self.length();
        self.generator.command(&WorkerCommand::Begin { origin });
        self.begin(origin);
        let mut publisher =
            link.map(|link| Publisher::start(link, self.messages(), self.plan.clone(), origin));
        let mut over = pin!(sleep_until((origin + length).into()));
        let mut sampling = interval_at((origin + SECOND).into(), SECOND);
        sampling.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut ending = Ending::Complete;
        let published = loop {
            tokio::select! {
                biased;
                () = &mut stop, if ending == Ending::Complete => {
                    ending = Ending::Interrupted;
                    match &publisher {
                        Some(publisher) => publisher.stop(),
                        None => break None,
                    }
                }
                published = end_of(&mut publisher) => break Some(published?),
                () = &mut over, if publisher.is_none() => break None,
                reported = self.report() => reported?,
                _ = sampling.tick() => {
                    let elapsed = now().saturating_duration_since(origin);
                    self.sample((elapsed.as_secs() as usize).saturating_sub(1));
                    on_progress(&self.progress(Phase::Running, elapsed, Some(length)));
                    if self.is_dead() {
                        ending = Ending::Died;
                    }
                    if (ending == Ending::Died || self.is_over_the_bound(elapsed))
                        && let Some(publisher) = &publisher
                    {
                        publisher.stop();
                    }
                    if ending == Ending::Died && publisher.is_none() {
                        break None;
                    }
                }
            }
        };
        let published = match published {
            Some((published, link)) => {
                link.close().await;
                Some(published.map_err(BenchError::Harness)?)
            }
            None => None,
        };
        let until: Arc<[u64]> = match &published {
            Some(Published { counts, .. }) => counts.clone().into(),
            None => {
                let elapsed = now().saturating_duration_since(origin).as_micros() as u64;
                let channels = 0..self.plan.channels().len() as u32;
                channels.map(|channel| self.plan.first_after(channel, elapsed)).collect()
            }
        };
        // One process counts the events; the others know them from it.
        self.findings.ledger.events = published.as_ref().map_or(0, |published| published.counts.iter().sum());
        self.findings.published = published;
        self.generator.command(&WorkerCommand::Finish { until });
        if ending != Ending::Died {
            self.await_the_rest(&mut ending, stop, origin, on_progress).await?;
        }
        self.sample(now().saturating_duration_since(origin).as_secs() as usize);
        let played = now().saturating_duration_since(origin);
        self.end(if ending == Ending::Complete { length.min(played) } else { played }, ending);
        Ok(())
    }

    /// Waits until all has come that is owed, or nothing comes any more.
    async fn await_the_rest(
        &mut self,
        ending: &mut Ending,
        mut stop: Pin<&mut impl Future<Output = ()>>,
        origin: Instant,
        on_progress: &mut impl FnMut(&Progress),
    ) -> Result<(), BenchError> {
        let quiet = if *ending == Ending::Interrupted { QUIET_INTERRUPTED } else { QUIET };
        let mut reporting = interval_at((now() + SECOND).into(), SECOND);
        let (mut least, mut since) = (u64::MAX, now());
        while !self.latest.iter().all(|status| status.is_complete) {
            tokio::select! {
                biased;
                () = &mut stop, if *ending == Ending::Complete => {
                    *ending = Ending::Interrupted;
                    return Ok(());
                }
                reported = self.report() => reported?,
                _ = reporting.tick() => {
                    let elapsed = now().saturating_duration_since(origin);
                    on_progress(&self.progress(Phase::Finishing, elapsed, None));
                }
            }
            if self.missing() < least {
                (least, since) = (self.missing(), now());
            }
            if self.is_dead() {
                *ending = Ending::Died;
                return Ok(());
            }
            if since.elapsed() > quiet {
                return Ok(());
            }
        }
        Ok(())
    }

    /// How long events are published.
    fn length(&self) -> Duration {
        match &self.config.workload.load {
            Load::Paced(pace) => pace.duration,
            Load::Ramp(ramp) => ramp.hold * ramp.steps().count() as u32,
            _ => Duration::ZERO,
        }
    }

    /// Whether the step of a ramp that has just ended broke its bound, or lost something.
    fn is_over_the_bound(&self, elapsed: Duration) -> bool {
        let Load::Ramp(ramp) = &self.config.workload.load else { return false };
        let ended = (elapsed.as_secs_f64() / ramp.hold.as_secs_f64()) as usize;
        let skipped: u64 = self.latest.iter().map(|status| status.skipped).sum();
        ended > 0 && (skipped > 0 || carried(ramp, &self.seconds, &[], ended).is_broken)
    }
}

/// Waits for a publisher's end, where there is one. Cancel safe.
async fn end_of(
    publisher: &mut Option<Publisher>,
) -> Result<(Result<Published, String>, BrokerLink), BenchError> {
    let Some(publisher) = publisher else { return std::future::pending().await };
    publisher.end().await.map_err(|error| BenchError::Harness(error.to_string()))
}
