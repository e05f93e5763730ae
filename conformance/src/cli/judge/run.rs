//! A run: the cases are chosen, played, held against the list of what is known to fail, and reported.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use jiff::civil::Date;
use jiff::{Timestamp, tz::TimeZone};
use miette::miette;
use scenarios::{Library, Scenario, SubjectKind};

use super::{Common, EMBEDDED, Format, NONE, interrupted};
use crate::amqp::{self, Identity};
use crate::cli::{Failure, closed};
use crate::executor::{BrokerChoice, Executor};
use crate::exit::Exit;
use crate::known_failing::{self, KnownFailing};
use crate::preflight::{self, SetupError};
use crate::profile::{GatewayProfile, Profile};
use crate::report::{self, About, BrokerUsed, Console, Document, Folder, Repeat};
use crate::result::{CaseReport, RunReport};
use crate::runner::{self, Options, Plan};

/// Cases at once for each core: cases wait much more than they work.
const JOBS_PER_CORE: usize = 4;
/// Cases at once for each core where pings are far apart: those cases do little else than wait.
const LONG_JOBS_PER_CORE: usize = 16;
/// Starting so slowly is worth a hint.
const SLOW_START: Duration = Duration::from_secs(2);
/// Far apart.
const LONG: Duration = Duration::from_secs(5);

/// Judges an implementation. `beside` is the folder in which a list of known failures is looked for.
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
        let is_attached = profile.gateway.as_ref().is_some_and(GatewayProfile::is_attached);
        let (broker, used) = match broker {
            EMBEDDED if is_attached && subjects.contains(&SubjectKind::Gateway) => {
                let help = "`--broker amqp://…` names it; with `--broker none` what needs events is not run";
                return Err(Failure::usage(miette!(
                    help = help,
                    "a gateway that runs already has a broker of its own: which?"
                )));
            }
            EMBEDDED => (BrokerChoice::Embedded, Some(embedded())),
            NONE => (BrokerChoice::None, None),
            url => {
                let identity = amqp::identify(url).await.map_err(Failure::usage)?;
                let used = BrokerUsed { kind: "url", url: Some(amqp::redacted(url)), identity };
                (BrokerChoice::Url(url.to_owned()), Some(used))
            }
        };
        let executor = Arc::new(Executor::new(profile, broker, program, common.seed));
        let has_cases =
            |subject: &SubjectKind| plan.cases.iter().any(|case| case.scenario.subject() == *subject);
        for subject in subjects.iter().filter(|subject| !common.no_preflight && has_cases(subject)) {
            let looked = tokio::select! {
                biased;
                looked = preflight::check(&executor, *subject) => looked,
                () = interrupted() => return Ok(Exit::Interrupted),
            };
            looked.map_err(|SetupError { exit, report }| Failure::new(exit, report))?;
        }
        tell_slow_start(&executor, plan.cases.len());
        let began = now();
        let about = About {
            began: began.to_string(),
            subjects: subjects.to_vec(),
            level: common.level.into(),
            broker: used.filter(|_| subjects.contains(&SubjectKind::Gateway)),
            times: executor.times(),
            seed: common.seed,
            repeat: Repeat::of(std::env::args().skip(1)),
        };
        let today = began.to_zoned(TimeZone::UTC).date();
        let run = Run { common, library: &library, executor, about, known, today, folder };
        tokio::select! {
            biased;
            exit = run.play(plan) => exit,
            // Whatever was running is killed when its future is dropped.
            () = interrupted() => Ok(Exit::Interrupted),
        }
    })
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

/// The list of what is known to fail, and where it stands.
struct Known {
    list: KnownFailing,
    path: PathBuf,
}

impl Known {
    /// The list that was named, which must be there unless it is to be written; or the one beside the profile.
    fn find(common: &Common, beside: Option<&Path>, library: &Library) -> Result<Self, Failure> {
        let path = match (&common.known_failing, beside) {
            (Some(path), _) => path.clone(),
            (None, Some(folder)) => folder.join(known_failing::DEFAULT_FILE),
            (None, None) if common.update_baseline => {
                let help = "name the file to write: `--known-failing FILE`";
                return Err(Failure::usage(miette!(
                    help = help,
                    "`--update-baseline` does not know where to"
                )));
            }
            (None, None) => return Ok(Self { list: KnownFailing::default(), path: PathBuf::new() }),
        };
        let is_asked_for = common.known_failing.is_some() && !common.update_baseline;
        let list = if is_asked_for || path.exists() {
            KnownFailing::read(&path, library).map_err(Failure::usage)?
        } else {
            KnownFailing::default()
        };
        Ok(Self { list, path })
    }
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
    async fn play(mut self, plan: Plan) -> Result<Exit, Failure> {
        let to_people = self.common.format == Format::Console;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let is_long = self.about.times.timing.ping_interval >= LONG;
        let per_core = if is_long { LONG_JOBS_PER_CORE } else { JOBS_PER_CORE };
        let jobs = self.common.jobs.map_or(cores * per_core, usize::from);
        let options = Options { jobs, keep_traces: self.common.output.is_some() };
        let mut console = Console::new(plan.len(), self.about.repeat.clone());
        console.verbose = self.common.verbose;
        let is_part = !self.common.selection.filter.is_empty() || self.common.shard.is_some();
        let requirements = is_part.then(|| plan.requirements());
        let begun = Instant::now();
        let mut printed = Ok(());
        let cases = runner::run(plan, self.executor.clone(), options, |case| {
            if to_people && printed.is_ok() {
                printed = self.tell(&console, case);
            } else {
                console.advance();
            }
        })
        .await;
        printed.map_err(closed)?;
        let took = begun.elapsed();
        let mut cases = CaseReport::merged(cases);
        if self.common.update_baseline {
            self.update_baseline(&cases)?;
        }
        cases.iter_mut().for_each(|case| self.known.list.excuse(case, self.today));
        self.known.list.expose(&mut cases, self.library, self.today);
        let expired = self.known.list.expired(&cases, self.today);
        let without = &self.executor.profile().without;
        let (subjects, level) = (&self.about.subjects, self.about.level);
        let report = RunReport::of(cases, subjects, level, without, requirements.as_ref(), took);
        let report = RunReport { expired, ..report };
        self.report(&report, &console)
    }

    /// A case as it ends: what is known of it is known at once.
    fn tell(&self, console: &Console, case: &CaseReport) -> std::io::Result<()> {
        if self.known.list.is_empty() || self.common.update_baseline {
            return console.case(case);
        }
        let mut case = case.clone();
        self.known.list.excuse(&mut case, self.today);
        console.case(&case)
    }

    /// Writes the list anew; from then on it is the one that counts.
    fn update_baseline(&mut self, cases: &[CaseReport]) -> Result<(), Failure> {
        let path = &self.known.path;
        let text = self.known.list.baseline(cases, self.library, self.today);
        fs::write(path, text).map_err(|error| {
            let help = "name another file: `--known-failing FILE`";
            Failure::usage(miette!(help = help, "cannot write {}: {error}", path.display()))
        })?;
        self.known.list = KnownFailing::read(path, self.library).map_err(Failure::usage)?;
        Ok(())
    }

    fn report(&self, report: &RunReport, console: &Console) -> Result<Exit, Failure> {
        if let Some(folder) = &self.folder {
            folder.write(report, &self.about).map_err(Failure::usage)?;
        }
        if let Some(file) = &self.common.summary {
            report::append_summary(file, report, &self.about).map_err(Failure::usage)?;
        }
        let text = match self.common.format {
            Format::Console => {
                let page = self.common.output.as_ref().map(|folder| folder.join("report.html"));
                console.finish(report, page.as_deref()).map_err(closed)?;
                return Ok(report.exit());
            }
            Format::Json => Document::new(report, &self.about).text(),
            Format::Junit => report::junit(report, &self.about),
            Format::Markdown => report::markdown(report, &self.about),
        };
        console.clear();
        let mut out = std::io::stdout().lock();
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(closed)?;
        Ok(report.exit())
    }
}

/// Tells of what would make the run shorter.
fn tell_slow_start(executor: &Executor, cases: usize) {
    let is_shared = executor.profile().gateway.as_ref().is_some_and(GatewayProfile::is_shared);
    if let Some(took) = executor.first_start().filter(|took| *took >= SLOW_START && !is_shared) {
        let seconds = took.as_secs_f64();
        anstream::eprintln!(
            "the gateway takes {seconds:.1} s to get ready, and starts anew for each of {cases} cases: \
             `process = \"shared\"` in [gateway] lets cases share it"
        );
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
