//! Where adapters in Python run; and the client that `gatecheck init python` begins with, which holds what its profile claims.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use libtest_mimic::{Completion, Failed, Trial};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::arms::requires;
use crate::node::copy;
use crate::{cases, gatecheck, holds_claims, trial};

/// An interpreter that has the packages.
const PYTHON: &str = "GATECHECK_PYTHON";
/// What the printed `python3 -m venv` would make.
const INTERPRETER: &str = "#!/bin/sh\nexec \"$GATECHECK_PYTHON\" \"$@\"\n";
const FILES: [&str; 4] = [
    "adapters/python/gatecheck_adapter.py",
    "adapters/python/adapter.py",
    "adapters/python/client.py",
    "adapters/python/gatecheck.toml",
];
/// What a client of one connection leaves to others, as its profile says.
const UNCLAIMED: [&str; 3] = ["OBS-1", "PROV-", "HOOK-"];

pub(crate) fn trials(runtime: &Arc<Runtime>) -> Vec<Trial> {
    let (whole, other) = (Arc::clone(runtime), Arc::clone(runtime));
    vec![
        trial::ignorable_test("python/the_client_to_begin_with_holds_what_it_claims", move || {
            with_websockets(|folder| whole.block_on(holds(folder)))
        }),
        trial::ignorable_test("python/a_client_in_another_style_is_wrapped", move || {
            with_websockets(|folder| other.block_on(is_wrapped(folder)))
        }),
    ]
}

/// Judges in a new folder whose `.venv` has `websockets`. Ignored where no interpreter has it.
pub(crate) fn with_websockets(judge: impl FnOnce(&Path) -> Result<(), Failed>) -> Result<Completion, Failed> {
    with_packages("websockets.asyncio.client", judge)
}

/// The same, with what can be imported by these names.
pub(crate) fn with_packages(
    names: &str,
    judge: impl FnOnce(&Path) -> Result<(), Failed>,
) -> Result<Completion, Failed> {
    if let Some(reason) = missing(names) {
        return if requires("python") { Err(reason.into()) } else { Ok(Completion::ignored_with(reason)) };
    }
    let folder = TempDir::with_prefix("gatecheck-python-").map_err(|error| error.to_string())?;
    let interpreter = folder.path().join(".venv/bin/python");
    fs::create_dir_all(folder.path().join(".venv/bin"))
        .and_then(|()| fs::write(&interpreter, INTERPRETER))
        .and_then(|()| fs::set_permissions(&interpreter, PermissionsExt::from_mode(0o755)))
        .map_err(|error| error.to_string())?;
    judge(folder.path()).map(|()| Completion::Completed)
}

/// Why nothing can be judged here.
fn missing(names: &str) -> Option<String> {
    let Some(python) = env::var_os(PYTHON) else { return Some(format!("{PYTHON} is not set")) };
    let mut probe = Command::new(python);
    probe.args(["-c", &format!("import {names}")]);
    match probe.stdin(Stdio::null()).stderr(Stdio::null()).status() {
        Ok(status) if status.success() => None,
        Ok(_) => Some(format!("{PYTHON} names an interpreter that cannot `import {names}`")),
        Err(error) => Some(format!("{PYTHON} names no interpreter: {error}")),
    }
}

async fn holds(folder: &Path) -> Result<(), Failed> {
    let profile = settle(folder)?;
    let (code, report) =
        gatecheck(&["client", "-c", &profile.display().to_string(), "--format", "json"]).await?;
    holds_claims(code, &report, &UNCLAIMED)
}

/// Slow methods, statuses of another type, listeners in a thread and noise are the adapter's business.
async fn is_wrapped(folder: &Path) -> Result<(), Failed> {
    let profile = settle(folder)?;
    fs::write(profile.with_file_name("adapter.py"), include_str!("styles.py"))
        .map_err(|error| error.to_string())?;
    let filter = ["STATE-1", "STATE-4", "SUB-1", "SUB-3", "QUEUE-1", "QUEUE-3"];
    let filter: Vec<&str> = filter.into_iter().flat_map(|id| ["--filter", id]).collect();
    let profile = profile.display().to_string();
    let (code, report) =
        gatecheck(&[&["client", "-c", &profile, "--format", "json"], filter.as_slice()].concat()).await?;
    let wrong: Vec<&Value> = cases(&report).filter(|case| case["verdict"] != "pass").collect();
    match code {
        0 if wrong.is_empty() => Ok(()),
        3 => Ok(()),
        code => Err(format!("exit code {code}: {wrong:?}").into()),
    }
}

/// Copies the kit to where its interpreter is, and names its profile.
fn settle(folder: &Path) -> Result<PathBuf, Failed> {
    copy(&FILES, folder)?;
    let kit = folder.join("adapters/python");
    fs::rename(folder.join(".venv"), kit.join(".venv")).map_err(|error| error.to_string())?;
    Ok(kit.join("gatecheck.toml"))
}
