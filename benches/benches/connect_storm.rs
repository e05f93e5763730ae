//! Everybody comes at once: clients dial, sign in and are greeted, on two threads, one after the other on each. Beside the reference gateway the
//! *plain* program, which verifies no token, and the *floor*, which answers and does nothing else.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use benches::fanout::{Arm, Child, EventSize, Subscribers, become_arm, raise_descriptor_limit};
use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput};

/// Connections of one storm.
const CLIENTS: usize = 1_000;
const STORMS: usize = 10;

fn main() -> ExitCode {
    // The arms are this program again.
    if let Some(arm) = become_arm() {
        return arm;
    }
    raise_descriptor_limit(CLIENTS).expect("the system allows so many connections");
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("connect_storm");
    group.sample_size(STORMS).sampling_mode(SamplingMode::Flat);
    group.warm_up_time(Duration::from_millis(1)).measurement_time(Duration::from_secs(5));
    group.throughput(Throughput::Elements(CLIENTS as u64));
    for arm in [Arm::Gatecheck, Arm::Floor, Arm::Plain] {
        let mut cpu = Vec::new();
        group.bench_function(BenchmarkId::from_parameter(arm.name()), |b| {
            b.iter_custom(|storms| (0..storms).map(|_| storm(arm, &mut cpu)).sum());
        });
        cpu.sort_unstable();
        if let Some(median) = cpu.get(cpu.len() / 2) {
            eprintln!(
                "{}: {:.1} µs of CPU for a sign-in",
                arm.name(),
                median.as_secs_f64() * 1e6 / CLIENTS as f64
            );
        }
    }
    group.finish();
    criterion.final_summary();
    ExitCode::SUCCESS
}

/// A storm on a program that was just started: how long it lasted, and what it cost the program.
#[expect(clippy::disallowed_methods, reason = "a measurement is of real time")]
fn storm(arm: Arm, cpu: &mut Vec<Duration>) -> Duration {
    const GONE: &str = "the arm runs until it is dropped";
    let mut child = Child::start(arm, EventSize::USUAL).expect("the arm starts");
    let before = child.cpu().expect(GONE);
    let begun = Instant::now();
    let clients = Subscribers::connect(child.address(), CLIENTS).expect("everybody is let in");
    let elapsed = begun.elapsed();
    cpu.push(child.cpu().expect(GONE) - before);
    drop(clients);
    elapsed
}
