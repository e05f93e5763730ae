//! The schema of the adapter protocol is derived from the types that both sides write, and everything that is said is as it says.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::{Arc, Mutex};

use conformance::profile::Profile;
use jsonschema::Validator;
use scenarios::{Library, SubjectKind};
use serde_json::{Value, json};
use sim::boundary::{AdapterLine, Boundary, Lines};
use sim::{Options, play_through};

const SCHEMA: &str = include_str!("../../schemas/adapter.schema.json");

/// Everything that was said, from either side.
#[derive(Default)]
struct Heard {
    requests: Vec<Value>,
    reports: Vec<Value>,
}

struct Listening(Arc<Mutex<Heard>>);

impl Lines for Listening {
    fn request(&mut self, line: Value) -> AdapterLine {
        self.0.lock().expect("no panic while the lock is held").requests.push(line.clone());
        AdapterLine { to_adapter: vec![line], to_judge: Vec::new() }
    }

    fn report(&mut self, line: Value) -> AdapterLine {
        self.0.lock().expect("no panic while the lock is held").reports.push(line.clone());
        AdapterLine { to_adapter: Vec::new(), to_judge: vec![line] }
    }
}

/// The schema in the tree is the one that this build prints.
#[test]
fn the_schema_in_the_tree_is_current() {
    let printed = Command::new(env!("CARGO_BIN_EXE_gatecheck")).args(["schema", "adapter"]).output().unwrap();
    assert_eq!(
        String::from_utf8(printed.stdout).unwrap(),
        SCHEMA,
        "gatecheck schema adapter > conformance/schemas/adapter.schema.json"
    );
}

/// Every line of every simulated case about a client is as the schema says, and nothing of the schema is never said.
#[test]
fn all_lines_match_the_schema() {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let heard = hear();
    let mut said = BTreeSet::new();
    for (lines, names) in [(&heard.requests, &["request"][..]), (&heard.reports, &["answer", "report"])] {
        let validator = part(&schema, names);
        for line in lines {
            if let Err(error) = validator.validate(line) {
                panic!("{line}\n  is no {}: {error}", names.join(" or "));
            }
            said.extend(
                [&line["op"], &line["event"]].into_iter().filter_map(Value::as_str).map(str::to_owned),
            );
        }
    }
    // How a case ends is the harness's affair: it may close the input just as well.
    said.insert("exit".to_owned());
    assert_eq!(defined(&schema, "request", "op").union(&defined(&schema, "report", "event")).count(), 26);
    for name in defined(&schema, "request", "op").iter().chain(&defined(&schema, "report", "event")) {
        assert!(said.contains(name), "no scenario produces `{name}`");
    }
}

/// A line that lacks a property, or has an unknown one, is invalid.
#[test]
fn the_schema_refuses() {
    let validator = jsonschema::validator_for(&serde_json::from_str(SCHEMA).unwrap()).unwrap();
    assert!(validator.is_valid(&json!({ "id": 1, "op": "connect" })));
    for line in [
        json!({ "op": "connect" }),
        json!({ "id": 1, "op": "conect" }),
        json!({ "id": 1, "op": "connect", "url": "ws://127.0.0.1/" }),
        json!({ "id": 1, "op": "subscribe", "target": {} }),
        json!({ "id": 1 }),
        json!({ "event": "status", "status": "open" }),
        json!({ "event": "refetch" }),
    ] {
        assert!(!validator.is_valid(&line), "{line}");
    }
}

fn hear() -> Heard {
    let heard = Arc::new(Mutex::new(Heard::default()));
    let library = Library::builtin().expect("sound scenarios");
    let options = Options { timing: Profile::reference().timing, ..Options::default() };
    for scenario in library.iter().filter(|one| one.simulated && one.subject() == SubjectKind::Client) {
        let ear = Arc::clone(&heard);
        let lines = Arc::new(move || Box::new(Listening(Arc::clone(&ear))) as Box<dyn Lines>);
        let boundary = Boundary { lines: Some(lines), ..Boundary::default() };
        play_through(scenario, &options, boundary).expect("the schema and the scenarios are sound");
    }
    std::mem::take(&mut heard.lock().expect("no panic while the lock is held"))
}

/// The schema of these parts of the protocol alone.
fn part(schema: &Value, names: &[&str]) -> Validator {
    let of: Vec<_> = names.iter().map(|name| json!({ "$ref": format!("#/$defs/{name}") })).collect();
    jsonschema::validator_for(&json!({ "anyOf": of, "$defs": schema["$defs"] }))
        .expect("the schema and the scenarios are sound")
}

/// The values that distinguish the variants of a part.
fn defined(schema: &Value, part: &str, by: &str) -> BTreeSet<String> {
    let forms = schema["$defs"][part]["oneOf"].as_array().expect("the schema and the scenarios are sound");
    forms
        .iter()
        .map(|form| {
            form["properties"][by]["const"]
                .as_str()
                .expect("the schema and the scenarios are sound")
                .to_owned()
        })
        .collect()
}
