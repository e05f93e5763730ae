//! Statuses with other names, and statuses that a client does not have.

use crate::client::Behaviour;
use crate::{findings, judged, passes, verdicts};

const CASES: [&str; 3] =
    ["client/state/connect-and-lose", "client/state/failed-dial", "client/backoff/reset-by-success"];

/// Other names are read as declared; undeclared ones are a finding.
#[tokio::test]
async fn declared_names_are_read() {
    let in_capitals = |status| {
        Some(match status {
            "disconnected" => "CLOSED",
            "connecting" => "CONNECTING",
            "connected" => "OPEN",
            other => other,
        })
    };
    let behaviour = Behaviour { status_name: in_capitals, ..Behaviour::default() };
    let names = "[client.design]\nstatuses = { disconnected = \"CLOSED\", connecting = \"CONNECTING\", connected = \"OPEN\" }";
    let report = judged(names, behaviour, &CASES).await;
    assert!(passes(&report), "{:?}", findings(&report));
    assert!(!passes(&judged("", behaviour, &CASES).await));
}

/// A client without `error`, or without any status, is judged by what else there is to see, and a wrong one is still found out.
#[tokio::test]
async fn missing_statuses_are_no_defect() {
    let no_error = |status| (status != "error").then_some(status);
    let design = "[client.design]\nstatuses = { error = false }";
    let report = judged(design, Behaviour { status_name: no_error, ..Behaviour::default() }, &CASES).await;
    assert!(passes(&report), "{:?}", findings(&report));

    let silent = Behaviour { status_name: |_| None, ..Behaviour::default() };
    let none = "[client.design]\nstatuses = false";
    let report = judged(none, silent, &CASES).await;
    assert!(passes(&report), "{:?}: {:?}", verdicts(&report), findings(&report));
    assert_eq!(verdicts(&report)[0], ("reset-by-success", "pass".to_owned()));
    let never_resets = Behaviour { stable_after: std::time::Duration::MAX, ..silent };
    assert!(!passes(&judged(none, never_resets, &CASES).await));
}
