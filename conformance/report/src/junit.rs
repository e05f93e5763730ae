//! The report for CI systems: JUnit XML, a suite for each subject, and in it a test case for each verdict on a requirement in a
//! scenario; a suite for the universal rules that were violated, with a test case for each.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use scenarios::{Catalogue, Finding, Foreign, Judgement, RequirementId};

use super::About;
use conformance::result::{CaseReport, Death, RunReport, Universal, Verdict};

/// The document.
///
/// # Panics
/// Never: a string can always be written to.
pub fn junit(report: &RunReport, about: &About) -> String {
    let catalogue = Catalogue::builtin();
    let mut document = Report::new("gatecheck");
    document.set_time(report.took);
    for subject in &about.subjects {
        let mut suite = TestSuite::new(subject.to_string());
        let cases = report.cases.iter().filter(|case| case.subject == *subject);
        let mut time = Duration::ZERO;
        for case in cases {
            // A case takes its time once, however many requirements it shows.
            let mut case_time = Duration::from_millis(case.duration_ms);
            time += case_time;
            for requirement in &case.requirements {
                let mut test = TestCase::new(
                    format!("{requirement} {}", case.title.xml()),
                    status(case, requirement, report, &catalogue),
                );
                test.set_classname(case.id.to_string());
                test.set_time(std::mem::take(&mut case_time));
                if matches!(test.status, TestCaseStatus::NonSuccess { .. }) {
                    test.set_system_out(summary(case, about));
                    // Of cases that ended by one cause, the first shows what was printed.
                    if !case.output.is_empty() && report.deaths.iter().all(|death| is_shown(death, case)) {
                        let lines: Vec<_> = case.output.iter().map(Foreign::xml).collect();
                        test.set_system_err(lines.join("\n"));
                    }
                }
                suite.add_test_case(test);
            }
        }
        suite.set_time(time);
        add(&mut document, suite, report);
    }
    if !report.universal.is_empty() {
        let mut suite = TestSuite::new("universal rules");
        for found in &report.universal {
            suite.add_test_case(universal(found, about, &catalogue));
        }
        add(&mut document, suite, report);
    }
    if !report.is_selection && report.unjudged().next().is_some() {
        let mut suite = TestSuite::new("requirements that are not judged");
        for found in report.unjudged() {
            let mut test = TestCase::new(found.id.to_string(), skipped(found.remedy().xml()));
            test.set_classname("not judged").set_time(Duration::ZERO);
            suite.add_test_case(test);
        }
        add(&mut document, suite, report);
    }
    if !report.expired.is_empty() {
        // They fail the run, and so must be seen to fail.
        let mut suite = TestSuite::new("known-failing.toml");
        for entry in &report.expired {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_type("known-failing").set_message(entry.xml());
            let mut test = TestCase::new(entry.xml(), status);
            test.set_classname("known-failing").set_time(Duration::ZERO);
            suite.add_test_case(test);
        }
        add(&mut document, suite, report);
    }
    document.to_string().expect("strings can be written to")
}

/// Adds a suite; where the run was interrupted, each says so.
fn add(document: &mut Report, mut suite: TestSuite, report: &RunReport) {
    if let Some(signal) = report.interrupted {
        suite.add_property(("interrupted", signal));
    }
    document.add_test_suite(suite);
}

/// Whether this death does not end the case, or ends it as the first.
fn is_shown(death: &Death, case: &CaseReport) -> bool {
    !death.cases.contains(&case.id) || death.cases.first() == Some(&case.id)
}

/// A universal rule that was violated, in the name of the first case.
fn universal(found: &Universal, about: &About, catalogue: &Catalogue) -> TestCase {
    let Universal { requirement, finding, case, cases, known } = found;
    let rule = catalogue.get(requirement).map_or("", |rule| rule.text.as_str());
    let status = if *known {
        skipped("known failure".to_owned())
    } else {
        let names: Vec<_> = cases.iter().map(ToString::to_string).collect();
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        status.set_type("universal rule").set_message(seen(finding)).set_description(format!(
            "{requirement}: {rule}\n\nexpected: {}\nseen: {}\n\nin {}",
            finding.expected.xml(),
            finding.seen.xml(),
            names.join(", ")
        ));
        status
    };
    let mut test = TestCase::new(format!("{requirement} {rule}"), status);
    test.set_classname(case.to_string()).set_time(Duration::ZERO);
    test.set_system_out(format!("repeat it: {}", about.repeat.command(case).xml()));
    test
}

fn seen(finding: &Finding) -> String {
    format!("expected {}; seen: {}", finding.expected.xml(), finding.seen.xml())
}

fn status(
    case: &CaseReport,
    requirement: &RequirementId,
    report: &RunReport,
    catalogue: &Catalogue,
) -> TestCaseStatus {
    let why = case.verdict.reason().unwrap_or_default().xml();
    let failures: Vec<_> = case
        .checks_on(requirement)
        .filter_map(|check| match &check.judgement {
            Judgement::Failed(finding) => Some((finding, check.known)),
            Judgement::Passed | Judgement::Blocked { .. } | Judgement::Undecided { .. } => None,
        })
        .collect();
    let rule = catalogue.get(requirement).map_or("", |rule| rule.text.as_str());
    let failed = || {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        let findings = failures.iter().map(|(finding, _)| {
            format!("expected: {}\nseen: {}", finding.expected.xml(), finding.seen.xml())
        });
        let text = format!("{requirement}: {rule}\n\n{}", findings.collect::<Vec<_>>().join("\n\n"));
        let message = failures.first().map(|(finding, _)| seen(finding)).unwrap_or_default();
        status.set_type("requirement").set_message(message).set_description(text);
        status
    };
    match &case.verdict {
        Verdict::Pass => TestCaseStatus::success(),
        Verdict::Fail | Verdict::Blocked { .. } | Verdict::KnownFailure { .. } => {
            let blocked = case.checks_on(requirement).find_map(|check| match &check.judgement {
                Judgement::Blocked { by, detail } => Some(format!("blocked by {by}: {}", detail.xml())),
                Judgement::Undecided { why } => Some(format!("undecided: {}", why.xml())),
                Judgement::Passed | Judgement::Failed(_) => None,
            });
            let stopped = case.checks_on(requirement).next().is_none();
            match (failures.is_empty(), blocked) {
                (false, _) if failures.iter().all(|(_, known)| *known) => {
                    skipped(format!("known failure: {why}"))
                }
                (false, _) => failed(),
                (true, Some(blocked)) => skipped(blocked),
                // Not claimed, or the case was stopped, which is known.
                (true, None) if stopped && matches!(case.verdict, Verdict::KnownFailure { .. }) => {
                    skipped(format!("known failure: {why}"))
                }
                (true, None) if stopped => skipped("not claimed".to_owned()),
                (true, None) => TestCaseStatus::success(),
            }
        }
        Verdict::UnexpectedPass { .. } => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_type("unexpected pass").set_message(why.clone()).set_description(why);
            status
        }
        Verdict::NotClaimed { .. } | Verdict::NotRun { .. } | Verdict::Inconclusive { .. } => {
            let name = case.verdict.name();
            skipped(if why.is_empty() { name.to_owned() } else { format!("{name}: {why}") })
        }
        Verdict::SubjectError { .. } | Verdict::HarnessError { .. } if !failures.is_empty() => failed(),
        // A death is one error, in the name of its cause, however many requirements the case is about.
        Verdict::SubjectError { .. } => {
            let death = report.deaths.iter().find(|death| death.cases.contains(&case.id));
            let name = death.map_or_else(|| why.clone(), |death| death.name().xml());
            if case.requirements.first() != Some(requirement) {
                return skipped(format!("undecided: {}: {name}", case.verdict.name()));
            }
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            status.set_type(case.verdict.name()).set_message(name).set_description(why);
            status
        }
        Verdict::HarnessError { .. } => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            status.set_type(case.verdict.name()).set_message(why.clone()).set_description(why);
            status
        }
    }
}

fn skipped(why: String) -> TestCaseStatus {
    let mut status = TestCaseStatus::skipped();
    status.set_message(why);
    status
}

/// What the few lines of a test's output say: how to repeat it.
fn summary(case: &CaseReport, about: &About) -> String {
    format!("{}\nrepeat it: {}", case.title.xml(), about.repeat.command(&case.id).xml())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    /// Each verdict maps to the right JUnit status, and untrusted text is escaped.
    #[test]
    fn verdicts_are_junit_statuses() {
        let (report, about) = sample::run();
        let text = junit(&report, &about);
        assert!(!text.contains("<script") && !text.contains('\u{1b}') && !text.contains('\0'), "{text}");
        let read = Report::deserialize_from_str(&text).unwrap();
        let status = |case: &str| {
            let mut tests = read.test_suites.iter().flat_map(|suite| &suite.test_cases);
            let test = tests.find(|test| test.classname.as_ref().is_some_and(|name| name.as_str() == case));
            match test.map(|test| &test.status) {
                Some(TestCaseStatus::Success { .. }) => "success",
                Some(TestCaseStatus::NonSuccess { kind: NonSuccessKind::Failure, .. }) => "failure",
                Some(TestCaseStatus::NonSuccess { kind: NonSuccessKind::Error, .. }) => "error",
                Some(TestCaseStatus::Skipped { .. }) => "skipped",
                None => "nothing",
            }
        };
        for (case, expected) in [
            ("gateway/auth/good-token", "success"),
            ("gateway/rooms/private", "failure"),
            ("gateway/rooms/forbidden-is-told", "skipped"),
            ("gateway/rooms/bad-names", "failure"),
            ("gateway/rooms/private-role", "skipped"),
            ("gateway/auth/exact-path", "skipped"),
            ("client/backoff/doubles-to-the-cap", "skipped"),
            ("client/dial/token-in-query", "skipped"),
            ("gateway/bridge/created-reaches-all", "error"),
            ("gateway/messages/ping", "error"),
        ] {
            assert_eq!(status(case), expected, "{case}: {text}");
        }
        let tests: usize = report.cases.iter().map(|case| case.requirements.len()).sum();
        let (expired, universal) = (report.expired.len(), report.universal.len());
        assert!(expired > 0 && text.contains("<testsuite name=\"known-failing.toml\""), "{text}");
        assert!(universal > 0 && text.contains("<testsuite name=\"universal rules\""), "{text}");
        assert_eq!(
            read.tests,
            tests + expired + universal,
            "one for each requirement in each case, for each violated universal rule, and for each entry that has expired"
        );
        assert_eq!(text.matches("<property name=\"interrupted\" value=\"SIGTERM\"").count(), 4, "{text}");
    }
    /// A report with every verdict in it is as the schema says, where `xmllint` is installed.
    #[test]
    fn every_verdict_is_as_the_schema_says() {
        let (report, about) = sample::run();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), junit(&report, &about)).unwrap();
        let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/junit.xsd");
        let lint = std::process::Command::new("xmllint")
            .args(["--noout", "--schema", schema])
            .arg(file.path())
            .output();
        if let Ok(output) = lint {
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
    }
}
