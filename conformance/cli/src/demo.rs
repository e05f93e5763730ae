//! `demo`: a gateway to look at, with its broker and made-up events.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;
use miette::miette;

use super::judge::interrupted;
use super::{Failure, closed};
use conformance::exit::Exit;
use gatecheck_lab::demo::{Demo, DemoConfig, DemoError};

/// Most events each second: enough to see a page at work, and not a load test.
const MAX_RATE: f64 = 1000.0;

#[derive(Args)]
pub(super) struct DemoArgs {
    /// Where the gateway listens; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:3000")]
    listen: SocketAddr,
    /// Made-up events each second, such as 0.5 or 20
    #[arg(long, value_name = "N", default_value = "1", value_parser = rate)]
    rate: f64,
    /// The seed of the made-up events
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Runs until Ctrl-C.
pub(super) fn run(args: &DemoArgs) -> Result<Exit, Failure> {
    let program = std::env::current_exe().map_err(|error| {
        Failure::new(Exit::Harness, miette!("cannot tell where this program is: {error}"))
    })?;
    let interval = Duration::from_secs_f64(args.rate.recip());
    let config = DemoConfig { program, listen: args.listen, interval, seed: args.seed };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Harness, miette!("cannot start a runtime: {error}")))?;
    runtime.block_on(async {
        let mut interrupt = std::pin::pin!(interrupted());
        let mut demo = tokio::select! {
            biased;
            // Whatever was starting is killed when its future is dropped.
            () = &mut interrupt => return Ok(Exit::Conformant),
            started = Demo::start(config) => started.map_err(failure)?,
        };
        demo.announce(&mut std::io::stdout()).map_err(failure)?;
        let ended = tokio::select! {
            biased;
            () = &mut interrupt => Ok(Exit::Conformant),
            error = demo.run() => Err(failure(error)),
        };
        demo.stop().await;
        ended
    })
}

fn failure(error: DemoError) -> Failure {
    match error {
        DemoError::Announce(error) => closed(error),
        error @ DemoError::Gateway(_) => Failure::new(Exit::Subject, error),
        error => Failure::new(Exit::Harness, error),
    }
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate| (0.001..=MAX_RATE).contains(rate));
    rate.ok_or_else(|| format!("write a number from 0.001 to {MAX_RATE}"))
}
