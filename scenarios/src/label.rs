//! What a step rests on: each wait says which requirement it takes for granted, or which one it is evidence of.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::requirement::RequirementId;

/// The label of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Label {
    /// A precondition: where the step fails, the case is blocked by this requirement.
    Requires(RequirementId),
    /// Evidence: where the step fails, this requirement does not hold.
    Shows(RequirementId),
}

impl Label {
    /// The requirement that it names.
    pub fn requirement(&self) -> &RequirementId {
        match self {
            Self::Requires(id) | Self::Shows(id) => id,
        }
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Requires(id) => write!(f, "requires {id}"),
            Self::Shows(id) => write!(f, "shows {id}"),
        }
    }
}
