//! Which rooms an event goes to: a table, not code (SPEC "Events in").

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use protocol::{Dialect, RoomName, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::event::Event;
use super::frame::text_frame;

/// The table. The first row that matches decides; an event that none matches goes to the room of its own name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RoutingTable {
    rows: Vec<Route>,
}

/// One row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// The event's type; one `*` at the end stands for any ending.
    pub event: String,
    /// The rooms. `{data.userId}` is replaced by that text of the event's data; where there is none, the room is left out.
    pub rooms: Vec<String>,
    /// Another type under which clients see the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rename: Option<String>,
}

/// Why a row cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// A pattern with a `*` before its end.
    #[error("route `{event}`: a `*` stands at the end only")]
    Pattern {
        /// The pattern.
        event: String,
    },
    /// A room that is neither a name nor a known template.
    #[error(
        "route `{event}`: `{room}` is no room; write a name, or a prefix and `{{data.KEY}}` with one key"
    )]
    Room {
        /// The row.
        event: String,
        /// The room.
        room: String,
    },
}

/// An event on its way: a finished frame, and the rooms whose members get it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routed {
    /// The rooms, none twice.
    pub rooms: Vec<RoomName>,
    /// The frame that every receiver shares.
    pub frame: Bytes,
    /// Rooms left out because the event's data has no text for them.
    pub skipped: usize,
}

impl RoutingTable {
    /// A table of these rows.
    ///
    /// # Errors
    /// Names the first row that cannot be used.
    pub fn new(rows: Vec<Route>) -> Result<Self, RouteError> {
        for Route { event, rooms, .. } in &rows {
            if event.find('*').is_some_and(|at| at + 1 < event.len()) {
                return Err(RouteError::Pattern { event: event.clone() });
            }
            for room in rooms {
                let good = match template(room) {
                    Some((prefix, key)) => {
                        !key.is_empty()
                            && !key.contains('.')
                            && (prefix.is_empty() || RoomName::parse(prefix).is_ok())
                    }
                    None => RoomName::parse(room).is_ok(),
                };
                if !good {
                    return Err(RouteError::Room { event: event.clone(), room: room.clone() });
                }
            }
        }
        Ok(Self { rows })
    }

    /// The rows, in the order in which they are tried.
    pub fn rows(&self) -> &[Route] {
        &self.rows
    }

    /// Routes an event and encodes it, once for all receivers. `now` stands in for a time that the event does not have.
    pub fn route(&self, event: &Event, dialect: &Dialect, now: Timestamp) -> Routed {
        let row = self.rows.iter().find(|row| row.matches(&event.name));
        let name = row.and_then(|row| row.rename.as_deref()).unwrap_or(&event.name);
        let mut rooms: Vec<RoomName> = Vec::new();
        let mut skipped = 0;
        match row {
            Some(row) => {
                // Only what names a room is read: the rest may be anything that is JSON.
                let data: BTreeMap<Cow<'_, str>, &RawValue> =
                    serde_json::from_str(event.data.get()).unwrap_or_default();
                for room in &row.rooms {
                    match fill(room, &data) {
                        Some(room) if !rooms.contains(&room) => rooms.push(room),
                        Some(_) => {}
                        None => skipped += 1,
                    }
                }
            }
            // A name that is not a valid room name is skipped.
            None => rooms.extend(RoomName::parse(name)),
        }
        let text = dialect.encode_event(name, &event.data, event.timestamp.unwrap_or(now));
        Routed { rooms, frame: text_frame(&text), skipped }
    }
}

impl Route {
    fn matches(&self, name: &str) -> bool {
        match self.event.strip_suffix('*') {
            Some(prefix) => name.starts_with(prefix),
            None => name == self.event,
        }
    }
}

impl Default for RoutingTable {
    fn default() -> Self {
        Self::usual("userId")
    }
}

impl RoutingTable {
    /// Payments go to all clients and to their owner, whom `owner_key` of their data names; profiles and sessions to their owner;
    /// `admin:` to administrators.
    pub fn usual(owner_key: &str) -> Self {
        let row = |event: &str, rooms: &[&str]| Route {
            event: event.to_owned(),
            rooms: rooms.iter().map(|room| (*room).to_owned()).collect(),
            rename: None,
        };
        let owner = format!("user:{{data.{owner_key}}}");
        Self {
            rows: vec![
                row("payment:created", &["broadcast"]),
                row("payment:updated", &["broadcast", &owner]),
                row("payment:completed", &["broadcast", &owner]),
                row("payment:failed", &["broadcast", &owner]),
                row("profile:*", &[&owner]),
                row("session:*", &[&owner]),
                row("admin:*", &["role:admin"]),
            ],
        }
    }
}

/// Prefix and key of `user:{data.userId}`.
fn template(room: &str) -> Option<(&str, &str)> {
    let (prefix, rest) = room.split_once("{data.")?;
    Some((prefix, rest.strip_suffix('}').unwrap_or_default()))
}

fn fill(room: &str, data: &BTreeMap<Cow<'_, str>, &RawValue>) -> Option<RoomName> {
    let Some((prefix, key)) = template(room) else { return RoomName::parse(room).ok() };
    let text = match serde_json::from_str(data.get(key)?.get()).ok()? {
        Value::String(text) if !text.is_empty() => text,
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    match prefix {
        // The owner's room is made of the owner's id, whatever characters that has, as it was on connecting.
        "user:" => Some(RoomName::user(&UserId::new(text))),
        prefix => RoomName::parse(&format!("{prefix}{text}")).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rooms(table: &RoutingTable, body: &str) -> Vec<String> {
        let event = Event::parse(body.as_bytes()).unwrap();
        let routed = table.route(&event, &Dialect::default(), Timestamp::from_unix_ms(0));
        routed.rooms.into_iter().map(String::from).collect()
    }

    /// The default table, row by row.
    #[test]
    fn the_default_table_is_the_seeds() {
        let table = RoutingTable::default();
        let owner = |kind: &str| rooms(&table, &format!(r#"{{"type":"{kind}","data":{{"userId":"7"}}}}"#));
        assert_eq!(owner("payment:created"), ["broadcast"]);
        assert_eq!(owner("payment:updated"), ["broadcast", "user:7"]);
        assert_eq!(owner("payment:failed"), ["broadcast", "user:7"]);
        assert_eq!(owner("profile:updated"), ["user:7"]);
        assert_eq!(owner("session:ended"), ["user:7"]);
        assert_eq!(owner("admin:alert"), ["role:admin"]);
        assert_eq!(owner("catalog:changed"), ["catalog:changed"]);
    }

    /// A private event without an owner is not delivered, nor is one whose type is not a valid room name.
    #[test]
    fn an_event_without_an_owner_is_not_delivered() {
        let table = RoutingTable::default();
        assert!(rooms(&table, r#"{"type":"profile:updated","data":{}}"#).is_empty());
        assert!(rooms(&table, r#"{"type":"profile:updated","data":{"userId":""}}"#).is_empty());
        assert!(rooms(&table, r#"{"type":"no such room","data":{}}"#).is_empty());
        assert_eq!(
            rooms(&table, r#"{"type":"payment:updated","data":{"userId":42}}"#),
            ["broadcast", "user:42"]
        );
    }

    /// What else the data holds does not matter: numbers that no machine holds, nesting of any depth.
    #[test]
    fn odd_data_finds_its_owner() {
        let table = RoutingTable::default();
        for odd in ["1e400".to_owned(), format!("{}{}", "[".repeat(200), "]".repeat(200))] {
            let body = format!(r#"{{"type":"profile:updated","data":{{"userId":"7","n":{odd}}}}}"#);
            assert_eq!(rooms(&table, &body), ["user:7"]);
        }
    }

    /// Rows may rename; rows that mean nothing are refused by name.
    #[test]
    fn rows_are_data() {
        let route = |event: &str, room: &str| Route {
            event: event.into(),
            rooms: vec![room.into()],
            rename: Some("payment:created".into()),
        };
        let table = RoutingTable::new(vec![route("payments.payment.created", "broadcast")]).unwrap();
        let event = Event::parse(br#"{"type":"payments.payment.created","data":1}"#).unwrap();
        let routed = table.route(&event, &Dialect::default(), Timestamp::from_unix_ms(0));
        assert!(String::from_utf8_lossy(&routed.frame).contains(r#""type":"payment:created","payload":1"#));
        assert!(matches!(RoutingTable::new(vec![route("a*b", "x")]), Err(RouteError::Pattern { .. })));
        assert!(matches!(RoutingTable::new(vec![route("a", "x y")]), Err(RouteError::Room { .. })));
        for template in ["x:{data.}", "x:{data.a.b}"] {
            assert!(matches!(RoutingTable::new(vec![route("a", template)]), Err(RouteError::Room { .. })));
        }
    }
}
