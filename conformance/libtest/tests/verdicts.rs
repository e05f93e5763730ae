//! What comes of subjects in this process that are wrong, or that cannot be judged in full.

use std::fs;
use std::future::pending;

use conformance::exit::Exit;
use conformance::in_process::{Adapter, GatewayStart, Reports, SubjectError};
use conformance::result::{RunReport, Verdict};
use conformance::suite::KnownFailures;
use conformance::{Suite, SuiteError};
use gatecheck_libtest::Libtest;
use libtest_mimic::Arguments;
use protocol::adapter::{Operation, Outcome, ReportEvent};
use protocol::format_duration;
use reference_client::system_clock;
use reference_server::broker::RabbitMq;
use reference_server::config::Settings;
use reference_server::{Server, TcpListen};
use serde_json::{from_value, json};
use tokio::net::TcpListener;

const EXPIRED: &str = "gateway/auth/expired-token";
const MISSING: &str = "gateway/auth/missing-token";
const SHUTDOWN: &str = "gateway/connections/shutdown";

/// A gateway that accepts expired tokens for a day.
async fn lenient(start: GatewayStart) -> Result<(), SubjectError> {
    serve(start, "86400s", pending()).await
}

/// The reference server, until `shutdown`.
async fn serve(
    start: GatewayStart,
    leeway: &str,
    shutdown: impl Future<Output = ()>,
) -> Result<(), SubjectError> {
    let settings = json!({
        "listen": start.listen.to_string(), "jwt_secret": start.jwt_secret, "amqp_url": start.amqp_url,
        "ping_interval": format_duration(start.timing.ping_interval),
        "pong_timeout": format_duration(start.timing.pong_timeout), "shards": 1, "leeway": leeway,
    });
    let config = from_value::<Settings>(settings)?.check()?;
    let listener = TcpListen(TcpListener::bind(start.listen).await?);
    let broker = RabbitMq::new(config.rabbitmq.clone().ok_or("there is no broker")?, 1);
    Ok(Server::new(config, listener, broker, system_clock()).run(shutdown).await?)
}

/// The suite without its preflight, for these cases.
fn cases(suite: Suite, ids: &[&str]) -> Suite {
    let suite = suite.preflight(false).known_failures(KnownFailures::None);
    ids.iter().fold(suite, |suite, id| suite.filter(*id).expect("the case is there"))
}

fn verdict<'a>(report: &'a RunReport, id: &str) -> &'a Verdict {
    &report.cases.iter().find(|case| case.id.0 == id).expect("the case is reported").verdict
}

/// The verdict, unless the host's noise has left it open: that no run on a busy host rules out.
fn decided<'a>(report: &'a RunReport, id: &str) -> Option<&'a Verdict> {
    Some(verdict(report, id)).filter(|verdict| !matches!(verdict, Verdict::Inconclusive { .. }))
}

/// A case that fails is a failing test of its name, which prints what the console report does; so is the summary.
#[test]
fn a_gateway_that_accepts_too_much_fails_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let args = Arguments::from_iter(["test", "--logfile", log.to_str().unwrap(), "--test-threads", "2"]);
    let trials = cases(Suite::gateway(lenient), &[EXPIRED, MISSING]).trials(&args).unwrap();
    let conclusion = libtest_mimic::run(&args, trials);
    let log = fs::read_to_string(log).unwrap();
    assert_eq!((conclusion.num_passed, conclusion.num_failed), (2, 2), "{log}");
    for expected in [
        "test gateway/auth/expired-token ... FAILED",
        "test gateway/auth/missing-token ... ok",
        "test universal-rules            ... ok",
        "test conformance                ... FAILED",
        "expected  intruder is refused with HTTP 401",
        "-- --exact gateway/auth/expired-token",
        "2 selected cases passed; 1 failed",
    ] {
        assert!(log.contains(expected), "no `{expected}` in\n{log}");
    }
}

/// A panic, and a future that returns, are deaths, told in the subject's words.
#[tokio::test]
async fn a_death_is_told_in_its_words() {
    let panics = |start: GatewayStart| async move {
        let listener = TcpListener::bind(start.listen).await?;
        // The first connection asks whether it is ready.
        for _ in 0..2 {
            listener.accept().await?;
        }
        panic!("out of luck")
    };
    let report = cases(Suite::gateway(panics), &[MISSING]).run().await.unwrap();
    let Verdict::SubjectError { detail } = verdict(&report, MISSING) else { panic!("{:?}", report.cases) };
    assert!(detail.raw().contains("it panicked: out of luck"), "{detail:?}");
    assert_eq!(report.exit(), Exit::Subject);

    let returns = |_: GatewayStart| async { Err("no luck".into()) };
    let error = Suite::gateway(returns).filter(MISSING).unwrap().run().await.unwrap_err();
    assert_eq!(error.exit(), Exit::Subject);
    assert!(matches!(&error, SuiteError::Setup(_)));
    assert!(error.to_string().ends_with("it returned an error: no luck"), "{error}");
}

/// What a future cannot be judged by is not run, and the reason says why.
#[tokio::test]
async fn what_needs_a_process_is_not_run() {
    let expected = [
        ("gateway/auth/previous-secret", "start.setting(\"jwt_secret_previous\")"),
        ("gateway/auth/secrecy", "its log is read"),
        ("gateway/bridge/killed-before-delivery", "it is killed"),
        ("gateway/bridge/several-gateways", "needs several gateways"),
        (SHUTDOWN, "it awaits `start.shutdown()`"),
    ];
    let serves = |start| serve(start, "0s", pending());
    let report = cases(Suite::gateway(serves), &expected.map(|(id, _)| id)).run().await.unwrap();
    for (id, reason) in expected {
        let Verdict::NotRun { why, .. } = verdict(&report, id) else {
            panic!("{id}: {:?}", verdict(&report, id));
        };
        assert!(why.raw().contains(reason), "{id}: {why:?}");
    }
    assert_eq!(report.exit(), Exit::Usage, "what judges nothing is no gate");
}

/// A gateway that awaits its shutdown is judged by how it ends.
#[tokio::test]
async fn a_shutdown_is_judged() {
    let ends = |start: GatewayStart| {
        let shutdown = start.shutdown();
        serve(start, "0s", shutdown)
    };
    let report = cases(Suite::gateway(ends), &[SHUTDOWN]).run().await.unwrap();
    assert!(matches!(decided(&report, SHUTDOWN), Some(Verdict::Pass) | None), "{:?}", report.cases);
    let ignores = |start: GatewayStart| {
        let _taken = start.shutdown();
        serve(start, "0s", pending())
    };
    let report = cases(Suite::gateway(ignores), &[SHUTDOWN]).run().await.unwrap();
    assert!(matches!(decided(&report, SHUTDOWN), Some(Verdict::Fail) | None), "{:?}", report.cases);
}

/// The list of known failures is written and honoured as the binary does.
#[tokio::test]
async fn what_is_known_to_fail_fails_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("known-failing.toml");
    let run = |known| cases(Suite::gateway(lenient), &[EXPIRED]).known_failures(known).run();
    let written = run(KnownFailures::Rewritten(list.clone())).await.unwrap();
    assert!(fs::read_to_string(&list).unwrap().contains("AUTH-2"));
    assert!(matches!(verdict(&written, EXPIRED), Verdict::KnownFailure { .. }));
    let honoured = run(KnownFailures::Beside(folder.path().to_owned())).await.unwrap();
    assert!(matches!(verdict(&honoured, EXPIRED), Verdict::KnownFailure { .. }));
}

/// A case that is known to fail and passes fails by name: the list is wrong.
#[test]
fn what_is_listed_and_passes_fails_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("known-failing.toml");
    fs::write(&list, format!("[[known]]\ncase = \"{MISSING}\"\nreason = \"once\"\n")).unwrap();
    let log = folder.path().join("log");
    let args = Arguments::from_iter(["test", "--logfile", log.to_str().unwrap()]);
    let suite = cases(Suite::gateway(lenient), &[MISSING]).known_failures(KnownFailures::Listed(list));
    let conclusion = libtest_mimic::run(&args, suite.trials(&args).unwrap());
    let log = fs::read_to_string(log).unwrap();
    assert_eq!(conclusion.num_failed, 2, "{log}");
    for expected in ["test gateway/auth/missing-token ... FAILED", "it passes now: take"] {
        assert!(log.contains(expected), "no `{expected}` in\n{log}");
    }
}

/// A universal rule that cases violate is a failing test of its own, whatever the cases are about.
#[test]
fn a_violated_rule_is_a_test_of_its_own() {
    /// It has two statuses at once.
    struct Torn(Reports);
    impl Adapter for Torn {
        async fn perform(&mut self, operation: Operation) -> Outcome {
            if operation == Operation::Connect {
                for status in ["connecting", "disconnected", "reconnecting"] {
                    let old = Some("connected".to_owned());
                    self.0.send(ReportEvent::Status { old, status: status.to_owned() });
                }
            }
            Outcome::DONE
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let args = Arguments::from_iter(["test", "--logfile", log.to_str().unwrap()]);
    let suite = cases(Suite::client(Torn), &["client/state/disconnect"]);
    let conclusion = libtest_mimic::run(&args, suite.trials(&args).unwrap());
    let log = fs::read_to_string(log).unwrap();
    assert!(conclusion.has_failed() && log.contains("test universal-rules         ... FAILED"), "{log}");
    assert!(log.contains("universal rules  judged on the trace of every case\n  STATE-2"), "{log}");
}

/// A client's panic is its death, and a client that does nothing fails.
#[tokio::test]
async fn a_client_that_does_nothing_fails() {
    struct Idle;
    impl Adapter for Idle {
        async fn perform(&mut self, _: Operation) -> Outcome {
            Outcome::DONE
        }
    }
    struct Broken;
    impl Adapter for Broken {
        async fn perform(&mut self, operation: Operation) -> Outcome {
            panic!("asked to {}", operation.name())
        }
    }
    let case = "client/state/disconnect";
    let report = cases(Suite::client(|_: Reports| Idle), &[case]).run().await.unwrap();
    let judged = verdict(&report, case);
    assert!(matches!(judged, Verdict::Fail | Verdict::Blocked { .. }), "{judged:?}");
    let report = cases(Suite::client(|_: Reports| Broken), &[case]).run().await.unwrap();
    let Verdict::SubjectError { detail } = verdict(&report, case) else { panic!("{:?}", report.cases) };
    assert!(detail.raw().contains("it panicked: asked to configure"), "{detail:?}");
}
