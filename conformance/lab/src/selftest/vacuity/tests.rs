use scenarios::Library;

use super::exceptions::{NoVariant, PassException, Way};
use super::*;

fn scenario(id: &str, text: &str) -> Scenario {
    Scenario::parse(ScenarioId(id.to_owned()), text).unwrap()
}

fn audited(scenario: &Scenario, exceptions: Exceptions) -> Vacuity {
    Audit::new([scenario], exceptions).play(2, |_| ())
}

/// The steps and ways of what passes without evidence.
fn passes(vacuity: &Vacuity) -> Vec<(usize, &str)> {
    vacuity.passes.iter().map(|pass| (pass.step, pass.way)).collect()
}

/// The second wait is true already: it shows nothing of the second event.
const STALE_WAIT: &str = r#"
    version = 2
    title = "A client emits what comes"
    subject = "client"
    client = { listen = ["catalog:changed"] }
    step = [
        { do = "connect" },
        { wait = { status = "connected" }, requires = "STATE-1" },
        { gateway = { event = { type = "catalog:changed", data = { item = 1 } } } },
        { wait = { emits = "catalog:changed" }, shows = "IN-1" },
        { gateway = { event = { type = "catalog:changed", data = { item = 2 } } } },
        { wait = { emits = "catalog:changed" }, shows = "IN-1" },
    ]
    expect = [{ requirement = "IN-1", some = { emits = "catalog:changed" } }]
"#;

/// The gateway is killed, so that it is not asked anything at the end.
const SILENT: &str = r#"
    version = 2
    title = "A gateway says nothing wrong"
    subject = "gateway"
    clients.alice = {}
    step = [{ quiet = "100ms" }, { do = "kill" }]
    expect = [{ requirement = "MSG-3", never = { client = "alice", receives = "error" } }]
"#;

/// A wait that is true before what it waits for was done is found: the case passes though the client is deaf or mute by then.
#[test]
fn a_wait_that_shows_nothing_is_found() {
    let stale = audited(&scenario("client/made-up", STALE_WAIT), Exceptions::default());
    assert_eq!((passes(&stale), stale.is_clean()), (vec![(5, "deaf"), (5, "mute")], false));
    let fresh = STALE_WAIT.replacen(
        "{ wait = { emits = \"catalog:changed\" }, shows",
        "{ wait = { emits = { name = \"catalog:changed\", with = { item = 1 } } }, shows",
        1,
    );
    let at = fresh.rfind("{ wait = { emits = \"catalog:changed\" }").unwrap();
    let (head, tail) = fresh.split_at(at);
    let fresh = head.to_owned()
        + &tail.replacen("\"catalog:changed\" }", "{ name = \"catalog:changed\", with = { item = 2 } } }", 1);
    let fresh = audited(&scenario("client/made-up", &fresh), Exceptions::default());
    assert!(fresh.is_clean(), "{fresh:?}");
}

/// A case in which nothing shows that the gateway does anything is found, in each way to do nothing; that it is dead when the
/// scenario kills it says nothing.
#[test]
fn a_case_without_evidence_is_found() {
    let silent = audited(&scenario("gateway/made-up", SILENT), Exceptions::default());
    assert_eq!(passes(&silent), [(1, "deaf"), (1, "frozen"), (1, "mute")]);
    assert_eq!((silent.cases, silent.steps, silent.plays), (1, 3, 12));
    assert!(silent.no_variant.is_empty(), "an error can be received");
}

/// A `never` that contradicts itself has no variant.
#[test]
fn a_never_that_cannot_match_is_found() {
    let text = SILENT.replace("\"error\"", "{ type = \"error\", frame = \"binary\" }");
    let vacuity = audited(&scenario("gateway/made-up", &text), Exceptions::default());
    let found: Vec<_> = vacuity.no_variant.iter().map(|never| never.never.as_str()).collect();
    assert_eq!(found, ["alice receives error"]);
    assert!(!vacuity.is_clean());
}

/// What is excepted counts as such, with its reason; an exception that is none is an error.
#[test]
fn exceptions_are_used_or_stale() {
    let case = ScenarioId("gateway/made-up".to_owned());
    let pass = |ways: &[Way], steps: &[usize]| PassException {
        case: case.clone(),
        ways: ways.to_vec(),
        steps: steps.to_vec(),
        reason: "made up".to_owned(),
    };
    let never =
        NoVariant { case: case.clone(), never: "alice receives error".to_owned(), reason: String::new() };
    let exceptions = Exceptions {
        passes: vec![pass(&[Way::Deaf, Way::Frozen, Way::Mute], &[1]), pass(&[Way::Killed], &[1])],
        no_variant: vec![never],
    };
    let vacuity = audited(&scenario("gateway/made-up", SILENT), exceptions);
    assert_eq!((passes(&vacuity), vacuity.excepted.len()), (Vec::new(), 3));
    assert!(vacuity.excepted.iter().all(|pass| pass.reason.as_deref() == Some("made up")));
    assert_eq!(vacuity.stale.len(), 2, "{:?}", vacuity.stale);
    assert!(!vacuity.is_clean());
}

/// The list is short, and names cases that are played. What it names is tried by `gatecheck selftest --vacuity`.
#[test]
fn the_list_of_exceptions_is_sound() {
    let (exceptions, library) = (Exceptions::builtin(), Library::builtin().unwrap());
    assert!(exceptions.passes.len() < 10);
    let passes = exceptions.passes.iter().map(|exception| (&exception.case, &exception.reason));
    let nevers = exceptions.no_variant.iter().map(|exception| (&exception.case, &exception.reason));
    for (case, reason) in passes.chain(nevers) {
        assert!(library.iter().any(|scenario| scenario.id == *case && scenario.simulated), "{case}");
        assert!(!reason.is_empty(), "{case}");
    }
}

/// Cases of both subjects are clean: one that takes something away at its end, one that kills its gateway, one whose gateway is full
/// when it is looked at, one with a `never` on a dial that was refused.
#[test]
fn built_in_cases_are_clean() {
    let library = Library::builtin().unwrap();
    let cases = [
        "client/subscriptions/once",
        "client/state/disconnect-while-waiting",
        "gateway/auth/empty-token",
        "gateway/bridge/acknowledged",
        "gateway/connections/limit-of-one-user",
    ];
    let chosen: Vec<_> = library.iter().filter(|scenario| cases.contains(&scenario.id.0.as_str())).collect();
    assert_eq!(chosen.len(), cases.len());
    let vacuity = Audit::new(chosen, Exceptions::default()).play(2, |_| ());
    assert!(vacuity.is_clean(), "{vacuity:#?}");
    assert!(vacuity.nevers.len() > 3 && vacuity.nevers.iter().all(|never| never.matched.is_some()));
}
