//! `[dialect]`: what differs from the default, each with what was seen.

use protocol::Dialect;
use serde_json::{Map, Value};

use super::Page;
use crate::discover::spelling::Spelling;

pub(super) fn write(page: &mut Page, spelling: &Spelling) {
    page.table("[dialect]");
    let (own, usual) = (members(&spelling.dialect), members(&Dialect::default()));
    let mut frames = None;
    for (key, value) in &own {
        if key == "frames" {
            frames = value.as_object();
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
    if let Some(frames) = frames {
        page.table("[dialect.frames]");
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
