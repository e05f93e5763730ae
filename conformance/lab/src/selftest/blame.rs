//! One defect, one finding: what a mutant breaks is found in the name of what it breaks, and of nothing else.

use std::collections::BTreeSet;

use scenarios::{Judgement, Library};
use sim::boundary::{Boundary, Failure, FailureKind};

use super::report as played;
use crate::mutants;
use conformance::result::{Check, Verdict};

/// A boundary passes on whole frames, masked as they must be: what these say with others does not get through it.
const NOT_WHOLE_FRAMES: [&str; 3] = [
    "gateway/messages/broken-frames",
    "gateway/rfc6455/framing/masks",
    "gateway/rfc6455/limits/over-the-limit",
];

/// The requirements that do not hold, and those that block others, when these scenarios are played on a mutant.
fn found(mutant: &str, filters: &[&str]) -> (BTreeSet<String>, BTreeSet<String>) {
    let mutant = mutants::all().into_iter().find(|found| found.id == mutant).expect("there is such a mutant");
    let library = Library::builtin().unwrap();
    let filters: Vec<_> = filters.iter().map(|filter| (*filter).to_owned()).collect();
    let (mut failed, mut blocking) = (BTreeSet::new(), BTreeSet::new());
    for scenario in library.select(&filters).unwrap().into_iter().filter(|scenario| scenario.simulated) {
        if NOT_WHOLE_FRAMES.contains(&scenario.id.0.as_str()) {
            continue;
        }
        let report = played(scenario, (mutant.boundary)());
        assert!(
            !matches!(report.verdict, Verdict::HarnessError { .. }),
            "{}: {:?}",
            report.id,
            report.verdict
        );
        failed.extend(report.universal.iter().map(|found| found.requirement.to_string()));
        for check in &report.checks {
            match &check.judgement {
                Judgement::Failed(finding) => {
                    eprintln!(
                        "{}: {}: {}; {}",
                        report.id,
                        check.requirement,
                        finding.expected.terminal(),
                        finding.seen.terminal()
                    );
                    failed.insert(check.requirement.to_string());
                }
                Judgement::Blocked { by, .. } => {
                    blocking.insert(by.to_string());
                }
                Judgement::Passed | Judgement::Undecided { .. } => {}
            }
        }
    }
    (failed, blocking)
}

fn names(ids: &[&str]) -> BTreeSet<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}

/// A parser that throws away the connection is MSG-3; the probes of RFC 6455 and of sizes carry messages, and are not blamed.
#[test]
fn a_parser_that_throws_is_one_finding() {
    let (failed, blocking) =
        found("gateway/bad-json-ends-the-connection", &["gateway/rfc6455/**", "gateway/messages/**"]);
    assert!(failed.contains("MSG-3") && failed.is_subset(&names(&["MSG-3", "MSG-4"])), "{failed:?}");
    assert!(blocking.is_subset(&names(&["MSG-3"])), "{blocking:?}");
}

/// A gateway that never dials its broker again is found as that, not as one that has not declared its queue. Nor does it consume again
/// where the broker ends its consumer (BRIDGE-14), or the network its connection (BRIDGE-15).
#[test]
fn a_broker_that_is_not_dialled_again_is_one_finding() {
    let (failed, blocking) = found("gateway/a-broker-that-goes-is-gone", &["gateway/bridge/**"]);
    assert!(
        failed.contains("BRIDGE-9")
            && failed.is_subset(&names(&["BRIDGE-9", "BRIDGE-10", "BRIDGE-14", "BRIDGE-15"])),
        "{failed:?}"
    );
    assert!(blocking.is_subset(&names(&["BRIDGE-9", "BRIDGE-10"])), "{blocking:?}");
}

/// A client that does not come back from silence is found as that in every case that rests on its return.
#[test]
fn a_client_that_stays_away_is_one_finding() {
    let (failed, _) = found("client/never-returns-from-silence", &["client/ping/**", "client/network/**"]);
    assert_eq!(failed, names(&["PING-3"]));
}

/// Events that do not reach their user are no finding of BRIDGE-4, which is about other users.
#[test]
fn an_event_that_does_not_reach_its_owner_is_no_leak() {
    let (failed, _) = found("gateway/payments-only", &["gateway/bridge/**", "gateway/network/**"]);
    assert!(failed.contains("BRIDGE-18") && !failed.contains("BRIDGE-4"), "{failed:?}");
}

/// A subject that dies violates nothing by that: whatever it owed by then is undecided.
#[test]
fn a_death_is_one_finding() {
    let library = Library::builtin().unwrap();
    for scenario in library.select(&["client/state/**".to_owned(), "gateway/auth/**".to_owned()]).unwrap() {
        if !scenario.simulated {
            continue;
        }
        let failure = Some(Failure { from_step: 1, kind: FailureKind::Killed });
        let report = played(scenario, Boundary { failure, ..Boundary::default() });
        assert!(
            matches!(report.verdict, Verdict::SubjectError { .. }),
            "{}: {:?}",
            report.id,
            report.verdict
        );
        let is_undecided = |check: &Check| matches!(check.judgement, Judgement::Undecided { .. });
        assert!(report.checks.iter().all(is_undecided), "{}: {:?}", report.id, report.checks);
        assert!(report.universal.is_empty(), "{}: {:?}", report.id, report.universal);
    }
}
