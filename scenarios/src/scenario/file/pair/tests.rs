use crate::scenario::{Scenario, ScenarioError, ScenarioId};

fn parse(text: &str) -> Result<Scenario, ScenarioError> {
    Scenario::parse(ScenarioId("pair/t".to_owned()), text)
}

const PAIR: &str = r#"
version = 2
title = "t"
subject = "pair"
[client]
role = "ADMIN"
listen = ["payment:created"]
[[step]]
network = { to_client = { black_hole = true } }
[[step]]
gateway = "kill"
[[step]]
publish = { type = "payment:created", data = { by = "{other}" } }
[[step]]
wait = { opens = true }
requires = "AUTH-1"
[[step]]
wait = { emits = "payment:created" }
shows = "PAIR-2"
"#;

/// A scenario about a pair rests on what is required of either half, and shows what is required of both together.
#[test]
fn a_pair_has_a_language_of_its_own() {
    let scenario = parse(PAIR).unwrap();
    assert_eq!((scenario.subject(), scenario.simulated), (crate::SubjectKind::Pair, false));
    assert_eq!(parse(&scenario.to_toml()).unwrap(), scenario);
    for (from, to, says) in [
        ("shows = \"PAIR-2\"", "shows = \"ROOM-1\"", "ROOM-1 is about a gateway"),
        ("{other}", "{alice}", "`{alice}` stands for nothing"),
        ("gateway = \"kill\"", "gateway = { drop = true }", "kill"),
        ("to_client", "to_subject", "expected `\"clear\"`"),
        ("{ opens = true }", "{ client = \"alice\", opens = true }", "there is one client here"),
        ("requires = \"AUTH-1\"\n", "", "a wait says what it rests on"),
        ("gateway = \"kill\"", "quiet = \"1s\"\ngateway = \"kill\"", "`gateway` does not go with `quiet`"),
    ] {
        assert!(PAIR.contains(from), "{from}");
        let error = parse(&PAIR.replacen(from, to, 1)).unwrap_err();
        assert!(error.to_string().contains(says), "{to}: {error}");
    }
}
