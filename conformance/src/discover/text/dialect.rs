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
    if let Some(seen) = spelling.seen.get("opening").filter(|_| opening.is_some()) {
        page.line("");
        page.comment(seen);
    }
    for entry in opening.into_iter().flatten() {
        page.line("[[dialect.opening]]");
        for (key, value) in entry.as_object().into_iter().flatten() {
            page.line(&format!("{key} = {}", super::inline(value)));
        }
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

fn members(dialect: &Dialect) -> Map<String, Value> {
    match serde_json::to_value(dialect) {
        Ok(Value::Object(members)) => members,
        Ok(_) | Err(_) => Map::new(),
    }
}
