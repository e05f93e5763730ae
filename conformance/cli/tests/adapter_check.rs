//! `gatecheck adapter check` distinguishes adapters that keep the protocol from those that do not, and says what to try.

use std::process::{Command, Stdio};

/// Answers `ok` to whatever has an `id`, and has no client.
const YES_SAYER: &str = r#"while read -r line; do echo "{\"id\":$(echo "$line" | sed 's/.*"id":\([0-9]*\).*/\1/'),\"ok\":true}"; done"#;

/// What was printed, in one line, and the exit code.
fn check(adapter: &[&str]) -> (i32, String) {
    let separator: &[&str] = if adapter.is_empty() { &[] } else { &["--"] };
    checked(&tempfile::tempdir().expect("a folder"), &[separator, adapter].concat())
}

/// The same, of the adapter of a profile.
fn check_profile(text: &str) -> (i32, String) {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("gatecheck.toml"), text).expect("it is written");
    checked(&folder, &[])
}

fn checked(folder: &tempfile::TempDir, arguments: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_gatecheck"))
        .args([&["adapter", "check"], arguments].concat())
        .current_dir(folder.path())
        .env("NO_COLOR", "1")
        .env("NO_GRAPHICS", "1")
        .stdin(Stdio::null())
        .output()
        .expect("gatecheck runs");
    let text = String::from_utf8([output.stdout, output.stderr].concat()).expect("it prints text");
    (output.status.code().expect("an exit code"), text.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[track_caller]
fn expect((code, text): (i32, String), expected: i32, words: &[&str]) {
    assert_eq!(code, expected, "{text}");
    for words in words {
        assert!(text.contains(words), "{words:?} is missing: {text}");
    }
}

/// The reference client's adapter supports everything.
#[test]
fn a_whole_adapter_is_supported() {
    let (code, text) = check(&[env!("CARGO_BIN_EXE_gatecheck"), "reference-client", "adapter"]);
    assert_eq!(code, 0, "{text}");
    assert!(!text.contains(" seen ") && !text.contains("unsupported mount"), "{text}");
    for words in ["supported mount", "supported dials the url", "supported ends with its input"] {
        assert!(text.contains(words), "{words:?} is missing: {text}");
    }
}

/// A client that signs in by its first message, and is connected once that is answered, is answered; whatever grants: an answer, or the
/// welcome.
#[test]
fn a_sign_in_is_answered() {
    let client = "[client]\ncommand = [\"{gatecheck}\", \"reference-client\", \"adapter\"]";
    let welcomed = r#"[dialect]
        token = "message"
        refusal = "close-4401"
        sign_in = { message = '{"type":"auth","token":"{token}"}' }"#;
    for profile in [format!("dialect = \"first-message\"\n{client}"), format!("{client}\n{welcomed}")] {
        let words = ["supported signs in", "supported reports each call of a listener"];
        expect(check_profile(&profile), 0, &words);
    }
    // A client that says something else first is not signed in, and nothing else is said of what follows from that.
    let deaf = client.replace("[client]", "dialect = \"first-message\"\n[client]").replace(
        "\"{gatecheck}\", ",
        "\"sh\", \"-c\", \"sed -u 's/connection_init/hello/' | \\\"$0\\\" \\\"$@\\\"\", \"{gatecheck}\", ",
    );
    let (code, text) = check_profile(&deaf);
    assert!(!text.contains("reports each call"), "{text}");
    expect(
        (code, text),
        1,
        &["broken signs in seen its first message was {\"type\":\"hello\"", "dialect.sign_in.message"],
    );
}

/// Answering `ok` is not enough: the client must dial, and an unknown request must be answered as unsupported.
#[test]
fn an_adapter_without_a_client_is_found_out() {
    expect(
        check(&["sh", "-c", YES_SAYER]),
        1,
        &[
            "supported configure",
            "broken dials the url seen no connection to ws://127.0.0.1:",
            "broken answers an unknown request `unsupported` seen a request that does not exist is answered `ok`",
            "supported survives a broken line",
            "supported ends with its input",
            // It took the broken line for one with an id.
            "broken prints nothing but the protocol seen it printed",
        ],
    );
}

/// Noise is quoted, before the first answer and after the last.
#[test]
fn noise_is_found() {
    let unsupported = YES_SAYER
        .replace("ok", "unsupported")
        .replace("read -r line;", "read -r line; line=${line#\"{ this\"};");
    let words = [
        "broken configure seen it is answered `unsupported`",
        "seen it printed \"listening\" try standard output belongs",
    ];
    expect(check(&["sh", "-c", &format!("echo listening; {unsupported}")]), 1, &words);
    let quiet = "read -r line; echo '{\"id\":1,\"unsupported\":true}'; read -r line; echo '{\"id\":2,\"unsupported\":true}'; \
                 read -r line; read -r line; echo '{\"id\":3,\"unsupported\":true}'; cat; echo bye";
    let words = ["supported survives a broken line", "seen it printed \"bye\""];
    expect(check(&["sh", "-c", quiet]), 1, &words);
}

/// A report without what belongs to it is none, and a line without an end is cut: both are quoted.
#[test]
fn malformed_lines_are_quoted() {
    let answers = "read -r line; echo '{\"id\":1,\"unsupported\":true}'; read -r line; echo '{\"id\":2,\"unsupported\":true}'; \
                   read -r line; read -r line; echo '{\"id\":3,\"unsupported\":true}'; cat";
    let report = format!("echo '{{\"event\":\"status\"}}'; {answers}");
    let words = ["supported survives a broken line", "which is no report: missing field `status`"];
    expect(check(&["sh", "-c", &report]), 1, &words);
    let endless = format!("head -c 5000000 /dev/zero | tr '\\0' x; echo; {answers}");
    let words = ["supported survives a broken line", "and so on, more than 4194304 bytes in one line"];
    expect(check(&["sh", "-c", &endless]), 1, &words);
}

/// A line that cannot be read must not be the last, and the end of the input must be.
#[test]
fn ends_are_looked_at() {
    let answers = "read -r line; echo '{\"id\":1,\"unsupported\":true}'; read -r line; echo '{\"id\":2,\"unsupported\":true}'";
    let words = ["supported answers an unknown request", "broken survives a broken line"];
    expect(check(&["sh", "-c", answers]), 1, &words);
    let stays = format!("{YES_SAYER}; exec sleep 600").replace("ok", "unsupported");
    expect(
        check(&["sh", "-c", &stays]),
        1,
        &["broken ends with its input seen it still runs 5s after its input ended"],
    );
}

/// An adapter that is not there, or does not stay, is no verdict about requests.
#[test]
fn an_adapter_that_does_not_run_is_reported() {
    expect(check(&["no-such-adapter"]), 4, &["cannot start `no-such-adapter`"]);
    let dies = check(&["sh", "-c", "read -r line; echo out of luck >&2; exit 7"]);
    expect(dies, 4, &["the adapter ended at `configure`: exit code 7", "out of luck"]);
    expect(check(&[]), 2, &["cannot read gatecheck.toml"]);
}
