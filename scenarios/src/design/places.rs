//! Whether a design has a place for a case.

use std::time::Duration;

use super::{ClientDesign, Law, Listeners};
use crate::label::Label;
use crate::scenario::{ClientAct, ClientAction, ClientScript, Scenario};

/// Attempts that the cases need which configure many.
const MANY_ATTEMPTS: u32 = 5;
/// Redials of a case that is about many.
const MANY_REDIALS: u32 = 100;
/// The longest delay with which so many are played.
const LONG_FOR_A_HUNDRED: Duration = Duration::from_millis(100);

impl Scenario {
    /// Whether this case can be played for a client of this design.
    ///
    /// # Errors
    /// Why it cannot.
    pub(super) fn check_place(&self, script: &ClientScript, design: &ClientDesign) -> Result<(), String> {
        check_attempts(script, design)?;
        check_pace(script, design)?;
        check_listeners(script, design)?;
        self.check_preconditions(design)
    }

    /// What the design has no place for does not happen, so that no case can rest on it.
    fn check_preconditions(&self, design: &ClientDesign) -> Result<(), String> {
        let rests = self.labels().filter(|label| matches!(label, Label::Requires(_)));
        let lacking = rests.map(Label::requirement).find_map(|id| Some((id, design.lacks(id)?)));
        match lacking {
            Some((id, why)) => Err(format!("rests on {id}: {why}")),
            None => Ok(()),
        }
    }
}

/// A hundred redials take as long as they take: what is configured must make them short, and there must be so many.
fn check_pace(script: &ClientScript, design: &ClientDesign) -> Result<(), String> {
    let options = &script.client.options;
    let (Some(delay), Some(cap), Some(MANY_REDIALS..)) =
        (options.reconnect_delay, options.max_reconnect_delay, options.max_reconnect_attempts)
    else {
        return Ok(());
    };
    let (delay, cap) = (Duration::from_millis(delay), Duration::from_millis(cap));
    let longest = Law::new(&design.backoff, delay, cap, options.jitter.unwrap_or_default()).longest();
    if longest > LONG_FOR_A_HUNDRED {
        return Err(format!(
            "a hundred redials would take too long: the declared delays grow to {longest:?}"
        ));
    }
    match design.backoff.own_attempts() {
        Some(attempts) if attempts < MANY_REDIALS => Err(format!(
            "needs {MANY_REDIALS} redials; the design has {attempts} attempts, whatever is configured"
        )),
        _ => Ok(()),
    }
}

/// A client that a listener's exception ends is not told to have one.
fn check_listeners(script: &ClientScript, design: &ClientDesign) -> Result<(), String> {
    let fails =
        |action: &ClientAction| matches!(action, ClientAction::Client(ClientAct::Listen { fails: true, .. }));
    if design.listeners == Listeners::Fatal && script.steps.iter().any(|step| fails(&step.action)) {
        return Err("has a listener fail, which is fatal to this client, as declared".to_owned());
    }
    Ok(())
}

/// A client with a few attempts of its own gives up in the middle of what a case with many is about.
fn check_attempts(script: &ClientScript, design: &ClientDesign) -> Result<(), String> {
    match design.backoff.own_attempts() {
        Some(attempts) => {
            let needed = script.client.options.max_reconnect_attempts.unwrap_or(0).min(MANY_ATTEMPTS);
            match attempts < needed {
                true => Err(format!(
                    "needs {needed} redials; the design has {attempts} attempts, whatever is configured"
                )),
                false => Ok(()),
            }
        }
        _ => Ok(()),
    }
}
