//! A gateway that serves many cases, and verifies tokens of another style: the reference gateway, by a profile of its own.

use std::fs;
use std::sync::Arc;

use libtest_mimic::{Failed, Trial};
use scenarios::Library;
use scenarios::scenario::{Script, Settings};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::{cases, gatecheck, standings};

/// Writes a line into a file at each start. `{token}` is replaced.
const PROFILE: &str = r#"
[token]
algorithm = "{token}"
names = { userId = "sub" }
claims = { iss = "https://id.example", aud = ["app"] }

[gateway]
process = "shared"
command = [
    "sh", "-c", 'echo started >> starts; exec "$0" "$@"', "{gatecheck}", "reference-server",
    "--listen", "127.0.0.1:{port}", "--queue", "{queue_kind}", "--issuer", "https://id.example", "--audience", "app",
    "--ping-interval", "{ping_interval}", "--pong-timeout", "{pong_timeout}", "--connect-timeout", "{connect_timeout}",
]
env = { JWT_PUBLIC_KEYS = "{jwt_public_key_file}", RABBITMQ_URL = "{amqp_url}" }
ready = { path = "/readyz" }

[timing]
ping_interval = "400ms"
pong_timeout = "200ms"
connect_timeout = "1s"
"#;
/// Cases at once.
const JOBS: usize = 8;
/// What that command cannot be told.
const NOT_TOLD: [&str; 4] = ["AUTH-7", "AUTH-10", "CONN-7", "MSG-6"];

pub(crate) fn trials(runtime: &Arc<Runtime>) -> Vec<Trial> {
    ["RS256", "ES256", "EdDSA"]
        .map(|algorithm| {
            let runtime = Arc::clone(runtime);
            let name = format!("embedded/a_shared_gateway_conforms/{}", algorithm.to_lowercase());
            Trial::test(name, move || runtime.block_on(conforms(algorithm)))
        })
        .into()
}

/// Everything holds that its command can be told of, and it starts for a part of the cases only.
async fn conforms(algorithm: &str) -> Result<(), Failed> {
    let folder = TempDir::with_prefix("gatecheck-shared-").map_err(|error| error.to_string())?;
    let profile = folder.path().join("gatecheck.toml");
    fs::write(&profile, PROFILE.replace("{token}", algorithm)).map_err(|error| error.to_string())?;
    let (profile, jobs) = (profile.display().to_string(), JOBS.to_string());
    let (code, report) = gatecheck(&["gateway", "-c", &profile, "--jobs", &jobs, "--format", "json"]).await?;
    // Where a key signs by one algorithm alone, no other can be tried with it.
    let single = if algorithm == "RS256" { None } else { Some("AUTH-11") };
    let mut odd = standings(&report);
    odd.retain(|id, standing| {
        *standing != if NOT_TOLD.contains(id) || single == Some(*id) { "not_shown" } else { "shown" }
    });
    if !matches!(code, 0 | 3) || code == 0 && !odd.is_empty() {
        return Err(format!("exit code {code}: {odd:?}").into());
    }
    let starts = fs::read_to_string(folder.path().join("starts")).map_err(|error| error.to_string())?;
    let (starts, most) = (starts.lines().count(), most_starts(&report)?);
    if starts > most {
        return Err(format!("{starts} starts, where {most} are enough").into());
    }
    let played = cases(&report).count();
    if most * 3 > played * 2 {
        return Err(format!("{most} starts for {played} cases would prove nothing").into());
    }
    Ok(())
}

/// How many starts are enough, however busy the host is: one for the look before the cases; one for each play of a case that needs a
/// gateway of its own; one for each case at once, since a gateway on which a case has passed is kept; and two for each play of a case
/// that was not settled by its first, which is played on a gateway of its own too.
fn most_starts(report: &Value) -> Result<usize, Failed> {
    let library = Library::builtin().map_err(|error| error.to_string())?;
    let is_own = |id: &str| {
        library.iter().filter(|scenario| scenario.id.0 == id).any(|scenario| match &scenario.script {
            Script::Gateway(script) => script.needs_own_gateway() || script.settings != Settings::default(),
            Script::Client(_) => false,
        })
    };
    let mut most = 1 + JOBS;
    for case in cases(report) {
        let runs = case["runs"].as_u64().and_then(|runs| usize::try_from(runs).ok()).unwrap_or(0);
        most += match (is_own(case["id"].as_str().unwrap_or_default()), runs) {
            (true, runs) => runs,
            (false, 0 | 1) if case["verdict"] == "pass" || case["verdict"] == "not_run" => 0,
            (false, runs) => 2 * runs,
        };
    }
    Ok(most)
}
