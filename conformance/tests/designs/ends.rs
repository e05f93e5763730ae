//! Final ends.

use crate::client::Behaviour;
use crate::{findings, judged, passes, verdicts};

const CODES: &str = "[client.design]\nfinal_codes = [\"1000\", 1001, \"1005\", \"3000-4999\"]";
const CASES: [&str; 3] =
    ["client/state/final-close", "client/state/other-closes", "client/state/closed-at-once"];

fn is_final(code: u16) -> bool {
    matches!(code, 1000 | 1001 | 1005 | 3000..=4999)
}

/// A client that ends by the codes that it declares, and comes back after others, keeps to its design.
#[tokio::test]
async fn declared_codes_are_final() {
    let report = judged(CODES, Behaviour { is_final, ..Behaviour::default() }, &CASES).await;
    assert!(passes(&report), "{:?}: {:?}", verdicts(&report), findings(&report));
    assert_eq!(report.design, [scenarios::Foreign::from("final close codes: 1000, 1001, 1005, 3000-4999")]);
}

/// One that dials again after a code that it declares final does not, and neither does one that ends by any code.
#[tokio::test]
async fn codes_are_as_final_as_declared() {
    let report = judged(CODES, Behaviour::default(), &CASES).await;
    assert!(
        findings(&report).iter().any(|found| found.starts_with("STATE-7: never: ")),
        "{:?}",
        findings(&report)
    );
    let report = judged(CODES, Behaviour { is_final: |_| true, ..Behaviour::default() }, &CASES).await;
    assert!(findings(&report).iter().any(|found| found.starts_with("STATE-7")), "{:?}", findings(&report));
    // What is not declared is what the requirement says.
    let report = judged("", Behaviour { is_final, ..Behaviour::default() }, &CASES).await;
    assert!(!passes(&report), "{:?}", verdicts(&report));
}

/// A dial that is answered with 403 is final for a client that says so.
#[tokio::test]
async fn declared_statuses_are_final() {
    let (statuses, case) = ("[client.design]\nfinal_statuses = [403]", ["client/dial/forbidden"]);
    let ends = Behaviour { is_final_status: |status| status == 403, ..Behaviour::default() };
    let report = judged(statuses, ends, &case).await;
    assert!(passes(&report), "{:?}", findings(&report));
    assert!(!passes(&judged(statuses, Behaviour::default(), &case).await));
    assert!(!passes(&judged("", ends, &case).await));
}
