//! `[dialect]`: what differs from the default, each with what was seen.

use protocol::Dialect;
use serde_json::{Map, Value};

use super::Page;
use crate::discover::observed::ObservedGateway;
use crate::discover::spelling::Spelling;

pub(super) fn write(page: &mut Page, seen: &ObservedGateway, spelling: &Spelling) {
    page.table("dialect");
    if seen.sign_in.entry.is_none() {
        page.comment("what it says was not seen: no one could sign in");
        page.open(
            "token",
            "\"query\"                        # or query:NAME, bearer, cookie:NAME, subprotocol, subprotocol:NAME, path, message",
        );
        return page.open(
            "sign_in",
            r#"{ message = '{"type":"auth","token":"{token}"}' }   # with token = "message", refusal = "close-4401""#,
        );
    }
    let (own, usual) = (members(&spelling.dialect), members(&Dialect::default()));
    let (mut frames, mut opening) = (None, None);
    let has_form = |key: &str| {
        let forms = own.get("frames").and_then(Value::as_object);
        forms.is_some_and(|forms| forms.contains_key(key.trim_end_matches('s')))
    };
    for (key, value) in &own {
        if key == "frames" {
            frames = value.as_object();
            continue;
        }
        if key == "opening" && !page.is_given(key) {
            opening = value.as_array();
            continue;
        }
        let seen = spelling.seen.get(key.as_str());
        match (usual.get(key) == Some(value), seen) {
            // One that has a form of its own is none of the usual ones.
            (true, Some(seen)) if has_form(key) => page.comment(seen),
            (true, Some(seen)) => page.comment(&format!("{key} as usual: {seen}")),
            (true, None) => {}
            (false, seen) => {
                if let Some(seen) = seen {
                    page.comment(seen);
                }
                page.set(key, value);
            }
        }
    }
    for open in &spelling.open {
        page.comment(&format!("to be looked at: {open}"));
    }
    for (key, example) in &spelling.unset {
        page.open(key, example);
    }
    if let Some(opening) = opening {
        openings(page, opening, spelling.seen.get("opening").map_or("", String::as_str));
    }
    if let Some(frames) = frames {
        page.table("dialect.frames");
        if let Some(seen) = spelling.seen.get("frames") {
            page.comment(seen);
        }
        for (key, template) in frames {
            page.set(key, template);
        }
    }
}

fn openings(page: &mut Page, openings: &[Value], seen: &str) {
    page.line("");
    page.comment(seen);
    for opening in openings {
        page.line("[[dialect.opening]]");
        for (key, value) in opening.as_object().into_iter().flatten() {
            page.line(&format!("{key} = {}", super::inline(value)));
        }
    }
}

/// A dialect by itself, with what was seen of all of it.
pub(in crate::discover) fn whole(page: &mut Page, dialect: &Dialect, seen: &str) {
    page.table("dialect");
    page.comment(seen);
    let (own, usual) = (members(dialect), members(&Dialect::default()));
    let differs =
        |key: &str, value: &Value| usual.get(key) != Some(value) && !["frames", "opening"].contains(&key);
    for (key, value) in own.iter().filter(|(key, value)| differs(key, value)) {
        page.set(key, value);
    }
    if let Some(opening) = own.get("opening").and_then(Value::as_array) {
        openings(page, opening, "asked for by itself, as soon as it was connected");
    }
    if let Some(frames) = own.get("frames").and_then(Value::as_object) {
        page.table("dialect.frames");
        for (key, template) in frames {
            page.set(key, template);
        }
    }
}

fn members(dialect: &Dialect) -> Map<String, Value> {
    match serde_json::to_value(dialect) {
        Ok(Value::Object(members)) => members,
        Ok(_) | Err(_) => Map::new(),
    }
}
