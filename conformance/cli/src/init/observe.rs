//! `init gateway`, `init client` and `--check`: a subject is watched, and its profile is written, or held against what was seen.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use miette::miette;
use scenarios::UserIds;
use serde_json::Value;

use super::super::judge::interrupted;
use super::super::{Failure, ended, warn};
use super::output::Output;
use conformance::discover::client::{ClientStart, ObservedClient};
use conformance::discover::{self, Comparison, DiscoverError, GatewaySubject, Given, Hints, Start};
use conformance::exit::Exit;
use conformance::profile::{self, CommandProfile, GatewayAccess, Profile};

/// The environment that a gateway is started with; what it does not read does no harm.
const ENVIRONMENT: [(&str, &str); 4] = [
    ("PORT", "{port}"),
    ("JWT_SECRET", "{jwt_secret}"),
    ("AMQP_URL", "{amqp_url}"),
    ("RABBITMQ_URL", "{amqp_url}"),
];

#[derive(Args)]
pub(crate) struct GatewayArgs {
    #[command(flatten)]
    output: Output,
    /// The path that upgrades [default: each of the usual ones is tried]
    #[arg(long, value_name = "PATH")]
    path: Option<String>,
    /// Print a profile in which every key stands in a comment, with its values, and watch nothing
    #[arg(long, conflicts_with_all = ["attach", "path", "from", "command"])]
    template: bool,
    /// A profile that is half filled in: what is active in it is kept, and the rest is found out; without a command, its own is started
    #[arg(long, value_name = "FILE", conflicts_with_all = ["attach", "path"])]
    from: Option<PathBuf>,
    /// The claims of its tokens, as JSON in which `{user}`, `{email}` and `{role}` stand for what they say [default: the usual ones are
    /// tried, one at a time and all at once]
    #[arg(long, value_name = "JSON", value_parser = claims)]
    claims: Option<Claims>,
    /// What its user ids are [default: each is tried]
    #[arg(long, value_name = "KIND", value_parser = ["words", "integers", "uuids"])]
    user_ids: Option<String>,
    /// A gateway that runs already, instead of a command; what it has at its broker is not seen
    #[arg(long, value_name = "URL", conflicts_with = "command")]
    attach: Option<String>,
    /// The secret that the running gateway verifies tokens with
    #[arg(long, value_name = "SECRET", env = "GATECHECK_JWT_SECRET", hide_env_values = true)]
    jwt_secret: Option<String>,
    /// The gateway's command; PORT, JWT_SECRET, AMQP_URL and RABBITMQ_URL are in its environment, and `{port}`, `{jwt_secret}`,
    /// `{amqp_url}` and the like may stand in it
    #[arg(last = true, value_name = "COMMAND", required_unless_present_any = ["attach", "from", "template"])]
    command: Vec<String>,
}

#[derive(Args)]
pub(crate) struct ClientArgs {
    #[command(flatten)]
    output: Output,
    /// Print a profile in which every key stands in a comment, with its values, and watch nothing
    #[arg(long, conflicts_with_all = ["from", "command"])]
    template: bool,
    /// A profile that is half filled in: its dialect is spoken, sign-in included, and its times fill the command's placeholders; what is active
    /// in it is kept, and the rest is found out; without a command, its own is started
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// The command of the client's adapter
    #[arg(last = true, value_name = "COMMAND", required_unless_present_any = ["from", "template"])]
    command: Vec<String>,
}

fn template() -> Result<Exit, Failure> {
    let mut out = io::stdout().lock();
    ended(out.write_all(profile::TEMPLATE.as_bytes()).and_then(|()| out.flush()), Exit::Conformant)
}

pub(crate) fn gateway(args: &GatewayArgs) -> Result<Exit, Failure> {
    if args.template {
        return template();
    }
    args.output.check().map_err(Failure::usage)?;
    let given = args.from.as_deref().map(given).transpose()?;
    let subject = match (&args.attach, &given) {
        (Some(url), _) => attached(url, args.jwt_secret.clone())?,
        (None, Some(given)) if args.command.is_empty() => started_as_given(given)?,
        (None, _) => {
            let command = command(&args.command)?;
            GatewaySubject::Started(Start {
                folder: args.output.folder(),
                ..Start::bare(command, program()?)
            })
        }
    };
    let path = args.path.clone().or_else(|| {
        let (_, path) = profile::attach(args.attach.as_deref()?).ok()?;
        Some(path)
    });
    let given_path = given
        .as_ref()
        .filter(|given| given.table.get("gateway").is_some_and(|gateway| gateway.get("path").is_some()));
    let given_path = given_path.and_then(|given| Some(given.profile.gateway.as_ref()?.path.clone()));
    let hints = Hints {
        path: path.or(given_path),
        given,
        claims: args.claims.clone().map(|Claims(claims)| claims).unwrap_or_default(),
        users: args
            .user_ids
            .as_deref()
            .and_then(|name| UserIds::ALL.into_iter().find(|ids| ids.name() == name)),
        ..Hints::default()
    };
    let seen = watch(&subject, &hints)?;
    for line in discover::obstacle(&seen) {
        warn(format_args!("{line}"));
    }
    args.output.write(&discover::profile_of(&seen, hints.given.as_ref()), "gatecheck gateway")
}

/// Claims, as a command line has them.
#[derive(Debug, Clone)]
pub(crate) struct Claims(BTreeMap<String, Value>);

fn claims(text: &str) -> Result<Claims, String> {
    let claims: BTreeMap<String, Value> =
        serde_json::from_str(text).map_err(|error| format!("no JSON object: {error}"))?;
    profile::check_claims(&claims).map_err(|error| format!("{error}; {}", error.hint))?;
    Ok(Claims(claims))
}

fn attached(url: &str, jwt_secret: Option<String>) -> Result<GatewaySubject, Failure> {
    let help = "write `ws://HOST:PORT/PATH`";
    let (authority, _) = profile::attach(url)
        .map_err(|message| Failure::usage(miette!(help = help, "`--attach`: {message}")))?;
    let help =
        "the secret that the running gateway verifies tokens with: `--jwt-secret`, or GATECHECK_JWT_SECRET";
    let jwt_secret =
        jwt_secret.ok_or_else(|| Failure::usage(miette!(help = help, "`--attach` needs `--jwt-secret`")))?;
    Ok(GatewaySubject::Attached { authority, jwt_secret })
}

/// The gateway of a profile.
fn of_profile(profile: &Profile) -> Result<GatewaySubject, Failure> {
    Ok(match profile.gateway.as_ref().map(|gateway| &gateway.access) {
        Some(GatewayAccess::Attach { authority, jwt_secret }) => {
            GatewaySubject::Attached { authority: authority.clone(), jwt_secret: jwt_secret.clone() }
        }
        _ => GatewaySubject::Started(Start::of(profile, program()?).map_err(failure)?),
    })
}

/// The gateway of a profile that is half filled in: with the usual environment, where it names none.
fn started_as_given(Given { profile, table }: &Given) -> Result<GatewaySubject, Failure> {
    let mut subject = of_profile(profile)?;
    let names_environment = table.get("gateway").is_some_and(|gateway| gateway.get("env").is_some());
    if let (GatewaySubject::Started(start), false) = (&mut subject, names_environment) {
        let env = usual_environment(&start.command.words);
        start.command.env.extend(env);
    }
    Ok(subject)
}

/// A profile that is half filled in.
fn given(path: &Path) -> Result<Given, Failure> {
    let profile = Profile::read(path).map_err(Failure::usage)?;
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::usage(miette!("cannot read {}: {error}", path.display())))?;
    let table = text.parse().map_err(|error| Failure::usage(miette!("{}: {error}", path.display())))?;
    Ok(Given { profile, table })
}

/// Holds a gateway against its profile.
pub(crate) fn check_gateway(profile: &Profile) -> Result<Exit, Failure> {
    let subject = of_profile(profile)?;
    let path = profile.gateway.as_ref().map(|gateway| gateway.path.clone());
    let seen = watch(&subject, &Hints { path, profile: Some(profile.clone()), ..Hints::default() })?;
    report(&discover::compared(profile, &seen))
}

pub(crate) fn client(args: &ClientArgs) -> Result<Exit, Failure> {
    if args.template {
        return template();
    }
    args.output.check().map_err(Failure::usage)?;
    let mut given = args.from.as_deref().map(given).transpose()?;
    let own = given.as_ref().filter(|_| args.command.is_empty());
    let mut start = match own {
        Some(given) => ClientStart::of(&given.profile, program()?).map_err(failure)?,
        None => ClientStart {
            command: CommandProfile { words: args.command.clone(), env: BTreeMap::new() },
            folder: args.output.folder(),
            program: program()?,
            timing: discover::short_timing(),
            dialect: given.as_ref().map_or_else(Profile::bare, |given| given.profile.clone()).dialect,
            codes: Vec::new(),
            statuses: Vec::new(),
        },
    };
    if let Some(given) = &mut given {
        // The times of the profile that is written are those that were in force.
        start.timing = match given.table.contains_key("timing") {
            true => given.profile.timing.clone(),
            false => discover::short_timing(),
        };
        // So is its command.
        let client = given.table.get_mut("client").and_then(toml::Value::as_table_mut);
        if let Some(client) = client.filter(|_| !args.command.is_empty()) {
            client.remove("command");
            client.remove("env");
        }
    }
    let seen = watch_client(&start)?;
    args.output.write(&discover::client::profile_of(&seen, given.as_ref()), "gatecheck client")
}

/// Holds a client against its profile.
pub(crate) fn check_client(profile: &Profile) -> Result<Exit, Failure> {
    let start = ClientStart::of(profile, program()?).map_err(failure)?;
    report(&discover::client::compared(profile, &watch_client(&start)?))
}

fn watch_client(start: &ClientStart) -> Result<ObservedClient, Failure> {
    let most = discover::client::CLIENT_WITHIN.as_secs();
    warn(format_args!("watching the client; that takes half a minute mostly, and {most} s at most"));
    until_interrupted(discover::client::observe(start, &progress()))
}

fn report(Comparison { differences, unobserved }: &Comparison) -> Result<Exit, Failure> {
    let exit = if differences.is_empty() { Exit::Conformant } else { Exit::NotConformant };
    let print = |out: &mut dyn Write| {
        differences.iter().try_for_each(|difference| writeln!(out, "{difference}"))?;
        unobserved.iter().try_for_each(|unobserved| writeln!(out, "{unobserved}"))?;
        match differences.len() {
            0 => writeln!(out, "nothing that was observed differs from the profile"),
            1 => writeln!(out, "1 difference"),
            count => writeln!(out, "{count} differences"),
        }
    };
    ended(print(&mut anstream::stdout()), exit)
}

/// Says what is being tried, and since when.
#[expect(clippy::disallowed_methods, reason = "how long it takes is real time")]
fn progress() -> impl Fn(&str) + Sync {
    let begun = std::time::Instant::now();
    move |text| warn(format_args!("  {:>3} s  {text}", begun.elapsed().as_secs()))
}

fn watch(subject: &GatewaySubject, hints: &Hints) -> Result<discover::ObservedGateway, Failure> {
    let most = discover::GATEWAY_WITHIN.as_secs();
    warn(format_args!("watching the gateway; that takes half a minute mostly, and {most} s at most"));
    until_interrupted(discover::gateway(subject, hints, &progress()))
}

/// Watches until it has been seen enough, or a signal comes; then nothing that was started is left.
fn until_interrupted<T>(watching: impl Future<Output = Result<T, DiscoverError>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Harness, miette!("cannot start a runtime: {error}")))?;
    runtime.block_on(async {
        tokio::select! {
            biased;
            () = interrupted() => Err(Failure { exit: Exit::Interrupted, report: None }),
            seen = watching => seen.map_err(failure),
        }
    })
}

/// A command, with an environment that says what its arguments do not.
fn command(words: &[String]) -> Result<CommandProfile, Failure> {
    // The short name is what many write; a profile has the long one.
    let words: Vec<String> = words.iter().map(|word| word.replace("{secret}", "{jwt_secret}")).collect();
    for word in &words {
        conformance::template::check(word).map_err(|error| {
            Failure::usage(miette!(help = error.hint, "there is no placeholder `{{{}}}`", error.name))
        })?;
    }
    let env = usual_environment(&words);
    Ok(CommandProfile { words, env })
}

/// What a gateway is told by its environment, where its command does not say it.
fn usual_environment(words: &[String]) -> BTreeMap<String, String> {
    let is_told = |value: &str| words.iter().any(|word| word.contains(value));
    let env = ENVIRONMENT.into_iter().filter(|(_, value)| !is_told(value));
    env.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn program() -> Result<PathBuf, Failure> {
    std::env::current_exe()
        .map_err(|error| Failure::new(Exit::Harness, miette!("cannot tell where this program is: {error}")))
}

fn failure(error: DiscoverError) -> Failure {
    let exit = match &error {
        DiscoverError::Spawn(error) if error.limit().is_some() => Exit::Harness,
        DiscoverError::Spawn(_)
        | DiscoverError::Subject { .. }
        | DiscoverError::Floods
        | DiscoverError::Late(_) => Exit::Subject,
        DiscoverError::Host(_) => Exit::Harness,
        DiscoverError::None => Exit::Usage,
    };
    Failure::new(exit, error)
}
