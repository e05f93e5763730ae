//! The reference pair under the swarm, and the swarm under planted defects.

use scenarios::{Library, Plan, ScenarioId};
use swarm::{Options, Seeds, draw, planted, play, shrink};

/// Seeds of one test.
const SEEDS: u64 = 200;
/// Plans of `regressions` that break this requirement still.
const KNOWN: [(&str, &str); 1] = [("regressions/flush-over-the-rate", "ROOM-6")];

/// No seed breaks the pair as it is.
#[test]
fn the_pair_keeps_every_rule() {
    let sweep = Seeds { jobs: 2, ..Seeds::new(0, SEEDS) }.play(|_| {});
    assert_eq!(sweep.seeds, SEEDS);
    let repeat: Vec<_> =
        sweep.found.iter().map(|(seed, _)| format!("gatecheck sim replay seed={seed}")).collect();
    assert!(sweep.found.is_empty(), "{:#?}\n{repeat:#?}", sweep.found);
}

/// The same seed gives the same trace, byte for byte; another one gives another.
#[test]
fn plays_repeat() {
    let lines = |seed| {
        let played = play(&draw(seed), Options { keeps_trace: true, ..Options::default() });
        played.trace.expect("it was kept").to_json_lines()
    };
    for seed in 0..20 {
        assert!(lines(seed) == lines(seed), "seed {seed}");
    }
    assert_ne!(lines(1), lines(2));
}

/// Shards and threads divide the seeds, and change nothing of what comes of them.
#[test]
fn shards_add_up() {
    let all = Seeds::new(0, 60).play(|_| {});
    let mut sum = swarm::Sweep::default();
    for part in 0..3 {
        sum.add(&Seeds { shard: (part, 3), jobs: 2, ..Seeds::new(0, 60) }.play(|_| {}));
    }
    assert_eq!(sum, all);
}

/// Planted defects are found, and their plans become small and fail on their own: read from the file that is written.
#[test]
fn planted_defects_are_found() {
    for id in [
        "client/hears-late-that-it-wrote",
        "client/leaves-dead-sockets-open",
        "client/loses-a-dial",
        "client/repeats-a-message-after-a-new-token",
        "client/does-not-renew-an-expired-token",
        "gateway/keeps-dead-peers",
        "gateway/misses-a-pong",
        "gateway/acknowledges-all-but-the-last",
        "gateway/outlives-tokens",
    ] {
        let planted = planted::named(id).expect("there is one");
        let defect = Some(planted.make);
        let sweep = Seeds { defect, stops: true, ..Seeds::new(0, 100) }.play(|_| {});
        let (seed, violation) = sweep.found.first().unwrap_or_else(|| panic!("{id} survives"));
        let plan = draw(*seed);
        let small = shrink(&plan, violation.requirement, defect).plan;
        assert!(small.entries.len() <= 5, "{id}: {small}");
        let read = Plan::parse(ScenarioId(id.to_owned()), &small.to_toml()).expect("a shrunk plan is one");
        let broken = play(&read, Options { defect, ..Options::default() }).violations;
        assert!(broken.iter().any(|one| one.requirement == violation.requirement), "{id}: {broken:?}");
        assert_eq!(play(&read, Options::default()).violations, [], "{id}: without the defect");
    }
}

/// What the swarm has found holds, but for what is known to fail: that must fail still.
#[test]
fn regressions_hold() {
    let library = Library::builtin().expect("it is well-formed");
    assert!(library.plans().count() >= KNOWN.len());
    for plan in library.plans() {
        let broken = play(plan, Options::default()).violations;
        let first = broken.first().map(|violation| violation.requirement);
        let known = KNOWN.iter().find(|(id, _)| *id == plan.id.0).map(|(_, requirement)| *requirement);
        assert_eq!(first, known, "{}: {broken:?}", plan.id);
    }
}
