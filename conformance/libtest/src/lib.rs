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
//! trace, and `conformance`, the summary: it fails with any case, and where something stayed undecided. A filter that leaves them
//! out does not leave out what they are about: it is printed, and the process fails. Cases that are not claimed, that cannot be
//! run, or that are known to fail are *ignored*, with the reason.
//!
//! Where a profile has a command, the tests run in a second process, so that nothing that it starts is left behind, even by SIGKILL:
//! `main` begins once more in it, with the same arguments. Whatever `main` does before [`Libtest::libtest`] is done twice.

mod outcome;
mod play;
mod trials;

use std::process::ExitCode;

use conformance::exit::Exit;
use conformance::process::guard::{Role, guard};
use conformance::{Suite, SuiteError};
use libtest_mimic::{Arguments, Trial};
use miette::Report;
use scenarios::Foreign;

use play::{Ended, Playing};
use trials::{CONFORMANCE, UNIVERSAL, begin};

/// How a test's process ends that has failed (libtest's own code).
const FAILED: u8 = 101;

/// A suite as tests; one that could not be made fails when it is run.
pub trait Libtest: Sized {
    /// Runs the tests that the command line selects, and says how the process ends: what `main` returns. Standard input is gone then
    /// where the suite [starts processes](Suite::starts_processes).
    fn libtest(self) -> ExitCode;

    /// The tests, to be run by [`libtest_mimic::run`] with these arguments, perhaps beside others. Those that the arguments
    /// select begin at once. Processes that they start outlive a test that is killed, unless `main` begins with a
    /// [`guard`].
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
    if suite.starts_processes()
        && !args.list
        && let Role::Guard { code, complaints } = guard()
    {
        for complaint in complaints {
            anstream::eprintln!("{}", Foreign::from(complaint).terminal());
        }
        return Ok(ExitCode::from(code));
    }
    let (trials, playing) = begin(suite, args)?;
    let told = trials.iter().filter(|trial| !args.is_filtered_out(trial));
    let told: Vec<String> = told.map(|trial| trial.name().to_owned()).collect();
    let conclusion = libtest_mimic::run(args, trials);
    let Some(ended) = playing.map(Playing::finish).transpose()? else { return Ok(conclusion.exit_code()) };
    if ended.interrupted {
        return Ok(Exit::Interrupted.into());
    }
    match untold(ended, &told, conclusion.has_failed()) {
        Some(text) => {
            anstream::eprintln!("{text}");
            Ok(ExitCode::from(FAILED))
        }
        None => Ok(conclusion.exit_code()),
    }
}

/// What keeps a run from being conformant and no trial has told: a filter that leaves trials out does not leave out what they
/// are about. A case that failed says by itself why.
fn untold(ended: Ended, told: &[String], has_failed: bool) -> Option<String> {
    let is_told = |name: &str| told.iter().any(|told| told == name);
    let universal = ended.universal.filter(|_| !is_told(UNIVERSAL));
    universal.or_else(|| ended.conformance.filter(|_| !has_failed && !is_told(CONFORMANCE)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A filter leaves trials out, and not what they are about.
    #[test]
    fn what_no_trial_has_told_is_told() {
        let ended = |universal: Option<&str>| Ended {
            universal: universal.map(str::to_owned),
            conformance: Some("undecided".to_owned()),
            interrupted: false,
        };
        let all = [UNIVERSAL, CONFORMANCE].map(str::to_owned);
        assert_eq!(untold(ended(Some("STATE-2")), &all, false), None);
        assert_eq!(untold(ended(Some("STATE-2")), &[], false).as_deref(), Some("STATE-2"));
        assert_eq!(untold(ended(None), &[], false).as_deref(), Some("undecided"));
        assert_eq!(untold(ended(None), &[], true), None, "the case that failed has told why");
        assert_eq!(untold(ended(None), &all[1..], false), None);
    }
}
