//! `init gateway`, `init client` and `--check`: a subject is watched, and its profile is written, or held against what was seen.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use miette::{Diagnostic, miette};

use super::super::judge::interrupted;
use super::super::{Failure, closed, ended, warn};
use conformance::discover::client::{ClientStart, ObservedClient};
use conformance::discover::{self, Difference, DiscoverError, GatewaySubject, Hints, Start};
use conformance::exit::Exit;
use conformance::profile::{self, ClientAccess, CommandProfile, DEFAULT_FILE, GatewayAccess, Profile};

/// What stands for standard output.
const STDOUT: &str = "-";
/// The environment that a gateway is started with; what it does not read does no harm.
const ENVIRONMENT: [(&str, &str); 4] = [
    ("PORT", "{port}"),
    ("JWT_SECRET", "{jwt_secret}"),
    ("AMQP_URL", "{amqp_url}"),
    ("RABBITMQ_URL", "{amqp_url}"),
];

/// Where the profile goes.
#[derive(Args)]
struct Output {
    /// The file to write, in whose folder the command is started; `-` for standard output
    #[arg(long, short = 'o', value_name = "FILE", default_value = DEFAULT_FILE)]
    output: PathBuf,
    /// Overwrite the file
    #[arg(long)]
    force: bool,
}

#[derive(Args)]
pub(crate) struct GatewayArgs {
    #[command(flatten)]
    output: Output,
    /// The path that upgrades [default: each of the usual ones is tried]
    #[arg(long, value_name = "PATH")]
    path: Option<String>,
    /// A gateway that runs already, instead of a command; what it has at its broker is not seen
    #[arg(long, value_name = "URL", conflicts_with = "command")]
    attach: Option<String>,
    /// The secret that the running gateway verifies tokens with
    #[arg(long, value_name = "SECRET", env = "GATECHECK_JWT_SECRET", hide_env_values = true)]
    jwt_secret: Option<String>,
    /// The gateway's command; PORT, JWT_SECRET, AMQP_URL and RABBITMQ_URL are in its environment, and `{port}`, `{jwt_secret}`,
    /// `{amqp_url}` and the like may stand in it
    #[arg(last = true, value_name = "COMMAND", required_unless_present = "attach")]
    command: Vec<String>,
}

#[derive(Args)]
pub(crate) struct ClientArgs {
    #[command(flatten)]
    output: Output,
    /// The command of the client's adapter
    #[arg(last = true, value_name = "COMMAND", required = true)]
    command: Vec<String>,
}

/// Why nothing was written.
#[derive(Debug, Diagnostic, thiserror::Error)]
enum WriteError {
    #[error("{} exists already; nothing was written", .0.display())]
    #[diagnostic(help("`--force` overwrites it, `--output FILE` names another file, `--output -` prints"))]
    Exists(PathBuf),
    #[error("cannot write {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
}

impl Output {
    fn is_stdout(&self) -> bool {
        self.output == Path::new(STDOUT)
    }

    /// Refuses a file that would be overwritten, before anything is started.
    fn check(&self) -> Result<(), WriteError> {
        match !self.is_stdout() && !self.force && self.output.symlink_metadata().is_ok() {
            true => Err(WriteError::Exists(self.output.clone())),
            false => Ok(()),
        }
    }

    /// The folder in which a profile's command is started.
    fn folder(&self) -> PathBuf {
        let parent =
            self.output.parent().filter(|folder| !folder.as_os_str().is_empty() && !self.is_stdout());
        parent.map_or_else(|| PathBuf::from("."), Path::to_owned)
    }

    /// Writes a profile, and says what comes next.
    fn write(&self, text: &str, judge: &str) -> Result<Exit, Failure> {
        if self.is_stdout() {
            let mut out = io::stdout().lock();
            out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(closed)?;
        } else {
            let failed = |source| Failure::usage(WriteError::Write { path: self.output.clone(), source });
            let mut options = OpenOptions::new();
            options.write(true);
            // Another process may have created the file meanwhile; it is not overwritten.
            let options =
                if self.force { options.create(true).truncate(true) } else { options.create_new(true) };
            let mut file = options.open(&self.output).map_err(failed)?;
            file.write_all(text.as_bytes()).map_err(failed)?;
        }
        // What is written can be read: anything else is a defect of this program.
        let name = self.output.display().to_string();
        Profile::parse(&name, text, &self.folder()).map_err(|error| Failure::new(Exit::Harness, error))?;
        let open = text.lines().filter(|line| line.starts_with("# ") && line.contains(" = ")).count();
        if !self.is_stdout() {
            warn(format_args!(
                "wrote {name}, in which {open} lines are left to fill in; next: `{judge} -c {name}`"
            ));
        }
        Ok(Exit::Conformant)
    }
}

pub(crate) fn gateway(args: &GatewayArgs) -> Result<Exit, Failure> {
    args.output.check().map_err(Failure::usage)?;
    let subject = match &args.attach {
        Some(url) => {
            let help = "write `ws://HOST:PORT/PATH`";
            let (authority, _) = profile::attach(url)
                .map_err(|message| Failure::usage(miette!(help = help, "`--attach`: {message}")))?;
            let help = "the secret that the running gateway verifies tokens with: `--jwt-secret`, or GATECHECK_JWT_SECRET";
            let jwt_secret = args.jwt_secret.clone();
            let jwt_secret = jwt_secret
                .ok_or_else(|| Failure::usage(miette!(help = help, "`--attach` needs `--jwt-secret`")))?;
            GatewaySubject::Attached { authority, jwt_secret }
        }
        None => {
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
    let seen = watch(&subject, &Hints { path, profile: None })?;
    args.output.write(&discover::profile_of(&seen), "gatecheck gateway")
}

/// Holds a gateway against its profile.
pub(crate) fn check_gateway(profile: &Profile) -> Result<Exit, Failure> {
    let access = profile.gateway.as_ref().map(|gateway| &gateway.access);
    let subject = match access {
        Some(GatewayAccess::Attach { authority, jwt_secret }) => {
            GatewaySubject::Attached { authority: authority.clone(), jwt_secret: jwt_secret.clone() }
        }
        _ => GatewaySubject::Started(Start::of(profile, program()?).map_err(failure)?),
    };
    let path = profile.gateway.as_ref().map(|gateway| gateway.path.clone());
    let seen = watch(&subject, &Hints { path, profile: Some(profile.clone()) })?;
    report(&discover::differences(profile, &seen))
}

pub(crate) fn client(args: &ClientArgs) -> Result<Exit, Failure> {
    args.output.check().map_err(Failure::usage)?;
    let command = CommandProfile { words: args.command.clone(), env: BTreeMap::new() };
    let start = ClientStart {
        command,
        folder: args.output.folder(),
        program: program()?,
        timing: discover::told(),
        dialect: Profile::bare().dialect,
    };
    let seen = watch_client(&start)?;
    args.output.write(&discover::client::profile_of(&seen), "gatecheck client")
}

/// Holds a client against its profile.
pub(crate) fn check_client(profile: &Profile) -> Result<Exit, Failure> {
    let Some(ClientAccess::Spawn(command)) = profile.client.as_ref().map(|client| &client.access) else {
        return Err(failure(DiscoverError::None));
    };
    let start = ClientStart {
        command: command.clone(),
        folder: profile.folder.clone(),
        program: program()?,
        timing: profile.timing.clone(),
        dialect: profile.dialect.clone(),
    };
    report(&discover::client::differences(profile, &watch_client(&start)?))
}

fn watch_client(start: &ClientStart) -> Result<ObservedClient, Failure> {
    let most = discover::client::CLIENT_WITHIN.as_secs();
    warn(format_args!("watching the client; that takes half a minute mostly, and {most} s at most"));
    until_interrupted(discover::client::observe(start, &|text| warn(format_args!("  {text}"))))
}

fn report(differences: &[Difference]) -> Result<Exit, Failure> {
    let exit = if differences.is_empty() { Exit::Conformant } else { Exit::NotConformant };
    let print = |out: &mut dyn Write| {
        differences.iter().try_for_each(|difference| writeln!(out, "{difference}"))?;
        match differences.len() {
            0 => writeln!(out, "nothing that was observed differs from the profile"),
            1 => writeln!(out, "1 difference"),
            count => writeln!(out, "{count} differences"),
        }
    };
    ended(print(&mut anstream::stdout()), exit)
}

fn watch(subject: &GatewaySubject, hints: &Hints) -> Result<discover::ObservedGateway, Failure> {
    let most = discover::GATEWAY_WITHIN.as_secs();
    warn(format_args!("watching the gateway; that takes half a minute mostly, and {most} s at most"));
    until_interrupted(discover::gateway(subject, hints, &|text| warn(format_args!("  {text}"))))
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
    let is_told = |value: &str| words.iter().any(|word| word.contains(value));
    let env = ENVIRONMENT.into_iter().filter(|(_, value)| !is_told(value));
    let env: BTreeMap<_, _> = env.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Ok(CommandProfile { words, env })
}

fn program() -> Result<PathBuf, Failure> {
    std::env::current_exe()
        .map_err(|error| Failure::new(Exit::Harness, miette!("cannot tell where this program is: {error}")))
}

fn failure(error: DiscoverError) -> Failure {
    let exit = match &error {
        DiscoverError::Spawn(error) if error.limit().is_some() => Exit::Harness,
        DiscoverError::Spawn(_) | DiscoverError::Subject { .. } | DiscoverError::Late(_) => Exit::Subject,
        DiscoverError::Host(_) => Exit::Harness,
        DiscoverError::None => Exit::Usage,
    };
    Failure::new(exit, error)
}
