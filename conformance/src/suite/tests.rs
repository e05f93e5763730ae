use std::fs;

use super::*;

fn error(prepared: Result<Run, SuiteError>) -> SuiteError {
    prepared.err().expect("it cannot be run")
}

/// A suite that would judge nothing is an error that says why.
#[test]
fn nothing_to_judge_is_an_error() {
    let bare = || Suite::new(Profile::bare());
    assert!(matches!(error(bare().prepare()), SuiteError::NothingDescribed));
    let client = bare().subjects(&[SubjectKind::Client]);
    assert!(matches!(error(client.prepare()), SuiteError::NoSubject(SubjectKind::Client)));
    let reference = || Suite::new(Profile::reference());
    assert!(matches!(reference().filter("nothing/**"), Err(SuiteError::Library(_))));
    let gateway = reference().subjects(&[SubjectKind::Gateway]).filter("client/**").unwrap();
    assert!(matches!(error(gateway.prepare()), SuiteError::NothingSelected));
}

/// A gateway that runs already has a broker, which must be named.
#[test]
fn an_attached_gateway_needs_its_broker() {
    let text = "[gateway]\nattach = \"ws://127.0.0.1:1/ws\"\njwt_secret = \"s\"";
    let suite = Suite::new(Profile::parse("gatecheck.toml", text, Path::new(".")).unwrap());
    assert!(matches!(error(suite.clone().prepare()), SuiteError::WhichBroker));
    assert!(suite.broker("none").prepare().is_ok());
}

/// The list of known failures stands beside the profile, and what is wrong in it is an error.
#[test]
fn the_list_beside_the_profile_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let profile = folder.path().join("gatecheck.toml");
    fs::write(&profile, "[client]\ncommand = [\"adapter\"]").unwrap();
    assert!(Suite::from_profile(&profile).unwrap().prepare().is_ok());
    fs::write(folder.path().join("known-failing.toml"), "[[known]]\nreason = \"r\"").unwrap();
    let suite = Suite::from_profile(&profile).unwrap();
    assert!(matches!(error(suite.clone().prepare()), SuiteError::KnownFailing(_)));
    assert!(suite.known_failures(KnownFailures::None).prepare().is_ok());
}

/// Cases can be left out of a run that is prepared.
#[test]
fn a_run_retains_cases() {
    let mut run = Suite::new(Profile::reference()).prepare().unwrap();
    run.retain(|_| true);
    let all = run.plan().len();
    run.retain(|id| id.0.starts_with("gateway/auth/"));
    assert!(!run.plan().is_empty() && run.plan().len() < all);
}
