//! The run behind the trials, on a thread of its own.

use std::collections::BTreeMap;
use std::path::Path;
use std::thread::{self, JoinHandle};

use conformance::SuiteError;
use conformance::interruption::Interruption;
use conformance::result::{CaseReport, RunReport};
use conformance::suite::Run;
use gatecheck_report::{Console, Repeat};
use tokio::runtime::Runtime;

use crate::outcome::Outcome;
use crate::trials::Awaited;

/// The run behind the trials.
pub(crate) struct Playing(JoinHandle<Result<Ended, SuiteError>>);

/// What a run came to that its trials may not have told.
pub(crate) struct Ended {
    /// Which universal rules it violates, in words.
    pub(crate) universal: Option<String>,
    /// Why it is not conformant, in words.
    pub(crate) conformance: Option<String>,
    /// Whether a signal ended it.
    pub(crate) interrupted: bool,
}

impl Playing {
    /// Plays, and tells each trial as its case ends.
    pub(crate) fn start(runtime: Runtime, run: Run, interruption: Interruption, awaited: Awaited) -> Self {
        Self(thread::spawn(move || runtime.block_on(play(run, &interruption, awaited))))
    }

    /// Waits for the end.
    pub(crate) fn finish(self) -> Result<Ended, SuiteError> {
        self.0.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

async fn play(run: Run, interruption: &Interruption, awaited: Awaited) -> Result<Ended, SuiteError> {
    let Awaited { cases, universal, conformance } = awaited;
    let console = Console::new(run.plan().len(), Repeat::of_test(&test_name()));
    let mut so_far: BTreeMap<_, Vec<CaseReport>> = BTreeMap::new();
    let listed = run.listed();
    let played = run.play(interruption, |case| {
        let Some((times, told)) = cases.get(&case.id).filter(|_| !listed.contains(&case.id)) else { return };
        let reports = so_far.entry(case.id.clone()).or_default();
        reports.push(case.clone());
        if reports.len() == *times {
            let merged = CaseReport::merged(std::mem::take(reports));
            for case in &merged {
                // Its trial may not be wanted.
                let _ = told.try_send(Outcome::of(case, &console));
            }
        }
    });
    let report: RunReport = played.await?;
    // Cases that are known to fail, and those that an interruption kept from beginning, are not told as they end.
    for case in &report.cases {
        if let Some((_, told)) = cases.get(&case.id) {
            let _ = told.try_send(Outcome::of(case, &console));
        }
    }
    let concluded = Outcome::conformance(&report, &console);
    let violated = Outcome::universal(&report, &console);
    let ended = Ended {
        universal: violated.failure(),
        conformance: concluded.failure(),
        interrupted: report.interrupted.is_some(),
    };
    let _ = conformance.try_send(concluded);
    let _ = universal.try_send(violated);
    Run::farewell().await;
    Ok(ended)
}

/// What this test is called: its file is `NAME-HASH`.
fn test_name() -> String {
    let file = std::env::args().next().unwrap_or_default();
    let stem = Path::new(&file).file_stem().unwrap_or_default().to_string_lossy().into_owned();
    match stem.rsplit_once('-') {
        Some((name, _)) => name.to_owned(),
        None => stem,
    }
}
