//! What is wrong with a scenario file, where, and what to write instead.

use crate::foreign::Foreign;
use crate::nearest::nearest;
use std::ops::Range;

use miette::{Diagnostic, NamedSource, SourceSpan};

/// Why a file is not a scenario.
#[derive(Debug, Clone, PartialEq, Diagnostic, thiserror::Error)]
#[error("{file}: {message}")]
#[diagnostic(code(scenario))]
pub struct ScenarioError {
    file: String,
    message: String,
    #[source_code]
    source_code: NamedSource<String>,
    #[label("here")]
    span: Option<SourceSpan>,
    #[help]
    help: Option<String>,
}

impl ScenarioError {
    /// An error at a place in a file's text.
    pub(super) fn at(file: &str, text: &str, span: Option<Range<usize>>, message: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            message: message.into(),
            source_code: NamedSource::new(file, Foreign::from(text).source()).with_language("toml"),
            span: span.map(SourceSpan::from),
            help: None,
        }
    }

    /// The same error with a hint.
    pub(super) fn with_help(mut self, help: Option<String>) -> Self {
        self.help = help;
        self
    }

    /// An error of the TOML reader, with a hint where an unknown key looks like a known one.
    pub(super) fn from_toml(file: &str, text: &str, error: &toml::de::Error) -> Self {
        let message = error.message().to_owned();
        let help = nearest_key(&message).map(|key| format!("did you mean `{key}`?"));
        Self::at(file, text, error.span(), message).with_help(help)
    }

    /// The line of the error, counted from 1.
    pub fn line(&self) -> Option<usize> {
        let offset = self.span?.offset();
        let text = self.source_code.inner();
        Some(text.get(..offset)?.matches('\n').count() + 1)
    }

    /// The hint, where there is one.
    pub fn hint(&self) -> Option<&str> {
        self.help.as_deref()
    }
}

/// serde words an unknown key as "unknown field `x`, expected one of `y`, `z`"; the known ones are in its text only.
fn nearest_key(message: &str) -> Option<String> {
    let mut quoted = message.split('`').skip(1).step_by(2);
    if !message.starts_with("unknown") {
        return None;
    }
    let unknown = quoted.next()?;
    nearest(unknown, quoted.map(str::to_owned))
}
