//! The example client in Node.js holds everything that it claims, and the same client with a defect is found out.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use libtest_mimic::{Failed, Trial};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::node::{copy, with_modules};
use crate::{gatecheck, holds_claims, standings, trial};

const FILES: [&str; 4] = [
    "adapters/node/gatecheck-adapter.mjs",
    "examples/node-client/adapter.mjs",
    "examples/node-client/client.mjs",
    "examples/node-client/gatecheck.toml",
];
/// What a client of one connection leaves to others, as the example's profile says.
const UNCLAIMED: [&str; 3] = ["OBS-1", "PROV-", "HOOK-"];

pub(crate) fn trials(runtime: &Arc<Runtime>) -> Vec<Trial> {
    let (whole, broken) = (Arc::clone(runtime), Arc::clone(runtime));
    vec![
        trial::ignorable_test("node/the_example_client_holds_what_it_claims", move || {
            with_modules(&["ws"], |folder| whole.block_on(holds(folder)))
        }),
        trial::ignorable_test("node/a_defect_of_the_example_client_is_found", move || {
            with_modules(&["ws"], |folder| broken.block_on(is_found(folder)))
        }),
    ]
}

async fn holds(folder: &Path) -> Result<(), Failed> {
    copy(&FILES, folder)?;
    let (code, report) = judge(folder, &[]).await?;
    holds_claims(code, &report, &UNCLAIMED)
}

/// Without its renewed subscriptions it fails there, and nowhere else.
async fn is_found(folder: &Path) -> Result<(), Failed> {
    copy(&FILES, folder)?;
    let client = folder.join("examples/node-client/client.mjs");
    let text = fs::read_to_string(&client).map_err(|error| error.to_string())?;
    let renewal = "for (const target of this.#subscriptions.values())";
    let broken =
        text.replace(renewal, "for (const target of this.#attempts ? [] : this.#subscriptions.values())");
    if broken == text {
        return Err(format!("the example has no `{renewal}` any more").into());
    }
    fs::write(&client, broken).map_err(|error| error.to_string())?;
    let filter = ["--filter", "client/subscriptions/**", "--filter", "client/queue/offline-subscription"];
    let (code, report) = judge(folder, &filter).await?;
    let standings = standings(&report);
    if code != 1 || standings.get("SUB-2") != Some(&"failed") || standings.get("SUB-1") != Some(&"shown") {
        return Err(format!("exit code {code}: {standings:?}").into());
    }
    Ok(())
}

async fn judge(folder: &Path, filter: &[&str]) -> Result<(i32, Value), Failed> {
    let profile = folder.join("examples/node-client/gatecheck.toml").display().to_string();
    let arguments = [&["client", "-c", &profile, "--format", "json"], filter].concat();
    gatecheck(&arguments).await
}
