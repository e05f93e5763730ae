//! `gatecheck broker`: the embedded broker by itself, for trying things out by hand.

use super::config::BrokerConfig;
use super::server::{Broker, BrokerError};
use clap::Args;
use std::io::{self, Write};
use std::net::SocketAddr;

/// Options of `gatecheck broker`.
#[derive(Args, Clone, Debug)]
pub struct BrokerArgs {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
}

/// Runs a broker until Ctrl-C. The first line on standard output is its URL; connections are logged by `tracing`.
///
/// # Errors
///
/// Where it cannot listen, announce itself, or wait for the signal.
pub async fn run(args: BrokerArgs) -> Result<(), BrokerError> {
    let broker = Broker::start(BrokerConfig { listen: args.listen, ..BrokerConfig::default() }).await?;
    announce(&broker).map_err(BrokerError::Announce)?;
    let interrupted = tokio::signal::ctrl_c().await.map_err(BrokerError::Signal);
    broker.shutdown().await;
    interrupted
}

fn announce(broker: &Broker) -> io::Result<()> {
    let mut stdout = io::stdout();
    writeln!(stdout, "{}", broker.url())?;
    stdout.flush()
}
