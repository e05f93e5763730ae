//! `bench compare` and `bench history`, on the reference gateway. What is decided here rests on `bytes_per_delivery`, which no
//! busy host changes; what noise does to the others is simulated in `conformance/load/tests/gate`.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use gatecheck_load::Run;
use gatecheck_load::compare::Report;
use gatecheck_load::measure::Measure;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

const GATECHECK: &str = env!("CARGO_BIN_EXE_gatecheck");
/// A load that takes no time, and what it says for certain.
const SMALL: [&str; 8] =
    ["--workload", "burst", "--clients", "4", "--events", "10", "--measure", "bytes_per_delivery"];

fn gatecheck(folder: &Path, args: &[&str]) -> Output {
    Command::new(GATECHECK).current_dir(folder).args(["bench"]).args(args).output().expect("gatecheck starts")
}

/// A comparison of a small load that prints JSON.
fn compared(folder: &Path, args: &[&str]) -> (Option<i32>, Value) {
    let output = gatecheck(folder, &[&["compare", "--format", "json"], &SMALL[..], args].concat());
    let text = String::from_utf8_lossy(&output.stdout);
    let said = serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{error}: {text}{}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code(), said)
}

/// The reference gateway; `more` are its arguments beside those that it needs, `dialect` is what the profile says of it.
fn profile(more: &str, dialect: &str) -> String {
    format!(
        "{dialect}\n[gateway]\ncommand = [\"{GATECHECK}\", \"reference-server\", \"--listen\", \"127.0.0.1:{{port}}\", \
         \"--exchange\", \"{{exchange}}\", \"--queue-name\", \"{{queue}}\", \"--log\", \"warn\"{more}]\n\
         ready = {{ path = \"/readyz\", timeout = \"30s\" }}\n\
         [gateway.env]\nJWT_SECRET = \"{{jwt_secret}}\"\nRABBITMQ_URL = \"{{amqp_url}}\"\n"
    )
}

fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder of the test");
    fs::write(folder.path().join("gatecheck.toml"), profile("", "")).expect("a file of the test");
    folder
}

/// A build whose frames are longer is slower by that measure, with the ratio and every block behind it; the other way round it
/// is faster, which has its own exit code, or is allowed.
#[test]
fn each_verdict_has_its_exit_code() {
    let folder = folder();
    let longer = profile(", \"--dialect\", \"enveloped\"", "dialect = \"enveloped\"");
    fs::write(folder.path().join("longer.toml"), longer).expect("a file of the test");
    let (code, report) =
        compared(folder.path(), &["--base-profile", "gatecheck.toml", "--new-profile", "longer.toml"]);
    assert_eq!((code, &report["verdict"]), (Some(1), &"slower".into()), "{report}");
    assert_eq!(report["blocks"].as_array().map(Vec::len), Some(36));
    assert!(report["findings"][0]["ratio"].as_f64() > Some(1.05), "{report}");
    let schema: Value = serde_json::from_str(include_str!("../../schemas/compare.schema.json")).unwrap();
    assert_eq!(
        schema,
        Report::schema(),
        "gatecheck schema compare > conformance/schemas/compare.schema.json"
    );
    assert!(jsonschema::validator_for(&schema).unwrap().is_valid(&report), "{report}");

    let swapped = ["--base-profile", "longer.toml", "--new-profile", "gatecheck.toml"];
    let (code, report) = compared(folder.path(), &swapped);
    assert_eq!((code, &report["verdict"]), (Some(7), &"faster".into()), "{report}");
}

/// Equal builds, given as commands, are the same; a comparison whose time is over at once is too noisy to say.
#[test]
fn equal_builds_are_the_same() {
    let folder = folder();
    let command = format!(
        "{GATECHECK} reference-server --listen 127.0.0.1:{{port}} --exchange {{exchange}} --queue-name {{queue}} --log warn"
    );
    let pair = ["--base", &command, "--new", &command];
    let (code, report) = compared(folder.path(), &pair);
    assert_eq!((code, &report["verdict"]), (Some(0), &"same".into()), "{report}");
    let short = |more: &[&str]| compared(folder.path(), &[&pair[..], &["--time", "1ms"], more].concat());
    let (code, report) = short(&[]);
    assert_eq!((code, &report["verdict"]), (Some(3), &"too_noisy".into()), "{report}");
    assert_eq!(short(&["--allow", "too-noisy"]).0, Some(0));
}

/// Ctrl-C ends the block that runs, and what was decided until then is printed.
#[test]
fn an_interruption_ends_it_with_what_there_is() {
    let folder = folder();
    let pair = ["--base-profile", "gatecheck.toml", "--new-profile", "gatecheck.toml"];
    let mut comparing = Command::new(GATECHECK)
        .current_dir(folder.path())
        .args(["bench", "compare", "--format", "json", "--clients", "4", "--duration", "300ms"])
        .args(pair)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("gatecheck starts");
    let mut progress = BufReader::new(comparing.stderr.take().expect("a pipe")).lines();
    let first = progress.find(|line| line.as_ref().is_ok_and(|line| line.contains(" 4 blocks of ")));
    assert!(first.is_some(), "four blocks are run");
    let pid = Pid::from_raw(comparing.id().cast_signed()).expect("a process id");
    kill_process(pid, Signal::INT).expect("it runs");
    let output = comparing.wait_with_output().expect("it ends");
    let report: Value = serde_json::from_slice(&output.stdout).expect("a report is JSON");
    assert_eq!((output.status.code(), &report["interrupted"]), (Some(130), &true.into()), "{report}");
    assert_eq!(report["verdict"], "too_noisy");
}

/// Revisions are checked out, built and compared, and nothing of them is left; a build that fails is an error with what it said.
#[test]
fn revisions_are_built_beside_the_working_tree() {
    let folder = tempfile::tempdir().expect("a folder of the test");
    let git = |args: &[&str]| {
        let output = Command::new("git")
            .current_dir(folder.path())
            .args(["-c", "user.name=a", "-c", "user.email=a@example.org"])
            .args(args)
            .output()
            .expect("git starts");
        assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    git(&["init", "--quiet"]);
    let by_script = profile("", "").replace(&format!("\"{GATECHECK}\""), "\"./gateway\"");
    fs::create_dir(folder.path().join("in")).expect("a folder of the test");
    fs::write(folder.path().join("in/gatecheck.toml"), by_script).expect("a file of the test");
    for revision in ["one", "two"] {
        let script = format!("#!/bin/sh\n# {revision}\nexec {GATECHECK} \"$@\"\n");
        fs::write(folder.path().join("in/gateway.sh"), script).expect("a file of the test");
        git(&["add", "."]);
        git(&["commit", "--quiet", "-m", revision]);
    }
    let inner = folder.path().join("in");
    let build = "cp gateway.sh gateway && chmod +x gateway";
    let (code, report) = compared(&inner, &["--base-rev", "HEAD~1", "--build", build]);
    assert_eq!(code, Some(0), "{report}");
    assert!(report["base"].as_str().is_some_and(|base| base.starts_with("HEAD~1 (")), "{report}");
    assert_eq!(git(&["worktree", "list"]).lines().count(), 1);
    assert!(!inner.join("gateway").exists(), "the working tree is left alone");

    let broken =
        gatecheck(&inner, &["compare", "--base-rev", "HEAD~1", "--build", "echo no compiler; exit 7"]);
    let said = String::from_utf8_lossy(&broken.stderr).into_owned();
    assert_eq!(broken.status.code(), Some(2), "{said}");
    assert!(said.contains("exit code 7") && said.contains("no compiler"), "{said}");
    let unknown = gatecheck(&inner, &["compare", "--base-rev", "nowhere", "--build", "true"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert_eq!(git(&["worktree", "list"]).lines().count(), 1);
}

/// What cannot be compared is one error that says what to do.
#[test]
fn wrong_usage_is_told() {
    let folder = folder();
    let none = "--base ./none --new ./none";
    for (args, code, says) in [
        ("", 2, "which builds are to be compared?"),
        ("--base x", 2, "--new"),
        ("--base-rev HEAD", 2, "--build"),
        ("--base x --new x --measure speed", 2, "there is no measure `speed`"),
        ("--base x --new x --measure lost", 2, "has no ratio"),
        ("--base x --new x --within 3", 2, "such as 3%"),
        ("--base x --new x --workload ramp", 2, "a ramp is too long"),
        (none, 4, "the new build"),
    ] {
        let args: Vec<_> = ["compare"].into_iter().chain(args.split_whitespace()).collect();
        let output = gatecheck(folder.path(), &args);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
        assert!(said.contains(says), "{args:?}: {said}");
    }
}

/// Stored results make a page, and a change is told on the console; what is no result is an error that names its file.
#[test]
fn history_marks_a_change() {
    let folder = folder();
    let files: Vec<String> = (0..16)
        .map(|day| {
            let mut run = Run::sample();
            run.started = format!("2026-01-{:02}T03:04:05Z", day + 1);
            run.measures.insert(Measure::P99, if day < 8 { 10.0 } else { 14.0 } + f64::from(day % 3));
            let file = format!("{day:02}.json");
            fs::write(folder.path().join(&file), run.to_json()).expect("a file of the test");
            file
        })
        .collect();
    let args: Vec<&str> = ["history"].into_iter().chain(files.iter().map(String::as_str)).collect();
    let output = gatecheck(folder.path(), &args);
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(
        said.contains("p99 +36.4 %, worse: 11.0 ms → 15.0 ms since 2026-01-09T03:04:05Z (08.json)"),
        "{said}"
    );
    let page = fs::read_to_string(folder.path().join("bench-history.html")).expect("the page is written");
    assert!(page.contains("<h1>1 change</h1>"));

    let wrong = gatecheck(folder.path(), &["history", "gatecheck.toml"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("gatecheck.toml"));
}
