//! Where events go.

use protocol::{Dialect, Timestamp};
use reference_gateway::{Event, Route, RoutingTable};
use serde::Deserialize;
use serde_json::Value;

/// `[[route]]` of a configuration.
#[derive(Deserialize)]
struct Routes {
    #[serde(default)]
    route: Vec<Route>,
}

/// A table, a NUL, and a broker's message: it goes to rooms of the first row that matches and to no others, none twice;
/// by the default table no user's room gets what belongs to another (BRIDGE-4).
#[test]
fn routing_tables() {
    bolero::check!().for_each(|input: &[u8]| {
        let Some(nul) = input.iter().position(|&byte| byte == 0) else { return };
        let Ok(event) = Event::parse(&input[nul + 1..]) else { return };
        let data: Value = serde_json::from_str(event.data.get()).unwrap_or_default();
        by_the_default_table(&event, &data);
        let Ok(Ok(routes)) = std::str::from_utf8(&input[..nul]).map(toml::from_str::<Routes>) else { return };
        let Ok(table) = RoutingTable::new(routes.route) else { return };
        by_a_table(&table, &event, &data);
    });
}

fn rooms(table: &RoutingTable, event: &Event) -> Vec<String> {
    let routed = table.route(event, &Dialect::default(), Timestamp::EPOCH);
    let rooms: Vec<_> = routed.rooms.into_iter().map(String::from).collect();
    let mut once = rooms.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), rooms.len(), "no room comes twice: {rooms:?}");
    rooms
}

fn by_the_default_table(event: &Event, data: &Value) {
    let owner = match &data["userId"] {
        Value::String(text) => Some(format!("user:{text}")),
        Value::Number(number) => Some(format!("user:{number}")),
        _ => None,
    };
    for room in rooms(&RoutingTable::default(), event) {
        assert!(
            !room.starts_with("user:") || Some(&room) == owner.as_ref() || room == event.name,
            "{room} is not its owner's"
        );
        let private = ["profile:", "session:"].iter().any(|prefix| event.name.starts_with(prefix));
        assert!(!private || Some(&room) == owner.as_ref(), "{room} hears what is private");
    }
}

fn by_a_table(table: &RoutingTable, event: &Event, data: &Value) {
    let matches = |row: &&Route| match row.event.split_once('*') {
        Some((prefix, rest)) => rest.is_empty() && event.name.starts_with(prefix),
        None => row.event == event.name,
    };
    let row = table.rows().iter().find(matches);
    let rooms = rooms(table, event);
    let Some(row) = row else {
        assert!(rooms.iter().all(|room| *room == event.name), "an event without a row has its own room");
        return;
    };
    for room in rooms {
        let comes_from = |wanted: &String| match wanted.split_once("{data.") {
            None => *wanted == room,
            Some((prefix, key)) => match &data[key.trim_end_matches('}')] {
                Value::String(text) => room == format!("{prefix}{text}"),
                Value::Number(number) => room == format!("{prefix}{number}"),
                _ => false,
            },
        };
        assert!(row.rooms.iter().any(comes_from), "{room} is in no row: {row:?}");
    }
}
