//! What differs between a profile and what was observed of a client. Pure.

use protocol::CloseCode;
use scenarios::ClientDesign;

use super::text::{final_codes, final_statuses, policy};
use super::{ATTEMPTS, Attempts, ObservedClient};
use crate::discover::Difference;
use crate::profile::Profile;

/// What differs between a profile of a client and what was observed of it. What was not observed differs from nothing.
pub fn client(profile: &Profile, seen: &ObservedClient) -> Vec<Difference> {
    let usual = ClientDesign::default();
    let design = profile.client.as_ref().map_or(&usual, |client| &client.design);
    let mut found = Vec::new();
    let mut unless_equal = |key: &str, says: String, observed: String| {
        if says != observed {
            found.push(Difference { key: format!("client.design.{key}"), says, observed });
        }
    };
    for (code, redialled) in &seen.codes {
        let is_final = final_codes(seen).contains(code);
        let says = design.final_codes.iter().any(|codes| codes.contains(CloseCode(*code)));
        if *redialled != is_final {
            let word = |is_final: bool| {
                if is_final { "that it is final" } else { "that it is redialled" }.to_owned()
            };
            unless_equal(&format!("final_codes, {code}"), word(says), word(is_final));
        }
    }
    for status in final_statuses(seen).into_iter().filter(|status| !design.final_statuses.contains(status)) {
        unless_equal("final_statuses", format!("nothing of {status}"), "that it is final".to_owned());
    }
    if let Some(policy) = policy(&seen.queue) {
        unless_equal("queue", design.queue.word().to_owned(), policy.to_owned());
    }
    if let Some(before) = seen.before_first {
        unless_equal(
            "before_first_connection",
            design.before_first_connection.to_string(),
            before.to_string(),
        );
    }
    if let Some(fatal) = seen.fatal_listeners {
        let word = |fatal| if fatal { "fatal" } else { "contained" }.to_owned();
        unless_equal("listeners", word(design.listeners != usual.listeners), word(fatal));
    }
    let backoff = &design.backoff;
    if let Some(factor) = seen.delays.as_ref().and_then(|delays| delays.factor)
        && backoff.delays.is_empty()
        && !super::delays::near(factor, backoff.factor)
    {
        unless_equal("backoff.factor", backoff.factor.to_string(), factor.to_string());
    }
    if let Some(jitter) = seen.jitter {
        unless_equal("backoff.jitter", backoff.jitter.word().to_owned(), jitter.word().to_owned());
    }
    let observed = match seen.attempts {
        Attempts::GaveUp(attempts) => Some(attempts.to_string()),
        Attempts::Unlimited => Some("unlimited".to_owned()),
        Attempts::Unknown => None,
    };
    if let Some(observed) = observed {
        let says = backoff.attempts.map_or_else(|| ATTEMPTS.to_string(), |attempts| attempts.to_string());
        unless_equal("backoff.attempts", says, observed);
    }
    found
}
