//! Laws of backoff.

use std::time::Duration;

use crate::client::Behaviour;
use crate::{findings, judged, passes, verdicts};

const GROWTH: &str = "client/backoff/doubles-to-the-cap";

fn grown(attempt: u32, base: Duration, factor: f64) -> Duration {
    base.mul_f64(factor.powf(f64::from(attempt))).min(base * 8)
}

/// A client that multiplies by 1.3 keeps to a law that says so, and its report says the law.
#[tokio::test]
async fn a_declared_factor_is_judged() {
    let by_1_3 = Behaviour { delay: |attempt, base| grown(attempt, base, 1.3), ..Behaviour::default() };
    let design = "[client.design.backoff]\nfactor = 1.3";
    let report = judged(design, by_1_3, &[GROWTH]).await;
    assert!(passes(&report), "{:?}", findings(&report));
    assert_eq!(
        report.design,
        [scenarios::Foreign::from("backoff: reconnect_delay · 1.3ⁿ, at most max_reconnect_delay")]
    );
}

/// One that doubles does not, and the finding names the law.
#[tokio::test]
async fn another_factor_than_declared_is_a_finding() {
    let report = judged("[client.design.backoff]\nfactor = 1.3", Behaviour::default(), &[GROWTH]).await;
    let found = findings(&report);
    assert!(found.iter().any(|found| found.starts_with("BACKOFF-1: redial ")), "{found:?}");
    assert!(found.iter().any(|found| found.contains("declared are 100 ms · 1.3")), "{found:?}");
}

/// What is declared is no defect only where it is declared: by the requirement 1.3 is one.
#[tokio::test]
async fn an_undeclared_factor_is_a_finding() {
    let by_1_3 = Behaviour { delay: |attempt, base| grown(attempt, base, 1.3), ..Behaviour::default() };
    let report = judged("", by_1_3, &[GROWTH]).await;
    assert!(findings(&report)[0].contains("declared are 100 ms · 2"), "{:?}", findings(&report));
    assert!(report.design.is_empty(), "{:?}", report.design);
}

/// A first delay of nothing, then the usual ones; and a list of delays.
#[tokio::test]
async fn first_delays_and_lists_are_judged() {
    let at_once_first = |attempt: u32, base: Duration| match attempt.checked_sub(1) {
        None => Duration::ZERO,
        Some(attempt) => grown(attempt, base, 2.0),
    };
    let at_once = Behaviour { delay: at_once_first, ..Behaviour::default() };
    let first = "[client.design.backoff]\nfirst = \"0s\"";
    let report = judged(first, at_once, &[GROWTH]).await;
    assert!(passes(&report), "{:?}", findings(&report));
    assert!(!passes(&judged(first, Behaviour::default(), &[GROWTH]).await));

    let listed = |attempt: u32, _| Duration::from_millis([30, 300, 150][attempt.min(2) as usize]);
    let listed = Behaviour { delay: listed, ..Behaviour::default() };
    let list = "[client.design.backoff]\ndelays = [\"30ms\", \"300ms\", \"150ms\"]";
    let report = judged(list, listed, &[GROWTH]).await;
    assert!(passes(&report), "{:?}", findings(&report));
    assert!(!passes(&judged(list, at_once, &[GROWTH]).await));
}

/// Delays that begin by chance grow from where they began: one that doubles is within the range of all that chance could do.
#[tokio::test]
async fn delays_that_begin_by_chance_are_judged() {
    let design = "[client.design.backoff]\ninitial = [1, 5]\nfactor = 1.3\njitter = \"none\"";
    let by_1_3 = Behaviour { delay: |attempt, base| grown(attempt, base, 1.3), ..Behaviour::default() };
    let report = judged(design, by_1_3, &[GROWTH]).await;
    assert!(passes(&report), "{:?}", findings(&report));
    let report = judged(design, Behaviour::default(), &[GROWTH]).await;
    assert!(findings(&report)[0].starts_with("BACKOFF-1: redial "), "{:?}", findings(&report));
}

/// Unlimited attempts leave out what is about giving up, and say why; a client that gives up all the same is found out.
#[tokio::test]
async fn unlimited_attempts_are_judged() {
    let unlimited = "[client.design.backoff]\nattempts = \"unlimited\"";
    let for_ever = Behaviour { attempts: Some(u32::MAX), ..Behaviour::default() };
    let cases = [GROWTH, "client/state/gives-up", "client/backoff/attempts-are-limited"];
    let report = judged(unlimited, for_ever, &cases).await;
    let why = "not run: the declared attempts are unlimited".to_owned();
    assert_eq!(
        verdicts(&report),
        [("attempts-are-limited", why.clone()), ("doubles-to-the-cap", "pass".to_owned()), ("gives-up", why),]
    );
    let gives_up = Behaviour { attempts: Some(4), ..Behaviour::default() };
    assert!(!passes(&judged(unlimited, gives_up, &[GROWTH]).await));
}

/// Full jitter spreads a fleet over the whole delay; a fleet that returns within a tenth of it does not keep to that.
#[tokio::test]
async fn the_declared_jitter_is_judged() {
    let fleet = ["client/backoff/fleet-spreads"];
    let full = "[client.design.backoff]\njitter = \"full\"";
    let anything = |attempt, base| grown(attempt, base, 2.0).mul_f64(fastrand::f64());
    let report = judged(full, Behaviour { delay: anything, ..Behaviour::default() }, &fleet).await;
    assert!(passes(&report), "{:?}", findings(&report));
    let narrow = |attempt, base| grown(attempt, base, 2.0).mul_f64(0.9 + 0.1 * fastrand::f64());
    let report = judged(full, Behaviour { delay: narrow, ..Behaviour::default() }, &fleet).await;
    assert!(findings(&report)[0].contains("of a window of 2000 ms"), "{:?}", findings(&report));
    // Without any jitter it is for BACKOFF-5 to say so, unless that is not claimed.
    let none = "[client.design.backoff]\njitter = \"none\"";
    let lockstep = Behaviour { delay: |attempt, base| grown(attempt, base, 2.0), ..Behaviour::default() };
    assert!(findings(&judged(none, lockstep, &fleet).await)[0].starts_with("BACKOFF-5"));
}

/// A count that begins again on opening, with a floor: who keeps to the floor is not hammering.
#[tokio::test]
async fn a_floor_is_judged() {
    let case = ["client/backoff/not-reset-by-a-short-life"];
    let design = "[client.design.backoff]\nreset = \"open\"\nfloor = \"400ms\"";
    let resets = Behaviour { stable_after: Duration::ZERO, ..Behaviour::default() };
    let floored = Behaviour { delay: |_, _| Duration::from_millis(450), ..resets };
    let report = judged(design, floored, &case).await;
    assert!(passes(&report), "{:?}", findings(&report));
    let report = judged(design, resets, &case).await;
    assert!(
        findings(&report)[0].starts_with("BACKOFF-6: redial 3 after 400.0 ms at least"),
        "{:?}",
        findings(&report)
    );
}

/// Where each delay is the same, giving up shows whether attempts are counted anew: after a connection that lived, and not after others.
#[tokio::test]
async fn attempts_show_the_count_of_constant_delays() {
    let constant = "[client.design.backoff]\nfactor = 1";
    let cases = ["client/backoff/attempts-begin-anew", "client/backoff/short-lives-use-up-attempts"];
    let sound = Behaviour { delay: |_, base| base, ..Behaviour::default() };
    let never = Behaviour { stable_after: Duration::MAX, ..sound };
    let at_once = Behaviour { stable_after: Duration::ZERO, ..sound };
    let report = judged(constant, sound, &cases).await;
    assert!(verdicts(&report).iter().all(|(_, verdict)| verdict == "pass"), "{:?}", findings(&report));
    for (behaviour, violated) in [(never, "BACKOFF-3"), (at_once, "BACKOFF-6")] {
        let found = findings(&judged(constant, behaviour, &cases).await);
        assert!(found.len() == 1 && found[0].starts_with(violated), "{found:?}");
    }
    let six = format!("{constant}\nattempts = 6");
    let own = |behaviour| Behaviour { attempts: Some(6), ..behaviour };
    let report = judged(&six, own(sound), &cases).await;
    assert!(verdicts(&report).iter().all(|(_, verdict)| verdict == "pass"), "{:?}", findings(&report));
    for (behaviour, violated) in [(never, "BACKOFF-3"), (at_once, "BACKOFF-6")] {
        let found = findings(&judged(&six, own(behaviour), &cases).await);
        assert!(found.len() == 1 && found[0].starts_with(violated), "{found:?}");
    }
}
