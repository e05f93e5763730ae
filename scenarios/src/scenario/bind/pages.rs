//! Which pages a gateway of this design has, and what they are expected to say (CONN-9, BRIDGE-10).

use protocol::TokenPlace;
use serde_json::{Map, Value, json};

use super::Bindings;
use crate::pages::PAGES;
use crate::scenario::{Scenario, file};

const STATS: &str = "/stats";

/// Changes what is asked and expected of pages to what this gateway has, and where. Where nothing would be left of a case, it stands as if
/// this gateway had everything: it cannot be played.
pub(super) fn bind(scenario: &mut Value, bindings: &Bindings) {
    if let Some(arranged) = arranged(scenario, bindings) {
        *scenario = arranged;
    }
}

impl Scenario {
    /// Why it is not played where a gateway has fewer pages, or figures on them, if that leaves nothing to expect.
    pub fn lacks_pages(&self, bindings: &Bindings) -> Option<&'static str> {
        arranged(&file::to_value(self), bindings)
            .is_none()
            .then_some("the profile says that there is no such page, or no such figure (`gateway.pages`, `gateway.stats`)")
    }
}

/// The scenario for the pages that this gateway has; nothing where it expects nothing of them any more.
fn arranged(scenario: &Value, bindings: &Bindings) -> Option<Value> {
    let mut arranged = scenario.clone();
    if let Some(expectations) = list(&mut arranged, "expect") {
        for expectation in expectations {
            allow_own_messages(expectation, bindings);
        }
    }
    if !bindings.seed_rooms {
        each_page(&mut arranged, &forget_rooms);
    }
    each_page(&mut arranged, &|page| bindings.stats.arrange(page));
    for (_, usual) in PAGES {
        match bindings.pages.path(usual) {
            Some(path) if path == usual => {}
            Some(path) => each_path(&mut arranged, usual, &|name| path.clone_into(name)),
            None => forget_page(&mut arranged, usual),
        }
    }
    // What asks for nothing any more would hold whatever the page says.
    for (key, page) in [("expect", "/some/answers/json"), ("step", "/wait/answers/json")] {
        let is_empty =
            |part: &Value| part.pointer(page).and_then(Value::as_object).is_some_and(Map::is_empty);
        if let Some(parts) = list(&mut arranged, key) {
            parts.retain(|part| !is_empty(part));
        }
    }
    let expects = |scenario: &Value| {
        let of = |key: &str| scenario.get(key).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        !of("expect").is_empty()
            || of("step").iter().any(|step| step.get("shows").is_some_and(Value::is_string))
    };
    (expects(&arranged) || !expects(scenario)).then_some(arranged)
}

fn list<'a>(scenario: &'a mut Value, key: &str) -> Option<&'a mut Vec<Value>> {
    scenario.get_mut(key)?.as_array_mut()
}

/// Calls `rename` wherever a page is asked for, or its answer is looked for.
fn each_path(value: &mut Value, usual: &str, rename: &impl Fn(&mut String)) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(|value| each_path(value, usual, rename)),
        Value::Object(fields) => {
            for (key, value) in fields {
                match value {
                    Value::String(path) if matches!(key.as_str(), "get" | "path") && path == usual => {
                        rename(path);
                    }
                    value => each_path(value, usual, rename),
                }
            }
        }
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Leaves out every step and every expectation that is about a page.
fn forget_page(scenario: &mut Value, usual: &str) {
    let is_about = |part: &Value| {
        let mentions = std::cell::Cell::new(false);
        each_path(&mut part.clone(), usual, &|_| mentions.set(true));
        mentions.get()
    };
    for key in ["step", "expect"] {
        if let Some(parts) = list(scenario, key) {
            parts.retain(|part| !is_about(part));
        }
    }
}

/// Calls `change` on what the page is expected to say.
fn each_page(value: &mut Value, change: &impl Fn(&mut Value)) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(|value| each_page(value, change)),
        Value::Object(fields) => {
            let is_stats = fields.get("path").is_some_and(|path| path == STATS);
            for (key, value) in fields {
                match key.as_str() {
                    "json" if is_stats && value.is_object() => change(value),
                    _ => each_page(value, change),
                }
            }
        }
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Leaves out the rooms that no subscription names.
fn forget_rooms(page: &mut Value) {
    let is_own =
        |room: &String| room == "broadcast" || room.starts_with("user:") || room.starts_with("role:");
    if let Some(Value::Object(rooms)) = page.get_mut("rooms") {
        rooms.retain(|room, _| !is_own(room));
        if rooms.is_empty() {
            page.as_object_mut().expect("it has rooms").remove("rooms");
        }
    }
}

/// A gateway may count, or not count, the messages by which a client signs in and opens its rooms.
fn allow_own_messages(expectation: &mut Value, bindings: &Bindings) {
    const COUNT: &str = "/answers/json/messages/in";
    let signs_in = usize::from(bindings.dialect.token == TokenPlace::Message);
    let own = (signs_in + bindings.dialect.opening.len()) as u64;
    let Some(fields) = expectation.as_object_mut() else { return };
    let counted = fields.get("some").and_then(|page| page.pointer(COUNT)).and_then(Value::as_u64);
    let Some(count) = counted.filter(|_| own > 0) else { return };
    let Some(page) = fields.remove("some") else { return };
    let any = (count..=count + own).map(|count| {
        let mut page = page.clone();
        if let Some(place) = page.pointer_mut(COUNT) {
            *place = json!(count);
        }
        json!({ "some": page })
    });
    fields.insert("any_of".to_owned(), any.collect());
}

#[cfg(test)]
mod tests;
