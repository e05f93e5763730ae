//! A short soak: the whole machinery, for a few seconds.

use std::time::Duration;

use conformance::soak::{self, SoakConfig};

/// Clients come and go, the broker too, others do harm: the healthy ones get all that is theirs, and nothing is left.
#[tokio::test(flavor = "multi_thread")]
async fn a_short_soak_finds_nothing() {
    let config = SoakConfig {
        program: env!("CARGO_BIN_EXE_gatecheck").into(),
        duration: Duration::from_secs(8),
        connections: 60,
        churn: 10,
        events: 40,
        nuisances: 3,
        restart_every: Duration::from_secs(4),
        seed: 1,
    };
    let summary = soak::run(config, std::future::pending(), |_| {}).await.unwrap();
    assert_eq!(summary.problem_count, 0, "{:?}", summary.problems);
    assert!(summary.restarts >= 1 && summary.events > 60, "{summary:?}");
    assert!(summary.checked > summary.events && summary.nuisances.flooding > 0, "{summary:?}");
    assert!(
        summary.connections > 60 * 2,
        "everybody once for the allocator, once for good, and the churn: {summary:?}"
    );
}
