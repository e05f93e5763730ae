//! Why each requirement matters, and how to make it hold: for people who have just read that it does not.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::requirement::RequirementId;

/// What is said of one requirement, with code in backquotes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Guidance {
    id: RequirementId,
    /// What users or operators see where it does not hold.
    pub why: String,
    /// What to change, with the names that libraries of the field have for it.
    pub fix: String,
}

static ALL: LazyLock<BTreeMap<RequirementId, Guidance>> =
    LazyLock::new(|| read().into_iter().map(|guidance| (guidance.id.clone(), guidance)).collect());

fn read() -> Vec<Guidance> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        guidance: Vec<Guidance>,
    }
    let file: File =
        toml::from_str(include_str!("../guidance.toml")).expect("the built-in guidance is well-formed");
    file.guidance
}

impl Guidance {
    /// What is said of a requirement.
    pub fn of(id: &RequirementId) -> Option<&'static Self> {
        ALL.get(id)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::requirement::Catalogue;

    /// Longest texts that are read to their end.
    const MAX_WHY: usize = 280;
    const MAX_FIX: usize = 440;

    /// Each requirement has its own, in the order of the catalogue, and short enough to be read.
    #[test]
    fn every_requirement_is_explained() {
        let all = read();
        let ids: Vec<_> = all.iter().map(|guidance| &guidance.id).collect();
        assert_eq!(ids, Catalogue::builtin().iter().map(|requirement| &requirement.id).collect::<Vec<_>>());
        let mut texts = BTreeSet::new();
        for Guidance { id, why, fix } in &all {
            for (text, most) in [(why, MAX_WHY), (fix, MAX_FIX)] {
                assert!(!text.is_empty() && text.chars().count() <= most, "{id}: {} characters", text.len());
                assert!(texts.insert(text), "{id}: {text} is said twice");
                assert!(text.matches('`').count() % 2 == 0 && text.ends_with('.'), "{id}: {text}");
            }
        }
    }
}
