//! A case that sends before the first connection, for a client that keeps nothing then (QUEUE-1): an earlier connection is over by the
//! time at which the case begins.

use std::time::Duration;

use super::ClientDesign;
use crate::scenario::{ClientAct, ClientAction, OnDial, OnDials, Scenario, ScenarioId, Script, Step};
use crate::times::Times;

/// How long what a case sends takes at most to reach the client, ten megabytes on a busy host included: redials are refused meanwhile.
const OFFLINE: Duration = Duration::from_millis(600);
/// Redials that a case has left after its beginning.
const LEFT: u32 = 2;

impl Scenario {
    /// The case with an earlier connection, where it sends before the first one; otherwise as it is.
    ///
    /// # Errors
    /// Where the design has too few attempts for it.
    pub(super) fn after_a_first_connection(mut self, times: &Times) -> Result<Self, String> {
        let Script::Client(script) = &mut self.script else { return Ok(self) };
        if times.design.before_first_connection
            || !sends_before_it_connects(script.steps.iter().map(|step| &step.action))
        {
            return Ok(self);
        }
        let refused = refused(times).ok_or_else(|| {
            "sends before the first connection; the design keeps nothing then, and has too few attempts for an earlier one".to_owned()
        })?;
        let mut steps = beginning();
        script.preamble = steps.len();
        // The client comes back by itself.
        let connects =
            script.steps.iter().position(|step| step.action == ClientAction::Client(ClientAct::Connect));
        connects.map(|at| script.steps.remove(at));
        steps.append(&mut script.steps);
        script.steps = steps;
        let mut dials = vec![OnDial::Accept];
        dials.extend((0..refused).map(|_| OnDial::Refuse));
        let earlier = u32::try_from(dials.len()).unwrap_or(u32::MAX);
        match &script.gateway.on_dial {
            OnDials::Always(answer) => dials.push(*answer),
            OnDials::InTurn(answers) => dials.extend(answers),
        }
        script.gateway.on_dial = OnDials::InTurn(dials);
        for step in &mut script.steps[script.preamble..] {
            if let ClientAction::Wait(wait) = &mut step.action {
                wait.pattern.count_connections_from(earlier);
            }
        }
        for expectation in &mut self.expectations {
            expectation.patterns_mut().for_each(|pattern| pattern.count_connections_from(earlier));
        }
        self.title.push_str(" (after a first connection, as declared)");
        Ok(self)
    }
}

/// Whether something is sent before there was any connection.
fn sends_before_it_connects<'a>(mut actions: impl Iterator<Item = &'a ClientAction>) -> bool {
    let first = actions.find(|action| match action {
        ClientAction::Wait(wait) => wait.pattern.is_connection(),
        action => matches!(action, ClientAction::Client(ClientAct::Send { .. })),
    });
    matches!(first, Some(ClientAction::Client(_)))
}

/// How many redials are refused, the first before the case begins: so many that it has long enough to send, and some left after that.
fn refused(times: &Times) -> Option<u32> {
    let (design, timing): (&ClientDesign, _) = (&times.design, &times.timing);
    let attempts = match design.backoff.is_unlimited() {
        true => u32::MAX,
        false => design.backoff.own_attempts().unwrap_or(timing.max_reconnect_attempts),
    };
    let law = design.backoff.law(timing);
    // Half way: chance may make any delay as short as nothing, and not all of them.
    let usual = |attempt| {
        let (shortest, longest) = law.window(attempt);
        (shortest + longest) / 2
    };
    let most = attempts.checked_sub(LEFT).filter(|most| *most > 0)?.min(10);
    let enough = |refused: &u32| (1..=*refused).map(usual).sum::<Duration>() >= OFFLINE;
    Some((1..most).find(enough).unwrap_or(most))
}

fn beginning() -> Vec<Step<ClientAction>> {
    let id = ScenarioId("client/first-connection".to_owned());
    let case = Scenario::parse(id, include_str!("cases/first-connection.toml"));
    match case.map(|case| case.script) {
        Ok(Script::Client(script)) => script.steps,
        other => panic!("the first connection has no sound steps: {other:?}"),
    }
}
