//! A gateway that serves many cases, and verifies tokens of another style: the reference gateway, by a profile of its own.

use std::fs;
use std::sync::Arc;

use libtest_mimic::{Failed, Trial};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::{cases, gatecheck, standings, trial};

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
/// Requirements whose settings that command does not accept.
const NOT_CONFIGURABLE: [&str; 4] = ["AUTH-7", "AUTH-10", "CONN-7", "MSG-6"];

pub(crate) fn trials(runtime: &Arc<Runtime>) -> Vec<Trial> {
    let conform = ["RS256", "ES256", "EdDSA"].map(|algorithm| {
        let runtime = Arc::clone(runtime);
        let name = format!("embedded/a_shared_gateway_conforms/{}", algorithm.to_lowercase());
        trial::test(name, move || runtime.block_on(conforms(algorithm)))
    });
    let runtime = Arc::clone(runtime);
    let shared = trial::test("embedded/cases_share_a_gateway", move || runtime.block_on(is_shared()));
    conform.into_iter().chain([shared]).collect()
}

/// Every requirement holds whose settings its command accepts.
async fn conforms(algorithm: &str) -> Result<(), Failed> {
    let folder = TempDir::with_prefix("gatecheck-shared-").map_err(|error| error.to_string())?;
    let profile = folder.path().join("gatecheck.toml");
    fs::write(&profile, PROFILE.replace("{token}", algorithm)).map_err(|error| error.to_string())?;
    let (code, report) =
        gatecheck(&["gateway", "-c", &profile.display().to_string(), "--format", "json"]).await?;
    let mut odd = standings(&report);
    odd.retain(|id, standing| *standing != if NOT_CONFIGURABLE.contains(id) { "not_shown" } else { "shown" });
    if !matches!(code, 0 | 3) || code == 0 && !odd.is_empty() {
        let stopped =
            cases(&report).filter(|case| !matches!(case["verdict"].as_str(), Some("pass" | "not_run")));
        let stopped: Vec<_> = stopped.map(Value::to_string).collect();
        return Err(format!("exit code {code}: {odd:?}\n{}", stopped.join("\n")).into());
    }
    Ok(())
}

/// Cases that no noise can make fail take the gateway that the case before them has left: one starts for the look before the run, and
/// one for all of them.
async fn is_shared() -> Result<(), Failed> {
    let folder = TempDir::with_prefix("gatecheck-shared-").map_err(|error| error.to_string())?;
    let profile = folder.path().join("gatecheck.toml");
    fs::write(&profile, PROFILE.replace("{token}", "EdDSA")).map_err(|error| error.to_string())?;
    let profile = profile.display().to_string();
    let only = ["--jobs", "1", "--filter", "gateway/auth/no-*-claim", "--format", "json"];
    let (code, report) = gatecheck(&[&["gateway", "-c", &profile], only.as_slice()].concat()).await?;
    let passed = cases(&report).filter(|case| case["verdict"] == "pass").count();
    let starts = fs::read_to_string(folder.path().join("starts")).map_err(|error| error.to_string())?;
    match (code, passed, starts.lines().count()) {
        (0, 3.., 2) => Ok(()),
        (code, passed, starts) => {
            Err(format!("exit code {code}, {starts} starts for {passed} cases: {report}").into())
        }
    }
}
