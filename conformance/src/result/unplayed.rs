//! Cases of a requirement that were not run, and what that leaves of it.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use scenarios::{Audience, Foreign, Gap, ScenarioId};
use schemars::JsonSchema;
use serde::Serialize;

use super::status::RequirementReport;
use crate::words::counted;

/// A case of a requirement that was not run, though the design has a place for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Unplayed {
    /// Which.
    pub case: ScenarioId,
    /// Of which kind the reason is.
    pub gap: Gap,
    /// What there is not that it needs.
    pub why: Foreign,
    /// The audiences for which the profile declares no event.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub audiences: Vec<Audience>,
}

impl RequirementReport {
    /// How much of a requirement is shown that is shown in part: `1 of 5 cases; not run: …`.
    pub fn part(&self) -> Foreign {
        let total = self.ran + self.unplayed.len();
        let reasons = self.reasons_of_unplayed();
        format!("{} of {}; not run: {reasons}", self.ran, counted(total, "case")).into()
    }

    /// Whether no case of it ran, because the profile does not declare what they need.
    pub fn is_undeclared(&self) -> bool {
        self.ran == 0 && self.unplayed.iter().any(|unplayed| unplayed.gap == Gap::Undeclared)
    }

    /// What the profile would have to declare for a requirement of which no case ran.
    pub fn remedy(&self) -> Foreign {
        let undeclared = self.unplayed.iter().filter(|unplayed| unplayed.gap == Gap::Undeclared);
        let is_explained = undeclared.clone().all(|unplayed| !unplayed.audiences.is_empty());
        let audiences: BTreeSet<Audience> =
            undeclared.flat_map(|unplayed| &unplayed.audiences).copied().collect();
        let claims: Vec<String> = match is_explained {
            true => audiences.into_iter().map(|audience| format!("{:?}", audience.word())).collect(),
            false => vec![format!("\"{}\"", self.id)],
        };
        let claims = claims.join(", ");
        format!("{}; declare it, or say `claims.without = [{claims}]`", self.reasons_of_unplayed()).into()
    }

    /// Why its cases were not run, each reason once.
    fn reasons_of_unplayed(&self) -> String {
        let mut reasons = Vec::<(&str, usize)>::new();
        for Unplayed { why, .. } in &self.unplayed {
            match reasons.iter_mut().find(|(known, _)| *known == why.raw()) {
                Some((_, count)) => *count += 1,
                None => reasons.push((why.raw(), 1)),
            }
        }
        let mut words = String::new();
        for (why, count) in reasons {
            let separator = if words.is_empty() { "" } else { "; " };
            let times = if count == 1 { String::new() } else { format!(" ({count})") };
            let _ = write!(words, "{separator}{why}{times}");
        }
        words
    }
}
