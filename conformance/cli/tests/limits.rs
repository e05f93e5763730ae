//! What the host has too little of is the harness's error, and never the subject's.

use std::process::{Command, Stdio};

/// What `gatecheck` says, and its exit code, in a shell that has set limits before.
fn limited(limits: &str, arguments: &[&str]) -> (i32, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let output = Command::new("sh")
        .args(["-c", &format!("{limits}; exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_gatecheck")])
        .args(arguments)
        .current_dir(folder.path())
        .env("NO_COLOR", "1")
        .env("NO_GRAPHICS", "1")
        .stdin(Stdio::null())
        .output()
        .expect("a shell");
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8(text).expect("reports are text");
    let words = text.split_whitespace().filter(|word| *word != "│");
    (output.status.code().expect("an exit code"), words.collect::<Vec<_>>().join(" "))
}

/// A fleet without enough descriptors is not started, no client is reported dead, and the error says what it needs.
#[test]
fn a_fleet_needs_descriptors() {
    let (code, text) = limited("ulimit -n 120", &["run", "--filter", "client/backoff/fleet-spreads"]);
    assert_eq!(code, 5, "{text}");
    assert!(text.contains("may have 120") && text.contains("raise the limit (`ulimit -n 6"), "{text}");
    assert!(!text.contains("DIED") && !text.contains("os error 24"), "{text}");
}

/// Where nothing could be started, nothing is.
#[test]
fn anything_needs_descriptors() {
    let (code, text) = limited("ulimit -n 20", &["run", "--filter", "gateway/messages/ping"]);
    assert_eq!(code, 5, "{text}");
    assert!(text.contains("may have 20") && text.contains("`ulimit -n 64`"), "{text}");
}

/// Where descriptors run out in the middle, because many cases want some at once, every case that does not pass says so.
#[test]
fn descriptors_that_run_out_are_not_the_subjects() {
    let (code, text) = limited("ulimit -n 64", &["run", "--jobs", "32", "--filter", "gateway/rfc6455/**"]);
    assert_eq!(code, 5, "{text}");
    assert!(text.contains("raise the limit (`ulimit -n 4096`)"), "{text}");
    for blame in ["FAIL gateway", "DIED gateway", "blocked gateway", "unsure gateway"] {
        assert!(!text.contains(blame), "{blame}: {text}");
    }
}

/// Where the host allows more than the shell does, what is judged may have it.
#[test]
fn what_the_host_allows_is_taken() {
    let adapter = ["client", "--", "sh", "-c", "echo allowed: $(ulimit -n) >&2; exit 3"];
    let (code, text) = limited("ulimit -S -n 100; ulimit -H -n 1000", &adapter);
    assert_eq!(code, 4, "{text}");
    assert!(text.contains("allowed: 1000"), "{text}");
}
