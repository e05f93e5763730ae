//! `broker`: the embedded broker alone, for trying things out by hand.

use std::env;
use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;

use clap::Args;
use embedded_broker::{Broker, BrokerConfig};
use miette::miette;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::Failure;
use conformance::exit::Exit;

/// Options of `gatecheck broker`.
#[derive(Args, Clone, Debug)]
pub(super) struct BrokerArgs {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
}

pub(super) fn run(args: &BrokerArgs) -> Result<Exit, Failure> {
    let targets = env::var("RUST_LOG").ok().and_then(|targets| targets.parse::<Targets>().ok());
    let ours = ["gatecheck", "conformance", "embedded_broker"].map(|target| (target, LevelFilter::INFO));
    let targets = targets.unwrap_or_else(|| Targets::new().with_targets(ours));
    let lines =
        tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
    tracing_subscriber::registry().with(targets).with(lines).init();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime =
        runtime.map_err(|error| Failure::new(Exit::Harness, miette!("cannot start a runtime: {error}")))?;
    runtime.block_on(serve(args.listen)).map_err(Failure::usage)?;
    Ok(Exit::Conformant)
}

/// Runs a broker until Ctrl-C. The first line on standard output is its URL.
async fn serve(listen: SocketAddr) -> miette::Result<()> {
    let broker = Broker::start(BrokerConfig { listen, ..BrokerConfig::default() });
    let broker = broker.await.map_err(|error| miette!("{error}"))?;
    announce(&broker)
        .map_err(|error| miette!("cannot write the broker's URL to standard output: {error}"))?;
    let interrupted = tokio::signal::ctrl_c().await;
    broker.shutdown().await;
    interrupted.map_err(|error| miette!("cannot listen for the interrupt signal: {error}"))
}

fn announce(broker: &Broker) -> io::Result<()> {
    let mut stdout = io::stdout();
    writeln!(stdout, "{}", broker.url())?;
    stdout.flush()
}
