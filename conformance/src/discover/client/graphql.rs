//! A client that offers `graphql-transport-ws`: its dialect, by what it says first and by how it asks for a room. Pure.

use protocol::{CloseCode, Dialect, ErrorCloses, Opening, Refusal, SignIn, TokenPlace, Welcome};
use serde_json::{Value, json};

use super::ROOM;
use crate::discover::client::adapter::TOKEN;
use crate::discover::graphql::GRANTED;
use crate::discover::protocols::{GRAPHQL, Protocol};

/// What breaks the protocol (graphql-transport-ws, "Invalid message"), and what is forbidden by it.
const INVALID: CloseCode = CloseCode(4400);
const FORBIDDEN: CloseCode = CloseCode(4403);
/// Names of what an event is called, and of what it holds, in a selection.
const TYPES: [&str; 5] = ["type", "eventType", "event", "name", "kind"];
const PAYLOADS: [&str; 4] = ["data", "payload", "body", "message"];

/// Whether the protocol is among what is offered.
pub(super) fn is_offered(offered: &str) -> bool {
    offered.split(',').any(|name| name.trim() == GRAPHQL)
}

/// The dialect in which any `connection_init` is granted.
pub(super) fn any() -> Dialect {
    dialect(r#"{"type":"connection_init","any":"{token}"}"#)
}

fn dialect(sign_in: &str) -> Dialect {
    let template = |text: &str| text.parse().expect("it is a template");
    let message = sign_in
        .parse()
        .unwrap_or_else(|_| template(r#"{"type":"connection_init","payload":{"token":"{token}"}}"#));
    Dialect {
        subprotocol: Some(GRAPHQL.to_owned()),
        token: TokenPlace::Message,
        refusal: Refusal::Close(FORBIDDEN),
        closes: ErrorCloses {
            bad_message: Some(INVALID),
            unknown_type: Some(INVALID),
            ..ErrorCloses::default()
        },
        welcome: Welcome::Sent(false),
        acks: false,
        sign_in: Some(Box::new(SignIn { message, answer: Some(template(GRANTED)) })),
        frames: Some(Box::new(Protocol::GraphQl.frames())),
        ..Dialect::default()
    }
}

/// The dialect of a client that has said this: it signs in, asks for what it wants by itself, and then for [`ROOM`].
pub(super) fn spoken(said: &[String]) -> Option<Dialect> {
    let said: Vec<Value> = said.iter().filter_map(|text| serde_json::from_str(text).ok()).collect();
    let init = said.iter().find(|frame| frame["type"] == "connection_init")?;
    let mut own = dialect(&signing_in(init));
    let requests: Vec<&Value> = said.iter().filter(|frame| frame["type"] == "subscribe").collect();
    let asked = |request: &Value| room_of(request).as_deref() == Some(ROOM);
    for room in requests.iter().filter(|request| !asked(request)).filter_map(|request| room_of(request)) {
        own.opening.push(Opening { subscribe: Some(room), send: None, answer: None });
    }
    let request = requests.iter().find(|request| asked(request)).or(requests.first())?;
    let room = room_of(request)?;
    let frames = own.frames.as_mut()?;
    frames.subscribe = generalized(request, &room).to_string().parse().ok();
    frames.event = request["payload"]["query"].as_str().and_then(event).and_then(|event| event.parse().ok());
    own.check().is_ok().then_some(own)
}

/// The first message, with the token wherever it stands.
fn signing_in(init: &Value) -> String {
    fn with_place(value: &Value) -> Option<Value> {
        match value {
            Value::String(text) => text.contains(TOKEN).then(|| json!(text.replace(TOKEN, "{token}"))),
            Value::Object(members) => {
                let members =
                    members.iter().filter_map(|(key, value)| Some((key.clone(), with_place(value)?)));
                let members: serde_json::Map<String, Value> = members.collect();
                (!members.is_empty()).then_some(Value::Object(members))
            }
            _ => None,
        }
    }
    // Members in this order, as people write them.
    let payload = with_place(&init["payload"]).unwrap_or_default();
    format!(r#"{{"type":"connection_init","payload":{payload}}}"#)
}

/// The one text among the variables of a request.
fn room_of(request: &Value) -> Option<String> {
    let variables = request["payload"]["variables"].as_object()?;
    let mut texts = variables.values().filter_map(Value::as_str);
    texts.next().filter(|_| texts.next().is_none()).map(str::to_owned)
}

/// A request as it is read: by its reference and its room, whatever its query.
fn generalized(request: &Value, room: &str) -> Value {
    let variables = request["payload"]["variables"].as_object().into_iter().flatten();
    let variables: serde_json::Map<String, Value> = variables
        .filter(|(_, value)| **value == *room)
        .map(|(name, _)| (name.clone(), json!("{room}")))
        .collect();
    json!({ "id": "{ref}", "type": "subscribe", "payload": { "variables": variables } })
}

/// What an event of this query looks like: `subscription (…) { FIELD(…) { type data } }`.
fn event(query: &str) -> Option<String> {
    let (_, root) = query.split_once('{')?;
    let is_part = |character: char| character.is_alphanumeric() || character == '_';
    let field =
        root.trim_start().split(|character| !is_part(character)).next().filter(|name| !name.is_empty())?;
    // Behind its arguments stands what is asked for of it.
    let selected = root.split_once('{').map(|(_, inner)| inner.split('}').next().unwrap_or_default());
    let names: Vec<&str> = selected
        .unwrap_or_default()
        .split(|character| !is_part(character))
        .filter(|name| !name.is_empty())
        .collect();
    let of = |known: &[&'static str]| known.iter().find(|name| names.contains(name)).copied();
    let inner = match (of(&TYPES), of(&PAYLOADS)) {
        (Some(kind), Some(payload)) => json!({ kind: "{type}", payload: "{payload}" }),
        _ => return None,
    };
    let event = json!({ "id": "{subscription}", "type": "next", "payload": { "data": { field: inner } } });
    Some(event.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a client says is a dialect that reads it.
    #[test]
    fn what_is_said_is_read() {
        let subscribe = |id: &str, room: &str| {
            json!({ "id": id, "type": "subscribe", "payload": {
                "query": "subscription ($room: String!) { room(name: $room) { type data } }", "variables": { "room": room } } })
            .to_string()
        };
        let init = json!({ "type": "connection_init", "payload": { "Authorization": format!("Bearer {TOKEN}"), "x": 1 } });
        let found = spoken(&[init.to_string(), subscribe("a", "broadcast"), subscribe("b", ROOM)]).unwrap();
        let sign_in = found.sign_in.as_ref().unwrap();
        assert_eq!(sign_in.token(&init.to_string()).as_deref(), Some(TOKEN));
        assert_eq!(found.opening.len(), 1);
        assert_eq!(found.opening[0].subscribe.as_deref(), Some("broadcast"));
        let asked = found.decode_client(&subscribe("b", ROOM)).unwrap();
        assert!(matches!(asked.message, protocol::ClientMessage::Subscribe(target) if target.name() == ROOM));
        let event = found.encode_event_by("a:b", &json!(7), protocol::Timestamp::EPOCH, Some(("b", ROOM)));
        let expected = json!({ "id": "b", "type": "next", "payload": { "data": { "room": { "type": "a:b", "data": 7 } } } });
        assert_eq!(serde_json::from_str::<Value>(&event).unwrap(), expected);
        assert!(is_offered("a, graphql-transport-ws") && !is_offered("graphql-ws"));
    }
}
