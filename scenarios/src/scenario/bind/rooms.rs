//! What those rooms are called that anybody may join: the room of an event for subscribers, and others.

use protocol::Target;
use serde_json::{Map, Value, json};

use super::Bindings;
use crate::audience::Audience;
use crate::gap::NotPlayed;
use crate::room_names::FreeRooms;
use crate::scenario::step::{GatewayAction, ScriptedClientAct};
use crate::scenario::{Scenario, Script};

/// Renames those rooms wherever one is asked for, named in an answer, or counted on a page.
pub(super) fn bind(scenario: &mut Value, bindings: &Bindings) {
    each_room(scenario, &|room| bindings.room(room));
}

impl Bindings {
    /// What a room is called that anybody may join, where that is not its name in scenarios.
    pub fn room(&self, room: &str) -> Option<String> {
        if let Some(own) = self.rooms.of_events.get(room) {
            return Some(own.clone());
        }
        match &self.rooms.free {
            FreeRooms::Called { before, after } if is_free(room) && !self.audiences.declares(room) => {
                // Each gateway takes letters and digits.
                Some(format!("{before}{}{after}", room.replace(':', "")))
            }
            _ => None,
        }
    }

    /// What a room is called that scenarios call by an event for subscribers.
    pub fn room_called(&self, room: &str) -> String {
        self.room(room).or_else(|| self.event_names.get(room).cloned()).unwrap_or_else(|| room.to_owned())
    }
}

impl Scenario {
    /// Why it is not played where a gateway has no rooms that anybody may join, or none of a name that is known.
    pub fn lacks_rooms(&self, bindings: &Bindings) -> Option<NotPlayed> {
        let Script::Gateway(script) = &self.script else { return None };
        let asked = script.steps.iter().filter_map(|step| match &step.action {
            GatewayAction::ScriptedClient(_, ScriptedClientAct::Subscribe(target)) => Some(target),
            _ => None,
        });
        let mut free =
            asked.map(Target::name).filter(|room| is_free(room) && !bindings.audiences.declares(room));
        free.next()?;
        let has_events = bindings.audiences.of(Audience::Subscribers).next().is_some();
        match &bindings.rooms.free {
            FreeRooms::Absent => Some(NotPlayed::by_design(
                "the profile says that there are no rooms beside those of users, roles and events (`gateway.rooms.free`)",
            )),
            // Where no event is for subscribers, nothing says that any room may be joined.
            FreeRooms::AnyName if !has_events => {
                let why = "the profile names no room that anybody may join (`gateway.rooms.free`)";
                Some(bindings.audiences.gap([Audience::Subscribers], why))
            }
            FreeRooms::AnyName | FreeRooms::Called { .. } => None,
        }
    }
}

/// Whether a name in a scenario is that of a room which anybody may join: neither everybody's, a user's or a role's, in whatever spelling, nor
/// one that is wrong.
fn is_free(room: &str) -> bool {
    let plain = room.replace("{case}", "");
    let is_private = plain == "broadcast" || ["user", "role"].iter().any(|kind| plain.starts_with(kind));
    !plain.is_empty()
        && !is_private
        && plain.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b':')
}

fn each_room(value: &mut Value, renamed: &impl Fn(&str) -> Option<String>) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(|value| each_room(value, renamed)),
        Value::Object(fields) => {
            for (key, value) in fields {
                match (key.as_str(), value) {
                    ("subscribe" | "unsubscribe", target) => rename_target(target, renamed),
                    ("target", Value::String(room)) => replace(room, renamed),
                    ("rooms", Value::Object(rooms)) => rename_keys(rooms, renamed),
                    (_, value) => each_room(value, renamed),
                }
            }
        }
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A request names a room that has another name than its event by that.
fn rename_target(target: &mut Value, renamed: &impl Fn(&str) -> Option<String>) {
    let named = match &*target {
        Value::String(name) => Some(name),
        Value::Object(fields) => match (fields.get("room"), fields.get("eventType")) {
            (Some(Value::String(name)), None) | (None, Some(Value::String(name))) => Some(name),
            _ => None,
        },
        _ => None,
    };
    if let Some(room) = named.and_then(|name| renamed(name)) {
        *target = json!({ "room": room });
    }
}

fn rename_keys(rooms: &mut Map<String, Value>, renamed: &impl Fn(&str) -> Option<String>) {
    let old = std::mem::take(rooms);
    rooms.extend(old.into_iter().map(|(room, count)| (renamed(&room).unwrap_or(room), count)));
}

fn replace(room: &mut String, renamed: &impl Fn(&str) -> Option<String>) {
    if let Some(other) = renamed(room) {
        *room = other;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rooms that anybody may join are told from those that are somebody's, and from names that are wrong.
    #[test]
    fn free_rooms_are_known() {
        for room in ["catalog:changed", "r17", "lobby:{case}"] {
            assert!(is_free(room), "{room}");
        }
        for room in [
            "",
            "user:{alice}",
            "role:admin",
            "USER:{alice}",
            "user_{alice}",
            "white space",
            "ｕｓｅｒ:{alice}",
        ] {
            assert!(!is_free(room), "{room}");
        }
    }

    /// Requests, answers and pages have the names that the gateway has; everything else stays.
    #[test]
    fn rooms_are_renamed_where_they_stand() {
        let mut scenario = json!({
            "step": [
                { "client": "a", "subscribe": "stock:changed" },
                { "client": "a", "unsubscribe": { "room": "r1" } },
                { "client": "a", "subscribe": { "eventType": "user:{a}" } },
                { "publish": { "type": "stock:changed" } },
                { "wait": { "client": "a", "receives": { "type": "subscribed", "target": "r1" } } },
            ],
            "expect": [{ "some": { "answers": { "json": { "rooms": { "r1": 1, "broadcast": 2 } } } } }],
        });
        each_room(&mut scenario, &|room| is_free(room).then(|| format!("board.{room}")));
        let expected = json!({
            "step": [
                { "client": "a", "subscribe": { "room": "board.stock:changed" } },
                { "client": "a", "unsubscribe": { "room": "board.r1" } },
                { "client": "a", "subscribe": { "eventType": "user:{a}" } },
                { "publish": { "type": "stock:changed" } },
                { "wait": { "client": "a", "receives": { "type": "subscribed", "target": "board.r1" } } },
            ],
            "expect": [{ "some": { "answers": { "json": { "rooms": { "board.r1": 1, "broadcast": 2 } } } } }],
        });
        assert_eq!(scenario, expected);
    }
}
