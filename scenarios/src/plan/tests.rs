//! Plans as files.

use super::*;

const PLAN: &str = r#"
version = 2
title = "a plan"
subject = "system"
expect = "rules"
seed = 7
gateways = 2
latency = "5ms"

[timing]
ping_interval = "20s"

[clients.ada]
queue = 10
provider = true

[clients.bob]
role = "ADMIN"
gateway = 2
queue = 1000

[[at]]
time = "0s"
client = "ada"
do = "connect"

[[at]]
time = "1s 500ms"
client = "ada"
send = { type = "note", payload = { mark = "m1" }, count = 20 }

[[at]]
time = "2s"
lasts = "8s"
client = "ada"
network = { both = { black_hole = true } }

[[at]]
time = "10s"
lasts = "1s"
client = "ada"
provider = "hangs"

[[at]]
time = "10s"
publish = { type = "payment:created", data = { mark = "e1" } }

[[at]]
time = "11s"
lasts = "3s"
gateway = "killed"
number = 2

[[at]]
time = "12s"
client = "bob"
set_token = { expires_in = 20 }
"#;

fn plan(text: &str) -> Result<Plan, ScenarioError> {
    Plan::parse(ScenarioId("a".to_owned()), text)
}

/// What is written is read back, whatever an entry does.
#[test]
fn plans_are_read_and_written() {
    let read = plan(PLAN).unwrap();
    assert_eq!((read.entries.len(), read.gateways, read.clients["bob"].gateway), (7, 2, 2));
    assert_eq!(plan(&read.to_toml()).unwrap(), read, "{}", read.to_toml());
    assert!(Plan::is_one(PLAN) && !Plan::is_one("subject = \"pair\"\ntitle = \"\\\"system\\\"\""));
}

/// What ends at a time comes before what begins then.
#[test]
fn ends_come_first() {
    let moments = plan(PLAN).unwrap().moments();
    let at_10: Vec<_> = moments
        .iter()
        .filter(|moment| moment.at == Duration::from_secs(10))
        .map(|moment| (moment.entry, moment.is_over))
        .collect();
    assert_eq!(at_10, [(2, true), (3, false), (4, false)]);
    assert_eq!(plan(PLAN).unwrap().last_moment(), Duration::from_secs(14));
}

/// Nothing is ignored: what does not fit is an error at its line.
#[test]
fn what_does_not_fit_is_an_error() {
    for (right, wrong, said) in [
        ("client = \"bob\"\nset", "client = \"eve\"\nset", "no client `eve`"),
        ("lasts = \"3s\"\ngateway", "gateway", "has an end"),
        ("time = \"10s\"\npublish", "time = \"10s\"\nlasts = \"1s\"\npublish", "does not last"),
        ("number = 2", "number = 3", "no gateway 3"),
        ("client = \"ada\"\nprovider", "client = \"bob\"\nprovider", "no token provider"),
        ("time = \"12s\"", "time = \"3s\"", "order of their times"),
        ("do = \"connect\"", "do = \"connect\"\nprocess = \"sleeps\"", "a step does one thing"),
        ("gateway = 2\nqueue", "gateway = 3\nqueue", "a gateway that there is not"),
        ("time = \"12s\"", "time = \"25h\"", "at most"),
        ("publish = ", "broker = \"closes_other_channels\"\n# ", "one queue and one channel"),
    ] {
        assert!(PLAN.contains(right), "{right}");
        let error = plan(&PLAN.replace(right, wrong)).expect_err(wrong).to_string();
        assert!(error.contains(said), "{wrong}: {error}");
    }
}

/// The page about the language shows a plan.
#[test]
fn the_documented_plan_is_one() {
    let page = include_str!("../../README.md");
    let (_, section) = page.split_once("## Plans").expect("a section about plans");
    let (_, block) = section.split_once("```toml\n").expect("an example");
    let (example, _) = block.split_once("```").expect("its end");
    assert_eq!(plan(example).unwrap().entries.len(), 4);
}
