use std::iter;

use protocol::Timing;
use scenarios::label::Label;
use scenarios::trace::{Actor, Event};
use scenarios::{ClientDesign, Margin};

use super::*;
use crate::noise::StallProbe;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn id(text: &str) -> RequirementId {
    text.parse().unwrap()
}

fn finding(property: Property, missed_by_ms: Option<u64>, at: &[usize]) -> Judgement {
    Judgement::Failed(Finding {
        property,
        expected: Foreign::default(),
        seen: Foreign::default(),
        at: at.to_vec(),
        missed_by_us: missed_by_ms.map(|ms| ms * 1000),
        client: None,
        half: None,
    })
}

fn occurred() -> Judgement {
    finding(Property::Safety, None, &[])
}

fn late(by_ms: u64) -> Judgement {
    finding(Property::Safety, Some(by_ms), &[])
}

fn away() -> Judgement {
    finding(Property::Liveness, None, &[])
}

fn blocked(by: &str) -> Judgement {
    Judgement::Blocked { by: id(by), detail: Foreign::default() }
}

/// What the host and the subject waited, in milliseconds.
fn noise(host: u64, subject: impl Into<Option<u64>>) -> Noise {
    Noise { host: ms(host), subject: subject.into().map(ms) }
}

fn seen(judgement: Judgement, margin_ms: Option<u64>, noise: Noise) -> Seen {
    let margin =
        margin_ms.map(|ms| Margin { expected: "so late".to_owned(), beyond_us: ms * 1000, at: Vec::new() });
    Seen { judged: Judged { requirement: id("BACKOFF-5"), judgement, margin }, noise, cut: None }
}

/// The verdict in short, on a case that waited in vain for three seconds.
fn short(company: Concurrency, seen: &[Seen]) -> (&'static str, Weight) {
    let claimed = BTreeSet::from([id("STATE-1")]);
    let given = id("CONN-9");
    let conditions = Conditions { claimed: Some(&claimed), given: Some(&given), company, slack: ms(60) };
    let (verdict, weight) = conditions.verdict(seen, ms(3000));
    (verdict.name(), weight)
}

use Concurrency::{Alone, Others};
use Weight::{Certain, Explained, Unexplained};

/// What was forbidden and occurred counts, however busy the host was, and whatever else was late.
#[test]
fn no_stall_makes_something_occur() {
    for company in [Others, Alone] {
        for busy in [noise(0, 0), noise(99, None), noise(5000, 5000)] {
            assert_eq!(short(company, &[seen(occurred(), None, busy)]), ("fail", Certain), "{company:?}");
            let with_late = [seen(late(1), None, busy), seen(occurred(), None, busy)];
            assert_eq!(short(company, &with_late), ("fail", Certain), "{company:?}");
        }
    }
}

/// Beside other cases a miss by time alone never counts, though nothing explains it; alone, it counts unless the wait of the
/// subject, or stalls of the harness, explain it.
#[test]
fn a_miss_by_time_alone_is_run_again_before_it_counts() {
    // By how much it was late, what was measured, and whether that explains it.
    for (missed, busy, is_explained) in [
        (80, noise(0, 0), false),
        (80, noise(19, 79), false),
        (80, noise(20, 0), true),
        // "Late by 78 to 177 ms, while the probe saw stalls of 16 to 39 ms": the subject starved.
        (177, noise(39, 180), true),
        (177, noise(39, 100), false),
        (177, noise(18, None), true),
        (177, noise(17, None), false),
    ] {
        let case = || [seen(late(missed), None, busy)];
        let (beside, alone) = match is_explained {
            true => (("inconclusive", Explained), ("inconclusive", Explained)),
            false => (("inconclusive", Unexplained), ("fail", Certain)),
        };
        assert_eq!((short(Others, &case()), short(Alone, &case())), (beside, alone), "{missed} ms, {busy:?}");
    }
}

/// What did not come within three seconds did not stay away for a tenth of one; a subject that was kept waiting for half of them
/// says nothing.
#[test]
fn what_was_awaited_for_long_is_not_explained_by_little() {
    for (busy, is_explained) in [
        (noise(0, 0), false),
        (noise(299, 0), false),
        (noise(300, 0), true),
        (noise(0, 1499), false),
        (noise(0, 1500), true),
        (noise(299, None), false),
    ] {
        let case = || [seen(away(), None, busy)];
        let (beside, alone) = match is_explained {
            true => (("inconclusive", Explained), ("inconclusive", Explained)),
            false => (("inconclusive", Unexplained), ("fail", Certain)),
        };
        assert_eq!((short(Others, &case()), short(Alone, &case())), (beside, alone), "{busy:?}");
    }
}

/// One miss that nothing explains is enough, whatever noise there was elsewhere.
#[test]
fn one_miss_is_enough() {
    let both = [seen(late(80), None, noise(0, 90)), seen(late(80), None, noise(0, 10))];
    assert_eq!(
        (short(Others, &both), short(Alone, &both)),
        (("inconclusive", Unexplained), ("fail", Certain))
    );
}

/// A pass that is wide enough by no more than the noise shows nothing; any other pass needs no excuse.
#[test]
fn a_pass_that_noise_can_produce_is_doubted() {
    for company in [Others, Alone] {
        for (margin, busy, expected) in [
            (Some(240), noise(10, 239), ("pass", Certain)),
            (Some(240), noise(10, 240), ("inconclusive", Explained)),
            (Some(240), noise(60, 0), ("inconclusive", Explained)),
            (Some(240), noise(23, None), ("pass", Certain)),
            (Some(240), noise(24, None), ("inconclusive", Explained)),
            (Some(0), noise(0, 0), ("pass", Certain)),
            (Some(0), noise(0, 1), ("inconclusive", Explained)),
            (None, noise(900, 900), ("pass", Certain)),
        ] {
            let case = [seen(Judgement::Passed, margin, busy)];
            assert_eq!(short(company, &case), expected, "{company:?}, {margin:?}, {busy:?}");
            let [case] = case;
            let shows = case.into_check(false, ms(3000)).judgement == Judgement::Passed;
            assert_eq!(shows, expected.0 == "pass", "{margin:?}, {busy:?}");
        }
    }
}

/// What is not claimed blocks nothing, and what cannot be judged makes nothing inconclusive, on the busiest host.
#[test]
fn only_what_is_claimed_blocks() {
    for company in [Others, Alone] {
        let case = [seen(blocked("CONN-3"), None, noise(5000, 5000))];
        assert_eq!(short(company, &case), ("not run", Certain));
        assert_eq!(short(company, &[seen(blocked("STATE-1"), None, noise(0, 59))]), ("blocked", Certain));
        assert_eq!(short(company, &[seen(blocked("CONN-9"), None, noise(0, 1500))]), ("not run", Certain));
    }
    let busy = |host, subject| [seen(blocked("STATE-1"), None, noise(host, subject))];
    assert_eq!(short(Others, &busy(0, 60)), ("inconclusive", Explained));
    assert_eq!(short(Alone, &busy(299, 1499)), ("blocked", Certain));
    assert_eq!(short(Alone, &busy(0, 1500)), ("inconclusive", Explained));
}

/// What follows from the end of a connection that a stall has cut is no more certain than that end.
#[test]
fn what_a_stall_has_cut_is_run_again() {
    for company in [Others, Alone] {
        for judgement in [occurred(), late(500), away(), blocked("STATE-1")] {
            let cut = Some(noise(190, 30));
            let case = [Seen { cut, ..seen(judgement.clone(), None, noise(0, 0)) }];
            assert_eq!(short(company, &case), ("inconclusive", Explained), "{company:?}, {judgement:?}");
            let [torn] = case;
            let also = [torn, seen(occurred(), None, noise(0, 0))];
            assert_eq!(short(company, &also), ("fail", Certain), "what occurred before is certain");
        }
        let case = [Seen { cut: Some(noise(190, 30)), ..seen(Judgement::Passed, None, noise(0, 0)) }];
        assert_eq!(short(company, &case), ("pass", Certain));
    }
}

/// A stall cuts a connection where the subject gives it up after noise of its shortest time-out, and nowhere else.
#[test]
fn a_stall_cuts_what_the_subject_gives_up() {
    let closed = |by| Event::Closed { code: None, by };
    let refused = |status| Event::Refused { status, code: None, by: None, reason: String::new() };
    let busy = |measured: Noise| {
        move |span: Span| match span {
            // A time-out of 200 ms, and what led to it, before the end at 1000 ms.
            Span::Between(from, to) if (from, to) == (ms(550), ms(1000)) => measured,
            other => panic!("{other:?}"),
        }
    };
    for (event, measured, is_cut) in [
        (closed(Side::Gateway), noise(186, 20), true),
        (closed(Side::Gateway), noise(100, None), true),
        (closed(Side::Gateway), noise(99, 100), false),
        (closed(Side::Gateway), noise(0, 200), true),
        (refused(None), noise(0, 200), true),
        (refused(Some(401)), noise(900, 900), false),
        (closed(Side::Client), noise(900, 900), false),
        (Event::Opened, noise(900, 900), false),
    ] {
        let observation =
            Observation { at_us: 1_000_000, actor: Actor::client(), connection: Some(0), event };
        let trace = Trace { observations: vec![observation] };
        let found = cut(&trace, SubjectKind::Gateway, ms(200), busy(measured));
        assert_eq!(found.map(|cut| cut.noise), is_cut.then_some(measured), "{trace:?}, {measured:?}");
    }
    // A client has given up no dial that a scripted gateway refused.
    for (by, is_cut) in [(None, true), (Some(Side::Client), true), (Some(Side::Gateway), false)] {
        let event = Event::Refused { status: None, code: None, by, reason: String::new() };
        let observation =
            Observation { at_us: 1_000_000, actor: Actor::client(), connection: Some(0), event };
        let trace = Trace { observations: vec![observation] };
        let found = cut(&trace, SubjectKind::Client, ms(200), busy(noise(0, 200)));
        assert_eq!(found.is_some(), is_cut, "{by:?}");
    }
    // What a stalled host sees with the end may follow from it, also where the trace has it before.
    let observe = |at_ms: u64, event| Observation {
        at_us: at_ms * 1000,
        actor: Actor::client(),
        connection: Some(0),
        event,
    };
    let events = [(810, Event::Opened), (820, Event::Opened), (1000, closed(Side::Gateway))];
    let trace = Trace { observations: events.map(|(at, event)| observe(at, event)).into() };
    let first = |measured| cut(&trace, SubjectKind::Gateway, ms(200), busy(measured)).map(|cut| cut.at);
    assert_eq!(first(noise(186, 20)), Some(1));
    assert_eq!(first(noise(0, 200)), Some(2), "a starved subject is seen in time");
    let judged = |judgement| Judged { requirement: id("STATE-1"), judgement, margin: None };
    assert_eq!(end(&judged(finding(Property::Safety, None, &[3, 7, 5]))), 7);
    assert_eq!(end(&judged(finding(Property::Liveness, None, &[3]))), usize::MAX);
}

/// The noise that matters is that of the time which a finding is about: shortly before the first of its observations to the last,
/// to the end where it never came, and while a step waited.
#[test]
fn noise_matters_where_it_was() {
    let observe = |at_ms: u64, event| Observation {
        at_us: at_ms * 1000,
        actor: Actor::client(),
        connection: Some(0),
        event,
    };
    let events = [1000, 1400, 5000].map(|at| observe(at, Event::Opened));
    let trace = Trace { observations: events.into() };
    let about = |judgement, trace: &Trace| {
        span(&Judged { requirement: id("STATE-1"), judgement, margin: None }, trace)
    };
    let late = |at: &[usize]| finding(Property::Safety, Some(80), at);
    let since =
        |times: &[u64], lookback| Span::Around { times: times.iter().copied().map(ms).collect(), lookback };
    let around = |times: &[u64]| since(times, LOOKBACK);
    assert_eq!(about(late(&[1, 0]), &trace), around(&[1400, 1000]));
    assert_eq!(about(late(&[1]), &trace), around(&[1400, 5000]));
    assert_eq!(about(away(), &trace), Span::WorstOf(WINDOW));
    let wide_enough = |beyond_us| {
        let margin = Some(Margin { expected: String::new(), beyond_us, at: vec![2, 0] });
        span(&Judged { requirement: id("STATE-1"), judgement: Judgement::Passed, margin }, &trace)
    };
    for (beyond_us, lookback) in [(1, LEAST_LOOKBACK), (60_000, ms(120)), (1_000_000, LOOKBACK)] {
        assert_eq!(wide_enough(beyond_us), since(&[5000, 1000], lookback));
    }
    let waited = |waited_ms: u64| {
        let label = Label::Requires(id("STATE-1"));
        let event = Event::InVain { step: 1, label, detail: String::new(), waited_us: waited_ms * 1000 };
        Trace {
            observations: trace
                .observations
                .iter()
                .cloned()
                .chain(iter::once(observe(8000, event)))
                .collect(),
        }
    };
    assert_eq!(about(away(), &waited(3000)), Span::Between(ms(5000), ms(8000)));
    assert_eq!(about(blocked("STATE-1"), &waited(3000)), Span::Between(ms(5000), ms(8000)));
    assert_eq!(
        about(blocked("STATE-1"), &waited(0)),
        Span::WorstOf(WINDOW),
        "the length of the wait is unknown"
    );
}

/// A play is judged by what was seen and by nothing else where there is no doubt, and what died or was cut counts.
#[test]
fn without_doubt_everything_counts() {
    let text = "version = 2\ntitle = \"t\"\nsubject = \"client\"\n[[expect]]\nrequirement = \"STATE-1\"\nsome = { opens = true }";
    let scenario = Scenario::parse(scenarios::ScenarioId("client/t".into()), text).unwrap();
    let times = Times {
        timing: Timing::default(),
        patience: ms(1000),
        slack: ms(60),
        fleet: 20,
        slow_reader: Duration::ZERO,
        design: ClientDesign::default(),
    };
    let requirements = BTreeSet::from([id("STATE-1")]);
    let run_in = |company, outcome| {
        let play = Play { trace: Trace::default(), outcome };
        let run =
            weighed(&scenario, &requirements, None, play, &times, HostNoise { company, ..HostNoise::NONE });
        (run.report.verdict.name(), run.report.checks.len(), run.weight)
    };
    let run = |outcome| run_in(Alone, outcome);
    assert_eq!(run(Ok(())), ("fail", 1, Certain));
    assert_eq!(run(Err(PlayError::SubjectDied("exit code 7".into()))), ("died", 1, Certain));
    assert_eq!(run(Err(PlayError::NotRun(NotPlayed::undeclared("no")))), ("not run", 0, Certain));
    assert_eq!(run(Err(PlayError::Harness("no".into()))), ("error", 0, Certain));
    // What had no room beside other cases has it alone.
    let crowded = || Err(PlayError::Crowded("no".into()));
    assert_eq!(run_in(Others, crowded()), ("inconclusive", 0, Explained));
    assert_eq!(run(crowded()), ("error", 0, Certain));
}

/// Beside a finding that counts, what noise can have caused is undecided; a case that is run again says what it saw.
#[test]
fn noise_is_blamed_on_no_one_beside_a_finding() {
    let stalled = || noise(90, 0);
    let shown = |judgement, is_over| {
        let check = seen(judgement, None, stalled()).into_check(is_over, ms(3000));
        match check.judgement {
            Judgement::Failed(_) => "failed",
            Judgement::Undecided { .. } => "undecided",
            Judgement::Passed | Judgement::Blocked { .. } => "else",
        }
    };
    assert_eq!(shown(late(300), true), "undecided");
    assert_eq!(shown(late(300), false), "failed");
    assert_eq!(shown(late(900), true), "failed", "noise does not explain so much");
    assert_eq!(shown(away(), true), "failed", "it was awaited for long");
    assert_eq!(shown(occurred(), true), "failed");
    let cut = Cut { at: 0, noise: stalled() };
    let cut = Seen { cut: Some(cut.noise), ..seen(occurred(), None, noise(0, 0)) };
    assert!(matches!(cut.into_check(true, ms(3000)).judgement, Judgement::Undecided { .. }));
}

/// A universal rule that is violated after a stall has cut a connection is run again; before, or without one, it is violated.
#[test]
#[expect(clippy::disallowed_methods, reason = "there is no other instant to begin at")]
fn universal_rules_are_excused_by_a_cut_alone() {
    let text = "version = 2\ntitle = \"t\"\nsubject = \"client\"\n[[expect]]\nrequirement = \"STATE-1\"\nsome = { opens = true }";
    let scenario = Scenario::parse(scenarios::ScenarioId("client/t".into()), text).unwrap();
    let times = Times {
        timing: Timing::default(),
        patience: ms(1000),
        slack: ms(60),
        fleet: 20,
        slow_reader: Duration::ZERO,
        design: ClientDesign::default(),
    };
    let requirements = BTreeSet::from([id("STATE-1")]);
    let observe = |at_ms: u64, event| Observation {
        at_us: at_ms * 1000,
        actor: Actor::client(),
        connection: Some(0),
        event,
    };
    let opened = || observe(0, Event::Opened);
    let closed = || observe(50_000, Event::Closed { code: None, by: Side::Client });
    // From connected to connected is no transition.
    let illegal = |at| observe(at, Event::Status { old: "connected".into(), new: "connected".into() });
    let began = std::time::Instant::now();
    let stalled = StallProbe::of(began, &[(ms(50_000), ms(9000))]);
    let idle = StallProbe::of(began, &[]);
    let after = vec![opened(), closed(), illegal(51_000)];
    for (host, observations, expected) in [
        (&idle, after.clone(), ("pass", Certain, true)),
        (&stalled, after, ("inconclusive", Explained, false)),
        (&stalled, vec![opened(), illegal(1000), closed()], ("pass", Certain, true)),
        (&stalled, vec![opened(), illegal(1000)], ("pass", Certain, true)),
    ] {
        let noise = CaseNoise { host, subject: &[], began, first: ms(0), last: ms(60_000) };
        let doubt = HostNoise { noise: Some(&noise), company: Alone };
        let play = Play { trace: Trace { observations }, outcome: Ok(()) };
        let run = weighed(&scenario, &requirements, None, play, &times, doubt);
        let outcome = (run.report.verdict.name(), run.weight, !run.report.universal.is_empty());
        assert_eq!(outcome, expected, "{:?}", run.report.trace);
    }
}
