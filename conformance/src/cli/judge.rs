//! `run`, `gateway` and `client`: judge an implementation over real sockets.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use miette::miette;
use protocol::Dialect;
use scenarios::{Catalogue, Level, Scenario, SubjectKind, Times};

use super::catalogue::Selection;
use super::{Failure, LevelArg, closed};
use crate::amqp::{self, Identity};
use crate::executor::{BrokerChoice, Executor};
use crate::exit::Exit;
use crate::preflight::{self, SetupError};
use crate::profile::{
    self, ClientProfile, CommandProfile, DEFAULT_FILE, GatewayAccess, GatewayProfile, Profile, Ready,
};
use crate::report::{BrokerUsed, Console, Document, REPORT_VERSION, Repeat, RequirementLine, Summary};
use crate::result::RunReport;
use crate::runner::{self, Options, Plan};

/// The broker in this process.
const EMBEDDED: &str = "embedded";
/// Cases at once for each core: cases wait much more than they work.
const JOBS_PER_CORE: usize = 4;
/// How long a gateway that was given as a bare command may take to get ready.
const READY: Duration = Duration::from_secs(10);

/// What every judging command takes.
#[derive(Args, Clone)]
pub(super) struct Common {
    #[command(flatten)]
    selection: Selection,
    /// How much is judged
    #[arg(long, value_enum, default_value_t = LevelArg::Hardened)]
    level: LevelArg,
    /// Cases at once [default: four for each core]
    #[arg(long, short = 'j', value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// Where randomness begins
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// What is printed on standard output
    #[arg(long, value_enum, default_value_t = Format::Console)]
    format: Format,
    /// Judge without looking first whether the set-up is right
    #[arg(long)]
    no_preflight: bool,
    /// A folder for `report.json` and the traces of all cases
    #[arg(long, short = 'o', value_name = "DIR")]
    output: Option<PathBuf>,
}

#[derive(Args, Clone)]
struct BrokerArg {
    /// The broker that feeds the gateway: `embedded`, or the URL of one that runs (amqp://…)
    #[arg(long, value_name = "BROKER", default_value = EMBEDDED)]
    broker: String,
}

#[derive(Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    common: Common,
    /// What the reference pair speaks: seed, enveloped, channels, bearer or subprotocol, or a JSON object with what differs from the default
    #[arg(long, value_name = "DIALECT", default_value = "seed", hide_default_value = true)]
    dialect: Dialect,
    #[command(flatten)]
    broker: BrokerArg,
}

#[derive(Args)]
pub(super) struct GatewayArgs {
    /// The profile [default: gatecheck.toml in this folder, where no command is given]
    #[arg(long, short = 'c', value_name = "FILE")]
    config: Option<PathBuf>,
    /// A gateway that runs already, instead of the profile's command
    #[arg(long, value_name = "URL", requires = "jwt_secret", conflicts_with = "command")]
    attach: Option<String>,
    /// The secret that the running gateway verifies tokens with
    #[arg(long, value_name = "SECRET", env = "GATECHECK_JWT_SECRET", hide_env_values = true)]
    jwt_secret: Option<String>,
    /// The path that answers 200 once the gateway is ready [default: its port takes connections]
    #[arg(long, value_name = "PATH", requires = "command")]
    ready: Option<String>,
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    broker: BrokerArg,
    /// The gateway's command; PORT, JWT_SECRET and RABBITMQ_URL are in its environment
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

#[derive(Args)]
pub(super) struct ClientArgs {
    /// The profile [default: gatecheck.toml in this folder, where no command is given]
    #[arg(long, short = 'c', value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
    /// The command of the client's adapter
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Console,
    /// For programs; progress goes to standard error
    Json,
}

pub(super) fn run(args: &RunArgs) -> Result<Exit, Failure> {
    let subjects = [SubjectKind::Gateway, SubjectKind::Client];
    let profile = Profile { dialect: args.dialect.clone(), ..Profile::reference() };
    judge(profile, &subjects, &args.common, &args.broker.broker)
}

pub(super) fn gateway(args: GatewayArgs) -> Result<Exit, Failure> {
    let given = !args.command.is_empty() || args.attach.is_some();
    let mut profile = profile_for(args.config.as_deref(), given)?;
    if let (Some(url), Some(jwt_secret)) = (&args.attach, args.jwt_secret) {
        let (authority, path) = profile::attach(url).map_err(|message| {
            Failure::usage(miette!(help = "write `ws://HOST:PORT/PATH`", "`--attach`: {message}"))
        })?;
        let access = GatewayAccess::Attach { authority, jwt_secret };
        profile.gateway =
            Some(GatewayProfile { access, path, ..profile.gateway.unwrap_or_else(GatewayProfile::bare) });
    } else if !args.command.is_empty() {
        let env = ["PORT={port}", "JWT_SECRET={jwt_secret}", "RABBITMQ_URL={amqp_url}"];
        let env = env.iter().filter_map(|pair| pair.split_once('='));
        let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let command = CommandProfile { words: args.command, env };
        let access = GatewayAccess::Spawn { command, ready: Ready { path: args.ready, timeout: READY } };
        profile.gateway =
            Some(GatewayProfile { access, ..profile.gateway.unwrap_or_else(GatewayProfile::bare) });
    }
    if profile.gateway.is_none() {
        return Err(missing(SubjectKind::Gateway));
    }
    judge(profile, &[SubjectKind::Gateway], &args.common, &args.broker.broker)
}

pub(super) fn client(args: ClientArgs) -> Result<Exit, Failure> {
    let mut profile = profile_for(args.config.as_deref(), !args.command.is_empty())?;
    if !args.command.is_empty() {
        let command = CommandProfile { words: args.command, env: BTreeMap::new() };
        let fleet = profile.client.as_ref().map_or(Times::FLEET, |client| client.fleet);
        profile.client = Some(ClientProfile { command, fleet });
    }
    if profile.client.is_none() {
        return Err(missing(SubjectKind::Client));
    }
    judge(profile, &[SubjectKind::Client], &args.common, EMBEDDED)
}

/// The profile that was named; the one in this folder; or an empty one where everything is given on the command line.
fn profile_for(config: Option<&Path>, given: bool) -> Result<Profile, Failure> {
    match config {
        Some(path) => Profile::read(path).map_err(Failure::usage),
        None if given => Profile::parse("the command line", "", Path::new(".")).map_err(Failure::usage),
        None => Profile::read(Path::new(DEFAULT_FILE)).map_err(Failure::usage),
    }
}

fn missing(subject: SubjectKind) -> Failure {
    let help = format!("add a `[{subject}]` table to the profile, or give the command behind `--`");
    Failure::usage(miette!(help = help, "the profile has no [{subject}]"))
}

fn judge(profile: Profile, subjects: &[SubjectKind], common: &Common, broker: &str) -> Result<Exit, Failure> {
    let library = common.selection.library()?;
    let chosen = library.select(&common.selection.filter).map_err(Failure::usage)?;
    let chosen: Vec<&Scenario> =
        chosen.into_iter().filter(|scenario| subjects.contains(&scenario.subject)).collect();
    let level = common.level.into();
    let plan = Plan::new(chosen, level, &profile.without);
    if plan.is_empty() {
        let help = "`gatecheck list` shows all scenarios; `--level hardened` judges more than `--level core`";
        return Err(Failure::usage(miette!(help = help, "no case is selected")));
    }
    if let Some(folder) = &common.output {
        fs::create_dir_all(folder).map_err(|error| cannot_write(folder, &error))?;
    }
    let program = std::env::current_exe().map_err(|error| {
        Failure::new(Exit::Harness, miette!("cannot tell where this program is: {error}"))
    })?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Harness, miette!("cannot start a runtime: {error}")))?;
    runtime.block_on(async {
        let (broker, used) = match broker {
            EMBEDDED => (BrokerChoice::Embedded, embedded()),
            url => {
                let identity = amqp::identify(url).await.map_err(Failure::usage)?;
                let used = BrokerUsed { kind: "url", url: Some(amqp::redacted(url)), identity };
                (BrokerChoice::Url(url.to_owned()), used)
            }
        };
        let executor = Arc::new(Executor::new(profile, broker, program, common.seed));
        let has_cases =
            |subject: &SubjectKind| plan.cases.iter().any(|case| case.scenario.subject == *subject);
        for subject in subjects.iter().filter(|subject| !common.no_preflight && has_cases(subject)) {
            let looked = tokio::select! {
                biased;
                looked = preflight::check(&executor, *subject) => looked,
                () = interrupted() => return Ok(Exit::Interrupted),
            };
            looked.map_err(|SetupError { exit, report }| Failure::new(exit, report))?;
        }
        let used = subjects.contains(&SubjectKind::Gateway).then_some(used);
        let run = Run { common, subjects, level, executor, used };
        tokio::select! {
            biased;
            exit = run.play(plan) => exit,
            // Whatever was running is killed when its future is dropped.
            () = interrupted() => Ok(Exit::Interrupted),
        }
    })
}

/// A run of which everything has been checked.
struct Run<'a> {
    common: &'a Common,
    subjects: &'a [SubjectKind],
    level: Level,
    executor: Arc<Executor>,
    used: Option<BrokerUsed>,
}

impl Run<'_> {
    #[expect(clippy::disallowed_methods, reason = "the duration of a run is real time")]
    async fn play(self, plan: Plan) -> Result<Exit, Failure> {
        let to_people = self.common.format == Format::Console;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let jobs = self.common.jobs.map_or(cores * JOBS_PER_CORE, usize::from);
        let options = Options { jobs, keep_traces: self.common.output.is_some() };
        let console = Console::new(plan.len(), Repeat::of(std::env::args().skip(1)));
        let selected = !self.common.selection.filter.is_empty();
        let about = selected.then(|| plan.requirements());
        let begun = Instant::now();
        let mut printed = Ok(());
        let cases = runner::run(plan, self.executor.clone(), options, |case| {
            if to_people && printed.is_ok() {
                printed = console.case(case);
            } else {
                console.advance();
            }
        })
        .await;
        printed.map_err(closed)?;
        let without = &self.executor.profile().without;
        let report =
            RunReport::of(cases, self.subjects, self.level, without, about.as_ref(), begun.elapsed());
        if let Some(folder) = &self.common.output {
            self.write(folder, &report)?;
        }
        if to_people {
            console.finish(&report).map_err(closed)?;
        } else {
            console.clear();
            let mut out = std::io::stdout().lock();
            writeln!(out, "{}", self.document(&report)).map_err(closed)?;
        }
        Ok(report.exit())
    }

    fn document(&self, report: &RunReport) -> String {
        let document = Document {
            version: REPORT_VERSION,
            gatecheck: env!("CARGO_PKG_VERSION"),
            exit_code: report.exit().code(),
            subjects: self.subjects,
            level: self.level,
            broker: self.used.clone(),
            times: &self.executor.times(),
            seed: self.common.seed,
            duration_ms: u64::try_from(report.took.as_millis()).unwrap_or(u64::MAX),
            summary: Summary::of(report),
            requirements: RequirementLine::of(report, &Catalogue::builtin()),
            cases: &report.cases,
        };
        serde_json::to_string_pretty(&document).expect("the report has string keys")
    }

    /// `report.json`, and a file of JSON lines for each trace.
    fn write(&self, folder: &Path, report: &RunReport) -> Result<(), Failure> {
        let file = folder.join("report.json");
        fs::write(&file, self.document(report)).map_err(|error| cannot_write(&file, &error))?;
        for case in report.cases.iter().filter(|case| !case.trace.observations.is_empty()) {
            let file = folder.join("traces").join(format!("{}.jsonl", case.id));
            let parent = file.parent().unwrap_or(folder);
            fs::create_dir_all(parent).map_err(|error| cannot_write(parent, &error))?;
            fs::write(&file, case.trace.to_json_lines()).map_err(|error| cannot_write(&file, &error))?;
        }
        Ok(())
    }
}

/// What the embedded broker says of itself.
fn embedded() -> BrokerUsed {
    let identity =
        Identity { product: "Gatecheck".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() };
    BrokerUsed { kind: EMBEDDED, url: None, identity }
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Failure {
    Failure::usage(miette!(
        help = "give `--output` a folder that can be written to",
        "cannot write {}: {error}",
        path.display()
    ))
}

/// Waits for Ctrl-C, or for a polite request to end.
pub(super) async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return std::future::pending().await };
    tokio::select! {
        biased;
        Ok(()) = tokio::signal::ctrl_c() => {}
        Some(()) = terminate.recv() => {}
        else => std::future::pending().await,
    }
}
