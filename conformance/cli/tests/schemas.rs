//! The schemas of what people write: they are those in the tree, allow what is read, and refuse slips.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

fn printed(kind: &str) -> Value {
    let printed =
        Command::new(env!("CARGO_BIN_EXE_gatecheck")).args(["schema", kind]).output().expect("it runs");
    serde_json::from_slice(&printed.stdout).expect("a schema")
}

fn conformance() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The schemas in the tree are those that this build prints.
#[test]
fn schemas_in_the_tree_are_current() {
    for kind in ["profile", "known-failing"] {
        let path = conformance().join(format!("schemas/{kind}.schema.json"));
        let kept: Value =
            serde_json::from_str(&fs::read_to_string(path).unwrap_or_default()).unwrap_or_default();
        assert_eq!(kept, printed(kind), "gatecheck schema {kind} > conformance/schemas/{kind}.schema.json");
    }
}

/// Every profile and list in the tree is as the schema says, and so is every line of the template.
#[test]
fn files_of_the_tree_match() {
    let (profile, known) = (printed("profile"), printed("known-failing"));
    let profile = jsonschema::validator_for(&profile).unwrap();
    let known = jsonschema::validator_for(&known).unwrap();
    let mut count = 0;
    for example in fs::read_dir(conformance().join("examples")).unwrap() {
        let folder = example.unwrap().path();
        for (name, validator) in [("gatecheck.toml", &profile), ("known-failing.toml", &known)] {
            let Ok(text) = fs::read_to_string(folder.join(name)) else { continue };
            let value = serde_json::to_value(toml::from_str::<toml::Table>(&text).unwrap()).unwrap();
            let errors: Vec<_> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
            assert!(errors.is_empty(), "{}/{name}: {errors:?}", folder.display());
            count += 1;
        }
    }
    assert!(count > 10, "{count}");
    let mut table = "";
    for line in conformance::profile::TEMPLATE.lines() {
        let text = match line.strip_prefix("# ") {
            Some(key) if !table.is_empty() => format!("{table}\n{key}"),
            _ => {
                if line.starts_with('[') {
                    table = line;
                }
                continue;
            }
        };
        let mut value = serde_json::to_value(toml::from_str::<toml::Table>(&text).unwrap()).unwrap();
        // What a table cannot be without.
        if value["client"].is_object() {
            value["client"]["command"] = json!(["a"]);
        }
        if let Some(event) = value["event"].get_mut(0) {
            for (key, needed) in [("for", "owner"), ("type", "a")] {
                event.as_object_mut().unwrap().entry(key).or_insert(needed.into());
            }
        }
        let errors: Vec<_> = profile.iter_errors(&value).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{text}: {errors:?}");
    }
}

/// A slip is one in an editor, too.
#[test]
fn slips_are_refused() {
    let profile = jsonschema::validator_for(&printed("profile")).unwrap();
    for slip in [
        json!({ "gatway": {} }),
        json!({ "gateway": { "comand": ["a"] } }),
        json!({ "dialect": "seeed" }),
        json!({ "dialect": { "heartbeat": "pings" } }),
        json!({ "dialect": { "closes": { "forbidden": 4403 } } }),
        json!({ "timing": { "ping_intervall": "1s" } }),
        json!({ "event": [{ "for": "anybody", "type": "a" }] }),
        json!({ "client": { "command": ["a"], "design": { "queue": "refused" } } }),
        json!({ "token": { "algorithm": "HS1" } }),
    ] {
        assert!(!profile.is_valid(&slip), "{slip}");
    }
    assert!(
        profile.is_valid(&json!({ "dialect": "bearer", "claims": { "without": ["everybody", "CONN-9"] } }))
    );
}
