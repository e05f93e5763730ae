//! Why a case is not played for a subject.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::audience::Audience;

/// What there is not that a case needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Gap {
    /// The declared design has no place for it: nothing is missing.
    Design,
    /// The profile does not declare it, and could.
    Undeclared,
    /// The profile says that it does not claim it.
    Unclaimed,
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
    /// The audiences of which an event is needed, where the profile declares none for them.
    pub audiences: Vec<Audience>,
}

impl NotPlayed {
    /// What the declared design has no place for.
    pub fn by_design(why: impl Into<String>) -> Self {
        Self::of(Gap::Design, why)
    }

    /// What the profile does not declare.
    pub fn undeclared(why: impl Into<String>) -> Self {
        Self::of(Gap::Undeclared, why)
    }

    /// What this run does not have.
    pub fn in_this_run(why: impl Into<String>) -> Self {
        Self::of(Gap::Run, why)
    }

    /// What the profile says that it does not claim.
    pub fn unclaimed(why: impl Into<String>) -> Self {
        Self::of(Gap::Unclaimed, why)
    }

    fn of(gap: Gap, why: impl Into<String>) -> Self {
        Self { gap, why: why.into(), audiences: Vec::new() }
    }
}

impl fmt::Display for NotPlayed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}
