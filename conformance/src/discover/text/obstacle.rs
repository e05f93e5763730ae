//! What stops everything: no one could sign in. What was tried, what was answered, and how to go on.

use std::collections::BTreeMap;

use super::gateway::unsigned;
use crate::discover::claims;
use crate::discover::observed::ObservedGateway;
use crate::discover::socket::Refused;

/// Most answers that are told.
const ANSWERS: usize = 3;

/// What kept everything else from being observed, line by line; nothing where someone could sign in.
pub fn obstacle(seen: &ObservedGateway) -> Vec<String> {
    let sign_in = &seen.sign_in;
    if sign_in.entry.is_some() {
        return Vec::new();
    }
    let mut lines = vec![
        "NO ONE COULD SIGN IN, so nothing but the broker was observed.".to_owned(),
        format!("Without a token: {}.", unsigned(seen)),
    ];
    let is_none =
        |refused: &Option<Refused>| matches!(refused, Some(Refused::Status(404) | Refused::Dropped(_)));
    if sign_in.unsigned.values().all(is_none) {
        lines
            .push("None of those paths upgrades, as it seems: say which does, by `--path /PATH`.".to_owned());
    }
    let mut counts = BTreeMap::<&str, usize>::new();
    for answers in sign_in.vain.values() {
        for (answer, count) in answers {
            *counts.entry(answer).or_default() += count;
        }
    }
    let mut counts: Vec<(&str, usize)> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let tried: usize = counts.iter().map(|(_, count)| count).sum();
    let (messages, places): (Vec<&String>, Vec<&String>) =
        sign_in.vain.keys().partition(|place| place.contains("the first message"));
    if tried > 0 {
        let answers: Vec<String> =
            counts.iter().take(ANSWERS).map(|(answer, count)| format!("{answer} ({count} times)")).collect();
        lines.push(format!(
            "Tried: {tried} tokens of {} forms in {} places of the request and in {} first messages. Answered: {}.",
            sign_in.styles,
            places.len(),
            messages.len(),
            answers.join("; ")
        ));
    }
    for (message, answer) in told_apart(&sign_in.vain).into_iter().take(ANSWERS) {
        lines.push(format!(
            "Unlike others, {message} was answered by {answer}: perhaps the right form, with a token that is not."
        ));
    }
    lines.push(format!(
        "Claims that were tried: {}; one at a time and all at once. A customer's role was called {}; the address stood in `email`.",
        claims::tried().join(", "),
        claims::customers().join(", ")
    ));
    if sign_in.left_unsigned.is_some() {
        lines.push(
            "It may sign in by a first message of another form; `[dialect]` says which: `token = \"message\"`, \
             `sign_in = { message = '{\"type\":\"auth\",\"token\":\"{token}\"}' }`."
                .to_owned(),
        );
    }
    lines.push(
        "To go on, say what its tokens look like, as in `--user-ids integers --claims '{\"uid\":\"{user}\",\"roles\":[\"{role}\"]}'`; or fill in \
         `[token]` and `[dialect]` and run `gatecheck init gateway --from gatecheck.toml --force`: what is active in it is kept, and the rest \
         is found out."
            .to_owned(),
    );
    lines
}

/// The few first messages that got an answer which the others did not get.
fn told_apart(vain: &BTreeMap<String, BTreeMap<String, usize>>) -> Vec<(&str, &str)> {
    const FEW: usize = 4;
    let messages: Vec<_> = vain.iter().filter(|(place, _)| place.contains("the first message")).collect();
    let gets = |answer: &str| messages.iter().filter(|(_, answers)| answers.contains_key(answer)).count();
    let mut found = Vec::new();
    for (place, answers) in &messages {
        let own = answers.keys().find(|answer| gets(answer) * FEW <= messages.len());
        found.extend(own.map(|answer| (place.as_str(), answer.as_str())));
    }
    found
}
