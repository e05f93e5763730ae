//! `broker`: the embedded broker alone.

use std::io::IsTerminal;

use miette::{IntoDiagnostic, miette};
use tracing_subscriber::EnvFilter;

use super::Failure;
use crate::broker::{self, BrokerArgs};
use crate::exit::Exit;

pub(super) fn run(args: BrokerArgs) -> Result<Exit, Failure> {
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new("gatecheck=info,conformance=info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime =
        runtime.map_err(|error| Failure::new(Exit::Harness, miette!("cannot start a runtime: {error}")))?;
    runtime.block_on(broker::run(args)).into_diagnostic().map_err(Failure::usage)?;
    Ok(Exit::Conformant)
}
