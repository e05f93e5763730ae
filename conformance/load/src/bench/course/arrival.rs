//! Clients come, stay, and come back; and what is measured of that alone.

use std::pin::{Pin, pin};
use std::time::Duration;

use tokio::time::{interval, sleep};

use super::super::scene::now;
use super::super::{BenchError, Phase, Progress};
use super::Course;
use crate::generator::WorkerCommand;
use crate::run::Ending;

/// How long no client may get in until those that are missing are given up.
const NONE_IN: Duration = Duration::from_secs(20);
const SECOND: Duration = Duration::from_secs(1);

impl Course<'_> {
    /// Waits until every client is in.
    pub(super) async fn arrive(&mut self, on_progress: &mut impl FnMut(&Progress)) -> Result<(), BenchError> {
        let begun = now();
        self.generator.command(&WorkerCommand::Dial);
        let wanted = self.crowd.members.len();
        let mut reporting = interval(SECOND);
        let (mut most, mut since) = (0, begun);
        while self.present() < wanted {
            tokio::select! {
                biased;
                reported = self.report() => reported?,
                _ = reporting.tick() => on_progress(&self.progress(Phase::Connecting, Duration::ZERO, None)),
            }
            if self.arrived() > most {
                (most, since) = (self.arrived(), now());
            }
            if since.elapsed() > NONE_IN || self.scene.gateway.ended().is_some() {
                return Err(BenchError::Subject {
                    reason: format!("of {wanted} clients {} get in{}", self.present(), self.failed()),
                    output: Vec::new(),
                });
            }
        }
        let last = self.last_in().unwrap_or(begun);
        self.findings.connect_time = Some(last.saturating_duration_since(begun));
        self.findings.connected_kib = self.meter.as_mut().map(|meter| meter.look().resident_kib);
        Ok(())
    }

    /// Cuts every connection, and waits until all clients are back.
    pub(super) async fn storm(
        &mut self,
        patience: Duration,
        mut stop: Pin<&mut impl Future<Output = ()>>,
        on_progress: &mut impl FnMut(&Progress),
    ) -> Result<(), BenchError> {
        let begun = now();
        self.begin(begun);
        let wanted = self.crowd.members.len();
        let all = 2 * wanted as u64;
        self.generator.command(&WorkerCommand::CutAll);
        let mut sampling = interval(SECOND);
        let mut late = pin!(sleep(patience));
        let mut second = 0;
        let ending = loop {
            tokio::select! {
                biased;
                () = &mut stop => break Ending::Interrupted,
                reported = self.report() => reported?,
                () = &mut late => return Err(BenchError::Subject {
                    reason: format!(
                        "of {wanted} clients {} are back within {patience:?} after all were cut{}",
                        self.present(),
                        self.failed()
                    ),
                    output: Vec::new(),
                }),
                _ = sampling.tick() => {
                    self.sample(second);
                    second += 1;
                    on_progress(&self.progress(Phase::Running, begun.elapsed(), None));
                }
            }
            if self.arrived() >= all && self.present() == wanted {
                break Ending::Complete;
            }
            if self.scene.gateway.ended().is_some() {
                break Ending::Died;
            }
        };
        self.sample(second);
        let last = self.last_in().unwrap_or(begun).saturating_duration_since(begun);
        self.findings.return_time = (ending == Ending::Complete).then_some(last);
        self.end(last, ending);
        Ok(())
    }

    /// Holds every connection.
    pub(super) async fn hold(
        &mut self,
        duration: Duration,
        mut stop: Pin<&mut impl Future<Output = ()>>,
        on_progress: &mut impl FnMut(&Progress),
    ) -> Result<(), BenchError> {
        let begun = now();
        self.begin(begun);
        let mut sampling = interval(SECOND);
        let mut over = pin!(sleep(duration));
        let mut second = 0;
        let ending = loop {
            tokio::select! {
                biased;
                () = &mut stop => break Ending::Interrupted,
                reported = self.report() => reported?,
                () = &mut over => break Ending::Complete,
                _ = sampling.tick() => {
                    self.sample(second);
                    second += 1;
                    on_progress(&self.progress(Phase::Running, begun.elapsed(), Some(duration)));
                    if self.is_dead() {
                        break Ending::Died;
                    }
                }
            }
        };
        // What a connection holds once it is quiet, rather than what its handshake needed.
        self.findings.connected_kib = self.meter.as_mut().map(|meter| meter.look().resident_kib);
        self.end(begun.elapsed(), ending);
        Ok(())
    }
}
