//! What each crate may not depend on, directly or through others: the boundaries that the architecture rests on.

use std::collections::BTreeSet;
use std::process::Command;

/// Runtimes, sockets, clocks and entropy.
const IMPURE: &[&str] = &["tokio", "mio", "socket2", "getrandom", "rand", "chrono", "time"];

/// A crate of the workspace, and what it must do without.
const RULES: &[(&str, &[&str])] = &[
    ("protocol", IMPURE),
    ("reference-session", IMPURE),
    ("reference-gateway", IMPURE),
    ("send-ring", &["tokio", "mio", "protocol", "reference-gateway", "reference-server"]),
    ("scenarios", &["tokio", "mio", "socket2", "hyper"]),
    ("wire", &["player", "conformance", "clap"]),
    ("player", &["conformance", "sim", "clap"]),
    ("embedded-broker", &["conformance", "scenarios", "protocol", "clap"]),
    (
        "conformance",
        &["clap", "sim", "reference-server", "reference-client", "gatecheck-report", "gatecheck-lab"],
    ),
    ("gatecheck-report", &["clap", "sim", "reference-server", "reference-client", "gatecheck-lab"]),
    ("gatecheck-libtest", &["sim", "reference-server", "reference-client", "gatecheck-lab"]),
    ("gatecheck-lab", &["gatecheck-report"]),
    ("gatecheck-load", &["clap", "sim", "reference-server", "reference-client", "gatecheck-lab"]),
    ("sim", &["conformance", "clap"]),
    ("swarm", &["sim", "turmoil", "conformance", "clap", "reference-server", "reference-client", "player"]),
    ("reference-server", &["scenarios", "reference-session", "reference-client"]),
    ("reference-client", &["scenarios", "reference-gateway", "reference-server"]),
];

#[test]
fn no_crate_depends_on_what_it_must_not_know() {
    for (name, forbidden) in RULES {
        let tree = dependencies(name);
        assert!(tree.contains(*name), "{name} is not in its own tree: {tree:?}");
        for other in *forbidden {
            assert!(
                !tree.contains(*other),
                "{name} depends on {other}: cargo tree -e normal -p {name} -i {other}"
            );
        }
    }
}

/// The rule would be seen to be broken: what a crate does depend on is in its tree.
#[test]
fn a_dependency_is_seen() {
    assert!(dependencies("reference-server").contains("tokio"));
    assert!(dependencies("gatecheck").contains("clap"));
}

fn dependencies(name: &str) -> BTreeSet<String> {
    let tree = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--offline",
            "--edges",
            "normal",
            "--prefix",
            "none",
            "--format",
            "{p}",
            "--package",
            name,
        ])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .output()
        .expect("cargo runs");
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let text = String::from_utf8_lossy(&tree.stdout);
    text.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}
