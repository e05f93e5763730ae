//! The list of known failures, as a run reads and rewrites it.

use std::fs;
use std::path::{Path, PathBuf};

use jiff::civil::Date;
use miette::miette;
use scenarios::Library;

use super::Common;
use crate::Failure;
use conformance::conclusion::Findings;
use conformance::known_failing::{self, KnownFailing};

/// The list of what is known to fail, and where it stands.
pub(super) struct Known {
    pub(super) list: KnownFailing,
    path: PathBuf,
}

impl Known {
    /// The list that was named, which must be there unless it is to be written; or the one beside the profile.
    pub(super) fn find(common: &Common, beside: Option<&Path>, library: &Library) -> Result<Self, Failure> {
        let path = match (&common.known_failing, beside) {
            (Some(path), _) => path.clone(),
            (None, Some(folder)) => folder.join(known_failing::DEFAULT_FILE),
            (None, None) if common.update_baseline => {
                let help = "name the file to write: `--known-failing FILE`";
                return Err(Failure::usage(miette!(
                    help = help,
                    "`--update-baseline` does not know where to"
                )));
            }
            (None, None) => return Ok(Self { list: KnownFailing::default(), path: PathBuf::new() }),
        };
        let is_asked_for = common.known_failing.is_some() && !common.update_baseline;
        let list = if is_asked_for || path.exists() {
            KnownFailing::read(&path, library).map_err(Failure::usage)?
        } else {
            KnownFailing::default()
        };
        Ok(Self { list, path })
    }

    /// Rewrites the list from the run's failures; from then on the new list applies.
    pub(super) fn update(&mut self, found: &Findings, library: &Library, today: Date) -> Result<(), Failure> {
        let path = &self.path;
        let text = self.list.baseline(&found.cases, &found.universal, library, today);
        fs::write(path, text).map_err(|error| {
            let help = "name another file: `--known-failing FILE`";
            Failure::usage(miette!(help = help, "cannot write {}: {error}", path.display()))
        })?;
        self.list = KnownFailing::read(path, library).map_err(Failure::usage)?;
        Ok(())
    }
}
