use super::*;

const GOOD: &str = r#"
version = 1
title = "A subscriber gets what it asked for"
subject = "gateway"

[clients.alice]
[clients.bob]
user = "alice"

[[step]]
client = "alice"
subscribe = { room = "catalog:changed" }

[[step]]
publish = { type = "profile:updated", data = { userId = "{alice}" }, count = 2 }

[[step]]
wait = { client = "alice", receives = "profile:updated" }
times = 2
requires = "BRIDGE-4"

[[expect]]
requirement = "ROOM-1"
some = { client = "alice", receives = "subscribed" }
"#;

fn parse(text: &str) -> Result<Scenario, ScenarioError> {
    Scenario::parse(ScenarioId("t".to_owned()), text)
}

/// A scenario reads as it is written; names in braces become the run's own.
#[test]
fn a_scenario_reads_and_binds() {
    let scenario = parse(GOOD).unwrap();
    assert_eq!(scenario.steps.len(), 3);
    assert_eq!(scenario.requirements()[0].to_string(), "ROOM-1");
    let bindings = Bindings { case: "c7".to_owned() };
    assert_eq!(scenario.user_id("bob", &bindings), "alice-c7");
    let Action::Publish(publication) = &scenario.bind(&bindings).steps[1].action else {
        panic!("a publish step")
    };
    assert_eq!(publication.bodies[1], r#"{"data":{"seq":2,"userId":"alice-c7"},"type":"profile:updated"}"#);
    assert_eq!(publication.routing_key, "profile.updated");
}

/// Each slip is reported at its line, with a hint where one is near.
#[test]
fn slips_are_reported_where_they_are() {
    for (from, to, line, says, hint) in [
        ("version = 1", "version = 2", 2, "version 2 is unknown", None),
        ("[clients.bob]\nuser", "[clients.bob]\nusr", 8, "unknown field `usr`", Some("`user`")),
        ("user = \"alice\"", "user = \"alcie\"", 7, "names no client", Some("`alice`")),
        ("client = \"alice\"\nsub", "client = \"alicia\"\nsub", 10, "no client `alicia`", Some("`alice`")),
        ("subscribe = {", "subscrbe = {", 12, "unknown field `subscrbe`", Some("`subscribe`")),
        (
            "requires = \"BRIDGE-4\"",
            "requires = \"BRIGDE-4\"",
            17,
            "no requirement BRIGDE-4",
            Some("BRIDGE-4"),
        ),
        ("times = 2", "times = \"two\"", 19, "`two` is not a time", None),
        ("times = 2", "quiet = \"1s\"", 17, "does 2 things", None),
        ("\"ROOM-1\"", "\"BACKOFF-1\"", 22, "is about a client", None),
    ] {
        let text = GOOD.replacen(from, to, 1);
        assert_ne!(text, GOOD, "{from}");
        let error = parse(&text).unwrap_err();
        assert!(error.to_string().contains(says), "{from}: {error}");
        assert_eq!(error.line(), Some(line), "{from}: {error}");
        assert_eq!(error.hint().is_some(), hint.is_some(), "{from}: {:?}", error.hint());
        assert!(
            error.hint().unwrap_or_default().contains(hint.unwrap_or_default()),
            "{from}: {:?}",
            error.hint()
        );
    }
}

/// A scenario that expects nothing would pass whatever happens.
#[test]
fn a_scenario_expects_something() {
    let (without, _) = GOOD.split_once("[[expect]]").unwrap();
    assert!(parse(without).unwrap_err().to_string().contains("expects nothing"));
}
