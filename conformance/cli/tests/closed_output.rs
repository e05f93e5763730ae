//! Closing standard output early causes no error message, and changes no verdict.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

/// `gatecheck` with standard output and standard error as pipes.
fn start(folder: &std::path::Path, arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_gatecheck"))
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("gatecheck runs")
}

/// The exit code, and what was complained about.
fn end(mut child: Child) -> (Option<i32>, String) {
    let mut complaints = String::new();
    let mut stderr = child.stderr.take().expect("its complaints");
    stderr.read_to_string(&mut complaints).expect("text");
    (child.wait().expect("a status").code(), complaints)
}

/// What only prints has done what it was asked to, however little of it was read.
#[test]
fn printing_ends_quietly() {
    for arguments in [
        &["list"][..],
        &["requirements"],
        &["explain", "AUTH-1"],
        &["schema", "report"],
        &["selftest", "--list"],
        &["sim", "run", "--trace", "--filter", "client/dial/**"],
        &["--help"],
    ] {
        let mut child = start(&std::env::temp_dir(), arguments);
        drop(child.stdout.take());
        assert_eq!(end(child), (Some(0), String::new()), "{arguments:?}");
    }
}

const PROFILE: &str = r#"
[gateway]
command = ["{gatecheck}", "reference-server", "--listen", "127.0.0.1:{port}", "--max-message-bytes", "1000000"]
env = { JWT_SECRET = "{jwt_secret}", RABBITMQ_URL = "{amqp_url}" }
ready = { path = "/readyz" }
"#;

/// What judges comes to its verdict, and writes its reports, though only the first line was read.
#[test]
fn judging_goes_on() {
    let passing = ["--filter", "gateway/auth/good-token", "--filter", "gateway/auth/root-path"];
    let failing = ["--filter", "gateway/auth/good-token", "--filter", "gateway/messages/too-long"];
    for (command, filters, code) in [("run", passing, 0), ("gateway", passing, 0), ("gateway", failing, 1)] {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("gatecheck.toml"), PROFILE).expect("a profile");
        let reports = ["--jobs", "1", "--output", "out", "--summary", "summary.md"];
        let mut child = start(folder.path(), &[&[command][..], &filters, &reports].concat());
        let mut first = String::new();
        let mut output = BufReader::new(child.stdout.take().expect("its output"));
        output.read_line(&mut first).expect("a line");
        drop(output);
        assert!(first.contains("gateway/"), "{first}");
        let (ended, said) = end(child);
        // On a busy host the gateway is slow to start, and a hint says so.
        let said: Vec<_> =
            said.lines().filter(|line| !line.contains("to get ready, and starts anew")).collect();
        assert_eq!((ended, said), (Some(code), vec![]), "{command}");
        for report in ["out/report.json", "out/report.html", "out/junit.xml", "out/summary.md", "summary.md"]
        {
            assert!(folder.path().join(report).exists(), "{report}");
        }
    }
    // Nor does a report on standard output that nothing reads.
    let mut child = start(&std::env::temp_dir(), &[&["run", "--format", "json"][..], &passing].concat());
    drop(child.stdout.take());
    assert_eq!(end(child), (Some(0), String::new()));
}

/// The simulation comes to its verdict as well.
#[test]
fn simulating_goes_on() {
    let mut child = start(&std::env::temp_dir(), &["sim", "run", "--filter", "client/dial/**"]);
    drop(child.stdout.take());
    assert_eq!(end(child), (Some(0), String::new()));
}
