//! The list of known failures, as a run reads and rewrites it.

use std::fs;
use std::path::{Path, PathBuf};

use jiff::civil::Date;
use scenarios::Library;

use super::SuiteError;
use crate::conclusion::Findings;
use crate::known_failing::{self, KnownFailing};

/// Where the list of what is known to fail stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KnownFailures {
    /// There is none.
    None,
    /// `known-failing.toml` in this folder, where there is one.
    Beside(PathBuf),
    /// This file, which must be there.
    Listed(PathBuf),
    /// This file, which the run rewrites from its failures.
    Rewritten(PathBuf),
}

impl KnownFailures {
    /// The file in this folder that [`KnownFailures::Beside`] reads.
    pub fn file_in(folder: &Path) -> PathBuf {
        folder.join(known_failing::DEFAULT_FILE)
    }

    /// Reads the list; one that need not be there may be empty.
    pub(super) fn read(&self, library: &Library) -> Result<KnownFailing, SuiteError> {
        let (path, must_exist) = match self {
            Self::None => return Ok(KnownFailing::default()),
            Self::Beside(folder) => (Self::file_in(folder), false),
            Self::Listed(path) => (path.clone(), true),
            Self::Rewritten(path) => (path.clone(), false),
        };
        match must_exist || path.exists() {
            true => Ok(KnownFailing::read(&path, library)?),
            false => Ok(KnownFailing::default()),
        }
    }
}

/// Rewrites a list from the run's failures and returns the new one, which applies from then on.
pub(super) fn rewrite(
    path: &Path,
    list: &KnownFailing,
    found: &Findings,
    library: &Library,
    today: Date,
) -> Result<KnownFailing, SuiteError> {
    let text = list.baseline(&found.cases, &found.universal, library, today);
    fs::write(path, text).map_err(|source| SuiteError::Rewrite { path: path.to_owned(), source })?;
    Ok(KnownFailing::read(path, library)?)
}
