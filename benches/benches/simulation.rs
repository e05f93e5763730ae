//! How fast scenarios run in virtual time: the reference pair's real drivers over turmoil's network. One case about the gateway, one about
//! the client, and the longest of each; the time that passes inside stands in the name.

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, SamplingMode, criterion_group, criterion_main};
use protocol::{Dialect, Timing};
use scenarios::Library;
use sim::Options;

/// What is played.
const CASES: [&str; 4] = [
    "gateway/auth/good-token",
    "gateway/heartbeat/answering-peer",
    "client/state/connect-and-lose",
    "client/backoff/attempts-are-limited",
];
/// A run takes tens of milliseconds.
const SAMPLES: usize = 10;
const MEASURED: Duration = Duration::from_secs(3);

fn simulation(c: &mut Criterion) {
    let library = Library::builtin().expect("the built-in scenarios are well-formed");
    let options = Options { seed: 1, timing: Timing::default(), dialect: Dialect::default() };
    let mut group = c.benchmark_group("simulation");
    group.sample_size(SAMPLES).sampling_mode(SamplingMode::Flat).measurement_time(MEASURED);
    for case in CASES {
        let scenario = library.iter().find(|scenario| scenario.id.0 == case).expect("it is built in");
        let play = || sim::play(scenario, &options).expect("it is for simulation");
        let observed = &play().play.trace.observations;
        let virtual_s = observed.last().map_or(0.0, |last| last.at_us as f64 / 1e6);
        group.bench_function(BenchmarkId::new(case, format!("{virtual_s:.0} s inside")), |b| b.iter(play));
    }
    group.finish();
}

criterion_group!(benches, simulation);
criterion_main!(benches);
