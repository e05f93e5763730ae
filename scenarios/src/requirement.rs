//! The catalogue of requirements: what is judged, and how much it matters.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::nearest::nearest;

/// The stable name of a requirement, such as `AUTH-1`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(into = "String", try_from = "String")]
#[schemars(extend("pattern" = "^[A-Z]+-[0-9]+$"))]
pub struct RequirementId {
    area: String,
    number: u32,
}

/// Why a text is not a requirement's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a requirement: write an area and a number, such as AUTH-1")]
pub struct RequirementIdError(String);

/// What a requirement, or a scenario, is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SubjectKind {
    /// A gateway is judged; the clients are scripted.
    Gateway,
    /// A client is judged; the gateway is scripted.
    Client,
    /// A client and its gateway are judged against each other; nothing between them is scripted but the network.
    Pair,
}

/// How much a requirement matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// MUST: what users are promised, security included.
    Core,
    /// SHOULD: what production needs.
    Hardened,
}

/// Where a requirement comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The description of the system states it.
    Seed,
    /// It was decided where the description is silent or contradicts itself.
    Decided,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requirement {
    /// Its name.
    pub id: RequirementId,
    /// Whom it binds.
    pub subject: SubjectKind,
    /// How much it matters.
    pub level: Level,
    /// Where it comes from.
    pub source: Source,
    /// The rule itself.
    pub text: String,
}

/// Requirements about one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Area {
    /// What their names begin with.
    pub id: String,
    /// What they are about.
    pub about: String,
}

/// Every requirement, in the order of the catalogue.
#[derive(Debug, Clone)]
pub struct Catalogue {
    areas: Vec<Area>,
    requirements: Vec<Requirement>,
}

impl Catalogue {
    /// The catalogue that this build was made with.
    ///
    /// # Panics
    /// When the built-in file is broken, which a test rules out.
    pub fn builtin() -> Self {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct File {
            area: Vec<Area>,
            requirement: Vec<Requirement>,
        }
        let file: File = toml::from_str(include_str!("../requirements.toml"))
            .expect("the built-in catalogue is well-formed");
        Self { areas: file.area, requirements: file.requirement }
    }

    /// Every requirement, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Requirement> {
        self.requirements.iter()
    }

    /// What the requirement's area is about.
    pub fn about(&self, id: &RequirementId) -> Option<&str> {
        self.areas.iter().find(|area| area.id == id.area).map(|area| area.about.as_str())
    }

    /// The requirement of this name.
    pub fn get(&self, id: &RequirementId) -> Option<&Requirement> {
        self.requirements.iter().find(|requirement| requirement.id == *id)
    }

    /// The known name nearest to one that is not known.
    pub fn nearest(&self, text: &str) -> Option<String> {
        let names = self.requirements.iter().map(|requirement| requirement.id.to_string());
        nearest(text, names)
    }
}

impl FromStr for RequirementId {
    type Err = RequirementIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || RequirementIdError(text.to_owned());
        let (area, number) = text.rsplit_once('-').ok_or_else(error)?;
        if area.is_empty() || !area.bytes().all(|b| b.is_ascii_uppercase()) {
            return Err(error());
        }
        Ok(Self { area: area.to_owned(), number: number.parse().map_err(|_| error())? })
    }
}

impl TryFrom<String> for RequirementId {
    type Error = RequirementIdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<RequirementId> for String {
    fn from(id: RequirementId) -> Self {
        id.to_string()
    }
}

impl fmt::Display for RequirementId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}-{}", self.area, self.number))
    }
}

impl PartialOrd for RequirementId {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for RequirementId {
    /// By area, then by number, so that AUTH-2 stands before AUTH-10.
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (&self.area, self.number).cmp(&(&other.area, other.number))
    }
}

impl fmt::Display for SubjectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Gateway => "gateway",
            Self::Client => "client",
            Self::Pair => "pair",
        })
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Core => "core",
            Self::Hardened => "hardened",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The built-in catalogue reads, names nothing twice, and has both subjects and levels.
    #[test]
    fn the_builtin_catalogue_is_sound() {
        let catalogue = Catalogue::builtin();
        let mut names: Vec<_> = catalogue.iter().map(|requirement| requirement.id.clone()).collect();
        assert_eq!(names.len(), 126);
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 126);
        assert!(names.iter().all(|id| catalogue.about(id).is_some()), "each area says what it is about");
        for area in &catalogue.areas {
            assert!(names.iter().any(|id| id.area == area.id), "{} has requirements", area.id);
        }
        for subject in [SubjectKind::Gateway, SubjectKind::Client] {
            for level in [Level::Core, Level::Hardened] {
                assert!(catalogue.iter().any(|r| r.subject == subject && r.level == level));
            }
        }
    }

    /// Names order by number, and what is no name is an error.
    #[test]
    fn names_order_by_number() {
        let id = |text: &str| text.parse::<RequirementId>();
        assert!(id("AUTH-2").unwrap() < id("AUTH-10").unwrap());
        for text in ["", "AUTH", "AUTH-", "auth-1", "-1", "AUTH-x"] {
            assert!(id(text).is_err(), "{text}");
        }
    }
}
