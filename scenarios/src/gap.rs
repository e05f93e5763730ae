//! Why a case is not played for a subject.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What there is not that a case needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Gap {
    /// The declared design has no place for it: nothing is missing.
    Design,
    /// The profile does not declare it, and could.
    Undeclared,
    /// This run does not have it: its broker, its host, the way in which the subject is reached, or what was selected.
    Run,
}

/// A case that is not played, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct NotPlayed {
    /// Of which kind that is.
    pub gap: Gap,
    /// What there is not.
    pub why: String,
}

impl NotPlayed {
    /// What the declared design has no place for.
    pub fn by_design(why: impl Into<String>) -> Self {
        Self { gap: Gap::Design, why: why.into() }
    }

    /// What the profile does not declare.
    pub fn undeclared(why: impl Into<String>) -> Self {
        Self { gap: Gap::Undeclared, why: why.into() }
    }

    /// What this run does not have.
    pub fn in_this_run(why: impl Into<String>) -> Self {
        Self { gap: Gap::Run, why: why.into() }
    }
}

impl fmt::Display for NotPlayed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}
