//! `reference-client`

use std::process::ExitCode;

fn main() -> ExitCode {
    reference_client::cli::run(std::env::args_os())
}
