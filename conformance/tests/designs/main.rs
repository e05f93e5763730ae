//! What a client declares of its design is judged as declared: one client that keeps to it and one that does not, for each.

mod backoff;
mod client;
mod ends;
mod opening;
mod queue;
mod statuses;

use std::path::Path;

use conformance::profile::Profile;
use conformance::result::{CaseReport, RunReport, Verdict};
use conformance::suite::{KnownFailures, Suite};
use scenarios::{Judgement, SubjectKind};

use client::{Behaviour, Driven};

/// How often cases are played again where the host was too busy to tell.
const TRIES: usize = 5;

/// Plays cases for a client that behaves so and declares this.
async fn judged(design: &str, behaviour: Behaviour, cases: &[&str]) -> RunReport {
    for _ in 1..TRIES {
        let report = judged_once(design, behaviour, cases).await;
        let is_unsure = |case: &CaseReport| matches!(case.verdict, Verdict::Inconclusive { .. });
        if !report.cases.iter().any(is_unsure) {
            return report;
        }
    }
    judged_once(design, behaviour, cases).await
}

async fn judged_once(design: &str, behaviour: Behaviour, cases: &[&str]) -> RunReport {
    let text = format!(
        r#"
        [client]
        command = ["in this process"]
        fleet = 20

        [timing]
        reconnect_delay = "100ms"
        max_reconnect_delay = "800ms"
        stable_after = "150ms"
        connect_timeout = "2s"
        jitter = 0

        {design}
        "#
    );
    let profile = Profile::parse("gatecheck.toml", &text, Path::new(".")).expect("a profile");
    let mut suite = Suite::new(profile).with_client(move |reports| Driven::new(behaviour, reports));
    for case in cases {
        suite = suite.filter(*case).expect("a built-in case");
    }
    let suite = suite.preflight(false).known_failures(KnownFailures::None);
    suite.subjects(&[SubjectKind::Client]).run().await.expect("a report")
}

/// The verdict on each case, by the last part of its name; with the reason where it was not run.
fn verdicts(report: &RunReport) -> Vec<(&str, String)> {
    report
        .cases
        .iter()
        .map(|case| {
            let last = case.id.0.rsplit('/').next().unwrap_or_default();
            let verdict = match &case.verdict {
                Verdict::NotRun { why, .. } => format!("not run: {}", why.terminal()),
                other => other.name().to_owned(),
            };
            (last, verdict)
        })
        .collect()
}

/// What was found, in words.
fn findings(report: &RunReport) -> Vec<String> {
    let checks = report.cases.iter().flat_map(|case| &case.checks);
    checks
        .filter_map(|check| match &check.judgement {
            Judgement::Failed(finding) => Some(format!(
                "{}: {}; {}",
                check.requirement,
                finding.expected.terminal(),
                finding.seen.terminal()
            )),
            _ => None,
        })
        .collect()
}

/// Whether every case that was run passed, and at least one was.
fn passes(report: &RunReport) -> bool {
    let played: Vec<_> =
        report.cases.iter().filter(|case| !matches!(case.verdict, Verdict::NotRun { .. })).collect();
    !played.is_empty() && played.iter().all(|case| case.verdict == Verdict::Pass)
}
