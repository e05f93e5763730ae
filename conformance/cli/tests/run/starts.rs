//! A gateway that was not ready in time beside others is started again alone, and that is what counts.

use std::fs;
use std::sync::Arc;

use libtest_mimic::{Failed, Trial};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::{cases, gatecheck, trial};

/// Sleeps longer than it may, the first time. `mkdir` lets exactly one of two that start at once be the first.
const PROFILE: &str = r#"
[gateway]
command = [
    "sh", "-c", 'mkdir started 2>/dev/null && sleep 600; exec "$0" "$@"', "{gatecheck}", "reference-server",
    "--listen", "127.0.0.1:{port}",
]
env = { JWT_SECRET = "{jwt_secret}", RABBITMQ_URL = "{amqp_url}" }
ready = { path = "/readyz", timeout = "5s" }
"#;

pub(crate) fn trials(runtime: &Arc<Runtime>) -> Vec<Trial> {
    let runtime = Arc::clone(runtime);
    let name = "embedded/a_slow_start_is_tried_again_alone";
    vec![trial::test(name, move || runtime.block_on(is_tried_again()))]
}

async fn is_tried_again() -> Result<(), Failed> {
    let folder = TempDir::with_prefix("gatecheck-starts-").map_err(|error| error.to_string())?;
    let profile = folder.path().join("gatecheck.toml");
    fs::write(&profile, PROFILE).map_err(|error| error.to_string())?;
    let profile = profile.display().to_string();
    // Alone from the beginning there would be nothing that may have slowed it.
    let only = [
        "--no-preflight",
        "--jobs",
        "2",
        "--filter",
        "gateway/auth/good-token",
        "--filter",
        "gateway/auth/empty-token",
        "--format",
        "json",
    ];
    let (code, report) = gatecheck(&[&["gateway", "-c", &profile], only.as_slice()].concat()).await?;
    let mut runs: Vec<_> = cases(&report).map(|case| case["runs"].as_u64()).collect();
    runs.sort_unstable();
    match (code, runs.as_slice()) {
        // The other one may be tried again too, on a host that slows it.
        (0, [Some(1 | 2), Some(2)]) => Ok(()),
        other => Err(format!("{other:?}: {report}").into()),
    }
}
