//! The profile of a client: what was observed, line by line. Pure.

mod backoff;

use std::time::Duration;

use protocol::format_duration;
use serde_json::{Value, json};

use super::{CAPACITY, ObservedClient, ObservedQueue, Queue};
use crate::discover::hints::Given;
use crate::discover::protocols::Protocol;
use crate::discover::text::{Page, given_events};

/// The statuses of the requirements (STATE-1).
pub(super) const WORDS: [&str; 5] = ["disconnected", "connecting", "connected", "reconnecting", "error"];
/// Codes and statuses that refuse a token: what follows them is for STATE-3 and STATE-8.
pub(super) const REFUSING_CODES: [u16; 2] = [1008, 4401];
pub(super) const REFUSING_STATUS: u16 = 401;

/// A start of a process of which two hundred at once wear out a host.
const HEAVY_START: Duration = Duration::from_millis(50);

/// The profile of a client; what is given in another stays as it is.
pub fn client(seen: &ObservedClient, given: Option<&Given>) -> String {
    let mut page = Page::around(given.map(|given| given.table.clone()).unwrap_or_default());
    page.schema();
    page.comment(&format!(
        "What `gatecheck init client` observed in {:.0} s. A comment stands above each line and says what was seen; what could not be found out \
         is a line in a comment, to be filled in.",
        seen.took.as_secs_f64()
    ));
    let names_dialect = page.names_dialect();
    page.table("client");
    page.set("command", &json!(seen.command.words));
    if seen.starts >= HEAVY_START {
        page.comment(&format!(
            "its process took {} ms to start: a fleet of 20 shows as well as one of 200 whether delays spread",
            seen.starts.as_millis()
        ));
        page.set("fleet", &json!(20));
    }
    if !seen.command.env.is_empty() {
        page.table("client.env");
        for (name, value) in &seen.command.env {
            page.set(name, &json!(value));
        }
    }
    if let Some((protocol, dialect)) = seen.speaks.as_ref().filter(|_| !names_dialect) {
        let how = match protocol {
            Protocol::GraphQl => "as it offers, and its first messages were of this form",
            Protocol::Phoenix => "as the `vsn` in its request says",
        };
        crate::discover::text::own_dialect(
            &mut page,
            dialect,
            &format!("it speaks {}, {how}", protocol.name()),
        );
    }
    page.table("timing");
    page.comment("short ones, so that a run takes seconds; a client that takes no times from its adapter needs its own here");
    let told = crate::discover::short_timing();
    page.set("reconnect_delay", &duration(told.reconnect_delay));
    page.set("max_reconnect_delay", &duration(told.max_reconnect_delay));
    page.set("ping_interval", &duration(told.ping_interval));
    page.set("pong_timeout", &duration(told.pong_timeout));
    page.set("connect_timeout", &duration(told.connect_timeout));
    page.set("stable_after", &duration(told.stable_after));
    page.table("client.design");
    ends(&mut page, seen);
    queue(&mut page, seen);
    match seen.fatal_listeners {
        Some(true) => {
            page.comment("a listener of `connected` that threw ended the process");
            page.set("listeners", &json!("fatal"));
        }
        Some(false) => page.comment("a listener of `connected` that threw ended nothing"),
        None => page.open("listeners", "\"fatal\""),
    }
    statuses(&mut page, seen);
    page.table("client.design.backoff");
    backoff::write(&mut page, seen);
    given_events(&mut page, given.map_or(&[], Given::events));
    page.finish()
}

/// The final close codes, without those that refuse a token.
pub(super) fn final_codes(seen: &ObservedClient) -> Vec<u16> {
    let codes = seen.codes.iter().filter(|(code, redialled)| !**redialled && !REFUSING_CODES.contains(code));
    codes.map(|(code, _)| *code).collect()
}

/// The final HTTP statuses beside 401.
pub(super) fn final_statuses(seen: &ObservedClient) -> Vec<u16> {
    let statuses =
        seen.statuses.iter().filter(|(status, redialled)| !**redialled && **status != REFUSING_STATUS);
    statuses.map(|(status, _)| *status).collect()
}

fn ends(page: &mut Page, seen: &ObservedClient) {
    if seen.delays.is_none() {
        page.comment("it did not come back after its connection was dropped: which ends are final cannot be seen by that; does it end over a frame?");
        page.open("final_codes", "[1000]");
        return page.open("final_statuses", "[403]");
    }
    let word = |redialled: bool| if redialled { "came back" } else { "stayed away" };
    let told = |ends: &std::collections::BTreeMap<u16, bool>| {
        let lines: Vec<String> =
            ends.iter().map(|(end, redialled)| format!("{end}: {}", word(*redialled))).collect();
        lines.join(", ")
    };
    page.comment(&format!("after a close with {}", told(&seen.codes)));
    let own = final_codes(seen);
    if own != [1000] {
        page.set("final_codes", &json!(own));
    }
    page.comment(&format!("after an answer with HTTP {}", told(&seen.statuses)));
    let own = final_statuses(seen);
    if !own.is_empty() {
        page.set("final_statuses", &json!(own));
    }
}

/// The policy that a queue shows, as a profile writes it.
pub(super) fn policy(queue: &Queue) -> Option<&'static str> {
    match queue {
        Queue::Seen(queue) => policy_of(queue),
        Queue::Unsupported => Some("none"),
        Queue::Unseen | Queue::Unconnected => None,
    }
}

fn policy_of(queue: &ObservedQueue) -> Option<&'static str> {
    let capacity = CAPACITY;
    let sent = queue.taken.len();
    let first: Vec<usize> = (0..capacity).collect();
    let last: Vec<usize> = (sent.saturating_sub(capacity)..sent).collect();
    let all_taken = queue.taken.iter().all(|taken| *taken);
    match (&queue.arrived[..], all_taken) {
        ([], _) => Some("none"),
        (arrived, false) if arrived == first => Some("refuse"),
        (arrived, true) if arrived == first => Some("drop-newest"),
        (arrived, true) if arrived == last => Some("drop-oldest"),
        _ => None,
    }
}

fn queue(page: &mut Page, seen: &ObservedClient) {
    match &seen.queue {
        Queue::Seen(queue) => {
            let refused = queue.taken.iter().filter(|taken| !**taken).count();
            page.comment(&format!(
                "{} messages were sent without a connection, where {CAPACITY} may wait: {refused} were refused, and {} arrived ({:?})",
                queue.taken.len(),
                queue.arrived.len(),
                queue.arrived
            ));
            match policy_of(queue) {
                Some("refuse") => {}
                Some(policy) => page.set("queue", &json!(policy)),
                None => {
                    page.comment("that is none of the policies, or another capacity than it was told");
                    page.open("queue", "\"refuse\"");
                }
            }
            match queue.subscription_first {
                Some(true) => {
                    page.comment("as a connection opened, the subscription came before what waited");
                    page.set("on_opening", &json!("subscriptions-first"));
                }
                Some(false) => {
                    page.comment("as a connection opened, what waited came before the subscription");
                }
                None => {
                    page.comment("whether subscriptions or what waited comes first was not seen");
                    page.open("on_opening", "\"subscriptions-first\"");
                }
            }
        }
        Queue::Unsupported => {
            page.comment("the adapter has nothing to send by, so that nothing waits");
            page.set("queue", &json!("none"));
        }
        Queue::Unseen => {
            page.comment("the adapter sent nothing: say what becomes of messages without a connection");
            page.open("queue", "\"none\"");
        }
        Queue::Unconnected => {
            page.comment(
                "nothing that it sent arrived, not even over an open connection: what must it be answered before it counts as connected? \
                 `--from` takes a profile whose `[dialect]` says that",
            );
            page.open("queue", "\"none\"");
        }
    }
    match seen.before_first {
        Some(true) => page.comment("a message that was sent before the first connection arrived"),
        Some(false) => {
            page.comment("a message that was sent before the first connection never arrived");
            page.set("before_first_connection", &json!(false));
        }
        None => page.open("before_first_connection", "false"),
    }
}

fn statuses(page: &mut Page, seen: &ObservedClient) {
    let words: Vec<&str> = seen.words.iter().map(String::as_str).collect();
    if words.is_empty() {
        page.comment("it reported no status");
        page.set("statuses", &json!(false));
        return;
    }
    page.comment(&format!("it reported {}", words.join(", ")));
    // What comes after a lost connection was not looked at where it did not come back.
    let is_open = |word: &&str| seen.delays.is_none() && ["reconnecting", "error"].contains(word);
    let lacking: Vec<&str> =
        WORDS.into_iter().filter(|word| !words.contains(word) && !is_open(word)).collect();
    let others: Vec<&str> = words.into_iter().filter(|word| !WORDS.contains(word)).collect();
    if others.is_empty() {
        let none = lacking.iter().map(|word| ((*word).to_owned(), Value::Bool(false)));
        let none: serde_json::Map<String, Value> = none.collect();
        if !none.is_empty() {
            page.comment("it never reported the others");
            page.set("statuses", &Value::Object(none));
        }
    } else {
        page.comment(&format!("say which of {} each of those is", lacking.join(", ")));
        page.line(&format!("# statuses = {{ {} = \"{}\" }}", lacking.first().unwrap_or(&"error"), others[0]));
    }
}

fn duration(time: Duration) -> Value {
    json!(format_duration(time))
}

#[cfg(test)]
pub(super) mod tests;
