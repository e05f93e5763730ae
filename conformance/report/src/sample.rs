//! A run with every verdict in it, for tests of reports. Every untrusted text attempts markup injection.

use std::collections::BTreeSet;
use std::sync::LazyLock;
use std::time::Duration;

use protocol::Timing;
use scenarios::trace::{Actor, Event, Frame, FrameKind, Observation, Side};
use scenarios::{ClientDesign, Finding, Foreign, Judgement, Level, Library, SubjectKind, Times, Trace};

use super::{About, BrokerUsed, Repeat};
use conformance::amqp::Identity;
use conformance::result::{CaseReport, Check, RunReport, Scope, Universal, UniversalFinding, Verdict};

/// Reading it takes long.
static LIBRARY: LazyLock<Library> = LazyLock::new(|| Library::builtin().unwrap());

/// What must stay text wherever it turns up.
pub(super) const HOSTILE: &str =
    "<script>alert(1)</script>\"'&]]>\u{1b}[31m\u{202e}\u{0}\u{7}\u{9b}31m\u{fffe}";

pub(super) fn run() -> (RunReport, About) {
    with(HOSTILE)
}

/// The same with this text wherever text is foreign.
pub(super) fn with(foreign: &str) -> (RunReport, About) {
    let scenario = |id: &str| LIBRARY.iter().find(|scenario| scenario.id.0 == id).unwrap();
    let id = |text: &str| text.parse().unwrap();
    let hostile = || Foreign::from(foreign);
    let verdicts = [
        ("gateway/auth/good-token", Verdict::Pass),
        ("gateway/rooms/private", Verdict::Fail),
        (
            "gateway/rooms/forbidden-is-told",
            Verdict::KnownFailure { reason: hostile(), issue: Some(hostile()), was: Box::new(Verdict::Fail) },
        ),
        ("gateway/rooms/bad-names", Verdict::UnexpectedPass { entry: hostile() }),
        ("gateway/rooms/private-role", Verdict::Blocked { by: id("CONN-3"), detail: hostile() }),
        ("gateway/auth/exact-path", Verdict::NotClaimed { why: Some(hostile()) }),
        (
            "client/backoff/doubles-to-the-cap",
            Verdict::NotRun { why: hostile(), gap: scenarios::Gap::Undeclared, audiences: Vec::new() },
        ),
        ("client/dial/token-in-query", Verdict::Inconclusive { stall_ms: 70 }),
        ("gateway/bridge/created-reaches-all", Verdict::SubjectError { detail: hostile() }),
        ("gateway/messages/ping", Verdict::HarnessError { detail: hostile() }),
    ];
    let cases = verdicts.into_iter().filter_map(|(name, verdict)| {
        let scenario = LIBRARY.iter().find(|scenario| scenario.id.0 == name)?;
        let mut case = CaseReport::without_play(scenario, verdict);
        case.title = hostile();
        case.checks = case.requirements.iter().map(|id| check(id.clone(), &case.verdict, foreign)).collect();
        if !case.checks.is_empty() {
            case.trace = trace(foreign);
            case.output = vec![hostile(), "\u{1b}[32mlistening\u{1b}[0m".into()];
        }
        case.duration_ms = 1234;
        Some(case)
    });
    assert_eq!(scenario("gateway/rooms/private").subject(), SubjectKind::Gateway);
    let mut cases: Vec<CaseReport> = cases.collect();
    let violated = Finding { seen: hostile(), expected: hostile(), ..conformance::result::sample::finding() };
    let violated = Finding { at: vec![2, 4], ..violated };
    cases[0].trace = trace(foreign);
    for id in ["MSG-1", "BRIDGE-6"] {
        let (requirement, finding) = (id.parse().unwrap(), violated.clone());
        cases[0].universal.push(UniversalFinding { requirement, finding });
    }
    let begun = cases.iter_mut().find(|case| matches!(case.verdict, Verdict::NotRun { .. })).unwrap();
    begun.interrupted = true;
    begun.checks.clear();
    begun.trace.observations.clear();
    let subjects = [SubjectKind::Gateway, SubjectKind::Client];
    let took = Duration::from_millis(4321);
    let without = BTreeSet::new();
    let scope = Scope { subjects: &subjects, level: Level::Hardened, without: &without, selected: None };
    let mut universal = Universal::collected(&cases, &scope);
    universal[1].known = true;
    let mut report = RunReport::of(cases, universal, &scope, took);
    report.expired.push(hostile());
    report.interrupted = Some("SIGTERM");
    let slack = Duration::from_millis(60);
    let about = About {
        began: "2026-11-23T13:46:41Z".to_owned(),
        subjects: subjects.to_vec(),
        level: Level::Hardened,
        broker: Some(BrokerUsed {
            kind: "url",
            url: Some("amqp://guest:***@127.0.0.1:5672/".to_owned()),
            identity: Identity { product: foreign.to_owned(), version: "1".to_owned() },
        }),
        times: Times {
            timing: Timing::default(),
            patience: slack,
            slack,
            fleet: Times::FLEET,
            slow_reader: Duration::ZERO,
            design: ClientDesign::default(),
        },
        seed: 1,
        repeat: Repeat::of(["gateway", "--", "node", foreign].map(str::to_owned)),
    };
    (report, about)
}

fn check(requirement: scenarios::RequirementId, verdict: &Verdict, foreign: &str) -> Check {
    let known = matches!(verdict, Verdict::KnownFailure { .. });
    let judgement = match verdict {
        Verdict::Fail | Verdict::KnownFailure { .. } | Verdict::Inconclusive { .. } => {
            Judgement::Failed(Finding {
                property: scenarios::Property::Safety,
                expected: format!("never: {foreign}").into(),
                seen: format!("it happened: {foreign}").into(),
                at: vec![2],
                missed_by_us: Some(1500),
                client: Some("mallory".to_owned()),
                half: None,
            })
        }
        Verdict::Blocked { by, detail } => Judgement::Blocked { by: by.clone(), detail: detail.clone() },
        Verdict::Pass
        | Verdict::UnexpectedPass { .. }
        | Verdict::NotClaimed { .. }
        | Verdict::NotRun { .. }
        | Verdict::SubjectError { .. }
        | Verdict::HarnessError { .. } => Judgement::Passed,
    };
    Check { requirement, judgement, known }
}

fn trace(foreign: &str) -> Trace {
    let frame = |kind| Frame { kind, body: foreign.to_owned(), message: None, form: None };
    let events = [
        ("scenario", Event::Step { number: 1, action: foreign.to_owned() }),
        (
            "mallory",
            Event::Dialled {
                path: foreign.to_owned(),
                query: vec![(foreign.to_owned(), String::new())],
                token_in: None,
            },
        ),
        ("mallory", Event::Received(frame(FrameKind::Text))),
        (
            "broker",
            Event::Published {
                routing_key: foreign.to_owned(),
                body: foreign.into(),
                queues: None,
                as_sent: None,
            },
        ),
        ("gateway", Event::Log { text: foreign.to_owned() }),
        ("mallory", Event::Closed { code: None, by: Side::Gateway }),
    ];
    let seen = |(at_us, (actor, event)): (u64, (&str, Event))| Observation {
        at_us,
        actor: Actor(actor.to_owned()),
        connection: (actor == "mallory").then_some(0),
        event,
    };
    Trace { observations: (0..).step_by(1000).zip(events).map(seen).collect() }
}
