//! The comparison without noise: what it asks for, and what it refuses.

use super::*;

fn settings(measures: &[Measure]) -> Settings {
    Settings { measures: measures.to_vec(), within: 0.03, seed: 7 }
}

fn cpu(value: f64) -> Measures {
    [(Measure::CpuPerDelivery, value)].into()
}

/// Runs until it is decided; the new build costs so many times the base.
fn decided(factor: f64) -> (Vec<Finding>, Vec<BlockResult>) {
    let mut comparison = Comparison::new(settings(&[Measure::CpuPerDelivery]));
    while let Some(block) = comparison.next_block() {
        let cost = if block.build == Build::New { factor } else { 1.0 };
        comparison.record(cpu(cost * (1.0 + block.seed as f64 / u64::MAX as f64))).unwrap();
    }
    comparison.finish()
}

/// Both builds get equal seeds, each the same number of blocks, in an order that is turned round within four; and the
/// same seed repeats the order.
#[test]
fn blocks_are_paired() {
    let (_, blocks) = decided(1.1);
    assert_eq!(blocks.len(), 9 * 4, "the first look decides");
    let mut began = Vec::new();
    for quad in blocks.chunks(4) {
        let builds: Vec<_> = quad.iter().map(|block| block.build).collect();
        assert_eq!(builds, [builds[0], builds[0].other(), builds[0].other(), builds[0]]);
        assert_eq!((quad[0].seed, quad[2].seed), (quad[1].seed, quad[3].seed));
        began.push(builds[0]);
    }
    assert!(began.contains(&Build::Base) && began.contains(&Build::New), "a coin decides who begins");
    assert_eq!(decided(1.1).1, blocks);
}

/// Without noise, nine observations are enough for each verdict, and the ratio is exact: the load's seed cancels.
#[test]
fn without_noise_the_first_look_decides() {
    for (factor, verdict) in
        [(1.1, Verdict::Slower), (0.9, Verdict::Faster), (1.0, Verdict::Same), (1.02, Verdict::Same)]
    {
        let (found, _) = decided(factor);
        assert_eq!((found[0].verdict, found[0].observations), (verdict, 9), "{factor}");
        assert!((found[0].ratio.unwrap() - factor).abs() < 1e-9, "{found:?}");
    }
}

/// Four blocks that are not complete count for nothing, and too few say nothing.
#[test]
fn too_few_blocks_say_nothing() {
    let mut comparison = Comparison::new(settings(&[Measure::CpuPerDelivery]));
    for _ in 0..6 {
        assert!(comparison.next_block().is_some());
        comparison.record(cpu(1.0)).unwrap();
    }
    let (found, blocks) = comparison.finish();
    assert_eq!((found[0].verdict, found[0].observations, blocks.len()), (Verdict::TooNoisy, 1, 6));
    assert_eq!(found[0].ratio, None);
}

/// A measure that the workload does not have, and one that is zero, are errors that say what there is.
#[test]
fn what_cannot_be_compared_is_refused() {
    let mut comparison = Comparison::new(settings(&[Measure::P99]));
    comparison.next_block();
    let error = comparison.record(cpu(1.0)).unwrap_err().to_string();
    assert_eq!(error, "the workload does not measure `p99` here; it measures cpu_per_delivery");
    let error = comparison.record([(Measure::P99, 0.0)].into()).unwrap_err().to_string();
    assert!(error.contains("p99 = 0, of which no ratio can be taken"), "{error}");
}

/// What is decided stays decided while another measure is still open.
#[test]
fn a_decided_measure_stays_decided() {
    let mut comparison = Comparison::new(settings(&[Measure::CpuPerDelivery, Measure::P99]));
    let mut rng = fastrand::Rng::with_seed(1);
    while let Some(block) = comparison.next_block() {
        let p99 = 1.0 + 99.0 * rng.f64();
        let late = comparison.blocks_run() > 20 * 4;
        let cost = if block.build == Build::New && !late { 1.2 } else { 1.0 };
        comparison.record([(Measure::CpuPerDelivery, cost), (Measure::P99, p99)].into()).unwrap();
    }
    let (found, _) = comparison.finish();
    let by_measure = |measure| found.iter().find(|found| found.measure == measure).unwrap();
    let cpu = by_measure(Measure::CpuPerDelivery);
    assert_eq!((cpu.verdict, cpu.observations), (Verdict::Slower, 12));
    let p99 = by_measure(Measure::P99);
    assert_eq!((p99.verdict, p99.observations), (Verdict::TooNoisy, MAX_QUADS));
}
