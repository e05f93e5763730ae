//! What differs between a profile and what was observed of a client, and what of the profile was not observed. Pure.

use std::time::Duration;

use protocol::CloseCode;
use scenarios::ClientDesign;
use scenarios::design::{Law, Reset};

use super::delays::{LATE, NEAR, near};
use super::text::{REFUSING_CODES, REFUSING_STATUS, WORDS, policy};
use super::{ATTEMPTS, Attempts, Chance, DELAY, LONGEST, ObservedClient, Queue};
use crate::discover::Comparison;
use crate::profile::Profile;

/// Holds a profile of a client against what was observed of it. What was not observed differs from nothing, and is named.
pub fn client(profile: &Profile, seen: &ObservedClient) -> Comparison {
    let usual = ClientDesign::default();
    let design = profile.client.as_ref().map_or(&usual, |client| &client.design);
    let mut found = Comparison::default();
    ends(&mut found, design, seen);
    queue(&mut found, design, seen);
    match seen.fatal_listeners {
        Some(fatal) => {
            let word = |fatal| if fatal { "fatal" } else { "contained" };
            found.unless_equal(
                "client.design.listeners",
                word(design.listeners != usual.listeners),
                word(fatal),
            );
        }
        None => found.unobserved("client.design.listeners", "no listener of `connected` was called"),
    }
    found.unobserved(
        "client.design.sign_of_life",
        "how long it stays with a gateway that sends no pong is not watched",
    );
    statuses(&mut found, design, seen);
    backoff(&mut found, profile, design, seen);
    if profile.dialect != protocol::Dialect::default() {
        found.unobserved(
            "dialect",
            "it is spoken to the client; whether each frame of the client has its form is for the cases",
        );
    }
    found
}

/// Which ends are final.
fn ends(found: &mut Comparison, design: &ClientDesign, seen: &ObservedClient) {
    if seen.delays.is_none() {
        let why = "it did not come back after its connection was dropped";
        found.unobserved("client.design.final_codes", why);
        return found.unobserved("client.design.final_statuses", why);
    }
    let word = |is_final: bool| if is_final { "that it is final" } else { "that it is redialled" };
    for (code, redialled) in seen.codes.iter().filter(|(code, _)| !REFUSING_CODES.contains(code)) {
        let says = design.final_codes.iter().any(|codes| codes.contains(CloseCode(*code)));
        found.unless_equal(&format!("client.design.final_codes, {code}"), word(says), word(!redialled));
    }
    for codes in &design.final_codes {
        if !seen.codes.keys().any(|code| codes.contains(CloseCode(*code))) {
            found.unobserved(
                &format!("client.design.final_codes, {codes}"),
                "no connection was closed with it",
            );
        }
    }
    for (status, redialled) in seen.statuses.iter().filter(|(status, _)| **status != REFUSING_STATUS) {
        let says = design.final_statuses.contains(status);
        found.unless_equal(&format!("client.design.final_statuses, {status}"), word(says), word(!redialled));
    }
    for status in design.final_statuses.iter().filter(|status| !seen.statuses.contains_key(status)) {
        found.unobserved(&format!("client.design.final_statuses, {status}"), "no dial was answered with it");
    }
}

/// What becomes of messages without a connection, and what goes out first on the next.
fn queue(found: &mut Comparison, design: &ClientDesign, seen: &ObservedClient) {
    let unconnected = "nothing that it sent arrived, not even over an open connection";
    match (policy(&seen.queue), &seen.queue) {
        (Some(policy), _) => found.unless_equal("client.design.queue", design.queue.word(), policy),
        (None, Queue::Unconnected) => found.unobserved("client.design.queue", unconnected),
        (None, Queue::Seen(queue)) => {
            let why = format!(
                "what arrived, {:?}, fits no policy with the capacity that it was told",
                queue.arrived
            );
            found.unobserved("client.design.queue", &why);
        }
        (None, Queue::Unseen | Queue::Unsupported) => {
            found.unobserved("client.design.queue", "the adapter sent nothing");
        }
    }
    match seen.before_first {
        Some(before) => {
            found.unless_equal(
                "client.design.before_first_connection",
                design.before_first_connection,
                before,
            );
        }
        None => {
            found.unobserved("client.design.before_first_connection", "it sent nothing, or nothing arrived");
        }
    }
    let first = match &seen.queue {
        Queue::Seen(queue) => queue.subscription_first,
        Queue::Unsupported | Queue::Unseen | Queue::Unconnected => None,
    };
    match first {
        Some(subscriptions) => {
            let word = |subscriptions| if subscriptions { "subscriptions-first" } else { "queue-first" };
            let says = design.on_opening != ClientDesign::default().on_opening;
            found.unless_equal("client.design.on_opening", word(says), word(subscriptions));
        }
        None => found.unobserved(
            "client.design.on_opening",
            "no message that waited, and no subscription, came as a connection opened",
        ),
    }
}

/// What its statuses are called, and which it has.
fn statuses(found: &mut Comparison, design: &ClientDesign, seen: &ObservedClient) {
    let statuses = &design.statuses;
    let has = |status: &&str| !statuses.lacks(status);
    if seen.words.is_empty() && WORDS.iter().any(has) {
        return found.add("client.design.statuses", "that it has some", "that it reports none");
    }
    for word in &seen.words {
        let ours = statuses.ours(word);
        match () {
            () if !WORDS.contains(&ours) => {
                found.add("client.design.statuses", format!("nothing of `{word}`"), "that it is reported");
            }
            () if statuses.lacks(ours) => {
                found.add(
                    &format!("client.design.statuses.{ours}"),
                    "that there is none",
                    format!("`{word}`"),
                );
            }
            () => {}
        }
    }
    let reported: Vec<&str> = seen.words.iter().map(|word| statuses.ours(word)).collect();
    for status in WORDS.into_iter().filter(|status| has(status) && !reported.contains(status)) {
        found.unobserved(
            &format!("client.design.statuses.{status}"),
            "it was not reported while the client was watched",
        );
    }
}

/// How it comes back.
fn backoff(found: &mut Comparison, profile: &Profile, design: &ClientDesign, seen: &ObservedClient) {
    let backoff = &design.backoff;
    let Some(delays) = &seen.delays else {
        return found
            .unobserved("client.design.backoff", "it did not come back after its connection was dropped");
    };
    let through_chance = seen.chance == Chance::Each;
    match delays.factor {
        _ if !backoff.delays.is_empty() => {}
        Some(factor) if !near(factor, backoff.factor) => {
            found.add("client.design.backoff.factor", backoff.factor, factor);
        }
        None if through_chance => {
            found.unobserved(
                "client.design.backoff.factor",
                "chance changes each delay; that none is longer than declared was looked at",
            );
        }
        _ => {}
    }
    if !found.differs("client.design.backoff.factor") {
        let told = Law::new(backoff, DELAY, LONGEST, 0.0);
        // A client that takes no times from its adapter has those of the profile.
        let own = backoff.law(&profile.timing);
        if let Some(number) = beyond(told, &delays.measured)
            && beyond(own, &delays.measured).is_some()
        {
            let observed = format!("{} ms before redial {}", delays.measured[number].as_millis(), number + 1);
            found.add(
                "client.design.backoff",
                told.describe(u32::try_from(number).unwrap_or(u32::MAX)),
                observed,
            );
        }
    }
    match seen.jitter {
        Some(jitter) => {
            found.unless_equal("client.design.backoff.jitter", backoff.jitter.word(), jitter.word());
        }
        None if through_chance => found.unobserved(
            "client.design.backoff.jitter",
            "chance changes each delay, in which way could not be told",
        ),
        None => found.unobserved("client.design.backoff.jitter", "too few redials came"),
    }
    if backoff.jitter_size.is_some() {
        found.unobserved("client.design.backoff.jitter_size", "how far chance goes at most is not measured");
    }
    let observed = match seen.attempts {
        Attempts::GaveUp(attempts) => Some(attempts.to_string()),
        Attempts::Unlimited => Some("unlimited".to_owned()),
        Attempts::Unknown => None,
    };
    match observed {
        Some(observed) => {
            let says = backoff.attempts.map_or_else(|| ATTEMPTS.to_string(), |attempts| attempts.to_string());
            found.unless_equal("client.design.backoff.attempts", says, observed);
        }
        None => found.unobserved(
            "client.design.backoff.attempts",
            "its delays are too long to see whether it gives up",
        ),
    }
    match seen.resets_on_opening {
        Some(resets) => {
            let word = |resets| if resets { "open" } else { "stable" };
            found.unless_equal(
                "client.design.backoff.reset",
                word(backoff.reset == Reset::Open),
                word(resets),
            );
        }
        None => found.unobserved(
            "client.design.backoff.reset",
            "its delays do not grow, or chance hides that they do",
        ),
    }
    if backoff.floor.is_some() {
        found.unobserved(
            "client.design.backoff.floor",
            "the shortest delay after a connection that opened is not measured",
        );
    }
}

/// The first redial that came too early, or the second that came too late: once, the host may have been.
fn beyond(mut law: Law<'_>, measured: &[Duration]) -> Option<usize> {
    let mut late = 0;
    for (number, delay) in measured.iter().enumerate() {
        let attempt = u32::try_from(number).unwrap_or(u32::MAX);
        let (short, long) = law.window(attempt);
        late += usize::from(*delay > long.mul_f64(1.0 + NEAR) + LATE);
        if late > 1 || *delay + LATE / 5 < short.mul_f64(1.0 - NEAR / 2.0) {
            return Some(number);
        }
        law = law.after(attempt, *delay, LATE);
    }
    None
}

#[cfg(test)]
mod tests;
