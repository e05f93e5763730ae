//! What passes without evidence all the same, each with its reason; and what no variant of the reference does.

use scenarios::ScenarioId;
use serde::Deserialize;
use sim::boundary::FailureKind;

/// The list that this build was made with.
const BUILTIN: &str = include_str!("../vacuity-exceptions.toml");

/// The list.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exceptions {
    /// Plays that pass.
    #[serde(default)]
    pub passes: Vec<PassException>,
    /// `never`s that nothing matches.
    #[serde(default)]
    pub no_variant: Vec<NoVariant>,
}

/// A case that passes though the reference fails.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PassException {
    /// Which case.
    pub case: ScenarioId,
    /// In which ways the reference fails.
    pub ways: Vec<Way>,
    /// At which steps, counted from 1.
    pub steps: Vec<usize>,
    /// Why it may pass.
    pub reason: String,
}

/// A `never` of a case that no variant of the reference matches.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoVariant {
    /// Which case.
    pub case: ScenarioId,
    /// The pattern, in words.
    pub never: String,
    /// Why there is none.
    pub reason: String,
}

/// A [`FailureKind`], as the list spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// [`FailureKind::Frozen`]
    Frozen,
    /// [`FailureKind::Killed`]
    Killed,
    /// [`FailureKind::Deaf`]
    Deaf,
    /// [`FailureKind::Mute`]
    Mute,
}

impl Exceptions {
    /// The list that this build was made with.
    ///
    /// # Panics
    /// When it is broken, which a test rules out.
    pub fn builtin() -> Self {
        toml::from_str(BUILTIN).expect("the list of exceptions is sound")
    }

    /// The exception for a pass, by its place in the list.
    pub(super) fn pass(&self, case: &ScenarioId, step: usize, kind: FailureKind) -> Option<usize> {
        let is_meant = |exception: &PassException| exception.plays().any(|play| play == (step, kind));
        self.passes.iter().position(|exception| exception.case == *case && is_meant(exception))
    }

    /// The exception for a `never`, by its place in the list.
    pub(super) fn no_variant(&self, case: &ScenarioId, never: &str) -> Option<usize> {
        self.no_variant.iter().position(|exception| exception.case == *case && exception.never == never)
    }
}

impl PassException {
    /// The plays that it is about: steps and ways.
    pub(super) fn plays(&self) -> impl Iterator<Item = (usize, FailureKind)> + '_ {
        self.steps.iter().flat_map(|step| self.ways.iter().map(|way| (*step, way.kind())))
    }
}

impl Way {
    fn kind(self) -> FailureKind {
        match self {
            Self::Frozen => FailureKind::Frozen,
            Self::Killed => FailureKind::Killed,
            Self::Deaf => FailureKind::Deaf,
            Self::Mute => FailureKind::Mute,
        }
    }
}
