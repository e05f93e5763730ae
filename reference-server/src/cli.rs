//! The gateway's command line.

mod serve;
mod token;

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::auth::MintError;
use crate::config::{ConfigError, Flags, LogFormat, WatchConfig};
use crate::net::{ServerError, TlsError};
use crate::report::{self, ReportError, Reporting};

/// Stopped by a signal.
const STOPPED: u8 = 0;
/// Failed while running.
const FAILED: u8 = 1;
/// The command line or a file is wrong.
const USAGE: u8 = 2;

const HELP: &str = "Settings come from the file, the environment and the flags; later ones win.\n\n\
Once it listens, it prints one line: listening on ws://HOST:PORT/PATH\n\
/healthz answers 200; /readyz answers 200 while events are consumed, 503 otherwise.\n\
/stats tells of connections and rooms in JSON, /metrics is for Prometheus.\n\
/ is a live page: sign in, watch events, subscribe; with --dev also publish.\n\n\
SIGINT or SIGTERM ends it once everybody has been told, SIGHUP has the certificate read again.\n\n\
Exit codes:\n  \
    0    stopped by SIGINT or SIGTERM, everybody having been told\n  \
    1    failed while running, or could not listen\n  \
    2    wrong usage or configuration";

/// A WebSocket gateway: JWT sign-in, rooms, heartbeats, fed by RabbitMQ.
#[derive(Parser)]
#[command(name = "reference-server", version, after_help = HELP, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    flags: Flags,
    /// Print the settings that are in force, secrets hidden, and end
    #[arg(long)]
    print_config: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Make a token for trying things out, signed with the configured secret
    Token(token::TokenArgs),
}

/// Why the gateway ended that was not asked to.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("`log` is {0}, which is no filter; write error, warn, info or debug")]
    Log(String),
    #[error(transparent)]
    Report(#[from] ReportError),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error(transparent)]
    Mint(#[from] MintError),
    #[error("cannot listen on {address}: {source}")]
    Listen { address: std::net::SocketAddr, source: io::Error },
    #[error("cannot start: {0}")]
    Start(io::Error),
    #[error(transparent)]
    Server(#[from] ServerError),
}

/// Runs the program and says how it ended.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            // Help goes to standard output, complaints to standard error; clap knows which this is.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { USAGE } else { STOPPED });
        }
    };
    match start(cli) {
        Ok(()) => ExitCode::from(STOPPED),
        Err(failure) => {
            // Standard error may be closed; the exit code still reports the failure.
            let _ = writeln!(io::stderr(), "error: {failure}");
            ExitCode::from(match failure {
                Failure::Config(_)
                | Failure::Log(_)
                | Failure::Report(_)
                | Failure::Tls(_)
                | Failure::Mint(_) => USAGE,
                Failure::Listen { .. } | Failure::Start(_) | Failure::Server(_) => FAILED,
            })
        }
    }
}

fn start(cli: Cli) -> Result<(), Failure> {
    if let Some(Command::Token(args)) = cli.command {
        return token::run(args);
    }
    let settings = cli.flags.settings()?;
    let config = settings.check()?;
    if cli.print_config {
        // A reader that has gone needs no settings.
        let _ = write!(io::stdout(), "{}", settings.effective(&config));
        return Ok(());
    }
    // Reports that are under way are sent when this goes.
    let _reporting = watch(&config.watch)?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::Start)?;
    runtime.block_on(serve::serve(config))
}

/// Starts the log, and error reports where they are configured.
fn watch(config: &WatchConfig) -> Result<Reporting, Failure> {
    let targets: Targets = config.log.parse().map_err(|_| Failure::Log(config.log.clone()))?;
    let reporting = Reporting::start(config.sentry_dsn.as_deref())?;
    let registry = tracing_subscriber::registry().with(targets).with(report::layer());
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    // A program that runs this one has its own log already.
    let _ = match config.log_format {
        LogFormat::Text => registry.with(lines.with_ansi(io::stderr().is_terminal())).try_init(),
        LogFormat::Json => registry.with(lines.json()).try_init(),
    };
    Ok(reporting)
}
