//! What the player itself takes for granted.

use std::collections::BTreeSet;

use scenarios::label::Label;
use scenarios::requirement::RequirementId;
use scenarios::scenario::Scenario;

/// The requirements that a scenario is about: what the player takes for granted beside them is a precondition, and one of
/// them is evidence.
pub(super) struct Rest {
    shown: BTreeSet<RequirementId>,
}

impl Rest {
    pub(super) fn of(scenario: &Scenario) -> Self {
        Self { shown: scenario.requirements().into_iter().collect() }
    }

    /// The label of what rests on a requirement.
    ///
    /// # Panics
    /// When `id` is invalid.
    pub(super) fn on(&self, id: &str) -> Label {
        self.on_requirement(id.parse().expect("a requirement"))
    }

    /// As [`Rest::on`].
    pub(super) fn on_requirement(&self, id: RequirementId) -> Label {
        if self.shown.contains(&id) { Label::Shows(id) } else { Label::Requires(id) }
    }
}
