//! The gateway's command line.

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use protocol::Timestamp;
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

use crate::broker::{NoBroker, RabbitMq};
use crate::config::{Config, ConfigError, Flags};
use crate::net::{Server, ServerError, TcpListen, WallClock};

/// Stopped as it was told to.
const STOPPED: u8 = 0;
/// Failed while running.
const FAILED: u8 = 1;
/// The command line or a file is wrong.
const USAGE: u8 = 2;

const HELP: &str = "Settings come from the file, the environment and the flags; later ones win.\n\n\
Once it listens, it prints one line: listening on ws://HOST:PORT/PATH\n\
/healthz answers 200; /readyz answers 200 while events are consumed, 503 otherwise.\n\n\
Exit codes:\n  \
    0    stopped by SIGINT or SIGTERM, everybody having been told\n  \
    1    failed while running, or could not listen\n  \
    2    wrong usage or configuration";

/// A WebSocket gateway: JWT sign-in, rooms, heartbeats, fed by RabbitMQ.
#[derive(Parser)]
#[command(name = "reference-server", version, after_help = HELP)]
struct Cli {
    #[command(flatten)]
    flags: Flags,
    /// What is logged on standard error: error, warn, info, debug, or a filter
    #[arg(long, value_name = "FILTER", env = "GATEWAY_LOG", default_value = "info")]
    log: String,
}

/// Why the gateway ended that was not asked to.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("`--log {0}` is no filter; write error, warn, info or debug")]
    Log(String),
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
            // Where nobody reads errors, the exit code still tells.
            let _ = writeln!(io::stderr(), "error: {failure}");
            ExitCode::from(match failure {
                Failure::Config(_) | Failure::Log(_) => USAGE,
                Failure::Listen { .. } | Failure::Start(_) | Failure::Server(_) => FAILED,
            })
        }
    }
}

fn start(cli: Cli) -> Result<(), Failure> {
    let config = Config::load(cli.flags)?;
    let filter = EnvFilter::try_new(&cli.log).map_err(|_| Failure::Log(cli.log.clone()))?;
    let colours = io::stderr().is_terminal();
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(colours);
    // A program that runs this one has its own log already.
    let _ = log.try_init();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::Start)?;
    runtime.block_on(serve(config))
}

async fn serve(config: Config) -> Result<(), Failure> {
    let address = config.listen;
    let listen = |source| Failure::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(listen)?;
    let bound = listener.local_addr().map_err(listen)?;
    let shutdown = shutdown().map_err(Failure::Start)?;
    // Where nobody reads it, the gateway serves all the same.
    let _ = writeln!(io::stdout(), "listening on ws://{bound}{}", config.path);
    let (listener, wall) = (TcpListen(listener), system_clock());
    match config.rabbitmq.clone() {
        Some(broker) => {
            let seed = wall().unix_ms().cast_unsigned();
            let source = RabbitMq::new(broker, seed);
            Server::new(config, listener, source, wall).run(shutdown).await?;
        }
        None => {
            tracing::warn!("no broker is configured: there will be no events");
            Server::new(config, listener, NoBroker, wall).run(shutdown).await?;
        }
    }
    Ok(())
}

/// Ends at the first SIGINT or SIGTERM; watched from here on.
fn shutdown() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            biased;
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// The system's wall clock.
#[expect(clippy::disallowed_methods, reason = "the program's clock; everything else is given one")]
fn system_clock() -> WallClock {
    Arc::new(|| {
        let since = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH);
        let ms = since.unwrap_or_default().as_millis();
        Timestamp::from_unix_ms(i64::try_from(ms).unwrap_or(i64::MAX))
    })
}
