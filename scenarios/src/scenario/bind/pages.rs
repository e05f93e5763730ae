//! What the page `/stats` is expected to say of a gateway of this design (CONN-9).

use protocol::TokenPlace;
use serde_json::{Map, Value, json};

use super::Bindings;

const STATS: &str = "/stats";

/// Changes what is expected of the page to what this gateway has there, and where.
pub(super) fn bind(scenario: &mut Value, bindings: &Bindings) {
    if let Some(Value::Array(expectations)) = scenario.get_mut("expect") {
        for expectation in expectations.iter_mut() {
            allow_own_messages(expectation, bindings);
        }
    }
    if !bindings.seed_rooms {
        each_page(scenario, &forget_rooms);
    }
    each_page(scenario, &|page| bindings.stats.arrange(page));
    if let Some(Value::Array(expectations)) = scenario.get_mut("expect") {
        let is_empty = |page: &Value| page.as_object().is_some_and(Map::is_empty);
        // One that asks for nothing any more would hold whatever the page says.
        expectations.retain(|expectation| !expectation.pointer("/some/answers/json").is_some_and(is_empty));
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
