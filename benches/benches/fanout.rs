//! One event to many sockets: the reference gateway beside the *floor* (one `send(2)` for each delivery and nothing else)
//! and the *plain* program (tokio-tungstenite, a task for each socket, a broadcast channel). *Sends* is the gateway with io_uring off.
//!
//! ```text
//!  round 1: gatecheck, sends, floor, plain    round 2: gatecheck, sends, floor, plain    …    each arm a fresh child process
//!
//!  burst   1,000 subscribers × 1,000 events of 200 bytes, all at once   deliveries/s, CPU of a delivery
//!          (the floor: 200 events)
//!  paced   500 subscribers, 100 events/s for two seconds                CPU of a delivery, event-to-socket latency
//!  idle    5,000 connections, once                                      resident memory of a connection
//! ```
//!
//! Arms take turns, so that what else the machine does meets them all; ratios are made within a round. Machines differ
//! and are noisy: figures are printed beside their targets and judged by people. A missing or broken delivery fails.
//!
//! `cargo bench -p benches --bench fanout` measures; without `--bench`, as in `cargo test`, every arm delivers a few
//! events and no figure means anything.

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use benches::fanout::{self, Arm, Burst, MeasureError, Report, Shape};
use criterion::{Criterion, SamplingMode, Throughput};

fn main() -> ExitCode {
    if let Some(arm) = fanout::become_arm() {
        return arm;
    }
    let given = |flag| std::env::args().any(|argument| argument == flag);
    if given("--list") {
        // criterion prints the list.
        estimate(&Shape::FULL, &[]);
        return ExitCode::SUCCESS;
    }
    let is_measured = given("--bench") && !given("--test");
    let shape = if is_measured { Shape::FULL } else { Shape::SMOKE };
    match measure(shape) {
        Ok(report) => {
            if is_measured {
                estimate(&report.shape, &report.bursts);
            }
            print!("\n{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Every workload, arms in turn.
fn measure(shape: Shape) -> Result<Report, Box<dyn Error>> {
    fanout::raise_descriptor_limit(shape.idle_connections)?;
    let mut bursts = Vec::new();
    for round in 1..=shape.burst.rounds {
        eprintln!("burst, round {round} of {}", shape.burst.rounds);
        bursts.push(each_arm(|arm| fanout::burst(arm, &shape.burst))?);
    }
    let mut paced = Vec::new();
    for round in 1..=shape.paced.rounds {
        eprintln!("paced, round {round} of {}", shape.paced.rounds);
        paced.push(each_arm(|arm| fanout::paced(arm, &shape.paced))?);
    }
    eprintln!("idle");
    let idle = each_arm(|arm| fanout::idle(arm, shape.idle_connections))?;
    Ok(Report { shape, bursts, paced, idle })
}

fn each_arm<T>(mut measured: impl FnMut(Arm) -> Result<T, MeasureError>) -> Result<[T; 4], MeasureError> {
    let [gatecheck, sends, floor, plain] = Report::ARMS;
    Ok([measured(gatecheck)?, measured(sends)?, measured(floor)?, measured(plain)?])
}

/// Has criterion estimate, print, and compare with the last run. It would measure one arm to the end before the next, so
/// it is given the rounds that were measured in turn: one for each sample, however many iterations it asks for.
fn estimate(shape: &Shape, bursts: &[[Burst; 4]]) {
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("fanout_burst");
    group.sample_size(shape.burst.rounds).sampling_mode(SamplingMode::Flat);
    // The shortest time makes criterion warm up with one call.
    group.warm_up_time(Duration::from_nanos(1)).measurement_time(Duration::from_millis(1));
    for (at, arm) in Report::ARMS.into_iter().enumerate() {
        let deliveries = shape.burst.subscribers * shape.burst.events_of(arm);
        group.throughput(Throughput::Elements(deliveries as u64));
        let mut rounds = bursts.iter().map(|round| round[at].elapsed).cycle();
        group.bench_function(arm.name(), |b| {
            b.iter_custom(|iterations| {
                let elapsed = rounds.next().expect("there is a round");
                elapsed.mul_f64(iterations as f64)
            });
        });
    }
    group.finish();
    criterion.final_summary();
}
