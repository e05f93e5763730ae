//! A report that was written before: what a comparison, and a run of what had failed, need of it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use conformance::result::RequirementStatus;
use scenarios::{Foreign, RequirementId, ScenarioId};
use serde::Deserialize;

use super::REPORT_VERSION;

/// Longest file that is read.
const MAX_FILE_BYTES: u64 = 256 * 1024 * 1024;

/// A report that was written before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EarlierReport {
    /// How each requirement stood.
    pub requirements: BTreeMap<RequirementId, RequirementStatus>,
    /// What became of each case.
    pub cases: BTreeMap<ScenarioId, CaseOutcome>,
}

/// What became of a case: the verdict without its reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CaseOutcome {
    /// Everything was as expected.
    Pass,
    /// Something was not.
    Fail,
    /// It did not pass, which was listed as known.
    KnownFailure,
    /// It passed, though it was listed as known not to.
    UnexpectedPass,
    /// It could not get far enough.
    Blocked,
    /// The subject did not claim what it shows.
    NotClaimed,
    /// It needed what there was not.
    NotRun,
    /// The host kept it waiting.
    Inconclusive,
    /// The subject died.
    SubjectError,
    /// The harness failed.
    HarnessError,
}

impl CaseOutcome {
    /// Its name, for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::KnownFailure => "known failure",
            Self::UnexpectedPass => "unexpected pass",
            Self::Blocked => "blocked",
            Self::NotClaimed => "not claimed",
            Self::NotRun => "not run",
            Self::Inconclusive => "inconclusive",
            Self::SubjectError => "died",
            Self::HarnessError => "error",
        }
    }

    /// Whether it was played, and not to a good end: such a case is worth running again.
    pub fn is_open(self) -> bool {
        match self {
            Self::Fail
            | Self::UnexpectedPass
            | Self::Blocked
            | Self::Inconclusive
            | Self::SubjectError
            | Self::HarnessError => true,
            Self::Pass | Self::KnownFailure | Self::NotClaimed | Self::NotRun => false,
        }
    }
}

/// A file is no report.
#[derive(Debug, miette::Diagnostic, thiserror::Error)]
pub enum EarlierReportError {
    /// It cannot be read.
    #[error("cannot read {}", path.display())]
    #[diagnostic(help("name a `report.json`, as `--output` writes it, or the folder that holds one"))]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is no report, or not one of this version.
    #[error("{} is no report of gatecheck: {message}", path.display())]
    #[diagnostic(help(
        "a `report.json` of version {REPORT_VERSION} is read, as `--output` and `--format json` write it"
    ))]
    Shape {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
}

#[derive(Deserialize)]
struct Version {
    version: u32,
}

#[derive(Deserialize)]
struct Report {
    requirements: Vec<Requirement>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Requirement {
    id: RequirementId,
    standing: RequirementStatus,
}

#[derive(Deserialize)]
struct Case {
    id: ScenarioId,
    verdict: CaseOutcome,
}

impl EarlierReport {
    /// Reads a file, or the `report.json` of a folder.
    ///
    /// # Errors
    /// When it cannot be read, or is no report of this version.
    pub fn read(path: &Path) -> Result<Self, EarlierReportError> {
        let path = if path.is_dir() { path.join("report.json") } else { path.to_owned() };
        let failed = |source| EarlierReportError::Read { path: path.clone(), source };
        let file = File::open(&path).map_err(failed)?;
        if file.metadata().map_err(failed)?.len() > MAX_FILE_BYTES {
            return Err(failed(io::Error::other("it is longer than any report")));
        }
        let mut text = String::new();
        file.take(MAX_FILE_BYTES).read_to_string(&mut text).map_err(failed)?;
        Self::parse(&text).map_err(|message| EarlierReportError::Shape { path, message })
    }

    fn parse(text: &str) -> Result<Self, String> {
        // What was read may be anything, and the message quotes it.
        let shape = |error: serde_json::Error| Foreign::from(error.to_string()).terminal();
        let Version { version } = serde_json::from_str(text).map_err(shape)?;
        if version != REPORT_VERSION {
            return Err(format!("it has version {version}"));
        }
        let Report { requirements, cases } = serde_json::from_str(text).map_err(shape)?;
        let requirements = requirements.into_iter().map(|line| (line.id, line.standing));
        let cases = cases.into_iter().map(|case| (case.id, case.verdict));
        Ok(Self { requirements: requirements.collect(), cases: cases.collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Document, sample};

    /// What this build writes is read, with every verdict that there is.
    #[test]
    fn reports_are_read() {
        let (report, about) = sample::run();
        let read = EarlierReport::parse(&Document::new(&report, &about).text()).unwrap();
        assert_eq!(read.cases.len(), report.cases.len());
        for case in &report.cases {
            assert_eq!(read.cases[&case.id].name(), case.verdict.name(), "{}", case.id);
        }
        assert_eq!(read.requirements.len(), report.requirements.len());
    }

    /// What is no report says why.
    #[test]
    fn other_files_are_refused() {
        for (text, says) in [
            ("", "EOF"),
            ("{}", "missing field `version`"),
            (r#"{"version":1}"#, "it has version 1"),
            (
                r#"{"version":3,"requirements":[],"cases":[{"id":"a","verdict":"\u001b[2Jsplendid"}]}"#,
                "unknown variant",
            ),
        ] {
            let said = EarlierReport::parse(text).unwrap_err();
            assert!(said.contains(says) && !said.contains('\u{1b}'), "{text}: {said}");
        }
    }
}
