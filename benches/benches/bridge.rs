//! From a broker to sockets: the reference gateway beside a plain lapin consumer that writes to the same sockets.
//!
//! The broker is the one at `GATECHECK_AMQP_URL`, such as a RabbitMQ; without it, an embedded one in this process, whose CPU time is in no
//! figure. Arms take turns in each round, ratios are made within a round. `-- --quick` measures once.

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use benches::fanout::{
    Arm, Burst, BurstShape, EventSize, Paced, PacedShape, Publisher, Spread, become_arm, bridged_burst,
    bridged_paced,
};

const ARMS: [Arm; 2] = [Arm::Bridge, Arm::Consumer];
const ROUNDS: usize = 5;

fn main() -> ExitCode {
    if let Some(arm) = become_arm() {
        return arm;
    }
    let is_quick = std::env::args().any(|argument| argument == "--quick");
    match measure(if is_quick { 1 } else { ROUNDS }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(rounds: usize) -> Result<(), Box<dyn Error>> {
    let url = std::env::var("GATECHECK_AMQP_URL").ok();
    let broker = if url.is_some() { "the broker at GATECHECK_AMQP_URL" } else { "an embedded broker" };
    let publisher = Publisher::start(url)?;
    let size = EventSize::USUAL;
    let burst = BurstShape { size, subscribers: 100, events: 2_000, floor_events: 2_000, rounds };
    let paced =
        PacedShape { size, subscribers: 100, events: 400, interval: Duration::from_millis(5), rounds };
    let (mut bursts, mut steady) = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        eprintln!("round {round} of {rounds}");
        bursts.push(each(|arm| bridged_burst(arm, &burst, &publisher))?);
        steady.push(each(|arm| bridged_paced(arm, &paced, &publisher))?);
    }
    println!("{broker}, 100 subscribers, events of 200 bytes; median (least to most) of {rounds} rounds\n");
    for (at, arm) in ARMS.into_iter().enumerate() {
        let of = |figure: fn(&Burst) -> f64| Spread::of(bursts.iter().map(|round| figure(&round[at])));
        println!(
            "burst of 2,000   {:<9} {:>24.0} thousand deliveries/s {:>22.2} µs CPU each",
            arm.name(),
            of(|burst| burst.per_second() / 1e3),
            of(Burst::cpu_us)
        );
    }
    for (at, arm) in ARMS.into_iter().enumerate() {
        let of = |figure: fn(&Paced) -> f64| Spread::of(steady.iter().map(|round| figure(&round[at])));
        println!(
            "paced, 200/s     {:<9} {:>24.2} µs CPU each   p50 {:.2} ms, p99 {:.2} ms",
            arm.name(),
            of(Paced::cpu_us),
            of(|paced| paced.latency_p50.as_secs_f64() * 1e3),
            of(|paced| paced.latency_p99.as_secs_f64() * 1e3),
        );
    }
    let bursts = |figure: fn(&Burst) -> f64| {
        Spread::of(bursts.iter().map(|[bridge, consumer]| figure(bridge) / figure(consumer)))
    };
    let steady = |figure: fn(&Paced) -> f64| {
        Spread::of(steady.iter().map(|[bridge, consumer]| figure(bridge) / figure(consumer)))
    };
    println!("\ngatecheck / consumer");
    println!("  burst deliveries/s        {:>22.2}", bursts(Burst::per_second));
    println!("  burst CPU of a delivery   {:>22.2}", bursts(Burst::cpu_us));
    println!("  paced CPU of a delivery   {:>22.2}", steady(Paced::cpu_us));
    println!(
        "  paced p99                 {:>22.2}   target: at most 1.5",
        steady(|paced| paced.latency_p99.as_secs_f64())
    );
    Ok(())
}

fn each<T, E>(mut measured: impl FnMut(Arm) -> Result<T, E>) -> Result<[T; 2], E> {
    let [bridge, consumer] = ARMS;
    Ok([measured(bridge)?, measured(consumer)?])
}
