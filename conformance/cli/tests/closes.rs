//! A close that the profile declares for what is not understood is judged by its code.

use std::process::{Command, Stdio};

use serde_json::Value;

/// The verdicts on both cases of a gateway that closes with 4400, where this is declared.
fn verdicts(declared: &str) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder");
    let profile = include_str!("../../src/profile/reference.toml")
        .replace("{dialect}", r#"{\"closes\":{\"bad_message\":4400,\"unknown_type\":4400}}"#);
    let path = folder.path().join("gatecheck.toml");
    std::fs::write(&path, format!("{profile}\n[dialect]\n{declared}\n")).expect("a profile");
    let output = Command::new(env!("CARGO_BIN_EXE_gatecheck"))
        .args(["gateway", "--no-preflight", "--format", "json", "--filter", "gateway/messages/closes-on-*"])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .output()
        .expect("gatecheck runs");
    let report: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    let cases = report["cases"].as_array().into_iter().flatten();
    cases.map(|case| case["verdict"].as_str().unwrap_or_default().to_owned()).collect()
}

/// With the declared code it passes, with another it fails, and without any there is nothing to judge. A busy host may leave open what
/// was waited for.
#[test]
fn a_declared_close_is_judged() {
    let of = |declared, verdict| {
        let verdicts = verdicts(declared);
        let fits = verdicts.iter().all(|found| found == verdict || found == "inconclusive");
        assert!(verdicts.len() == 2 && fits, "{declared}: {verdicts:?}");
    };
    of("closes = { bad_message = 4400, unknown_type = 4400 }", "pass");
    of("closes = { bad_message = 4401, unknown_type = 4402 }", "fail");
    of("", "not_run");
}
