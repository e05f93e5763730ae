//! `[[event]]`: each event that reached someone.

use serde_json::{Value, json};

use super::Page;
use crate::discover::events::ObservedEvent;
use crate::discover::observed::ObservedGateway;
use crate::profile::Audience;

pub(super) fn write(page: &mut Page, seen: &ObservedGateway) {
    page.line("");
    let Some(topology) = &seen.topology else {
        page.comment("events were not observed; describe each, or all of them in `[events]`:");
        return example(page, Audience::Everybody);
    };
    let events = &seen.events;
    page.comment(&format!(
        "events: {} candidates were published, {} arrived",
        events.tried,
        events.events.len()
    ));
    if !events.unreached.is_empty() {
        page.comment(&format!("published, and reached no one: {}", events.unreached.join(", ")));
    }
    if let Some(ended) = &events.ended {
        page.comment(&format!("that ended early: {ended}"));
    }
    for audience in Audience::ALL {
        let own = events.events.iter().filter(|event| event.audience == Some(audience));
        let mut own: Vec<&ObservedEvent> = own.collect();
        // The names that scenarios use come first, in their order.
        own.sort_by_key(|event| {
            let usual = audience.types();
            usual.iter().position(|kind| *kind == event.name).unwrap_or(usual.len())
        });
        let (written, others) = own.split_at(own.len().min(audience.types().len()));
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
        if written.is_empty() {
            page.line("");
            page.comment(&format!("no event for {audience} was seen; where there is one:"));
            example(page, audience);
        }
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
