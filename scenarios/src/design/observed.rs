//! What is left of a case for a client that does not have every status.

use super::ClientDesign;
use crate::scenario::{ClientAct, ClientAction, Scenario, Script};

impl Scenario {
    /// The case for a client with the declared statuses. Where the steps wait for one that it lacks, what the gateway sees of it stands in,
    /// if that is the same; nothing is expected of it.
    ///
    /// # Errors
    /// Where the case looks at nothing else, or waits for what the gateway does not see.
    pub(super) fn observed_as_declared(mut self, design: &ClientDesign) -> Result<Self, String> {
        let statuses = &design.statuses;
        if statuses.lacking().next().is_none() {
            return Ok(self);
        }
        let lack = |status: &str| format!("is about the status `{status}`, which this client does not have");
        let Script::Client(script) = &mut self.script else { return Ok(self) };
        let is_disturbed = script.disturbs_client();
        let (mut has_announced, mut is_silent) = (!statuses.lacks("connecting"), false);
        for step in &mut script.steps {
            if step.action == ClientAction::Client(ClientAct::Disconnect) {
                is_silent = !has_announced;
            }
            let ClientAction::Wait(wait) = &mut step.action else { continue };
            if is_silent && wait.pattern.status() == Some("disconnected") && !statuses.lacks("disconnected") {
                return Err("waits for `disconnected` where this client, without `connecting`, has not been anything else".to_owned());
            }
            has_announced |= wait.pattern.is_connection() || wait.pattern.status().is_some();
            let status = wait.pattern.status().filter(|status| statuses.lacks(status));
            let Some(status) = status.map(str::to_owned) else { continue };
            // On a network that delays or loses, the two ends do not see the same.
            let seen = if is_disturbed { None } else { wait.pattern.seen_by_the_gateway() };
            wait.pattern = seen.ok_or_else(|| lack(&status))?;
        }
        let mut missing = None;
        self.expectations.retain_mut(|expectation| {
            let status = statuses.lacking().find(|status| expectation.looks_at(status));
            let keeps = expectation.forget(statuses);
            if !keeps {
                missing = missing.take().or(status);
            }
            keeps
        });
        match missing {
            Some(status) if self.expectations.is_empty() => Err(lack(status)),
            _ => Ok(self),
        }
    }
}
