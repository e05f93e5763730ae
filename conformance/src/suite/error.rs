//! Why a suite cannot be run.

use std::io;
use std::path::PathBuf;

use miette::Diagnostic;
use scenarios::{LibraryError, SubjectKind};

use super::scale::ScaleError;
use crate::amqp::IdentityError;
use crate::exit::Exit;
use crate::known_failing::KnownFailingError;
use crate::preflight::SetupError;
use crate::profile::ProfileError;

/// Why a suite cannot be run: nothing was judged.
#[derive(Debug, Diagnostic, thiserror::Error)]
pub enum SuiteError {
    /// The profile is wrong.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Profile(#[from] ProfileError),
    /// The scenarios, or the pattern that selects some, are wrong.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Library(#[from] LibraryError),
    /// The list of known failures is wrong.
    #[error(transparent)]
    #[diagnostic(transparent)]
    KnownFailing(#[from] KnownFailingError),
    /// The times cannot be scaled.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Scale(#[from] ScaleError),
    /// The broker cannot be used.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Broker(#[from] IdentityError),
    /// Nothing was chosen for a gateway that was started elsewhere.
    #[error("a gateway that runs already has a broker of its own: which?")]
    #[diagnostic(help("`--broker amqp://…` names it; with `--broker none` what needs events is not run"))]
    WhichBroker,
    /// The profile describes no subject.
    #[error("the profile has no [{0}]")]
    #[diagnostic(help("add a `[{0}]` table to the profile, or give the command behind `--`"))]
    NoSubject(SubjectKind),
    /// The profile describes nothing that could be judged.
    #[error("the profile describes no gateway and no client")]
    #[diagnostic(help("add a `[gateway]` or a `[client]` table to it"))]
    NothingDescribed,
    /// Level and filters leave nothing.
    #[error("no case is selected")]
    #[diagnostic(help(
        "`gatecheck list` shows all scenarios; `--level hardened` judges more than `--level core`"
    ))]
    NothingSelected,
    /// The shard leaves nothing.
    #[error("no case is selected for this shard")]
    #[diagnostic(help("there are fewer cases than parts: take fewer parts"))]
    NothingInShard,
    /// The list of known failures cannot be rewritten.
    #[error("cannot write {}: {source}", path.display())]
    #[diagnostic(help("name another file: `--known-failing FILE`"))]
    Rewrite {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The set-up is wrong: the preflight says what was seen, and what to try.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Setup(#[from] SetupError),
}

impl SuiteError {
    /// How a program ends that could not run the suite.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Setup(error) => error.exit,
            Self::Profile(_)
            | Self::Library(_)
            | Self::KnownFailing(_)
            | Self::Scale(_)
            | Self::Broker(_)
            | Self::WhichBroker
            | Self::NoSubject(_)
            | Self::NothingDescribed
            | Self::NothingSelected
            | Self::NothingInShard
            | Self::Rewrite { .. } => Exit::Usage,
        }
    }
}
