//! What a GraphQL gateway can be asked for: where a token stands in `connection_init`, and the subscriptions of its schema. Pure.

use serde_json::{Value, json};

/// Where the token stands in the payload of `connection_init`, the usual places first.
const TOKENS: [&str; 12] = [
    r#"{"token":"{token}"}"#,
    r#"{"authorization":"Bearer {token}"}"#,
    r#"{"Authorization":"Bearer {token}"}"#,
    r#"{"authToken":"{token}"}"#,
    r#"{"accessToken":"{token}"}"#,
    r#"{"access_token":"{token}"}"#,
    r#"{"jwt":"{token}"}"#,
    r#"{"authorization":"{token}"}"#,
    r#"{"Authorization":"{token}"}"#,
    r#"{"headers":{"Authorization":"Bearer {token}"}}"#,
    r#"{"headers":{"authorization":"Bearer {token}"}}"#,
    r#"{"auth":{"token":"{token}"}}"#,
];

/// Asks for the fields of the root of subscriptions, with what they take and give (GraphQL, section 4, "Introspection").
const QUERY: &str = "{ __schema { subscriptionType { fields { name args { name defaultValue type { kind name ofType { kind name } } } \
                     type { kind name fields { name args { name } type { kind ofType { kind ofType { kind } } } } \
                     ofType { kind name fields { name args { name } type { kind ofType { kind ofType { kind } } } } } } } } } }";

/// The answer that grants a `connection_init`.
pub(super) const GRANTED: &str = r#"{"type":"connection_ack"}"#;

/// First messages with the token in one place each.
pub(super) fn first_messages() -> Vec<String> {
    TOKENS.iter().map(|payload| format!(r#"{{"type":"connection_init","payload":{payload}}}"#)).collect()
}

/// First messages with the token in each place: behind `Bearer` where it is called an authorization, and without.
pub(super) fn generous() -> Vec<String> {
    let of = |is_bare: bool| {
        let payloads = TOKENS.iter().filter_map(|text| serde_json::from_str::<Value>(text).ok());
        let mut all = serde_json::Map::new();
        for payload in payloads {
            for (key, value) in payload.as_object().into_iter().flatten() {
                if is_bare || !all.contains_key(key) {
                    all.insert(key.clone(), value.clone());
                }
            }
        }
        json!({ "type": "connection_init", "payload": all }).to_string()
    };
    vec![of(false), of(true)]
}

/// The question for the schema's subscriptions.
pub(super) fn introspection() -> String {
    json!({ "id": "gc-schema", "type": "subscribe", "payload": { "query": QUERY } }).to_string()
}

/// A subscription that no schema has.
pub(super) fn nonsense() -> String {
    json!({ "id": "gc-nonsense", "type": "subscribe", "payload": { "query": "subscription { gatecheckNonsense }" } })
        .to_string()
}

/// Requests for `{room}` of the subscriptions that take one text, under `{ref}`: the text is the room, and everything that an event has is
/// asked for.
pub(super) fn subscriptions(answer: &str) -> Vec<String> {
    let Ok(answer) = serde_json::from_str::<Value>(answer) else { return Vec::new() };
    let fields = &answer["payload"]["data"]["__schema"]["subscriptionType"]["fields"];
    fields.as_array().into_iter().flatten().filter_map(subscription).collect()
}

fn subscription(field: &Value) -> Option<String> {
    let name = field["name"].as_str()?;
    let arguments = field["args"].as_array()?;
    let is_needed =
        |argument: &&Value| argument["type"]["kind"] == "NON_NULL" && argument["defaultValue"].is_null();
    let mut needed = arguments.iter().filter(is_needed);
    // One that may be left out is asked for, too, where no other is needed.
    let argument = needed.next().or(arguments.first())?;
    if needed.next().is_some() {
        return None;
    }
    let kind = text_type(&argument["type"])?;
    let argument = argument["name"].as_str()?;
    let selected = selection(&field["type"]);
    let query = format!("subscription ($room: {kind}) {{ {name}({argument}: $room){selected} }}");
    // Members in this order, as people write them.
    Some(format!(
        r#"{{"id":"{{ref}}","type":"subscribe","payload":{{"query":{},"variables":{{"room":"{{room}}"}}}}}}"#,
        json!(query)
    ))
}

/// The type of a variable for an argument that is a text: `String!`.
fn text_type(kind: &Value) -> Option<String> {
    let (inner, mark) = match kind["kind"] == "NON_NULL" {
        true => (&kind["ofType"], "!"),
        false => (kind, ""),
    };
    let name = inner["name"].as_str().filter(|name| ["String", "ID"].contains(name))?;
    Some(format!("{name}{mark}"))
}

/// The members of an object that have none themselves.
fn selection(kind: &Value) -> String {
    let inner = if kind["kind"] == "NON_NULL" { &kind["ofType"] } else { kind };
    let is_leaf = |kind: &Value| {
        let kinds = [&kind["kind"], &kind["ofType"]["kind"], &kind["ofType"]["ofType"]["kind"]];
        kinds.iter().any(|kind| **kind == "SCALAR" || **kind == "ENUM")
    };
    let fields = inner["fields"].as_array().into_iter().flatten();
    let leaves = fields.filter(|field| is_leaf(&field["type"]) && field["args"] == json!([]));
    let names: Vec<&str> = leaves.filter_map(|field| field["name"].as_str()).collect();
    if names.is_empty() { String::new() } else { format!(" {{ {} }}", names.join(" ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A field with one text is a room, whatever the others are; what an event has is asked for, without what has members itself.
    #[test]
    fn subscriptions_are_found() {
        let text = |kind: &str| json!({ "kind": "NON_NULL", "name": null, "ofType": { "kind": "SCALAR", "name": kind } });
        let argument = |name: &str, kind: Value| json!({ "name": name, "defaultValue": null, "type": kind });
        let leaf =
            |name: &str| json!({ "name": name, "args": [], "type": { "kind": "SCALAR", "ofType": null } });
        let inner = json!({ "name": "owner", "args": [], "type": { "kind": "OBJECT", "ofType": null } });
        let event = json!({ "kind": "NON_NULL", "ofType": { "kind": "OBJECT", "name": "Event",
            "fields": [leaf("type"), inner, leaf("data")] } });
        let field = |name: &str, arguments: Value| json!({ "name": name, "args": arguments, "type": event });
        let answer = json!({ "id": "gc-schema", "type": "next", "payload": { "data": { "__schema": { "subscriptionType": { "fields": [
            field("room", json!([argument("name", text("String"))])),
            field("page", json!([argument("size", text("Int"))])),
            field("all", json!([])),
            field("two", json!([argument("a", text("ID")), argument("b", text("ID"))])),
        ] } } } } });
        assert_eq!(
            subscriptions(&answer.to_string()),
            [
                r#"{"id":"{ref}","type":"subscribe","payload":{"query":"subscription ($room: String!) { room(name: $room) { type data } }","variables":{"room":"{room}"}}}"#
            ]
        );
        assert!(
            subscriptions(r#"{"id":"gc-schema","type":"error","payload":[{"message":"no"}]}"#).is_empty()
        );
    }

    /// Every place of a token is tried at once, in two forms, and each by itself.
    #[test]
    fn tokens_stand_in_every_place() {
        let [bearer, bare] = &generous()[..] else { panic!("two") };
        for key in ["token", "Authorization", "headers", "accessToken"] {
            assert!(bearer.contains(&format!("\"{key}\"")) && bare.contains(&format!("\"{key}\"")), "{key}");
        }
        assert!(bearer.contains(r#""authorization":"Bearer {token}""#), "{bearer}");
        assert!(bare.contains(r#""authorization":"{token}""#), "{bare}");
        assert!(first_messages().iter().all(|text| text.parse::<protocol::Template>().is_ok()));
    }
}
