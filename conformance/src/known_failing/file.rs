//! The list as a file.

use std::path::{Path, PathBuf};

use jiff::civil::Date;
use miette::{Diagnostic, NamedSource, SourceSpan};
use scenarios::{Catalogue, Foreign, Library, RequirementId};
use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;
use toml::value::Datetime;

use super::{Entry, KnownFailing, Pattern};

/// Why a list cannot be used.
#[derive(Debug, Diagnostic, thiserror::Error)]
pub enum KnownFailingError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    #[diagnostic(help("`--update-baseline` writes one"))]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// An entry is wrong.
    #[error("{file}{}: {message}", line.map(|line| format!(":{line}")).unwrap_or_default())]
    Entry {
        /// The file.
        file: String,
        /// The line, counted from 1.
        line: Option<usize>,
        /// What is wrong.
        message: String,
        /// What to write.
        #[help]
        help: Option<String>,
        /// The text.
        #[source_code]
        source_code: NamedSource<String>,
        /// The place.
        #[label("here")]
        span: Option<SourceSpan>,
    },
}

/// A list of cases that are known to fail.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Gatecheck's list of known failures")]
struct RawList {
    /// The entries.
    #[serde(default)]
    #[schemars(with = "Vec<RawEntry>")]
    known: Vec<Spanned<RawEntry>>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawEntry {
    /// Which cases: an id, or a glob such as `gateway/rooms/*`.
    #[schemars(with = "Option<String>")]
    case: Option<Pattern>,
    /// The requirement that fails there.
    requirement: Option<RequirementId>,
    /// Why.
    reason: String,
    /// Where it is followed up.
    issue: Option<String>,
    /// The date from which on it is known no more.
    #[schemars(with = "Option<String>", extend("format" = "date"))]
    expires: Option<Datetime>,
}

/// The JSON Schema of a list.
pub(super) fn schema() -> serde_json::Value {
    schemars::schema_for!(RawList).to_value()
}

pub(super) fn read(path: &Path, library: &Library) -> Result<KnownFailing, KnownFailingError> {
    let text = scenarios::text_file::read(path)
        .map_err(|source| KnownFailingError::Read { path: path.to_owned(), source })?;
    parse(&path.display().to_string(), &text, library)
}

pub(super) fn parse(file: &str, text: &str, library: &Library) -> Result<KnownFailing, KnownFailingError> {
    let wrong = |message: String, help: Option<&str>, span: Option<std::ops::Range<usize>>| {
        let line = span.as_ref().map(|span| text[..span.start.min(text.len())].matches('\n').count() + 1);
        KnownFailingError::Entry {
            file: file.to_owned(),
            line,
            message,
            help: help.map(str::to_owned),
            source_code: NamedSource::new(file, Foreign::from(text).source()).with_language("toml"),
            span: span.map(SourceSpan::from),
        }
    };
    let raw: RawList =
        toml::from_str(text).map_err(|error| wrong(error.message().to_owned(), None, error.span()))?;
    let catalogue = Catalogue::builtin();
    let mut entries = Vec::new();
    for spanned in raw.known {
        let span = spanned.span();
        let line = text[..span.start].matches('\n').count() + 1;
        let wrong = |message: String, help: &str| wrong(message, Some(help), Some(span.clone()));
        let raw = spanned.into_inner();
        if raw.case.is_none() && raw.requirement.is_none() {
            return Err(wrong(
                "the entry names neither `case` nor `requirement`".to_owned(),
                "`case = \"gateway/rooms/**\"` or `requirement = \"ROOM-3\"` says what is known to fail",
            ));
        }
        if raw.reason.trim().is_empty() {
            return Err(wrong("`reason` is empty".to_owned(), "say why it fails: the report repeats it"));
        }
        let expires = raw.expires.map(date).transpose().map_err(|found| {
            wrong(
                format!("`expires` is {found}, which is no date"),
                "write a date such as `expires = 2027-01-31`",
            )
        })?;
        let RawEntry { case, requirement, reason, issue, .. } = raw;
        let entry = Entry { case, requirement, reason, issue, expires, line };
        if !library.iter().any(|scenario| entry.is_about(scenario, &catalogue)) {
            return Err(wrong(
                format!("no case matches `{entry}`"),
                "`gatecheck list` shows all cases; an entry that matches nothing hides nothing: take it away",
            ));
        }
        entries.push(entry);
    }
    Ok(KnownFailing { file: file.to_owned(), entries })
}

/// The day of a TOML date; a time beside it makes it something else.
fn date(value: Datetime) -> Result<Date, Datetime> {
    let Datetime { date: Some(date), time: None, offset: None } = value else { return Err(value) };
    let signed = |number: u8| i8::try_from(number).ok();
    let year = i16::try_from(date.year).ok();
    let (Some(year), Some(month), Some(day)) = (year, signed(date.month), signed(date.day)) else {
        return Err(value);
    };
    Date::new(year, month, day).map_err(|_| value)
}
