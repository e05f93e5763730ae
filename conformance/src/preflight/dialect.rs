//! Signs that a subject speaks another dialect than its profile declares. Each rests on something that was seen on the
//! wire; what merely did not come is for the cases to judge.

use std::fmt;

use protocol::{Dialect, EventStyle};
use scenarios::trace::{Event, FrameKind, Observation, Trace};
use serde_json::Value;

use crate::profile::EventsProfile;

/// The event that is published, as scenarios call it.
const EVENT: &str = "payment:created";
/// What is subscribed to, as scenarios call it.
const ROOM: &str = "catalog:changed";
/// Types by which gateways of all kinds greet their clients.
const GREETINGS: [&str; 6] =
    ["connected", "connection:established", "connection_established", "hello", "ready", "welcome"];

/// Parts of the types by which gateways of all kinds acknowledge a subscription.
const ACKNOWLEDGES: [&str; 3] = ["subscri", "joined", "join_ok"];

/// One sign, and what to write into the profile.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mismatch {
    /// What was seen.
    pub seen: String,
    /// The line for the profile.
    pub setting: String,
}

/// What the look's event and its room are called by the subject.
#[derive(Debug, Clone)]
pub(super) struct Called {
    event: String,
    room: String,
}

impl Called {
    pub(super) fn event(&self) -> &str {
        &self.event
    }

    pub(super) fn by(events: &EventsProfile) -> Self {
        let names = events.names();
        let called = |kind: &str| names.get(kind).map_or(kind, String::as_str).to_owned();
        Self { event: called(EVENT), room: called(ROOM) }
    }
}

/// Every sign in what a gateway sent.
pub(super) fn of_gateway(trace: &Trace, dialect: &Dialect, called: &Called) -> Vec<Mismatch> {
    let texts: Vec<Value> = trace.observations.iter().filter_map(received).collect();
    let kind = |value: &Value| value["type"].as_str().unwrap_or_default().to_owned();
    let kinds: Vec<String> = texts.iter().map(kind).collect();
    let has = |name: &str| kinds.iter().any(|kind| kind == name);
    let mut found = Vec::new();

    let wrapper = texts.iter().find(|value| value["payload"]["eventType"] == *called.event);
    match (dialect.events, wrapper) {
        (EventStyle::Typed, Some(value)) if !has(&called.event) => found.push(Mismatch {
            seen: format!("it wraps its events in `{}`", kind(value)),
            setting: "dialect.events = \"enveloped\"".to_owned(),
        }),
        (EventStyle::Enveloped, None) if has(&called.event) => found.push(Mismatch {
            seen: "its events have their own names as types".to_owned(),
            setting: "dialect.events = \"typed\"".to_owned(),
        }),
        _ => {}
    }
    if !has(&dialect.pong)
        && let Some(pong) = kinds.iter().find(|kind| kind.to_lowercase().contains("pong"))
    {
        found.push(Mismatch {
            seen: format!("it answers `{}` by `{pong}`", dialect.ping),
            setting: format!("dialect.pong = \"{pong}\""),
        });
    }
    let readable = |key: &str| {
        [&dialect.acknowledge.event_type, &dialect.acknowledge.room].iter().any(|known| *known == key)
    };
    let known = &dialect.requests.subscribed;
    let acknowledgement = texts.iter().find(|value| {
        let kind = kind(value);
        kind == *known || ACKNOWLEDGES.iter().any(|word| kind.to_lowercase().contains(word))
    });
    if let Some(value) = acknowledgement.filter(|_| dialect.acks) {
        let kind = kind(value);
        if kind != *known {
            found.push(Mismatch {
                seen: format!("it answers `{}` by `{kind}`", dialect.requests.subscribe),
                setting: format!("dialect.requests = {{ subscribed = \"{kind}\" }}"),
            });
        }
        let keys = value["payload"].as_object();
        if let Some((key, _)) = keys.and_then(|keys| keys.iter().find(|(_, value)| **value == *called.room))
            && !readable(key)
        {
            found.push(Mismatch {
                seen: format!("its `{kind}` names the room in `{key}`"),
                setting: format!("dialect.acknowledge = {{ event_type = \"{key}\", room = \"{key}\" }}"),
            });
        }
    }
    if let Some(first) = kinds.first()
        && dialect.welcome_type() != Some(first)
        && GREETINGS.contains(&first.as_str())
    {
        found.push(Mismatch {
            seen: format!("it greets its clients with `{first}`"),
            setting: format!("dialect.welcome = \"{first}\""),
        });
    }
    found
}

/// Whether the events of what was subscribed to did not come, though others did.
pub(super) fn is_deaf(trace: &Trace, called: &Called) -> bool {
    let named = |name: &str| {
        let text = trace.observations.iter().filter_map(received);
        text.into_iter().any(|value| {
            value["type"] == name
                || value["payload"]["eventType"] == name && value["payload"].get("data").is_some()
        })
    };
    let is_published = trace.observations.iter().any(|seen| match &seen.event {
        Event::Published { body, .. } => body["type"] == *called.room,
        _ => false,
    });
    is_published && named(&called.event) && !named(&called.room)
}

/// Every sign in what a client sent.
pub(super) fn of_client(trace: &Trace, dialect: &Dialect, called: &Called) -> Vec<Mismatch> {
    let readable = |key: &str| {
        [&dialect.subscribe.event_type, &dialect.subscribe.room].iter().any(|known| *known == key)
    };
    let sent = trace.observations.iter().filter_map(sent);
    let named = sent.filter_map(|value| {
        let keys = value["payload"].as_object()?;
        let (key, _) = keys.iter().find(|(_, value)| **value == *called.room)?;
        Some((value["type"].as_str().unwrap_or_default().to_owned(), key.clone()))
    });
    let odd = named.filter(|(kind, key)| *kind == dialect.requests.subscribe && !readable(key));
    odd.map(|(_, key)| Mismatch {
        seen: format!("its `subscribe` names the room in `{key}`"),
        setting: format!("dialect.subscribe = {{ event_type = \"{key}\", room = \"{key}\" }}"),
    })
    .take(1)
    .collect()
}

fn received(observation: &Observation) -> Option<Value> {
    match &observation.event {
        Event::Received(frame) if frame.kind == FrameKind::Text => serde_json::from_str(&frame.body).ok(),
        _ => None,
    }
}

fn sent(observation: &Observation) -> Option<Value> {
    match &observation.event {
        Event::Sent(frame) if frame.kind == FrameKind::Text => serde_json::from_str(&frame.body).ok(),
        _ => None,
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: did you mean `{}`?", self.seen, self.setting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::{SubscriptionKeys, Welcome};
    use scenarios::trace::{Actor, Frame, Message};
    use serde_json::json;

    fn trace(texts: &[Value], event: fn(Frame) -> Event) -> Trace {
        let observation = |text: &Value| Observation {
            at_us: 0,
            actor: Actor("ada".to_owned()),
            connection: Some(0),
            event: event(Frame {
                kind: FrameKind::Text,
                body: text.to_string(),
                message: None::<Message>,
                form: None,
            }),
        };
        Trace { observations: texts.iter().map(observation).collect() }
    }

    fn called() -> Called {
        Called::by(&EventsProfile::default())
    }

    fn settings(texts: &[Value], dialect: &Dialect) -> Vec<String> {
        let found = of_gateway(&trace(texts, Event::Received), dialect, &called());
        found.into_iter().map(|found| found.setting).collect()
    }

    /// What a gateway of the declared dialect says gives no sign.
    #[test]
    fn the_declared_dialect_gives_no_sign() {
        let said = [
            json!({ "type": "connection:established", "payload": { "userId": "ada", "rooms": [] } }),
            json!({ "type": "pong" }),
            json!({ "type": "subscribed", "payload": { "eventType": ROOM } }),
            json!({ "type": EVENT, "payload": {} }),
        ];
        assert_eq!(settings(&said, &Dialect::default()), Vec::<String>::new());
        assert_eq!(settings(&[], &Dialect::default()), Vec::<String>::new());
    }

    /// Each foreign spelling is reported as the profile line that declares it.
    #[test]
    fn foreign_spellings_are_reported() {
        let said = [
            json!({ "type": "welcome", "payload": {} }),
            json!({ "type": "PONG" }),
            json!({ "type": "subscribed", "payload": { "channel": ROOM } }),
            json!({ "type": "event", "payload": { "eventType": EVENT, "data": {} } }),
        ];
        let expected = [
            "dialect.events = \"enveloped\"",
            "dialect.pong = \"PONG\"",
            "dialect.acknowledge = { event_type = \"channel\", room = \"channel\" }",
            "dialect.welcome = \"welcome\"",
        ];
        assert_eq!(settings(&said, &Dialect::default()), expected);
        let declared = Dialect {
            events: EventStyle::Enveloped,
            pong: "PONG".to_owned(),
            acknowledge: SubscriptionKeys::single("channel"),
            welcome: Welcome::Named("welcome".to_owned()),
            ..Dialect::default()
        };
        assert_eq!(settings(&said, &declared), Vec::<String>::new());
        let typed = [json!({ "type": EVENT, "payload": {} })];
        assert_eq!(settings(&typed, &declared), ["dialect.events = \"typed\""]);
    }

    /// A client's own key is reported; the declared one is not.
    #[test]
    fn a_clients_key_is_reported() {
        let said = [json!({ "type": "subscribe", "payload": { "channel": ROOM } })];
        let trace = trace(&said, Event::Sent);
        let found = of_client(&trace, &Dialect::default(), &called());
        assert_eq!(found[0].setting, "dialect.subscribe = { event_type = \"channel\", room = \"channel\" }");
        let declared = Dialect { subscribe: SubscriptionKeys::single("channel"), ..Dialect::default() };
        assert_eq!(of_client(&trace, &declared, &called()), []);
    }
}
