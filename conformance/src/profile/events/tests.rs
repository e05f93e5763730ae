//! What profiles say of events, and what is published then.

use std::path::Path;

use scenarios::scenario::Script;
use scenarios::{Library, Scenario, ScenarioId};
use serde_json::json;

use super::*;
use crate::profile::Profile;

const OWN: &str = "payments_events";

fn parse(text: &str) -> Result<EventsProfile, String> {
    let profile = Profile::parse("gatecheck.toml", text, Path::new("."));
    profile.map(|profile| profile.events).map_err(|error| error.to_string())
}

#[track_caller]
fn error(text: &str, says: &str) {
    let error = parse(text).unwrap_err();
    assert!(error.contains(says), "{text}: {error}");
}

fn event(kind: &str) -> String {
    json!({ "type": kind, "data": { "id": 1 } }).to_string()
}

/// Exchange, routing key and body of what a scenario publishes.
fn sent(events: &EventsProfile, key: &str, body: &str) -> (String, String, String) {
    let Outgoing { exchange, routing_key, body } = events.outgoing(OWN, key, body);
    (exchange, routing_key, body)
}

#[track_caller]
fn is_sent(
    events: &EventsProfile,
    (key, body): (&str, &str),
    (exchange, routing_key, expected): (&str, &str, Value),
) {
    let (into, under, body) = sent(events, key, body);
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((into.as_str(), under.as_str(), body), (exchange, routing_key, expected));
}

/// Gateways with a key for each user got none: `{user}` was published as it stood.
#[test]
fn routing_keys_name_the_user() {
    let text = r#"
        [[event]]
        for = "owner"
        type = "order:shipped"
        routing_key = "to.{user}.{key}"
    "#;
    let events = parse(text).unwrap();
    let key = |body: Value| sent(&events, "payment.updated", &body.to_string()).1;
    let of = |data: Value| key(json!({ "type": "order:shipped", "data": data }));
    assert_eq!(of(json!({ "userId": "ann-1" })), "to.ann-1.order.shipped");
    assert_eq!(of(json!({ "userId": 17 })), "to.17.order.shipped");
    assert_eq!(of(json!({})), "to.nobody.order.shipped");
    assert_eq!(sent(&events, "payment.updated", "not JSON").1, "to.nobody.order.shipped");
    let shaped = parse("[events]\nrouting_key = \"{user}/{key}/{type}\"").unwrap();
    let body = json!({ "type": "profile:updated", "data": { "userId": "ann-1" } }).to_string();
    assert_eq!(sent(&shaped, "profile.updated", &body).1, "ann-1/profile.updated/profile:updated");
}

/// What nothing is filled in for would be published as it stands, and blamed on the gateway.
#[test]
fn unknown_placeholders_are_refused() {
    let of = |part: &str| format!("[[event]]\nfor = \"owner\"\ntype = \"a:b\"\n{part}\n");
    error(
        &of("routing_key = \"to.{owner}\""),
        "the `routing_key` of `a:b` has `{owner}`, which stands for nothing there",
    );
    error(&of(r#"body = '{"d":"{data}","at":"{timestamp}"}'"#), "the `body` of `a:b` has `{timestamp}`");
    error(&of(r#"body = '{"d":"{data}","more":["see {data}"]}'"#), "the `body` of `a:b` has `{data}`");
    error("[events]\nrouting_key = \"{key}.{id}\"", "`events.routing_key` has `{id}`");
    parse(&of(r#"body = '{"d":"{data}","note":"{} {not a word} { }"}'"#)).unwrap();
}

/// An event gets the shape; what is no event, and is meant to be none, does not.
#[test]
fn events_are_shaped() {
    let created = event("payment:created");
    let usual = (OWN.to_owned(), "payment.created".to_owned(), created.clone());
    assert_eq!(sent(&EventsProfile::default(), "payment.created", &created), usual);
    let text = r#"
        [events]
        routing_key = "payments.{key}"
        body = '{"v":2,"name":"{type}","topic":"payments.{key}","content":["{data}"]}'
    "#;
    let other = parse(text).unwrap();
    let body = json!({ "v": 2, "name": "payment:created", "topic": "payments.payment.created", "content": [{ "id": 1 }] });
    is_sent(&other, ("payment.created", &created), (OWN, "payments.payment.created", body));
    for poison in ["not JSON", r#"{"type":7}"#, "[]"] {
        assert_eq!(sent(&other, "payment.created", poison).2, poison);
    }
}

/// The user whom the data names may stand anywhere in a body, as what it is there.
#[test]
fn bodies_name_the_user() {
    let events = parse(
        r#"[events]
        body = '{"type":"{type}","owner":"{user}","data":"{data}"}'
    "#,
    )
    .unwrap();
    for user in [json!("alice"), json!(1001), json!(null)] {
        let body = json!({ "type": "profile:updated", "data": { "userId": user } });
        let expected = json!({ "type": "profile:updated", "owner": user, "data": { "userId": user } });
        is_sent(&events, ("profile.updated", &body.to_string()), (OWN, "profile.updated", expected));
    }
}

/// A constant key will do where the body says which type it is, and a constant body where the key does.
#[test]
fn types_are_told_apart_by_key_or_body() {
    let constant =
        parse("[events]\nrouting_key = \"all\"\nexchange = { name = \"e\", type = \"fanout\" }").unwrap();
    let created = event("payment:created");
    assert_eq!(sent(&constant, "payment.created", &created), ("e".to_owned(), "all".to_owned(), created));
    let fanout = Exchange { name: "e".to_owned(), kind: ExchangeType::Fanout };
    assert_eq!(constant.exchanges(OWN), Ok(vec![fanout]));
    assert!(parse("[events]\nbody = '[\"{data}\"]'").is_ok());
    error("[events]\nrouting_key = \"all\"\nbody = '[\"{data}\"]'", "could not be told apart");
    error("[events]\nbody = '[\"{type}\"]'", "`events.body` needs `\"{data}\"`");
    error("[events]\nbody = '{'", "`events.body` is no JSON");
}

#[test]
fn names_are_checked() {
    let named = |kind: &str, name: &str| format!("[events]\nnames = {{ \"{kind}\" = '{name}' }}");
    assert!(parse(&named("payment:created", "PaymentCreated")).is_ok());
    error(&named("payment:creatd", "PaymentCreated"), "there are admin:alert, catalog:changed");
    error(&named("payment:created", "a\"b"), "is no name");
    error(&named("payment:created", "payment:failed"), "two event types are called");
}

const TABLE: &str = r#"
    [[event]]
    for = "everybody"
    type = "PaymentCreated"
    exchange = { name = "payments", type = "direct" }
    routing_key = "payments.payment.created"
    body = '{"type":"payments.payment.created","data":"{data}"}'

    [[event]]
    for = "owner"
    type = "payment:updated"

    [[event]]
    for = "subscribers"
    type = "catalog:changed"
    exchange = { name = "catalog", type = "fanout" }
    body = '{"kind":"{type}","key":"x.{key}","data":"{data}"}'
"#;

/// Broker and clients may have different names for an event, and each event its own exchange, key and body.
#[test]
fn each_event_comes_as_declared() {
    let events = parse(TABLE).unwrap();
    let created = json!({ "type": "payments.payment.created", "data": { "id": 1 } });
    let direct = ("payments", "payments.payment.created", created);
    is_sent(&events, ("PaymentCreated", &event("PaymentCreated")), direct.clone());
    // Within the text of a body, scenarios' names stand.
    is_sent(&events, ("an.unknown.key", &event("payment:created")), direct);
    let updated = json!({ "type": "payment:updated", "data": { "id": 1 } });
    is_sent(&events, ("payment.updated", &event("payment:updated")), (OWN, "payment.updated", updated));
    let changed = json!({ "kind": "catalog:changed", "key": "x.catalog.changed", "data": { "id": 1 } });
    is_sent(&events, ("catalog.changed", &event("catalog:changed")), ("catalog", "catalog.changed", changed));
    // What is no event comes as one would.
    let poison = ("payments".to_owned(), "payments.payment.created".to_owned(), "not JSON".to_owned());
    assert_eq!(sent(&events, "payment.created", "not JSON"), poison);
    let exchanges = events.exchanges(OWN).unwrap().into_iter().map(|exchange| (exchange.name, exchange.kind));
    let expected =
        [("catalog", ExchangeType::Fanout), ("payments", ExchangeType::Direct), (OWN, ExchangeType::Topic)];
    assert_eq!(exchanges.collect::<Vec<_>>(), expected.map(|(name, kind)| (name.to_owned(), kind)));
}

/// Scenarios get the names that clients see; what another event is called is no longer the name of one that is not declared.
#[test]
fn scenarios_see_what_clients_see() {
    let names = parse(TABLE).unwrap().names();
    let named: Vec<_> = names.iter().map(|(kind, name)| (kind.as_str(), name.as_str())).collect();
    let expected = [
        ("payment:created", "PaymentCreated"),
        ("payment:updated", "payment:updated:undeclared"),
        ("profile:updated", "payment:updated"),
    ];
    assert_eq!(named, expected);
}

/// What an audience does not get is named.
#[test]
fn undeclared_events_are_named() {
    let events = parse(TABLE).unwrap();
    let lacks = |step: &str| {
        let text = format!(
            "version = 2\ntitle = \"t\"\nsubject = \"gateway\"\n[clients.ada]\n[[step]]\n{step}\n\
             [[expect]]\nrequirement = \"BRIDGE-2\"\nnever = {{ client = \"ada\", closes = true }}\n"
        );
        let scenario = Scenario::parse(ScenarioId("own/case".to_owned()), &text).unwrap();
        let Script::Gateway(script) = &scenario.script else { panic!("a gateway's") };
        events.lacks(script)
    };
    let published = |kind: &str| lacks(&format!("publish = {{ type = \"{kind}\", data = {{}} }}"));
    for kind in ["payment:created", "profile:updated", "catalog:changed", "PaymentCreated"] {
        assert_eq!(published(kind), None, "{kind}");
    }
    for (kind, why) in [
        ("payment:updated", "no second event for everybody"),
        ("payment:failed", "no fourth event for everybody"),
        ("session:ended", "no second event for its owner"),
        ("admin:alert", "no event for a role"),
        ("stock:changed", "no second event for a room's subscribers"),
        ("order:shipped", "no event `order:shipped`"),
    ] {
        assert_eq!(published(kind).map(|gap| gap.why), Some(format!("the profile declares {why}")));
    }
    let poison =
        |key: &str| lacks(&format!("publish_body = {{ body = \"no JSON\", routing_key = \"{key}\" }}"));
    assert_eq!(poison("payment.created"), None);
    assert_eq!(poison("stock.changed"), None, "what is no event comes as one would, whichever there is");
}

#[test]
fn mistakes_in_tables_are_named() {
    let owner = |rest: &str| format!("[[event]]\nfor = \"owner\"\ntype = \"a\"\n{rest}\n");
    let all = |kind: &str, rest: &str| format!("[[event]]\nfor = \"everybody\"\ntype = \"{kind}\"\n{rest}\n");
    error(&owner("body = '{}'"), "the `body` of `a` needs");
    error(&format!("{}{}", owner(""), owner("")), "two event types are called \"a\"");
    let three = ["a", "b", "c"].map(|kind| owner("").replace("\"a\"", &format!("\"{kind}\""))).concat();
    error(&three, "no more than 2 events for its owner; `c` is one too many");
    let same = "routing_key = \"k\"\nbody = '[\"{data}\"]'";
    error(&(all("a", same) + &all("b", same)), "`a` and `b` come through the same exchange");
    let two =
        (all("a", "exchange = { name = \"x\" }"), all("b", "exchange = { name = \"x\", type = \"direct\" }"));
    error(&(two.0 + &two.1), "the exchange `x` has two types");
    error("[[event]]\nfor = \"role\"\ntype = \"a b\"", "`event.type`: \"a b\" is no name");
}

/// What can be declared and renamed is what scenarios use.
#[test]
fn types_are_those_of_scenarios() {
    let texts: String = Library::builtin().unwrap().iter().map(Scenario::to_toml).collect();
    for kind in types() {
        assert!(texts.contains(&format!("\"{kind}\"")), "{kind}");
    }
}

/// The owner of an event stands where the gateway looks for it: in what is published, and in what is looked for.
#[test]
fn an_owner_has_the_key_of_its_event() {
    let text = "[dialect]\nuser_key = \"owner_id\"\n[[event]]\nfor = \"owner\"\ntype = \"order:changed\"\nowner_key = \"ownerId\"\n\
                body = '{\"to\":[\"user:{user}\"],\"whom\":\"{user}\",\"data\":\"{data}\"}'\n\
                [[event]]\nfor = \"named\"\ntype = \"order:gone\"\nbody = '{\"to\":\"{user}\",\"data\":\"{data}\"}'";
    let events = parse(text).unwrap();
    assert_eq!(events.owner_keys(), BTreeMap::from([("profile:updated".to_owned(), "ownerId".to_owned())]));
    let body = json!({ "type": "order:changed", "data": { "ownerId": 7 } }).to_string();
    let expected = json!({ "to": ["user:7"], "whom": 7, "data": { "ownerId": 7 } });
    is_sent(&events, ("profile.updated", &body), (OWN, "order.changed", expected));
    let body = json!({ "type": "order:gone", "data": { "owner_id": "ada" } }).to_string();
    let expected = json!({ "to": "ada", "data": { "owner_id": "ada" } });
    is_sent(&events, ("session.ended", &body), (OWN, "order.gone", expected));
}

/// An event for subscribers has a room, which may be called otherwise than its type.
#[test]
fn an_event_for_subscribers_has_a_room() {
    let text = |audience: &str| {
        format!("[[event]]\nfor = \"{audience}\"\ntype = \"stock.moved\"\nroom = \"board.stock\"")
    };
    let rooms = parse(&text("subscribers")).unwrap().rooms();
    assert_eq!(rooms, BTreeMap::from([("catalog:changed".to_owned(), "board.stock".to_owned())]));
    error(&text("owner"), "`room` goes with an event for subscribers");
}

/// An event may be for its owner and for administrators, and for no other two.
#[test]
fn an_event_may_have_two_audiences() {
    let text = |audience: &str| format!("[[event]]\nfor = {audience}\ntype = \"order:changed\"");
    for audience in ["[\"owner\", \"role\"]", "[\"role\", \"owner\"]"] {
        let audiences = parse(&text(audience)).unwrap().audiences();
        assert!(audiences.declares("profile:updated") && audiences.is_shared("profile:updated"));
        assert!(!audiences.declares("admin:alert"));
    }
    assert!(!parse(&text("\"owner\"")).unwrap().audiences().is_shared("profile:updated"));
    error(&text("[\"owner\", \"everybody\"]"), "an event is not for \"owner\" and \"everybody\"");
    error(&text("\"nobody\""), "`for` is one of");
}

/// Where the body is the data alone, JSON is an event whatever it says: what is meant to be none is no JSON.
#[test]
fn poison_is_none_by_the_declared_body() {
    let poison = |body: &str, published: &str| {
        let text = format!("[[event]]\nfor = \"everybody\"\ntype = \"a\"\nbody = '{body}'");
        sent(&parse(&text).unwrap(), "payment.created", published).2
    };
    assert_eq!(poison("\"{data}\"", "{\"type\": 7}"), "{\"type\": 7");
    assert_eq!(poison("\"{data}\"", "this is not JSON"), "this is not JSON");
    assert_eq!(poison("{\"data\":\"{data}\"}", "{\"type\": 7}"), "{\"type\": 7}");
}
