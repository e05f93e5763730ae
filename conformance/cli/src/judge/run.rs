//! A run: the suite that the arguments ask for, printed as it goes on, and reported.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use miette::miette;
use scenarios::SubjectKind;

use super::{Common, Format, list};
use crate::{Failure, ended, warn};
use conformance::amqp::{self, Identity};
use conformance::executor::{BrokerChoice, Executor};
use conformance::exit::Exit;
use conformance::interruption::Interruption;
use conformance::profile::{GatewayProfile, Profile};
use conformance::result::RunReport;
use conformance::secrets::without_credentials;
use conformance::suite::{KnownFailures, Run, Suite, SuiteError};
use gatecheck_report::{About, BrokerUsed, Console, Detail, Document, EarlierReport, Folder, Repeat};

/// Starting so slowly is worth a hint.
const SLOW_START: Duration = Duration::from_secs(2);

/// Judges a subject. `beside` is the folder in which a list of known failures is looked for.
pub(super) fn judge(
    profile: Profile,
    subjects: &[SubjectKind],
    common: &Common,
    broker: &str,
    beside: Option<&Path>,
) -> Result<Exit, Failure> {
    judge_suite(Suite::new(profile).subjects(subjects), subjects, common, broker, beside)
}

/// The same for a suite that knows what it judges.
pub(crate) fn judge_suite(
    suite: Suite,
    subjects: &[SubjectKind],
    common: &Common,
    broker: &str,
    beside: Option<&Path>,
) -> Result<Exit, Failure> {
    let known = known_failures(common, beside)?;
    let program = std::env::current_exe().map_err(|error| {
        Failure::new(Exit::Harness, miette!("cannot tell where this program is: {error}"))
    })?;
    let suite = suite.program(program).broker(broker).known_failures(known);
    let mut run = asked_for(suite, common).and_then(Suite::prepare).map_err(Failure::suite)?;
    if let Some(folder) = common.output.as_deref().filter(|_| common.last_failed) {
        let last = EarlierReport::read(folder).map_err(Failure::usage)?;
        run.retain(|id| last.cases.get(id).is_some_and(|case| case.is_open()));
        if run.plan().is_empty() {
            warn(format_args!(
                "nothing is left to run: every case of the last run passed, or could not be run"
            ));
            return Ok(Exit::Conformant);
        }
    }
    if common.list {
        return list::print(run.plan());
    }
    let folder = common.output.as_deref().map(Folder::create).transpose().map_err(Failure::usage)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Harness, miette!("cannot start a runtime: {error}")))?;
    runtime.block_on(async {
        let interruption = Interruption::listen()
            .map_err(|error| Failure::new(Exit::Harness, miette!("cannot listen for signals: {error}")))?;
        let identity = run.look(&interruption).await.map_err(Failure::suite)?;
        if interruption.signal().is_none() {
            warn_of_slow_start(run.executor(), run.plan().cases.len());
        }
        let about = about(&run, subjects, common, identity);
        let ended = play(run, common, &about, folder, &interruption).await;
        Run::farewell().await;
        ended
    })
}

/// The suite with what the arguments say of it.
fn asked_for(mut suite: Suite, common: &Common) -> Result<Suite, SuiteError> {
    if let Some(folder) = &common.selection.scenarios {
        suite = suite.scenarios(folder)?;
    }
    for pattern in &common.selection.filter {
        suite = suite.filter(pattern)?;
    }
    if let Some(jobs) = common.jobs {
        suite = suite.jobs(jobs.into());
    }
    if let Some(shard) = common.shard {
        suite = suite.shard(shard);
    }
    if let Some(scale) = common.time_scale {
        suite = suite.time_scale(scale);
    }
    Ok(suite
        .level(common.level.into())
        .repeat(common.repeat)
        .seed(common.seed)
        .preflight(!common.no_preflight)
        .allow_undecided(common.allow_undecided)
        .fail_fast(common.fail_fast)
        .keep_traces(common.output.is_some()))
}

/// The list that was named, which must be there unless it is to be written; or the one beside the profile.
fn known_failures(common: &Common, beside: Option<&Path>) -> Result<KnownFailures, Failure> {
    match (&common.known_failing, beside, common.update_baseline) {
        (Some(path), _, true) => Ok(KnownFailures::Rewritten(path.clone())),
        (Some(path), _, false) => Ok(KnownFailures::Listed(path.clone())),
        (None, Some(folder), true) => Ok(KnownFailures::Rewritten(KnownFailures::file_in(folder))),
        (None, Some(folder), false) => Ok(KnownFailures::Beside(folder.to_owned())),
        (None, None, false) => Ok(KnownFailures::None),
        (None, None, true) => {
            let help = "name the file to write: `--known-failing FILE`";
            Err(Failure::usage(miette!(help = help, "`--update-baseline` does not know where to")))
        }
    }
}

fn about(run: &Run, subjects: &[SubjectKind], common: &Common, identity: Option<Identity>) -> About {
    let executor = run.executor();
    let used = identity.map(|identity| match executor.broker() {
        BrokerChoice::Url(url) => BrokerUsed { kind: "url", url: Some(amqp::redacted(url)), identity },
        BrokerChoice::Embedded | BrokerChoice::None => BrokerUsed { kind: "embedded", url: None, identity },
    });
    About {
        began: run.began().to_string(),
        subjects: subjects.to_vec(),
        level: common.level.into(),
        broker: used.filter(|_| subjects.iter().any(|subject| *subject != SubjectKind::Client)),
        times: executor.times(),
        seed: common.seed,
        repeat: Repeat::of(std::env::args().skip(1)),
    }
}

/// Plays the run, prints each case as it ends, and reports.
async fn play(
    run: Run,
    common: &Common,
    about: &About,
    folder: Option<Folder>,
    interruption: &Interruption,
) -> Result<Exit, Failure> {
    let mut console = Console::new(run.plan().len(), about.repeat.clone());
    console.detail = match (common.quiet, common.verbose) {
        (true, _) => Detail::Quiet,
        (false, true) => Detail::Verbose,
        (false, false) => Detail::Usual,
    };
    let to_people = common.format == Format::Console;
    let report = run.play(interruption, |case| match to_people {
        true => console.case(case),
        false => console.advance(),
    });
    let report = report.await.map_err(Failure::suite)?;
    if common.update_baseline && report.interrupted.is_some() {
        warn(format_args!("the list of known failures was not written"));
    }
    write(&report, common, about, folder.as_ref(), &console)
}

/// Writes every report that was asked for, then prints: a reader that has seen enough costs no file, and no verdict.
fn write(
    report: &RunReport,
    common: &Common,
    about: &About,
    folder: Option<&Folder>,
    console: &Console,
) -> Result<Exit, Failure> {
    if let Some(folder) = folder {
        folder.write(report, about).map_err(Failure::usage)?;
    }
    if let Some(file) = &common.summary {
        gatecheck_report::append_summary(file, report, about).map_err(Failure::usage)?;
    }
    let text = match common.format {
        Format::Console => {
            let page = common.output.as_ref().map(|folder| folder.join("report.html"));
            return ended(console.finish(report, page.as_deref()), report.exit());
        }
        Format::Json => Document::new(report, about).text(),
        Format::Junit => gatecheck_report::junit(report, about),
        Format::Markdown => gatecheck_report::markdown(report, about),
    };
    console.clear();
    let mut out = std::io::stdout().lock();
    ended(out.write_all(without_credentials(&text).as_bytes()).and_then(|()| out.flush()), report.exit())
}

/// Prints what would make the run shorter.
fn warn_of_slow_start(executor: &Executor, cases: usize) {
    let is_shared = executor.profile().gateway.as_ref().is_some_and(GatewayProfile::is_shared);
    if let Some(took) = executor.first_start().filter(|took| *took >= SLOW_START && !is_shared) {
        let seconds = took.as_secs_f64();
        warn(format_args!(
            "the gateway takes {seconds:.1} s to get ready, and starts anew for each of {cases} cases: \
             `process = \"shared\"` in [gateway] lets cases share it"
        ));
    }
}
