//! A run: the cases are chosen, played, held against the list of what is known to fail, and reported.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use jiff::civil::Date;
use jiff::{Timestamp, tz::TimeZone};
use miette::miette;
use scenarios::{Library, Scenario, SubjectKind};

use super::known::Known;
use super::{Common, EMBEDDED, Format, NONE};
use crate::{Failure, ended, warn};
use conformance::amqp::{self, Identity};
use conformance::conclusion::{Conclusion, Findings};
use conformance::executor::{BrokerChoice, Executor};
use conformance::exit::Exit;
use conformance::interruption::Interruption;
use conformance::preflight::{self, SetupError};
use conformance::process::groups;
use conformance::profile::{GatewayProfile, Profile};
use conformance::result::{CaseReport, RunReport, Scope};
use conformance::runner::{self, Options, Plan};
use gatecheck_report::{About, BrokerUsed, Console, Document, Folder, Repeat};

/// Cases at once for each core: cases wait much more than they work.
const JOBS_PER_CORE: usize = 4;
/// Cases at once for each core where pings are far apart: those cases do little else than wait.
const LONG_JOBS_PER_CORE: usize = 16;
/// Starting so slowly is worth a hint.
const SLOW_START: Duration = Duration::from_secs(2);
/// Far apart.
const LONG: Duration = Duration::from_secs(5);
/// Longest wait at the end for every process to exit.
const FAREWELL: Duration = Duration::from_secs(5);

/// Judges a subject. `beside` is the folder in which a list of known failures is looked for.
pub(super) fn judge(
    profile: Profile,
    subjects: &[SubjectKind],
    common: &Common,
    broker: &str,
    beside: Option<&Path>,
) -> Result<Exit, Failure> {
    let profile = match common.time_scale {
        Some(scale) => scale.apply(profile, subjects).map_err(Failure::usage)?,
        None => profile,
    };
    let library = common.selection.library()?;
    let plan = plan(&library, &profile, subjects, common)?;
    let known = Known::find(common, beside, &library)?;
    let folder = common.output.as_deref().map(Folder::create).transpose().map_err(Failure::usage)?;
    let program = std::env::current_exe().map_err(|error| {
        Failure::new(Exit::Harness, miette!("cannot tell where this program is: {error}"))
    })?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Harness, miette!("cannot start a runtime: {error}")))?;
    runtime.block_on(async {
        let interruption = Interruption::listen()
            .map_err(|error| Failure::new(Exit::Harness, miette!("cannot listen for signals: {error}")))?;
        let broker = choose_broker(broker, &profile, subjects)?;
        let executor = Arc::new(Executor::new(profile, broker, program, common.seed));
        let looked = tokio::select! {
            biased;
            looked = look(&executor, subjects, &plan, common) => looked?,
            // The cases are reported all the same: none was run.
            _ = interruption.begun() => None,
        };
        let began = now();
        let about = About {
            began: began.to_string(),
            subjects: subjects.to_vec(),
            level: common.level.into(),
            broker: looked.filter(|_| subjects.contains(&SubjectKind::Gateway)),
            times: executor.times(),
            seed: common.seed,
            repeat: Repeat::of(std::env::args().skip(1)),
        };
        let today = began.to_zoned(TimeZone::UTC).date();
        let run = Run { common, library: &library, executor, about, known, today, folder };
        let ended = run.play(plan, &interruption).await;
        groups::all_gone(FAREWELL).await;
        ended
    })
}

/// Which broker feeds a gateway.
fn choose_broker(broker: &str, profile: &Profile, subjects: &[SubjectKind]) -> Result<BrokerChoice, Failure> {
    let is_attached = profile.gateway.as_ref().is_some_and(GatewayProfile::is_attached);
    match broker {
        EMBEDDED if is_attached && subjects.contains(&SubjectKind::Gateway) => {
            let help = "`--broker amqp://…` names it; with `--broker none` what needs events is not run";
            Err(Failure::usage(miette!(
                help = help,
                "a gateway that runs already has a broker of its own: which?"
            )))
        }
        EMBEDDED => Ok(BrokerChoice::Embedded),
        NONE => Ok(BrokerChoice::None),
        url => Ok(BrokerChoice::Url(url.to_owned())),
    }
}

/// Looks at the broker, which it names, and at each subject, before anything is judged.
async fn look(
    executor: &Executor,
    subjects: &[SubjectKind],
    plan: &Plan,
    common: &Common,
) -> Result<Option<BrokerUsed>, Failure> {
    let used = match executor.broker() {
        BrokerChoice::Embedded => Some(embedded()),
        BrokerChoice::None => None,
        BrokerChoice::Url(url) => {
            let identity = amqp::identify(url).await.map_err(Failure::usage)?;
            Some(BrokerUsed { kind: "url", url: Some(amqp::redacted(url)), identity })
        }
    };
    let has_cases = |subject: &SubjectKind| plan.cases.iter().any(|case| case.scenario.subject() == *subject);
    for subject in subjects.iter().filter(|subject| !common.no_preflight && has_cases(subject)) {
        let looked = preflight::check(executor, *subject).await;
        looked.map_err(|SetupError { exit, report }| Failure::new(exit, report))?;
    }
    warn_of_slow_start(executor, plan.cases.len());
    Ok(used)
}

/// The cases that are selected, of this shard, as often as asked for.
fn plan(
    library: &Library,
    profile: &Profile,
    subjects: &[SubjectKind],
    common: &Common,
) -> Result<Plan, Failure> {
    let chosen = library.select(&common.selection.filter).map_err(Failure::usage)?;
    let chosen: Vec<&Scenario> =
        chosen.into_iter().filter(|scenario| subjects.contains(&scenario.subject())).collect();
    let mut plan = Plan::new(chosen, common.level.into(), &profile.without, &profile.dialect);
    if plan.is_empty() {
        let help = "`gatecheck list` shows all scenarios; `--level hardened` judges more than `--level core`";
        return Err(Failure::usage(miette!(help = help, "no case is selected")));
    }
    if let Some(shard) = common.shard {
        let mut places = 0..;
        let mut takes = || places.next().is_some_and(|place| shard.takes(place));
        plan.cases.retain(|_| takes());
        plan.unplayed.retain(|_| takes());
        if plan.is_empty() {
            let help = "there are fewer cases than parts: take fewer parts";
            return Err(Failure::usage(miette!(help = help, "no case is selected for this shard")));
        }
    }
    let once = plan.cases.clone();
    for _ in 1..common.repeat {
        plan.cases.extend(once.iter().cloned());
    }
    Ok(plan)
}

/// A run of which everything has been checked.
struct Run<'a> {
    common: &'a Common,
    library: &'a Library,
    executor: Arc<Executor>,
    about: About,
    known: Known,
    today: Date,
    folder: Option<Folder>,
}

impl Run<'_> {
    #[expect(clippy::disallowed_methods, reason = "the duration of a run is real time")]
    async fn play(mut self, plan: Plan, interruption: &Interruption) -> Result<Exit, Failure> {
        let to_people = self.common.format == Format::Console;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let is_long = self.about.times.timing.ping_interval >= LONG;
        let per_core = if is_long { LONG_JOBS_PER_CORE } else { JOBS_PER_CORE };
        let jobs = self.common.jobs.map_or(cores * per_core, usize::from);
        let options = Options { jobs, keep_traces: self.common.output.is_some() };
        let mut console = Console::new(plan.len(), self.about.repeat.clone());
        console.verbose = self.common.verbose;
        let selected = self.common.is_selection().then(|| plan.requirements());
        let begun = Instant::now();
        let cases = runner::run(plan, self.executor.clone(), options, interruption, |case| {
            if to_people {
                self.print(&mut console, case);
            } else {
                console.advance();
            }
        })
        .await;
        let took = begun.elapsed();
        let executor = Arc::clone(&self.executor);
        let subjects = self.about.subjects.clone();
        let scope = Scope {
            subjects: &subjects,
            level: self.about.level,
            without: &executor.profile().without,
            selected: selected.as_ref(),
        };
        let found = Findings::of(cases, &scope);
        let interrupted = interruption.signal();
        match (self.common.update_baseline, interrupted) {
            (true, None) => self.known.update(&found, self.library, self.today)?,
            // What an interrupted run has not seen may fail as well.
            (true, Some(_)) => warn(format_args!("the list of known failures was not written")),
            (false, _) => {}
        }
        let report = found.conclude(&Conclusion {
            scope,
            known: &self.known.list,
            library: self.library,
            today: self.today,
            allows_undecided: self.common.allow_undecided,
            interrupted,
            took,
        });
        self.report(&report, &console)
    }

    /// A case as it ends: what is known of it is known at once.
    fn print(&self, console: &mut Console, case: &CaseReport) {
        if self.known.list.is_empty() || self.common.update_baseline {
            return console.case(case);
        }
        let mut case = case.clone();
        self.known.list.excuse(&mut case, self.today);
        console.case(&case);
    }

    /// Writes every report that was asked for, then prints: a reader that has seen enough costs no file, and no verdict.
    fn report(&self, report: &RunReport, console: &Console) -> Result<Exit, Failure> {
        if let Some(folder) = &self.folder {
            folder.write(report, &self.about).map_err(Failure::usage)?;
        }
        if let Some(file) = &self.common.summary {
            gatecheck_report::append_summary(file, report, &self.about).map_err(Failure::usage)?;
        }
        let text = match self.common.format {
            Format::Console => {
                let page = self.common.output.as_ref().map(|folder| folder.join("report.html"));
                return ended(console.finish(report, page.as_deref()), report.exit());
            }
            Format::Json => Document::new(report, &self.about).text(),
            Format::Junit => gatecheck_report::junit(report, &self.about),
            Format::Markdown => gatecheck_report::markdown(report, &self.about),
        };
        console.clear();
        let mut out = std::io::stdout().lock();
        ended(out.write_all(text.as_bytes()).and_then(|()| out.flush()), report.exit())
    }
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

/// What the embedded broker says of itself.
fn embedded() -> BrokerUsed {
    let identity =
        Identity { product: "Gatecheck".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() };
    BrokerUsed { kind: EMBEDDED, url: None, identity }
}

/// Now, to the second.
#[expect(clippy::disallowed_methods, reason = "a report says when its run began")]
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Timestamp::from_second(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
        .unwrap_or(Timestamp::UNIX_EPOCH)
}
