//! `reference-server`

use std::process::ExitCode;

fn main() -> ExitCode {
    reference_server::cli::run(std::env::args_os())
}
