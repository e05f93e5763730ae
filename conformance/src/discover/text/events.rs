//! `[[event]]`: each event that reached someone.

use serde_json::{Value, json};

use super::Page;
use crate::discover::events::ObservedEvent;
use crate::discover::observed::ObservedGateway;
use crate::profile::Audience;

/// The events that are given, as they are.
pub(in crate::discover) fn given_ones(page: &mut Page, given: &[toml::Value]) {
    page.rest();
    page.at.clear();
    for event in given.iter().filter_map(toml::Value::as_table) {
        page.line("");
        page.comment("given");
        page.line("[[event]]");
        for (key, value) in event {
            page.set(key, &super::json_of(value));
        }
    }
}

pub(super) fn write(page: &mut Page, seen: &ObservedGateway, given: &[toml::Value]) {
    given_ones(page, given);
    page.line("");
    if seen.sign_in.entry.is_none() {
        page.comment(
            "events were not looked for: no one could sign in; describe each, or all of them in `[events]`:",
        );
        return example(page, Audience::Everybody);
    }
    let Some(topology) = &seen.topology else {
        page.comment("events were not observed; describe each, or all of them in `[events]`:");
        return example(page, Audience::Everybody);
    };
    let events = &seen.events;
    page.comment(&format!(
        "events: {} messages were tried, {} are events",
        events.tried,
        events.events.len()
    ));
    if !events.unreached.is_empty() {
        page.comment(&format!("published, and reached no one: {}", events.unreached.join(", ")));
    }
    if let Some(restarted) = &events.restarted {
        page.comment(&format!("the gateway was started again meanwhile: {restarted}"));
    }
    if let Some(ended) = &events.ended {
        page.comment(&format!("that ended early: {ended}"));
    }
    let mut lacking = Vec::new();
    for audience in Audience::ALL {
        let has = |key: &str, text: &str| {
            given.iter().filter(|event| event.get(key).and_then(toml::Value::as_str) == Some(text)).count()
        };
        let free = audience.types().len().saturating_sub(has("for", word(audience)));
        let own = events
            .events
            .iter()
            .filter(|event| event.audience == Some(audience) && has("type", &event.name) == 0);
        let mut own: Vec<&ObservedEvent> = own.collect();
        // The names that scenarios use come first, in their order.
        own.sort_by_key(|event| {
            let usual = audience.types();
            // One that no one else gets says most of who may.
            let others = event.reached.iter().filter(|got| **got).count();
            (usual.iter().position(|kind| *kind == event.name).unwrap_or(usual.len()), others)
        });
        let (written, others) = own.split_at(own.len().min(free));
        for event in written {
            one(page, audience, event, topology.exchange());
            if let Some(key) = events.owner_key.filter(|key| audience == Audience::Owner && *key != "userId")
            {
                page.set("owner_key", &json!(key));
            }
        }
        if !others.is_empty() {
            let names: Vec<String> = others.iter().map(|event| format!("`{}`", event.name)).collect();
            page.comment(&format!("for {audience} as well, and not needed: {}", names.join(", ")));
        }
        if written.is_empty() && has("for", word(audience)) == 0 {
            lacking.push(audience);
        }
    }
    if let Some(room) = &events.room {
        page.comment(&format!("subscribed to as `{room}`, whatever the event is called"));
    }
    if let Some(first) = lacking.first() {
        page.line("");
        let names: Vec<String> = lacking.iter().map(ToString::to_string).collect();
        page.comment(&format!("no event for {} was seen; where there is one:", names.join(", nor for ")));
        example(page, *first);
        let words: Vec<String> = lacking.iter().map(|audience| format!("\"{}\"", word(*audience))).collect();
        page.comment(&format!("where there is none: `[claims]` with `without = [{}]`", words.join(", ")));
    }
    for event in events.events.iter().filter(|event| event.audience.is_none()) {
        page.comment(&format!("`{}` reached {}, who are no audience", event.name, reached(event)));
    }
}

fn one(page: &mut Page, audience: Audience, event: &ObservedEvent, own: Option<&str>) {
    page.line("");
    page.comment(&format!("reached {}: {}", reached(event), event.shown()));
    page.line("[[event]]");
    page.set("for", &json!(word(audience)));
    page.set("type", &json!(event.name));
    let exchange = match own == Some(event.exchange.as_str()) {
        true => json!({ "type": event.exchange_kind }),
        false => json!({ "name": event.exchange, "type": event.exchange_kind }),
    };
    page.set("exchange", &exchange);
    page.set("routing_key", &json!(event.routing_key));
    page.set("body", &Value::String(event.body.clone()));
}

fn example(page: &mut Page, audience: Audience) {
    page.line("# [[event]]");
    page.line(&format!("# for = \"{}\"", word(audience)));
    page.line("# type = \"…\"                     # what clients see");
    page.line("# exchange = { type = \"topic\" }");
    page.line("# routing_key = \"…\"");
    page.line(r#"# body = '{"type":"…","data":"{data}"}'"#);
}

fn word(audience: Audience) -> &'static str {
    match audience {
        Audience::Everybody => "everybody",
        Audience::Owner => "owner",
        Audience::Role => "role",
        Audience::Subscribers => "subscribers",
    }
}

/// Who got an event, for people.
pub(in crate::discover) fn reached(event: &ObservedEvent) -> String {
    let who = ["the user that it named", "another user", "an administrator", "a user who had subscribed"];
    let names: Vec<&str> =
        who.into_iter().zip(event.reached).filter(|(_, got)| *got).map(|(who, _)| who).collect();
    if names.is_empty() { "no one".to_owned() } else { names.join(", ") }
}
