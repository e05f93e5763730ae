//! What becomes of events that are for certain clients, by what a gateway has.

use std::collections::BTreeMap;

use protocol::Dialect;

use crate::audience::{Audience, Audiences};
use crate::gap::Gap;
use crate::identity::{RoleNames, UserIds};
use crate::room_names::RoomNames;
use crate::scenario::{Bindings, Scenario, ScenarioId, Script};

const SCENARIO: &str = r#"
version = 2
title = "t"
subject = "gateway"

[clients.alice]

[clients.phone]
user = "alice"

[clients.bob]
connect = "later"

[[step]]
client = "bob"
do = "connect"

[[step]]
publish = { to = ["alice", "phone", "bob"], data = { turn = 1 } }

[[step]]
wait = { client = "alice", receives = { type = "its event", with = { turn = 1 } } }

[[step]]
wait = { client = "bob", receives = "its event" }
shows = "BRIDGE-11"

[[expect]]
requirement = "BRIDGE-11"
each_published = { client = "alice", types = ["its event"] }

[[expect]]
requirement = "ROOM-6"
count = { client = "alice", receives = "subscribed" }
times = 0
"#;

fn parse(text: &str) -> Result<Scenario, String> {
    Scenario::parse(ScenarioId("t".to_owned()), text).map_err(|error| error.to_string())
}

/// The scenario for a gateway with these events, as a file.
fn with(text: &str, declared: &[&'static str]) -> Result<String, String> {
    let audiences = Audiences::new(declared.iter().copied(), []);
    let addressed = parse(text).unwrap().addressed(&audiences);
    addressed.map(|scenario| scenario.to_toml()).map_err(|gap| gap.to_string())
}

/// What is published: type and whom its data names.
fn published(scenario: &Scenario) -> Vec<String> {
    let Script::Gateway(script) = &scenario.script else { panic!("a gateway's") };
    let bodies = script.steps.iter().filter_map(|step| match &step.action {
        crate::scenario::GatewayAction::Publish { publication, .. } => publication.bodies().pop(),
        _ => None,
    });
    bodies.collect()
}

/// One event for everybody is enough.
#[test]
fn everybody_comes_first() {
    let text = with(SCENARIO, &["payment:created", "profile:updated"]).unwrap();
    let scenario = parse(&text).unwrap();
    assert_eq!(published(&scenario).len(), 1, "{text}");
    assert!(text.contains("requires = \"BRIDGE-2\"") && text.contains("shows = \"BRIDGE-11\""), "{text}");
    assert!(!text.contains("its event"), "{text}");
}

/// Otherwise each user gets its own, which is told from others by its owner and by its mark.
#[test]
fn owners_get_one_each() {
    let text = with(SCENARIO, &["session:ended"]).unwrap();
    let bodies = published(&parse(&text).unwrap());
    assert_eq!(bodies.len(), 2, "alice's, which is her phone's too, and bob's: {text}");
    assert!(bodies[0].contains("{alice}") && bodies[1].contains("{bob}"), "{bodies:?}");
    assert!(bodies.iter().all(|body| body.contains("\"addressed\":\"{case}\"")), "{bodies:?}");
    assert!(text.contains("requires = \"BRIDGE-18\""), "{text}");
}

/// For a role's event the clients have that role, unless the case is about roles.
#[test]
fn clients_take_the_role_of_the_event() {
    let text = with(SCENARIO, &["admin:alert"]).unwrap();
    assert_eq!(text.matches("role = \"ADMIN\"").count(), 3, "{text}");
    let of_roles = SCENARIO.replace("[clients.phone]", "[clients.phone]\nrole = \"VENDOR\"");
    let error = with(&of_roles, &["admin:alert"]).unwrap_err();
    assert!(error.contains("the profile declares no event that shows what has arrived"), "{error}");
}

/// For a room's event each client joins as it connects; the acknowledgement is none of the case's.
#[test]
fn subscribers_join_first() {
    let text = with(SCENARIO, &["stock:changed"]).unwrap();
    let scenario = parse(&text).unwrap();
    let actions = scenario.actions();
    assert_eq!(actions.iter().filter(|action| action.contains("subscribe to")).count(), 3, "{actions:?}");
    assert!(actions[2].starts_with("bob: connect") && actions[3].starts_with("bob: "), "{actions:?}");
    assert!(text.contains("other_targets = [\"stock:changed\"]"), "{text}");
    assert!(text.contains("requires = \"ROOM-1\""), "{text}");
    let about_it = SCENARIO.replace("receives = \"subscribed\"", "receives = \"stock:changed\"");
    assert!(with(&about_it, &["stock:changed"]).is_ok(), "what is only expected is none of the script's");
}

/// A client that no event is for answers a ping once another has received its own.
#[test]
fn another_answers_for_whom_no_event_is() {
    let text = SCENARIO.replace("[clients.alice]", "[clients.alice]\nrole = \"ADMIN\"");
    let text = with(&text, &["admin:alert"]).unwrap();
    let actions = parse(&text).unwrap().actions();
    let last: Vec<_> = actions.iter().rev().take(3).rev().map(String::as_str).collect();
    assert!(last[0].contains("300ms") && last[1].contains("bob") && last[2].contains("pong"), "{actions:?}");
}

/// Where each event of a gateway's is looked at, each is published, waited for and expected by itself, in the name of what promises it:
/// a defect of one queue is not hidden by another.
#[test]
fn every_event_is_looked_at() {
    let text = SCENARIO.replace("[clients.alice]", "[clients.alice]\nevery_event = true").replace(
        "shows = \"BRIDGE-11\"\n\n[[expect]]",
        "shows = \"BRIDGE-11\"\n\n[[step]]\npublish = { to = [\"alice\"], data = { turn = 2 } }\nuntil = [{ client = \"alice\", receives = { type = \"its event\", with = { turn = 2 } } }]\nwithin = \"5 * second\"\n\n[[expect]]",
    );
    let text = with(
        &text,
        &["payment:created", "payment:updated", "profile:updated", "admin:alert", "stock:changed"],
    )
    .unwrap();
    let scenario = parse(&text).unwrap();
    let actions = scenario.actions();
    let of = |part: &str| actions.iter().filter(|action| action.contains(part)).count();
    assert_eq!(
        (of("publish "), of("wait until alice"), of("wait until bob"), of(" until alice receives")),
        (10, 5, 1, 10),
        "{actions:#?}"
    );
    for id in ["BRIDGE-2", "BRIDGE-3", "BRIDGE-18", "ROOM-1"] {
        assert!(text.contains(&format!("requires = \"{id}\"")), "{id}: {text}");
    }
    assert_eq!(text.matches("[expect.each_published]\n").count(), 5, "{text}");
    assert_eq!(text.matches("within = \"5 * second\"").count(), 5, "{text}");
    assert!(text.matches("role = \"ADMIN\"").count() == 3 && actions[0].contains("subscribe to"), "{text}");
}

/// A case that may leave out what is for a role, or that expects that none comes, can be played where there are no roles.
#[test]
fn what_may_be_left_out_needs_no_roles() {
    let add = |rest: &str| {
        let step = format!("[[step]]\npublish = {{ type = \"admin:alert\", data = {{}}{rest} }}\n\n");
        parse(&SCENARIO.replacen("[[step]]", &(step + "[[step]]"), 1)).unwrap()
    };
    assert!(add("").needs_roles() && !add(", optional = true").needs_roles());
    let never =
        "\n[[expect]]\nrequirement = \"ROOM-6\"\nnever = { client = \"bob\", receives = \"admin:alert\" }\n";
    assert!(!parse(&(SCENARIO.to_owned() + never)).unwrap().needs_roles());
}

/// What is about the same type passes over events that only show what has arrived.
#[test]
fn a_mark_tells_them_apart() {
    let about_it = SCENARIO.replace("receives = \"subscribed\"", "receives = \"profile:updated\"");
    let text = with(&about_it, &["profile:updated"]).unwrap();
    assert!(text.contains("lacking = \"addressed\""), "{text}");
}

/// To a client that has not signed in none of them may come.
#[test]
fn none_is_for_strangers() {
    let about_it = SCENARIO.replace("receives = \"subscribed\"", "receives = \"profile:updated\"");
    let strange = about_it.replace("[clients.alice]", "[clients.alice]\nsigns_in = false");
    assert!(!with(&strange, &["profile:updated"]).unwrap().contains("lacking"));
}

/// What is optional is left out where it is not there, but not all of it; what is missing is named all at once.
#[test]
fn what_is_optional_may_be_missing() {
    let step = |kind: &str, rest: &str| {
        format!("[[step]]\npublish = {{ type = \"{kind}\", data = {{}}{rest} }}\n\n")
    };
    let add = |steps: String| SCENARIO.replacen("[[step]]", &(steps + "[[step]]"), 1);
    let optional =
        add(step("admin:alert", ", optional = true") + &step("session:ended", ", optional = true"));
    let text = with(&optional, &["payment:created", "session:ended"]).unwrap();
    assert!(text.contains("session:ended") && !text.contains("admin:alert"), "{text}");
    let none = with(&optional, &["payment:created"]).unwrap_err();
    assert_eq!(none, "the profile declares no event for a role");
    let all = add(step("admin:alert", "") + &step("stock:changed", ""));
    let audiences = Audiences::new(["payment:created", "catalog:changed"], []);
    let missing = parse(&all).unwrap().addressed(&audiences).unwrap_err();
    assert_eq!(
        missing.to_string(),
        "the profile declares no event for a role, and no second event for a room's subscribers"
    );
    assert_eq!(missing.gap, Gap::Undeclared);
    assert_eq!(missing.audiences, [Audience::Role], "of others it has one, if not enough");
    let second = add(step("stock:changed", ""));
    assert_eq!(parse(&second).unwrap().addressed(&audiences).unwrap_err().gap, Gap::Design, "one is enough");
}

/// An owner's event that administrators receive as well is not forbidden to them.
#[test]
fn shared_events_may_come_to_administrators() {
    let text = SCENARIO
        .replace("[clients.alice]", "[clients.alice]\nrole = \"ADMIN\"")
        .replace("BRIDGE-11", "BRIDGE-6")
        + "\n[[expect]]\nrequirement = \"BRIDGE-4\"\nnever = { client = \"alice\", receives = { any = [\"profile:updated\", \"session:ended\"] } }\n";
    let declared: Vec<_> = Audience::ALL.into_iter().flat_map(Audience::types).copied().collect();
    let addressed = |shared: &[&'static str]| {
        let audiences = Audiences::new(declared.iter().copied(), shared.iter().copied());
        parse(&text).unwrap().addressed(&audiences).unwrap()
    };
    let forbidden = |scenario: &Scenario| {
        scenario.expectations.last().and_then(|last| last.forbidden()).map(ToString::to_string)
    };
    assert!(forbidden(&addressed(&[])).unwrap().contains("profile:updated or session:ended"));
    assert!(!forbidden(&addressed(&["session:ended"])).unwrap().contains("session:ended"));
    assert_eq!(forbidden(&addressed(&["profile:updated", "session:ended"])), None);
}

/// What makes no sense is an error that says what to write, with its line.
#[test]
fn mistakes_are_named() {
    for (from, to, says) in [
        ("to = [\"alice\", \"phone\", \"bob\"]", "to = [\"alice\", \"bo\"]", "there is no client `bo`"),
        ("to = [\"alice\", \"phone\", \"bob\"]", "to = []", "`to` names at least one client"),
        ("to = [\"alice\", \"phone\", \"bob\"]", "to = [\"alice\"]", "no step publishes an event for `bob`"),
        ("publish = { to", "publish = { type = \"a:b\", to", "`publish` has a `type`, or the clients"),
        ("data = { turn = 1 } }", "data = { turn = 1 }, optional = true }", "is not `optional`"),
        ("shows = \"BRIDGE-11\"\n\n", "requires = \"BRIDGE-2\"\n\n", "leave `requires` out"),
        ("type = \"its event\", with", "type = \"its event\", data", "use `with`"),
        (
            "receives = \"its event\"",
            "receives = { any = [\"its event\", \"pong\"] }",
            "`its event` stands alone",
        ),
    ] {
        let text = SCENARIO.replacen(from, to, 1);
        assert_ne!(text, SCENARIO, "{from}");
        let error = parse(&text).unwrap_err();
        assert!(error.contains(says), "{to}: {error}");
    }
}

/// A gateway may call its events as it likes, and their owner too: in what is published, and in what is looked for.
#[test]
fn events_are_bound_to_their_names() {
    let bindings = Bindings {
        case: "c7".to_owned(),
        dialect: Dialect { user_key: "owner_id".to_owned(), ..Dialect::default() },
        users: UserIds::default(),
        roles: RoleNames::default(),
        event_names: [("session:ended".to_owned(), "event".to_owned())].into(),
        rooms: RoomNames::default(),
        seed_rooms: true,
        pages: crate::pages::PagePaths::default(),
        stats: crate::stats::StatsPlaces::default(),
        audiences: Audiences::new(["session:ended"], []),
        owner_keys: BTreeMap::new(),
    };
    let bound = parse(SCENARIO).unwrap().bind(&bindings);
    let text = bound.to_toml();
    assert!(text.contains("type = \"event\"") && !text.contains("userId"), "{text}");
    assert_eq!(
        text.matches("owner_id = \"alice-c7\"").count(),
        3,
        "published, awaited, and expected: {text}"
    );
    let own = Bindings { owner_keys: [("session:ended".to_owned(), "uid".to_owned())].into(), ..bindings };
    let text = parse(SCENARIO).unwrap().bind(&own).to_toml();
    assert_eq!(text.matches("uid = \"alice-c7\"").count(), 3, "{text}");
}
