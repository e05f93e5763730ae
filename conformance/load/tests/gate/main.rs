//! The promised error rate and the power of `gatecheck bench compare`, by simulation. With `--nocapture` the tests print the
//! table that `benches/README.md` has.

mod noise;

use std::convert::Infallible;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use gatecheck_load::compare::{Block, Build, Builds, Comparison, Settings, Verdict, drive, interval};
use gatecheck_load::measure::{Measure, Measures};
use noise::{Disturbance, HOSTS, Noise, SEEN};

/// Blocks in ten minutes, at a little under four seconds each with start and end.
const TEN_MINUTES: usize = 160;

/// Two builds on a disturbed host. The new one costs so many times the base.
struct Simulated {
    factor: f64,
    host: Disturbance,
}

impl Builds for Simulated {
    type Error = Infallible;

    async fn run(&mut self, block: Block) -> Result<Option<Measures>, Infallible> {
        let cost = if block.build == Build::New { self.factor } else { 1.0 };
        Ok(Some([(Measure::CpuPerDelivery, 5.0 * cost * self.host.factor())].into()))
    }
}

/// How often each verdict was given.
#[derive(Debug, Default)]
struct Tally {
    comparisons: u32,
    slower: u32,
    faster: u32,
    same: u32,
    too_noisy: u32,
    blocks: usize,
}

impl Tally {
    fn share(&self, count: u32) -> f64 {
        f64::from(count) / f64::from(self.comparisons)
    }
}

/// So many comparisons of a build that costs `factor` times the base, each with another seed.
fn compared(noise: Noise, factor: f64, comparisons: u32) -> Tally {
    let mut tally = Tally { comparisons, ..Tally::default() };
    for seed in 0..comparisons {
        let seed = u64::from(seed);
        let mut comparison =
            Comparison::new(Settings { measures: vec![Measure::CpuPerDelivery], within: 0.03, seed });
        let host = Disturbance::new(noise, seed ^ 0x5eed_0000);
        let is_over = |so_far: &Comparison| so_far.blocks_run() >= TEN_MINUTES;
        let mut builds = Simulated { factor, host };
        let interrupted =
            ready(drive(&mut comparison, &mut builds, is_over)).expect("figures can be compared");
        assert!(!interrupted, "nothing interrupts it");
        tally.blocks += comparison.blocks_run();
        let (found, _) = comparison.finish();
        *match found[0].verdict {
            Verdict::Slower => &mut tally.slower,
            Verdict::Faster => &mut tally.faster,
            Verdict::Same => &mut tally.same,
            Verdict::TooNoisy => &mut tally.too_noisy,
        } += 1;
    }
    println!(
        "| {} | {:+.0} % | {:.1} | {:.1} | {:.1} | {:.1} | {:.0} |",
        noise.name,
        (factor - 1.0) * 100.0,
        tally.share(tally.slower) * 100.0,
        tally.share(tally.faster) * 100.0,
        tally.share(tally.same) * 100.0,
        tally.share(tally.too_noisy) * 100.0,
        tally.blocks as f64 / f64::from(comparisons),
    );
    tally
}

/// What a future answers at once: nothing is awaited in a simulation.
fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("a simulated block is ready at once"),
    }
}

/// Equal builds are called slower in less than 1 of 100 comparisons, and faster in no more, on every host: what the
/// promise rests on is the coin that orders the blocks, and no property of the noise.
#[test]
fn equal_builds_are_rarely_called_different() {
    for noise in HOSTS {
        let tally = compared(noise, 1.0, 2000);
        assert!(tally.share(tally.slower) < 0.01, "{}: {tally:?}", noise.name);
        assert!(tally.share(tally.faster) < 0.01, "{}: {tally:?}", noise.name);
    }
}

/// At the noise seen, 10 % more is found in more than 90 of 100 comparisons, and 3 % more in more than half.
#[test]
fn slower_builds_are_found() {
    let tally = compared(SEEN, 1.1, 1000);
    assert!(tally.share(tally.slower) > 0.9, "{tally:?}");
    let tally = compared(SEEN, 1.03, 1000);
    assert!(tally.share(tally.slower) > 0.5, "{tally:?}");
}

/// What is better is found as what is worse is.
#[test]
fn faster_builds_are_found() {
    let tally = compared(SEEN, 1.0 / 1.1, 300);
    assert!(tally.share(tally.faster) > 0.9, "{tally:?}");
}

/// A build that differs by 5 % is not called the same within 3 % in more than 1 of 100 comparisons, on any host.
#[test]
fn different_builds_are_rarely_called_the_same() {
    for noise in HOSTS {
        let tally = compared(noise, 1.05, 500);
        assert!(tally.share(tally.same) < 0.01, "{}: {tally:?}", noise.name);
    }
}

/// Equal builds are told to be the same within ten minutes in more than half of the comparisons at the noise seen: a gate that never
/// passes is of no use.
#[test]
fn equal_builds_are_called_the_same() {
    let tally = compared(SEEN, 1.0, 1000);
    assert!(tally.share(tally.same) > 0.5, "{tally:?}");
}

/// Why the interval is no bootstrap of the values: at the number of observations of the first look it promises an error of
/// 1 % and has several times that, where the signed-rank interval keeps its promise.
#[test]
fn a_bootstrap_of_few_values_breaks_its_promise() {
    const LEVEL: f64 = 0.01;
    let (mut by_bootstrap, mut by_ranks) = (0, 0);
    for seed in 0..2000 {
        let mut host = Disturbance::new(SEEN, seed);
        let mut rng = fastrand::Rng::with_seed(seed);
        let values: Vec<f64> = (0..9)
            .map(|_| {
                let [a, b, c, d] = std::array::from_fn(|_| host.factor().ln());
                let sign = if rng.bool() { 0.5 } else { -0.5 };
                sign * (b + c - a - d)
            })
            .collect();
        by_ranks += u32::from(interval(&values, LEVEL).unwrap().low > 0.0);
        let mut means: Vec<f64> =
            (0..1000).map(|_| (0..9).map(|_| values[rng.usize(..9)]).sum::<f64>()).collect();
        let (_, low, _) = means.select_nth_unstable_by(10, f64::total_cmp);
        by_bootstrap += u32::from(*low > 0.0);
    }
    println!("false alarms of 2000 at 1 %: bootstrap {by_bootstrap}, signed ranks {by_ranks}");
    assert!(by_ranks <= 20 + 10, "{by_ranks}");
    assert!(by_bootstrap > 2 * 20, "{by_bootstrap}");
}
