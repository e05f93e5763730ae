//! The files that a run writes, and the list of what is known to fail, as their users meet them: the reference gateway with a
//! limit that is too wide violates MSG-5.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// The case that shows MSG-5, and one that passes.
const FILTER: [&str; 4] = ["--filter", "gateway/messages/too-long", "--filter", "gateway/auth/good-token"];
const PROFILE: &str = r#"
[gateway]
command = ["{gatecheck}", "reference-server", "--listen", "127.0.0.1:{port}", "--max-message-bytes", "LIMIT"]
env = { JWT_SECRET = "{jwt_secret}", RABBITMQ_URL = "{amqp_url}" }
ready = { path = "/readyz" }
"#;

/// A folder with the profile of a gateway whose limit on messages is this many bytes.
fn gateway(limit: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("gatecheck.toml"), PROFILE.replace("LIMIT", limit)).expect("a profile");
    folder
}

/// `gatecheck gateway` in this folder: its exit code, and all that it printed.
fn judge(folder: &Path, arguments: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_gatecheck"))
        .current_dir(folder)
        .arg("gateway")
        .args(FILTER)
        .args(arguments)
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .output()
        .expect("gatecheck runs");
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().expect("an exit code"), String::from_utf8_lossy(&text).into_owned())
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A folder gets every report; the JSON is as its schema says, the XML as CI systems read it; the summary is added to a file.
#[test]
fn a_folder_gets_every_report() {
    let folder = gateway("1000000");
    let summary = folder.path().join("step-summary.md");
    fs::write(&summary, "before\n").expect("a file");
    let (code, text) =
        judge(folder.path(), &["--output", "out", "--summary", "step-summary.md", "--format", "markdown"]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("## ❌ Gatecheck: 1 of 2 selected cases passed; 1 failed\n"), "{text}");
    assert!(text.contains("| **MSG-5** |"), "{text}");
    assert!(read(&summary).starts_with("before\n## ❌"), "{}", read(&summary));

    let out = folder.path().join("out");
    let schema = serde_json::from_str(include_str!("../../../schemas/report.schema.json")).expect("a schema");
    let report: Value = serde_json::from_str(&read(&out.join("report.json"))).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let errors: Vec<_> = validator.iter_errors(&report).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    assert!(report["cases"].as_array().is_some_and(|cases| cases.len() == 2));

    junit(&out.join("junit.xml"));
    let page = read(&out.join("report.html"));
    assert!(
        page.contains("gateway/messages/too-long") && page.contains("<svg class=\"sequence"),
        "a diagram"
    );
    assert!(read(&out.join("summary.md")).contains("MSG-5"));
    assert!(!read(&out.join("traces/gateway/auth/good-token.jsonl")).is_empty());
}

/// By structure always, by the schema where `xmllint` is installed.
fn junit(path: &Path) {
    use quick_xml::Reader;
    use quick_xml::events::Event;

    let text = read(path);
    let mut reader = Reader::from_str(&text);
    let (mut open, mut seen): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    loop {
        match reader.read_event().expect("XML") {
            Event::Start(tag) => {
                open.push(String::from_utf8_lossy(tag.name().as_ref()).into_owned());
                seen.push(open.join("/"));
            }
            Event::Empty(tag) => {
                seen.push(format!("{}/{}", open.join("/"), String::from_utf8_lossy(tag.name().as_ref())));
            }
            Event::End(_) => drop(open.pop()),
            Event::Eof => break,
            _ => {}
        }
    }
    let count = |path: &str| seen.iter().filter(|seen| *seen == path).count();
    assert_eq!((count("testsuites"), count("testsuites/testsuite")), (1, 1), "{text}");
    assert!(count("testsuites/testsuite/testcase") >= 2, "{text}");
    assert_eq!(count("testsuites/testsuite/testcase/failure"), 1, "{text}");
    assert!(text.contains("MSG-5: A message over the size limit") && text.contains("expected: "), "{text}");

    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/../report/tests/junit.xsd");
    match Command::new("xmllint").args(["--noout", "--schema", schema]).arg(path).output() {
        Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr)),
        Err(error) => eprintln!("not held against the schema: xmllint: {error}"),
    }
}

/// A listed failure does not fail the run until the case passes or the entry expires; the run can write the list itself.
#[test]
fn known_failures_are_listed() {
    let broken = gateway("1000000");
    let list = broken.path().join("known-failing.toml");
    let (code, text) = judge(broken.path(), &["--update-baseline"]);
    assert_eq!(code, 0, "{text}");
    let written = read(&list);
    assert!(written.contains("MSG-5") && written.contains("gateway/messages/too-long"), "{written}");
    assert_eq!(written.matches("[[known]]").count(), 1, "{written}");

    let reason = "the proxy in front has no limit";
    fs::write(&list, written.replace("failed when this list was written; say why", reason)).expect("a list");
    let (code, text) = judge(broken.path(), &[]);
    assert_eq!(code, 0, "{text}");
    assert!(
        text.contains("known  gateway/messages/too-long") && text.contains("1 known failures: MSG-5"),
        "{text}"
    );
    judge(broken.path(), &["--update-baseline"]);
    assert!(read(&list).contains(reason), "reasons stay");

    fs::write(&list, format!("{}expires = 2020-02-29\n", read(&list))).expect("a list");
    let (code, text) = judge(broken.path(), &[]);
    assert_eq!(code, 1, "{text}");
    assert!(
        text.contains("expired on 2020-02-29") && text.contains("FAIL  gateway/messages/too-long"),
        "{text}"
    );
    let (_, junit) = judge(broken.path(), &["--format", "junit"]);
    assert!(junit.contains("<testsuite name=\"known-failing.toml\" tests=\"1\""), "{junit}");

    let fixed = gateway("65536");
    fs::write(fixed.path().join("known-failing.toml"), &written).expect("a list");
    let (code, text) = judge(fixed.path(), &[]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("unexpected pass") && text.contains("off the list"), "{text}");
    let (code, text) = judge(fixed.path(), &["--update-baseline"]);
    assert_eq!(code, 0, "{text}");
    assert!(!read(&fixed.path().join("known-failing.toml")).contains("[[known]]"), "{text}");
}

/// An invalid list is an error that names the line, before anything is started.
#[test]
fn an_invalid_list_is_reported() {
    let folder = gateway("65536");
    for (list, says) in [
        ("[[known]]\ncase = \"gateway/no/such\"\nreason = \"r\"\n", "known-failing.toml:1: no case matches"),
        (
            "[[known]]\ncase = \"gateway/**\"\nreason = \"r\"\nwho = 1\n",
            "known-failing.toml:4: unknown field `who`",
        ),
    ] {
        fs::write(folder.path().join("known-failing.toml"), list).expect("a list");
        let (code, text) = judge(folder.path(), &[]);
        let flowing = text.replace('│', " ").split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(code == 2 && flowing.contains(says), "{code}: {text}");
    }
    let (code, text) = judge(folder.path(), &["--known-failing", "nowhere.toml"]);
    assert!(code == 2 && text.contains("cannot read nowhere.toml"), "{text}");
}

/// Cases can be repeated and divided, and each division is a run of its own.
#[test]
fn cases_are_repeated_and_divided() {
    let folder = gateway("1000000");
    let (code, text) = judge(folder.path(), &["--repeat", "3", "--format", "json"]);
    assert_eq!(code, 1, "{text}");
    let report: Value = serde_json::from_str(&text).expect("JSON");
    let cases = report["cases"].as_array().expect("cases");
    assert_eq!(cases.len(), 2);
    let failed = cases.iter().find(|case| case["verdict"] == "fail").expect("MSG-5 fails");
    assert_eq!(failed["outcomes"]["fail"], 3, "{failed}");

    let mut seen = Vec::new();
    for shard in ["1/2", "2/2"] {
        let (_, text) = judge(folder.path(), &["--shard", shard, "--format", "json"]);
        let report: Value = serde_json::from_str(&text).expect("JSON");
        let cases = report["cases"].as_array().expect("cases");
        seen.extend(cases.iter().map(|case| case["id"].as_str().unwrap_or_default().to_owned()));
        assert_eq!(report["summary"]["not_shown"], 0, "a part is judged by what it shows: {text}");
    }
    seen.sort();
    assert_eq!(seen, ["gateway/auth/good-token", "gateway/messages/too-long"]);
    let (code, text) = judge(folder.path(), &["--shard", "3/3"]);
    assert!(code == 2 && text.contains("no case is selected for this shard"), "{text}");
}

/// With `--verbose`, each expectation has a line.
#[test]
fn verbose_prints_expectations() {
    let folder = gateway("65536");
    let (_, short) = judge(folder.path(), &[]);
    let (code, long) = judge(folder.path(), &["-v"]);
    assert_eq!(code, 0, "{long}");
    assert!(!short.contains("holds") && long.contains("MSG-5      holds"), "{long}");
}

/// What stays undecided is not conformant, says why, and has an exit code of its own, which can be allowed.
#[test]
fn undecided_has_its_own_exit_code() {
    let folder = gateway("65536");
    let profile = folder.path().join("gatecheck.toml");
    // Every event has a body that this gateway does not understand.
    let events = "[events]\nbody = '{\"what\":\"{type}\",\"of\":\"{data}\"}'\n";
    fs::write(&profile, read(&profile) + events).expect("a profile");
    let arguments = ["--no-preflight", "--filter", "gateway/rooms/private"];
    let (code, text) = judge(folder.path(), &arguments);
    assert_eq!(code, 6, "{text}");
    assert!(text.contains(" undecided:") && text.contains("blocked by BRIDGE-"), "{text}");
    assert!(text.contains(" selected cases passed; 1 blocked (exit code 6)"), "{text}");
    let (code, text) = judge(folder.path(), &[&arguments[..], &["--allow-undecided"]].concat());
    assert_eq!(code, 0, "{text}");
    assert!(text.contains(" selected cases passed; 1 blocked (exit code 0)"), "{text}");
    let (_, text) = judge(folder.path(), &[&arguments[..], &["--format", "json"]].concat());
    let report: Value = serde_json::from_str(&text).expect("JSON");
    let lines = report["requirements"].as_array().expect("requirements");
    let line = lines.iter().find(|line| line["standing"] == "undecided").expect("one is undecided");
    assert_eq!(line["reasons"][0]["why"], "blocked", "{line}");
    assert_eq!((&report["exit_code"], &report["selection"]), (&6.into(), &true.into()));
}
