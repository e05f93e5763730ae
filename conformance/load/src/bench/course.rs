//! The course of a run.

mod arrival;
mod play;

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::time::timeout;

use super::scene::{Meter, Scene, now, unix_ms};
use super::summary::{Findings, Sample};
use super::{BenchConfig, BenchError, Phase, Progress};
use crate::crowd::Crowd;
use crate::generator::{Drive, Generator, SecondTally, Status, Totals, WorkerCommand};
use crate::latencies::Latencies;
use crate::plan::Plan;
use crate::run::{Ending, Run};
use crate::workload::Load;

/// How long threads may take to report for the last time.
const LAST_WORDS: Duration = Duration::from_secs(30);

/// A run under way.
pub(super) struct Course<'a> {
    scene: &'a Scene<'a>,
    config: &'a BenchConfig,
    crowd: Arc<Crowd>,
    plan: Arc<Plan>,
    run_number: u32,
    generator: Generator,
    /// The last report of each thread.
    latest: Vec<Status>,
    seconds: BTreeMap<usize, SecondTally>,
    meter: Option<Meter>,
    /// When the measured time began.
    origin: Option<Instant>,
    findings: Findings,
}

impl<'a> Course<'a> {
    /// Runs to the end, or until `stop`.
    pub(super) async fn run(
        scene: &'a Scene<'a>,
        mut stop: Pin<&mut impl Future<Output = ()>>,
        on_progress: &mut impl FnMut(&Progress),
    ) -> Result<Run, BenchError> {
        let mut course = Self::new(scene)?;
        tokio::select! {
            biased;
            () = &mut stop => return Err(BenchError::Interrupted),
            arrived = course.arrive(on_progress) => arrived?,
        }
        match &scene.config.workload.load {
            Load::Connect { patience } => course.storm(*patience, stop, on_progress).await?,
            Load::Idle { duration } => course.hold(*duration, stop, on_progress).await?,
            Load::Burst { .. } | Load::Paced(_) | Load::Ramp(_) => {
                let link = tokio::select! {
                    biased;
                    () = &mut stop => return Err(BenchError::Interrupted),
                    probed = course.probe(on_progress) => probed?,
                };
                course.play(link, stop, on_progress).await?;
            }
        }
        course.close().await
    }

    fn new(scene: &'a Scene<'a>) -> Result<Self, BenchError> {
        let config = scene.config;
        let mut meter = scene.meter();
        let findings = Findings {
            base_kib: meter.as_mut().map(|meter| meter.look().resident_kib),
            ..Findings::default()
        };
        let plan = Arc::new(Plan::new(&config.workload, config.seed));
        let run_number = scene.run_number();
        let crowd = Arc::new(scene.crowd(plan.clone(), run_number)?);
        let drive = match &config.workload.load {
            Load::Paced(pace) => Drive {
                seed: config.seed,
                churn: pace.churn,
                pings: pace.pings,
                subscriptions: pace.subscriptions,
            },
            _ => Drive { seed: config.seed, ..Drive::default() },
        };
        // One core is left for the gateway.
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let threads = config.threads.unwrap_or(cores.saturating_sub(1)).clamp(1, crowd.members.len().max(1));
        let generator = Generator::start(&crowd, threads, drive)
            .map_err(|error| BenchError::Harness(format!("cannot start the load generator: {error}")))?;
        let latest = (0..threads).map(|_| Status::default()).collect();
        let seconds = BTreeMap::new();
        Ok(Self {
            scene,
            config,
            crowd,
            plan,
            run_number,
            generator,
            latest,
            seconds,
            meter,
            origin: None,
            findings,
        })
    }

    /// Takes the next report of a thread.
    async fn report(&mut self) -> Result<(), BenchError> {
        let status = self.generator.report().await;
        let ended = || BenchError::Harness("a thread of the load generator has ended".to_owned());
        let mut status = status.ok_or_else(ended)?;
        for second in status.seconds.drain(..) {
            let sum = self.seconds.entry(second.second).or_default();
            sum.delivered += second.delivered;
            sum.clients += second.clients;
            sum.latencies.extend(second.latencies);
        }
        if let Some(totals) = status.totals.take() {
            self.findings.add(*totals);
        }
        if let Some(reason) = &status.refused {
            let help = "does it, or its host, limit connections?";
            return Err(BenchError::Subject {
                reason: format!("the gateway does not let every client in: {reason} ({help})"),
                output: Vec::new(),
            });
        }
        let worker = status.worker;
        self.latest[worker] = status;
        self.findings.clients = self.findings.clients.max(self.present());
        Ok(())
    }

    fn present(&self) -> usize {
        self.latest.iter().map(|status| status.present).sum()
    }

    fn arrived(&self) -> u64 {
        self.latest.iter().map(|status| status.arrived).sum()
    }

    fn missing(&self) -> u64 {
        self.latest.iter().map(|status| status.missing.max(status.skipped)).sum()
    }

    /// When the last client signed in.
    fn last_in(&self) -> Option<Instant> {
        self.latest.iter().filter_map(|status| status.last_in).max()
    }

    /// Why connections failed, where any did.
    fn failed(&self) -> String {
        let failed = self.latest.iter().find_map(|status| status.failed.clone());
        failed.map_or_else(String::new, |reason| format!(" ({reason})"))
    }

    /// Whether the gateway is gone.
    fn is_dead(&self) -> bool {
        let is_empty = self.present() == 0 && self.latest.iter().any(|status| status.cut > 0);
        is_empty || self.scene.gateway.ended().is_some()
    }

    /// The measured time begins now, or did at this instant.
    fn begin(&mut self, origin: Instant) {
        self.origin = Some(origin);
        self.findings.started_ms = unix_ms() + origin.saturating_duration_since(now()).as_millis() as i64;
        self.findings.begun_ns = self.meter.as_mut().map(|meter| meter.look().cpu_ns);
    }

    /// Looks at the gateway's processes: once a second of the measured time.
    fn sample(&mut self, second: usize) {
        let usage = self.meter.as_mut().map(Meter::look);
        let clients = self.present();
        self.findings.samples.push(Sample { second, clients, usage });
    }

    /// The measured time is over.
    fn end(&mut self, duration: Duration, ending: Ending) {
        self.findings.duration = duration;
        self.findings.ending = Some(ending);
    }

    fn progress(&self, phase: Phase, elapsed: Duration, length: Option<Duration>) -> Progress {
        // Of the second that is under way not all is known.
        let last = self.seconds.iter().next_back();
        let mut latencies = Latencies::default();
        last.iter().for_each(|(_, second)| latencies.add(&second.latencies));
        Progress {
            phase,
            elapsed,
            length,
            clients: self.present(),
            wanted: self.crowd.members.len(),
            delivered: last.map_or(0, |(_, second)| second.delivered),
            p50: latencies.percentile_ms(50.0),
            p99: latencies.percentile_ms(99.0),
            missing: self.missing(),
            output: Vec::new(),
        }
    }

    /// Disconnects all clients, and sums up.
    async fn close(mut self) -> Result<Run, BenchError> {
        self.findings.used_ns = self.meter.as_mut().map(|meter| meter.look().cpu_ns);
        self.findings.measured = self.origin.map(|origin| origin.elapsed()).unwrap_or_default();
        self.generator.command(&WorkerCommand::Close);
        let threads = self.generator.threads();
        let collect = async {
            while self.findings.reported < threads {
                self.report().await?;
            }
            Ok::<_, BenchError>(())
        };
        let late = |_| BenchError::Harness("the load generator does not end".to_owned());
        timeout(LAST_WORDS, collect).await.map_err(late)??;
        self.findings.peak_kib = self.meter.as_ref().map(|meter| meter.peak_kib);
        self.findings.threads = threads;
        Ok(self.findings.run(self.config, self.scene.subject.clone(), &self.plan, self.seconds))
    }
}

impl Findings {
    /// A thread's totals.
    fn add(&mut self, totals: Totals) {
        self.reported += 1;
        let Totals { ledger, by_second, last_arrival, busy } = totals;
        self.ledger += ledger;
        super::summary::add_each(&mut self.owed, &by_second.owed);
        super::summary::add_each(&mut self.lost, &by_second.lost);
        self.last_arrival = self.last_arrival.max(last_arrival);
        self.busy = self.busy.max(busy);
    }
}
