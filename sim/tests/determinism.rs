//! The promise of the simulation: same seed, same build, byte-identical trace.

use std::time::Duration;

use protocol::Timing;
use scenarios::{Ending, Judged, Judgement, Library, Scenario, judge};
use sim::{Options, play};

/// Runs of each scenario that are compared.
const RUNS: usize = 20;
/// Scenarios of both subjects, with timers, refusals, redials, a fleet, many messages and a crash among them.
const SCENARIOS: [&str; 17] = [
    "client/backoff/fleet-spreads",
    "client/backoff/reset-by-success",
    "client/hooks/payment-updates",
    "client/messages/emitted",
    "client/ping/silent-gateway",
    "client/provider/shared",
    "client/queue/during-reconnection",
    "client/state/failed-dial",
    "client/subscriptions/renewed",
    "gateway/auth/expired-token",
    "gateway/bridge/acknowledged",
    "gateway/bridge/broker-forgets",
    "gateway/bridge/order",
    "gateway/bridge/topology",
    "gateway/heartbeat/silent-peer",
    "gateway/messages/garbage",
    "gateway/rooms/private",
];

fn scenario(id: &str) -> Scenario {
    let library = Library::builtin().expect("the built-in scenarios are sound");
    library.iter().find(|scenario| scenario.id.0 == id).unwrap_or_else(|| panic!("{id} is built in")).clone()
}

/// Short times, since a comparison needs many runs and no more than a few of each timer.
fn short() -> Timing {
    let ms = Duration::from_millis;
    Timing {
        reconnect_delay: ms(20),
        max_reconnect_delay: ms(300),
        ping_interval: ms(400),
        pong_timeout: ms(200),
        connect_timeout: ms(1000),
        stable_after: ms(100),
        ..Timing::default()
    }
}

fn trace(scenario: &Scenario, seed: u64) -> String {
    let options = Options { seed, timing: short(), ..Options::default() };
    let played =
        play(scenario, &options).unwrap_or_else(|error| panic!("{} seed {seed}: {error}", scenario.id));
    played.play.trace.to_json_lines()
}

/// Twenty runs of one seed leave one trace.
#[test]
fn one_seed_leaves_one_trace() {
    for id in SCENARIOS {
        let scenario = scenario(id);
        let first = trace(&scenario, 7);
        for run in 1..RUNS {
            let again = trace(&scenario, 7);
            let differs = first.lines().zip(again.lines()).find(|(a, b)| a != b);
            assert!(first == again, "{id}, run {run}: {differs:?}");
        }
    }
}

/// Another seed leaves another trace: what is promised for one seed is not the absence of chance.
#[test]
fn seeds_matter() {
    let scenario = scenario("client/queue/during-reconnection");
    assert_ne!(trace(&scenario, 1), trace(&scenario, 2));
}

/// Every scenario that can be simulated passes at the true default times.
#[test]
fn the_reference_pair_conforms_in_simulation() {
    conforms(1, &Timing::default());
}

/// And at short ones, for several seeds.
#[test]
fn it_conforms_at_short_times() {
    conforms(2, &short());
}

#[test]
fn it_conforms_with_another_seed() {
    conforms(3, &short());
}

#[test]
fn it_conforms_with_a_third_seed() {
    conforms(4, &short());
}

fn conforms(seed: u64, timing: &Timing) {
    let library = Library::builtin().expect("the built-in scenarios are sound");
    for scenario in library.iter().filter(|scenario| scenario.simulated) {
        let options = Options { seed, timing: timing.clone(), ..Options::default() };
        let played =
            play(scenario, &options).unwrap_or_else(|error| panic!("{} seed {seed}: {error}", scenario.id));
        assert_eq!(played.play.outcome, Ok(()), "{} seed {seed}", scenario.id);
        let judged = judge(&played.scenario, &played.play.trace, &Ending::Complete, &played.times);
        assert_eq!(judged.violations, [], "{} seed {seed}", scenario.id);
        for Judged { requirement, judgement, .. } in judged.judged {
            let timeline: Vec<_> =
                played.play.trace.observations.iter().map(|seen| seen.line().terminal()).collect();
            assert_eq!(
                judgement,
                Judgement::Passed,
                "{requirement} in {}; repeat it: gatecheck sim run --seed {seed} --filter {}\n{}",
                scenario.id,
                scenario.id,
                timeline.join("\n")
            );
        }
    }
}
