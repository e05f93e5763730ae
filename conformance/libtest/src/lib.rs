//! Gatecheck's cases as tests: `cargo test` prints a line for each, `cargo test -- FILTER` runs some, and one that fails prints
//! what the console report of `gatecheck` does.
//!
//! ```no_run
//! // tests/conformance.rs, with `harness = false` for it in Cargo.toml
//! use conformance::Suite;
//! use gatecheck_libtest::Libtest;
//!
//! fn main() -> std::process::ExitCode {
//!     Suite::from_profile("gatecheck.toml").libtest()
//! }
//! ```
//!
//! ```text
//!  Suite ──prepare──► Run ──a trial for each case──► libtest-mimic
//!                      │                                  ▲
//!                      └──play, on a thread of its own────┘ each verdict, as its case ends
//! ```
//!
//! Each scenario is a test of its name. Two more say what no case says alone: `universal-rules`, the rules that are judged on every
//! trace, and `conformance`, the summary: it fails with any case, and where something stayed undecided. Cases that are not
//! claimed, that cannot be run, or that are known to fail are *ignored*, with the reason.

mod play;
mod told;
mod trials;

use std::process::ExitCode;

use conformance::exit::Exit;
use conformance::{Suite, SuiteError};
use libtest_mimic::{Arguments, Trial};
use miette::Report;

use play::Playing;
use trials::{UNIVERSAL, begin};

/// How a test's process ends that has failed (libtest's own code).
const FAILED: u8 = 101;

/// A suite as tests; one that could not be made fails when it is run.
pub trait Libtest: Sized {
    /// Runs the tests that the command line selects, and says how the process ends: what `main` returns.
    fn libtest(self) -> ExitCode;

    /// The tests, to be run by [`libtest_mimic::run`] with these arguments, perhaps beside others. Those that the arguments
    /// select begin at once.
    ///
    /// # Errors
    /// When nothing can be judged: the profile, or the set-up, is wrong.
    fn trials(self, args: &Arguments) -> Result<Vec<Trial>, SuiteError>;
}

impl Libtest for Suite {
    fn libtest(self) -> ExitCode {
        Ok(self).libtest()
    }

    fn trials(self, args: &Arguments) -> Result<Vec<Trial>, SuiteError> {
        Ok(begin(self, args)?.0)
    }
}

impl Libtest for Result<Suite, SuiteError> {
    fn libtest(self) -> ExitCode {
        let args = Arguments::from_args();
        let ended = self.and_then(|suite| run(suite, &args));
        ended.unwrap_or_else(|error| {
            anstream::eprintln!("{:?}", Report::new(error));
            ExitCode::from(FAILED)
        })
    }

    fn trials(self, args: &Arguments) -> Result<Vec<Trial>, SuiteError> {
        self?.trials(args)
    }
}

fn run(suite: Suite, args: &Arguments) -> Result<ExitCode, SuiteError> {
    let (trials, playing) = begin(suite, args)?;
    let tells = |trial: &Trial| trial.name() == UNIVERSAL && !args.is_filtered_out(trial);
    let tells_universal = trials.iter().any(tells);
    let conclusion = libtest_mimic::run(args, trials);
    let Some(ended) = playing.map(Playing::finish).transpose()? else { return Ok(conclusion.exit_code()) };
    if ended.interrupted {
        return Ok(Exit::Interrupted.into());
    }
    // A filter that leaves the trial out does not leave the rules out.
    match ended.universal.filter(|_| !tells_universal) {
        Some(text) => {
            anstream::eprintln!("{text}");
            Ok(ExitCode::from(FAILED))
        }
        None => Ok(conclusion.exit_code()),
    }
}
