//! `[claims]`: what a subject does not offer.

use std::collections::{BTreeMap, BTreeSet};

use scenarios::RequirementId;
use schemars::JsonSchema;
use serde::Deserialize;

use super::Audience;

#[derive(Deserialize, Default, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table with `without`")]
pub(super) struct RawClaims {
    /// Audiences for which there is no event (`everybody`, `owner` or `named`, `role`, `subscribers`), and requirements that are not claimed.
    #[serde(default)]
    without: Vec<Unclaimed>,
    /// Requirements that its protocol has no place for, each with the reason.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    pub(super) no_place: BTreeMap<RequirementId, String>,
}

/// What a profile does not claim: a requirement, or every event for an audience.
#[derive(Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
enum Unclaimed {
    Requirement(RequirementId),
    Audience(Audience),
}

impl TryFrom<String> for Unclaimed {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if let Some(audience) = Audience::named(&text) {
            return Ok(Self::Audience(audience));
        }
        let words = Audience::ALL.map(|audience| format!("\"{}\"", audience.word())).join(", ");
        text.parse()
            .map(Self::Requirement)
            .map_err(|error| format!("{error}; or the audience for which there is no event: {words}"))
    }
}

impl RawClaims {
    /// Requirements and audiences, apart.
    pub(super) fn without(&self) -> (BTreeSet<RequirementId>, BTreeSet<Audience>) {
        let (mut requirements, mut audiences) = (BTreeSet::new(), BTreeSet::new());
        for unclaimed in &self.without {
            match unclaimed {
                Unclaimed::Requirement(id) => drop(requirements.insert(id.clone())),
                Unclaimed::Audience(audience) => drop(audiences.insert(*audience)),
            }
        }
        (requirements, audiences)
    }
}
