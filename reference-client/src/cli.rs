//! The client on the terminal, and its adapter.

mod lines;
mod terminal;

use std::env;
use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use futures_util::StreamExt;
use protocol::{DEFAULT_URL, URL_VARIABLE};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use self::terminal::Typed;
use crate::client::system_clock;
use crate::config::{ClientConfig, gateway_url};
use crate::net::{TcpDial, Trust, TrustError};
use crate::{adapter, config};

/// Ended on request.
const ENDED: u8 = 0;
/// Gave up, or was refused.
const GAVE_UP: u8 = 1;
/// The command line or a file is wrong.
const USAGE: u8 = 2;

const HELP: &str = "Lines read from standard input:\n  \
    /subscribe NAME       hear of an event type or a room\n  \
    /unsubscribe NAME     hear of it no longer\n  \
    /send TYPE [JSON]     send a message\n  \
    /status               say how the connection stands\n  \
    /quit                 close the connection and end\n\n\
Exit codes:\n  \
    0    ended: /quit, the end of the input, or Ctrl-C\n  \
    1    gave up, or the token was refused\n  \
    2    wrong usage or configuration";

/// Stays connected to a WebSocket gateway, prints what it receives, and sends lines of standard input.
#[derive(Parser)]
#[command(name = "reference-client", version, after_help = HELP)]
struct Cli {
    #[arg(long, help = format!("Where the gateway is [env: {URL_VARIABLE}=] [default: {DEFAULT_URL}]"))]
    url: Option<String>,
    /// A file whose first line is the token; `-` reads it from standard input, before anything else
    #[arg(long, value_name = "FILE", conflicts_with = "token")]
    token_file: Option<PathBuf>,
    /// The token itself; others on this machine can see it on the command line, so prefer the file or the variable
    #[arg(long, env = "GATECHECK_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// A file of the certificates to trust on `wss://`, instead of the system's
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// The HTTP proxy to go through, `http://[USER:PASSWORD@]HOST:PORT`; for `wss://` the variables HTTPS_PROXY and ALL_PROXY
    /// name one too
    #[arg(long, value_name = "URL")]
    proxy: Option<String>,
    /// Subscribe to this from the start; repeatable
    #[arg(long, value_name = "NAME")]
    subscribe: Vec<String>,
    /// Print JSON objects, one a line
    #[arg(long)]
    json: bool,
    /// Log what the client does, on standard error
    #[arg(long)]
    debug: bool,
    /// Do not seek a lost connection again
    #[arg(long)]
    no_reconnect: bool,
    /// Redials before the client gives up
    #[arg(long, value_name = "N", default_value_t = protocol::Timing::default().max_reconnect_attempts)]
    max_reconnect_attempts: u32,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Speak the adapter protocol on standard input and output
    Adapter,
}

/// Why the program did not start.
#[derive(Debug, thiserror::Error)]
enum StartError {
    #[error(transparent)]
    Config(#[from] config::ConfigError),
    #[error("no token: give --token-file FILE, or the variable GATECHECK_TOKEN")]
    NoToken,
    #[error(transparent)]
    Trust(#[from] TrustError),
    #[error("the proxy's URL cannot be read: {0}; write `http://HOST:PORT`")]
    Proxy(url::ParseError),
    #[error("cannot read the token from {}: {source}", path.display())]
    TokenFile { path: PathBuf, source: io::Error },
    #[error("cannot start: {0}")]
    Runtime(io::Error),
}

/// Runs the program and returns its exit code.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            // Help goes to standard output, complaints to standard error; clap knows which this is.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { USAGE } else { ENDED });
        }
    };
    // What an adapter logs is for the configuration that it is given to say (CONF-1).
    let debug = cli.debug || matches!(cli.command, Some(Command::Adapter));
    let level = if debug { LevelFilter::DEBUG } else { LevelFilter::WARN };
    let targets = env::var("RUST_LOG").ok().and_then(|targets| targets.parse::<Targets>().ok());
    let targets = targets.unwrap_or_else(|| Targets::new().with_target("reference_client", level));
    let lines =
        tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
    // A program that runs this one has its own log already.
    let _ = tracing_subscriber::registry().with(targets).with(lines).try_init();
    match start(cli) {
        Ok(code) => code,
        Err(error) => {
            // Standard error may be closed; the exit code still reports the failure.
            let _ = writeln!(anstream::stderr(), "error: {error}");
            ExitCode::from(USAGE)
        }
    }
}

fn start(cli: Cli) -> Result<ExitCode, StartError> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(StartError::Runtime)?;
    let code = match cli.command {
        Some(Command::Adapter) => runtime.block_on(async {
            let (input, output) = (tokio::io::stdin(), tokio::io::stdout());
            match adapter::run(input, output, TcpDial, system_clock()).await {
                Ok(()) => ENDED,
                Err(error) => {
                    tracing::error!("the adapter ended: {error}");
                    GAVE_UP
                }
            }
        }),
        None => {
            let mut typed = terminal::typed();
            let token = runtime.block_on(cli.token(&mut typed))?;
            let config = cli.config(token)?;
            let ended = runtime.block_on(terminal::run(config, cli.subscribe, cli.json, typed));
            if ended { ENDED } else { GAVE_UP }
        }
    };
    // A read of standard input cannot be cancelled; it must not keep the program.
    runtime.shutdown_background();
    Ok(ExitCode::from(code))
}

impl Cli {
    async fn token(&self, typed: &mut Typed) -> Result<String, StartError> {
        let Some(path) = &self.token_file else { return self.token.clone().ok_or(StartError::NoToken) };
        let line = if path.as_os_str() == "-" {
            typed.next().await.transpose().map_err(io::Error::other)
        } else {
            std::fs::read_to_string(path).map(|text| text.lines().next().map(str::to_owned))
        };
        let line = line.map_err(|source| StartError::TokenFile { path: path.clone(), source })?;
        let token = line.as_deref().map(str::trim).filter(|token| !token.is_empty());
        token.map(str::to_owned).ok_or(StartError::NoToken)
    }

    fn config(&self, token: String) -> Result<ClientConfig, StartError> {
        let url = self.url.clone().unwrap_or_else(gateway_url);
        let mut config = ClientConfig::new(&url, token)?;
        config.auto_reconnect = !self.no_reconnect;
        config.timing.max_reconnect_attempts = self.max_reconnect_attempts;
        config.debug = self.debug;
        if let Some(path) = &self.ca {
            config.trust = Trust::from_pem_file(path)?;
        }
        let proxy = self.proxy.clone().or_else(|| proxy_of_the_environment(config.url.scheme()));
        config.proxy = proxy.map(|proxy| proxy.parse()).transpose().map_err(StartError::Proxy)?;
        // Two clients of one fleet have different process ids or start at different times.
        config.seed = u64::from(std::process::id()) ^ system_clock()().unix_ms().cast_unsigned();
        Ok(config.check()?)
    }
}

/// What other programs go through too. A connection without TLS is mostly one to this machine or its neighbour, which no proxy
/// reaches.
fn proxy_of_the_environment(scheme: &str) -> Option<String> {
    let names = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
    let mut named = names.iter().filter_map(|name| env::var(name).ok()).filter(|url| !url.is_empty());
    if scheme == "wss" { named.next() } else { None }
}
