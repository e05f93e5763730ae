//! A folder of reports.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::json::plain;
use super::{About, Document, html, junit, markdown};
use conformance::result::RunReport;
use conformance::secrets::without_credentials;

/// Where reports are written to.
#[derive(Debug, Clone)]
pub struct Folder(PathBuf);

/// A file or folder cannot be written.
#[derive(Debug, miette::Diagnostic, thiserror::Error)]
#[error("cannot write {}: {source}", path.display())]
#[diagnostic(help("name a place that can be written to"))]
pub struct WriteError {
    path: PathBuf,
    source: io::Error,
}

impl Folder {
    /// A folder, made where there is none.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn create(path: &Path) -> Result<Self, WriteError> {
        fs::create_dir_all(path).map_err(|source| WriteError { path: path.to_owned(), source })?;
        Ok(Self(path.to_owned()))
    }

    /// Writes `report.json`, `junit.xml`, `summary.md`, `report.html`, and a file of JSON lines for each trace.
    ///
    /// # Errors
    /// When one of them cannot be written.
    pub fn write(&self, report: &RunReport, about: &About) -> Result<(), WriteError> {
        self.file("report.json", &Document::new(report, about).text())?;
        self.file("junit.xml", &junit(report, about))?;
        self.file("summary.md", &markdown(report, about))?;
        self.file("report.html", &html::page(report, about))?;
        for case in report.cases.iter().filter(|case| !case.trace.observations.is_empty()) {
            self.file(&trace_file(&case.id.0), &plain(&case.trace.to_json_lines()))?;
        }
        Ok(())
    }

    fn file(&self, name: &str, text: &str) -> Result<(), WriteError> {
        let path = self.0.join(name);
        let parent = path.parent().unwrap_or(&self.0);
        fs::create_dir_all(parent)
            .and_then(|()| fs::write(&path, without_credentials(text).as_bytes()))
            .map_err(|source| WriteError { path: path.clone(), source })
    }
}

/// Adds the Markdown summary to the end of a file, such as the one that `$GITHUB_STEP_SUMMARY` names.
///
/// # Errors
/// When it cannot be written.
pub fn append_summary(path: &Path, report: &RunReport, about: &About) -> Result<(), WriteError> {
    let append = || {
        let mut file = OpenOptions::new().create(true).append(true).open(path)?;
        file.write_all(without_credentials(&markdown(report, about)).as_bytes())
    };
    append().map_err(|source| WriteError { path: path.to_owned(), source })
}

/// Where a case's trace stands, from the folder on.
pub(super) fn trace_file(case: &str) -> String {
    format!("traces/{case}.jsonl")
}
