//! `run`, `gateway` and `client`: judge a subject over real sockets.

mod list;
mod run;
mod watch;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use miette::miette;
use protocol::{Dialect, Timing};
use scenarios::SubjectKind;

use super::catalogue::Selection;
use super::init::observe;
use super::{Failure, LevelArg, warn};
use conformance::exit::Exit;
use conformance::interruption::Interruption;
use conformance::profile::{
    self, ClientAccess, ClientProfile, CommandProfile, DEFAULT_FILE, GatewayAccess, GatewayProfile, Profile,
    Ready,
};
use conformance::suite::{Shard, TimeScale};
use run::judge;
pub(super) use run::judge_suite;

/// The broker in this process.
const EMBEDDED: &str = "embedded";
/// No broker at all.
pub(super) const NONE: &str = "none";
/// How long a gateway that was given as a bare command may take to get ready.
const READY: Duration = Duration::from_secs(10);

/// What makes no sense beside `--watch`: its first run says what a later one repeats.
const WATCHES_ALONE: [&str; 5] = ["check", "list", "last_failed", "update_baseline", "shard"];

/// What every judging command takes.
#[derive(Args, Clone)]
pub(super) struct Common {
    #[command(flatten)]
    selection: Selection,
    /// Which requirements are judged
    #[arg(long, value_enum, default_value_t = LevelArg::Hardened)]
    level: LevelArg,
    /// Cases in parallel [default: four for each core, sixteen where times are long]
    #[arg(long, short = 'j', value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// Run each case N times; the worst verdict counts
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    repeat: u16,
    /// Run one part of the selected cases, such as 3/16, and leave the others to other machines
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
    /// Multiply all times of `[timing]` that the subject is given: 0.02 turns a long run into a quick look
    #[arg(long, value_name = "FACTOR")]
    time_scale: Option<TimeScale>,
    /// The seed of the random number generator
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// What is printed on standard output
    #[arg(long, value_enum, default_value_t = Format::Console)]
    format: Format,
    /// Skip the check of the set-up that comes before the cases
    #[arg(long)]
    no_preflight: bool,
    /// A folder for report.html, report.json, junit.xml, summary.md, and the traces of all cases
    #[arg(long, short = 'o', value_name = "DIR")]
    output: Option<PathBuf>,
    /// A file to append the Markdown summary to, such as $GITHUB_STEP_SUMMARY
    #[arg(long, value_name = "FILE")]
    summary: Option<PathBuf>,
    /// The list of known failures [default: known-failing.toml beside the profile, where there is one]
    #[arg(long, value_name = "FILE")]
    known_failing: Option<PathBuf>,
    /// Rewrite the list of known failures from this run, with as few entries as possible
    #[arg(long)]
    update_baseline: bool,
    /// Exit with 0 instead of 6 where nothing failed but a judged requirement stayed undecided
    #[arg(long)]
    allow_undecided: bool,
    /// Only the cases that did not pass in the report that is in the folder of `--output`
    #[arg(long, requires = "output")]
    last_failed: bool,
    /// End at the first case that does not pass
    #[arg(long, conflicts_with = "update_baseline")]
    fail_fast: bool,
    /// Run no case: list what would run, and what would not and why
    #[arg(long)]
    list: bool,
    /// Show each expectation, and the whole timelines of failures
    #[arg(long, short = 'v', conflicts_with = "quiet")]
    verbose: bool,
    /// Print what did not pass, and the summary, alone
    #[arg(long, short = 'q')]
    quiet: bool,
}

#[derive(Args, Clone)]
pub(super) struct BrokerArg {
    /// The broker that feeds the gateway: `embedded`, the URL of one that runs (amqp://…), or `none`: what needs events is not run
    #[arg(long, value_name = "BROKER", default_value = EMBEDDED)]
    pub(super) broker: String,
}

#[derive(Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    common: Common,
    /// What the reference pair speaks: seed, enveloped, channels, bearer, subprotocol, event-data, path or first-message, or a JSON object with what differs from the default
    #[arg(long, value_name = "DIALECT", default_value = "seed", hide_default_value = true)]
    dialect: Dialect,
    /// Judge at the default times (30 s between pings, ten attempts) instead of about a hundredth of them: takes minutes
    #[arg(long)]
    default_times: bool,
    #[command(flatten)]
    broker: BrokerArg,
}

/// Which gateway: the profile's, one that runs already, or a command.
#[derive(Args)]
pub(super) struct GatewaySubject {
    /// The profile [default: gatecheck.toml in this folder, where no command is given]
    #[arg(long, short = 'c', value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// A gateway that runs already, instead of the profile's command
    #[arg(long, value_name = "URL", conflicts_with = "command")]
    pub(super) attach: Option<String>,
    /// The secret that the running gateway verifies tokens with
    #[arg(long, value_name = "SECRET", env = "GATECHECK_JWT_SECRET", hide_env_values = true)]
    jwt_secret: Option<String>,
    /// The path that answers 200 once the gateway is ready [default: its port takes connections]
    #[arg(long, value_name = "PATH", requires = "command")]
    ready: Option<String>,
    /// The gateway's command; PORT, JWT_SECRET and RABBITMQ_URL are in its environment
    #[arg(last = true, value_name = "COMMAND")]
    pub(super) command: Vec<String>,
}

#[derive(Args)]
pub(super) struct GatewayArgs {
    #[command(flatten)]
    subject: GatewaySubject,
    /// Run no case: watch the gateway, and say where it differs from its profile (1 where it does)
    #[arg(long)]
    check: bool,
    /// Run again whenever a file beside the profile changes: what did not pass, and everything once that passes
    #[arg(long, conflicts_with_all = WATCHES_ALONE)]
    watch: bool,
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    broker: BrokerArg,
}

#[derive(Args)]
pub(super) struct ClientArgs {
    /// The profile [default: gatecheck.toml in this folder, where no command is given]
    #[arg(long, short = 'c', value_name = "FILE")]
    config: Option<PathBuf>,
    /// Run no case: watch the client, and say where it differs from its profile (1 where it does)
    #[arg(long)]
    check: bool,
    /// Run again whenever a file beside the profile changes: what did not pass, and everything once that passes
    #[arg(long, conflicts_with_all = WATCHES_ALONE)]
    watch: bool,
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
    /// JUnit XML, for CI systems
    Junit,
    /// A summary for a job's page
    Markdown,
}

pub(super) fn run(args: &RunArgs) -> Result<Exit, Failure> {
    let subjects = [SubjectKind::Gateway, SubjectKind::Client];
    if args.broker.broker == NONE {
        let help = "it is fed by the embedded broker, or by the one that an `amqp://` URL names";
        return Err(Failure::usage(miette!(
            help = help,
            "the reference gateway is not judged without a broker"
        )));
    }
    let mut profile = Profile { dialect: args.dialect.clone(), ..Profile::reference() };
    if args.default_times {
        profile.timing = Timing::default();
    }
    // The reference pair has no profile that a list could stand beside.
    judge(profile, &subjects, &args.common, &args.broker.broker, None)
}

pub(super) fn gateway(args: GatewayArgs) -> Result<Exit, Failure> {
    let profile = args.subject.profile()?;
    if args.check {
        return observe::check_gateway(&profile);
    }
    if args.watch {
        return watch::watch(&profile.folder, &args.common);
    }
    let beside = Some(profile.folder.clone());
    judge(profile, &[SubjectKind::Gateway], &args.common, &args.broker.broker, beside.as_deref())
}

impl GatewaySubject {
    /// What a bare command starts.
    pub(super) fn of_command(command: Vec<String>) -> Self {
        Self { config: None, attach: None, jwt_secret: None, ready: None, command }
    }

    /// Its profile, which has a gateway.
    pub(super) fn profile(self) -> Result<Profile, Failure> {
        // The profile says how a gateway speaks that runs already, too.
        let has_profile = self.attach.is_some() && Path::new(DEFAULT_FILE).exists();
        let given = !has_profile && (!self.command.is_empty() || self.attach.is_some());
        let mut profile = profile_for(self.config.as_deref(), given)?;
        if let Some(url) = &self.attach {
            let jwt_secret = match (self.jwt_secret, profile.token.is_public()) {
                (Some(secret), _) => secret,
                // A key pair signs.
                (None, true) => String::new(),
                (None, false) => {
                    let help = "the secret that the running gateway verifies tokens with: `--jwt-secret`, or GATECHECK_JWT_SECRET";
                    return Err(Failure::usage(miette!(help = help, "`--attach` needs `--jwt-secret`")));
                }
            };
            let (authority, path) = profile::attach(url).map_err(|message| {
                Failure::usage(miette!(help = "write `ws://HOST:PORT/PATH`", "`--attach`: {message}"))
            })?;
            let access = GatewayAccess::Attach { authority, jwt_secret };
            profile.gateway =
                Some(GatewayProfile { access, path, ..profile.gateway.unwrap_or_else(GatewayProfile::bare) });
        } else if !self.command.is_empty() {
            let env = ["PORT={port}", "JWT_SECRET={jwt_secret}", "RABBITMQ_URL={amqp_url}"];
            let env = env.iter().filter_map(|pair| pair.split_once('='));
            let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            let command = CommandProfile { words: self.command, env };
            let access = GatewayAccess::Spawn {
                command,
                shared: false,
                ready: Ready { path: self.ready, timeout: READY },
            };
            profile.gateway =
                Some(GatewayProfile { access, ..profile.gateway.unwrap_or_else(GatewayProfile::bare) });
        }
        if profile.gateway.is_none() {
            return Err(missing(SubjectKind::Gateway));
        }
        Ok(profile)
    }
}

pub(super) fn client(args: ClientArgs) -> Result<Exit, Failure> {
    let mut profile = profile_for(args.config.as_deref(), !args.command.is_empty())?;
    if !args.command.is_empty() {
        let command = CommandProfile { words: args.command, env: BTreeMap::new() };
        let access = ClientAccess::Spawn(command);
        profile.client = Some(ClientProfile::reached_by(access, profile.client.take()));
    }
    if profile.client.is_none() {
        return Err(missing(SubjectKind::Client));
    }
    if args.check {
        return observe::check_client(&profile);
    }
    if args.watch {
        return watch::watch(&profile.folder, &args.common);
    }
    let beside = Some(profile.folder.clone());
    judge(profile, &[SubjectKind::Client], &args.common, EMBEDDED, beside.as_deref())
}

/// The profile that was named; the one in this folder; or an empty one where everything is given on the command line.
pub(super) fn profile_for(config: Option<&Path>, given: bool) -> Result<Profile, Failure> {
    match config {
        Some(path) => Profile::read(path).map_err(Failure::usage),
        None if given && Path::new(DEFAULT_FILE).exists() => {
            warn(format_args!(
                "{DEFAULT_FILE} in this folder is not read, since the command is given: `-c {DEFAULT_FILE}` reads it"
            ));
            Profile::parse("the command line", "", Path::new(".")).map_err(Failure::usage)
        }
        None if given => Profile::parse("the command line", "", Path::new(".")).map_err(Failure::usage),
        None => Profile::read(Path::new(DEFAULT_FILE)).map_err(Failure::usage),
    }
}

pub(super) fn missing(subject: SubjectKind) -> Failure {
    let help = format!("add a `[{subject}]` table to the profile, or give the command behind `--`");
    Failure::usage(miette!(help = help, "the profile has no [{subject}]"))
}

/// Waits for a signal that ends a run. It is listened for from the call on, before anything that must not be left behind is started.
pub(super) fn interrupted() -> impl Future<Output = ()> {
    let interruption = Interruption::listen();
    async {
        match interruption {
            Ok(interruption) => interruption.begun().await,
            Err(_) => std::future::pending().await,
        }
    }
}
