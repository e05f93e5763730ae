//! One trial for each case that the suite has, and two for what no case says alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{SyncSender, sync_channel};

use conformance::exit::Exit;
use conformance::interruption::Interruption;
use conformance::limits;
use conformance::preflight::SetupError;
use conformance::suite::Run;
use conformance::{Suite, SuiteError};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use miette::miette;
use scenarios::ScenarioId;
use tokio::runtime::Runtime;

use crate::outcome::Outcome;
use crate::play::Playing;

/// The rules that are judged on every trace.
pub(crate) const UNIVERSAL: &str = "universal-rules";
/// The summary.
pub(crate) const CONFORMANCE: &str = "conformance";

/// What the trials wait for.
pub(crate) struct Awaited {
    /// How often each case is run, and where its verdict goes.
    pub(crate) cases: BTreeMap<ScenarioId, (usize, SyncSender<Outcome>)>,
    pub(crate) universal: SyncSender<Outcome>,
    pub(crate) conformance: SyncSender<Outcome>,
}

/// The trials of a suite; those that the arguments select are being played from here on.
pub(crate) fn begin(suite: Suite, args: &Arguments) -> Result<(Vec<Trial>, Option<Playing>), SuiteError> {
    limits::raise_descriptors();
    let suite = match args.test_threads {
        Some(threads) => suite.jobs(threads),
        None => suite,
    };
    let mut run = suite.prepare()?;
    let mut trials = Vec::new();
    let mut trial = |name: &str| {
        let (told, trial) = waiting(name);
        trials.push(trial);
        told
    };
    let cases = runs(&run).into_iter().map(|(id, times)| {
        let told = trial(&id.0);
        (id, (times, told))
    });
    let cases = cases.collect();
    let awaited = Awaited { cases, universal: trial(UNIVERSAL), conformance: trial(CONFORMANCE) };
    let is_wanted = |trial: &&Trial| !args.is_filtered_out(trial) && !args.is_ignored(trial);
    let wanted: BTreeSet<_> = trials.iter().filter(is_wanted).map(|trial| trial.name().to_owned()).collect();
    if args.list || wanted.is_empty() {
        return Ok((trials, None));
    }
    // What no case says alone is about all of them.
    if awaited.cases.keys().any(|id| wanted.contains(&id.0)) {
        run.retain(|id| wanted.contains(&id.0));
    }
    let runtime = Runtime::new().map_err(|error| refused("cannot start a runtime", &error))?;
    let interruption = runtime.block_on(async {
        let interruption =
            Interruption::listen().map_err(|error| refused("cannot listen for signals", &error))?;
        run.look(&interruption).await?;
        Ok::<_, SuiteError>(interruption)
    })?;
    Ok((trials, Some(Playing::start(runtime, run, interruption, awaited))))
}

/// A trial that waits for its verdict.
fn waiting(name: &str) -> (SyncSender<Outcome>, Trial) {
    let (told, verdict) = sync_channel::<Outcome>(1);
    let trial = Trial::ignorable_test(name, move || match verdict.recv() {
        Ok(Outcome::Passed) => Ok(Completion::Completed),
        Ok(Outcome::Ignored(why)) => Ok(Completion::ignored_with(why)),
        Ok(Outcome::Failed(text)) => Err(Failed::from(text)),
        Err(_) => Err(Failed::from("the run ended before this was judged")),
    });
    (told, trial)
}

/// How often each case of the run is played; those that are not played are reported once.
fn runs(run: &Run) -> BTreeMap<ScenarioId, usize> {
    let plan = run.plan();
    let played = plan.cases.iter().map(|case| &case.scenario.id);
    let mut runs = BTreeMap::new();
    for id in played.chain(plan.unplayed.iter().map(|case| &case.id)) {
        *runs.entry(id.clone()).or_default() += 1;
    }
    runs
}

/// The host does not let the run begin.
fn refused(what: &str, error: &std::io::Error) -> SuiteError {
    SetupError { exit: Exit::Harness, report: miette!("{what}: {error}") }.into()
}

#[cfg(test)]
mod tests {
    use conformance::in_process::GatewayStart;
    use conformance::suite::KnownFailures;

    use super::*;

    /// What is only listed, or not selected, is not played; two more tests say what no case says alone.
    #[test]
    fn only_what_is_selected_is_played() {
        let begun = |args: &[&str]| {
            let never = |_: GatewayStart| async { Err("it was started".into()) };
            let suite = Suite::gateway(never).known_failures(KnownFailures::None).preflight(false);
            let suite = suite.filter("gateway/auth/missing-token").unwrap();
            let (trials, playing) = begin(suite, &Arguments::from_iter([&["test"], args].concat())).unwrap();
            let names: Vec<_> = trials.iter().map(|trial| trial.name().to_owned()).collect();
            assert_eq!(names, ["gateway/auth/missing-token", UNIVERSAL, CONFORMANCE]);
            playing
        };
        assert!(begun(&["--list"]).is_none());
        assert!(begun(&["another"]).is_none());
        assert!(begun(&["--ignored"]).is_none());
        for selected in ["missing", UNIVERSAL] {
            let ended = begun(&[selected]).unwrap().finish().unwrap();
            assert!(ended.universal.is_none() && ended.conformance.is_some() && !ended.interrupted);
        }
    }
}
