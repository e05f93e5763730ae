//! Whoever waits for an event that is for certain clients is one of them.

use std::collections::BTreeSet;
use std::ops::Range;

use super::super::super::error::ScenarioError;
use super::super::super::step::{GatewayAction, Step, Waits};
use super::Checker;
use crate::expect::Expectation;
use crate::pattern::Pattern;

impl Checker<'_> {
    /// Whoever waits for an `event` is one of those for whom a step publishes one.
    pub(super) fn addressed(
        &self,
        steps: &[Step<GatewayAction>],
        expect: &[Expectation],
    ) -> Result<(), ScenarioError> {
        let addressees = steps.iter().flat_map(|step| step.action.addressees());
        let addressees: BTreeSet<&str> = addressees.map(String::as_str).collect();
        let check = |pattern: &Pattern, span: Range<usize>| {
            if let Some(wrong) = pattern.misaddressed() {
                return Err(self.error(span, wrong));
            }
            let is_for = |name: &str| addressees.contains(name);
            let is_sound = pattern.client().map_or(!addressees.is_empty(), is_for);
            if pattern.is_addressed() && !is_sound {
                let of = pattern.client().map(|name| format!(" for `{name}`")).unwrap_or_default();
                return Err(self.error(
                    span,
                    format!("no step publishes an event{of}: `publish = {{ to = [CLIENT] }}`"),
                ));
            }
            Ok(())
        };
        for (number, step) in steps.iter().enumerate() {
            for pattern in step.action.patterns() {
                check(pattern, self.step_span(number))?;
            }
        }
        for (number, expectation) in expect.iter().enumerate() {
            let span = self.expect_span(number);
            for pattern in expectation.patterns() {
                check(pattern, span.clone())?;
            }
            if let Some(client) = expectation.client()
                && expectation.is_addressed()
                && !addressees.contains(client)
            {
                return Err(self.error(
                    span,
                    format!("no step publishes an event for `{client}`: `publish = {{ to = [CLIENT] }}`"),
                ));
            }
        }
        Ok(())
    }
}
