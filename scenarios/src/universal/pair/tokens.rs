//! PAIR-9: a new token is what the client dials with.

use super::Views;
use crate::expect::Finding;
use crate::requirement::SubjectKind;
use crate::scenario::PairAction;
use crate::trace::Event;

/// No dial carries a token that had been replaced by then.
pub(super) fn are_new(views: &Views<'_>) -> Option<Finding> {
    let replaces = |event: &Event| match event {
        Event::Step { number, .. } => {
            let step = number.checked_sub(1).and_then(|step| views.script.steps.get(step));
            step.is_some_and(|step| matches!(step.action, PairAction::SetToken(_)))
        }
        _ => false,
    };
    let mut replaced: Vec<(usize, &str)> = Vec::new();
    let mut dialled = Vec::new();
    for (index, seen) in views.trace.iter() {
        match &seen.event {
            Event::Dialled { query, .. } => {
                let token = query.iter().find(|(key, _)| key == "token");
                let Some((_, token)) = token else { continue };
                if let Some((first, _)) = replaced.iter().find(|(_, old)| old == token) {
                    let expected = "a dial with the token that the client was given last";
                    let finding =
                        Finding::forbidden(expected, "a dial with one that was replaced", [*first, index]);
                    return Some(finding.of_half(SubjectKind::Client));
                }
                dialled.push((index, token.as_str()));
            }
            event if replaces(event) => replaced.append(&mut dialled),
            _ => {}
        }
    }
    None
}
