//! Short soaks: the whole machinery for a few seconds, on the reference gateway, and on gateways that are wrong in one way.

use std::fs;
use std::future::{pending, ready};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gatecheck_lab::GatewayError;
use gatecheck_lab::soak::{self, Problem, SoakConfig, SoakError, Summary};
use tokio::sync::oneshot;

const GATECHECK: &str = env!("CARGO_BIN_EXE_gatecheck");

fn config(program: &Path, duration: Duration) -> SoakConfig {
    SoakConfig {
        program: program.to_owned(),
        duration,
        connections: 60,
        churn: 10,
        events: 40,
        adversaries: 3,
        restart_every: Duration::from_secs(4),
        seed: 1,
    }
}

/// A gateway that is started by a script; removed when dropped.
struct Wrapped(PathBuf);

impl Wrapped {
    /// `{gatecheck}` in the script stands for the program, `{folder}` for a folder of its own.
    fn new(name: &str, script: &str, config: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("gatecheck-soak-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a file of the test");
        let folder_name = folder.display().to_string();
        let script = script.replace("{gatecheck}", GATECHECK).replace("{folder}", &folder_name);
        fs::write(folder.join("gateway"), format!("#!/bin/sh\n{script}\n")).expect("a file of the test");
        fs::set_permissions(folder.join("gateway"), fs::Permissions::from_mode(0o755))
            .expect("a file of the test");
        fs::write(folder.join("gateway.toml"), config).expect("a file of the test");
        Self(folder)
    }

    /// A gateway with this routing table.
    fn routing(name: &str, rows: &[(&str, &str)]) -> Self {
        let row =
            |(event, room): &(&str, &str)| format!("[[route]]\nevent = \"{event}\"\nrooms = [\"{room}\"]\n");
        let rows: String = rows.iter().map(row).collect();
        Self::new(name, "GATEWAY_CONFIG={folder}/gateway.toml exec {gatecheck} \"$@\"", &rows)
    }

    async fn soak(&self) -> Result<Summary, SoakError> {
        soak::run(config(&self.0.join("gateway"), Duration::from_secs(3)), pending(), |_| {}).await
    }
}

impl Drop for Wrapped {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Clients come and go, the broker too, others do harm: the healthy ones get all that is theirs, and nothing is left.
#[tokio::test(flavor = "multi_thread")]
async fn a_short_soak_finds_nothing() {
    let config = config(GATECHECK.as_ref(), Duration::from_secs(9));
    let summary = soak::run(config, pending(), |_| {}).await.unwrap();
    assert_eq!(summary.problem_count, 0, "{:?}", summary.problems);
    assert!(summary.outages.restarts >= 1 && summary.events > 60, "{summary:?}");
    assert!(summary.outages.waited > 0, "events wait in the queue until the gateway is back: {summary:?}");
    assert!(summary.checked > summary.events && summary.adversaries.flooding > 0, "{summary:?}");
    assert!(summary.replaced > 0 && summary.broke_off > 0, "{summary:?}");
    assert!(
        summary.connections > 60 * 2,
        "each client once for the allocator, once for the load, and the churn: {summary:?}"
    );
}

/// A gateway that sends administrators' events to all clients is detected.
#[tokio::test(flavor = "multi_thread")]
async fn a_leak_is_found() {
    let gateway = Wrapped::routing(
        "leak",
        &[("payment:created", "broadcast"), ("profile:*", "user:{data.userId}"), ("admin:*", "broadcast")],
    );
    let summary = gateway.soak().await.unwrap();
    assert!(matches!(summary.problems[0], Problem::Foreign { .. }), "{:?}", summary.problems);
}

/// A gateway that loses the events of single users is detected.
#[tokio::test(flavor = "multi_thread")]
async fn a_loss_is_found() {
    let gateway = Wrapped::routing(
        "loss",
        &[("payment:created", "broadcast"), ("profile:*", "nowhere"), ("admin:*", "role:admin")],
    );
    let summary = gateway.soak().await.unwrap();
    assert!(matches!(summary.problems[0], Problem::Lost { .. }), "{:?}", summary.problems);
}

/// A panic counts even where the gateway lives on and ends well.
#[tokio::test(flavor = "multi_thread")]
async fn a_panic_is_found() {
    let script = "echo \"thread 'shard' panicked at here\" >&2; exec {gatecheck} \"$@\"";
    let summary = Wrapped::new("panic", script, "").soak().await.unwrap();
    assert!(matches!(&summary.problems[..], [Problem::Panic(_)]), "{:?}", summary.problems);
    assert_eq!(summary.problem_count, 1);
}

/// A gateway that ends with an error on shutdown is a problem.
#[tokio::test(flavor = "multi_thread")]
async fn a_bad_end_is_found() {
    let script = "{gatecheck} \"$@\" & trap 'wait $!; exit 3' TERM; wait $!";
    let summary = Wrapped::new("end", script, "").soak().await.unwrap();
    assert_eq!(summary.problems, [Problem::End("exit code 3".to_owned())]);
    assert_eq!(summary.problem_count, 1);
}

/// That a healthy client is turned away is held against the gateway, not against the harness.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_found() {
    let script = "GATEWAY_MAX_CONNECTIONS=30 exec {gatecheck} \"$@\"";
    let summary = Wrapped::new("refusal", script, "").soak().await.unwrap();
    assert!(matches!(summary.problems[0], Problem::Refused { .. }), "{:?}", summary.problems);
}

/// A gateway that has no descriptor left serves those who are there, and those who come once others have been ended.
#[tokio::test(flavor = "multi_thread")]
async fn exhausted_descriptors_cost_no_one_else_anything() {
    // 60 healthy clients, and 250 others that would all be there at once.
    let gateway = Wrapped::new("descriptors", "ulimit -n 160; exec {gatecheck} \"$@\"", "");
    let config = SoakConfig {
        adversaries: 50,
        churn: 2,
        restart_every: Duration::from_secs(60),
        ..config(&gateway.0.join("gateway"), Duration::from_secs(6))
    };
    let summary = soak::run(config, pending(), |_| {}).await.unwrap();
    assert_eq!(summary.problem_count, 0, "{:?}", summary.problems);
    assert!(summary.checked > summary.events && summary.adversaries.flooding > 0, "{summary:?}");
}

/// A gateway that dies is no finding and no failure of the harness: it is dead.
#[tokio::test(flavor = "multi_thread")]
async fn a_death_is_reported() {
    let error =
        Wrapped::new("death", "exec timeout -s KILL 2 {gatecheck} \"$@\"", "").soak().await.unwrap_err();
    assert!(matches!(&error, SoakError::Gateway(GatewayError::Over { .. })), "{error}");
}

/// A stopped soak is summed up early; stopped before every client is connected, it has no summary.
#[tokio::test(flavor = "multi_thread")]
async fn stopping_sums_up_early() {
    let (stop, stopped) = oneshot::channel::<()>();
    let mut stop = Some(stop);
    let long = config(GATECHECK.as_ref(), Duration::from_secs(3600));
    let stop_request = async { stopped.await.unwrap_or_default() };
    let summary = soak::run(long.clone(), stop_request, |progress| {
        if progress.checked > 0 {
            drop(stop.take());
        }
    });
    let summary = summary.await.unwrap();
    assert!(summary.problem_count == 0 && summary.checked > 0, "{summary:?}");
    assert!(summary.duration < Duration::from_secs(60), "{summary:?}");
    assert!(matches!(soak::run(long, ready(()), |_| {}).await, Err(SoakError::Interrupted)));
}
